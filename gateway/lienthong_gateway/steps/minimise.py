"""Step 5, minimise: clear every field whose dataset was not granted, before anybody sees the answer."""

from collections.abc import MutableSequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from google.protobuf.message import Message

from lienthong_gateway.contract.field_rules import MessageRules
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Released


def minimise(contract: MethodContract, answer: Message, granted: AbstractSet[str]) -> Released:
    """Return the answer without what was not granted, and without what the contract does not know.

    Fields that the contract does not know (a newer provider's), values that a closed enumeration does not have, and
    extensions are dropped at every depth, and messages without a policy in which nothing may be released; names of
    datasets that were not granted, with the items of lists that are about no other. `answer` is of the method's
    response type; it is changed.
    """
    answer.DiscardUnknownFields()
    sieve = _Sieve(granted)
    sieve.reduce(answer, contract.rules, "")
    return Released(
        message=answer.SerializeToString(),
        datasets=tuple(sorted(granted & contract.datasets.keys())),
        # Whether the provider holds any of them or not: who has former residences has moved.
        withheld=tuple(sorted(contract.datasets.keys() - granted)),
        fields=tuple(sorted(sieve.fields)),
    )


@dataclass(frozen=True, slots=True)
class _Sieve:
    """Walks one message; remembers which fields stayed."""

    granted: AbstractSet[str]
    fields: set[str] = field(default_factory=set[str])

    def reduce(self, message: Message, rules: MessageRules, above: str) -> None:
        """Clear what was not granted; `above` is the path of the message, with a dot at its end."""
        for descriptor, value in message.ListFields():
            rule = rules.fields.get(descriptor.number)
            if rule is None:
                # What is set and known, but not by the message's own type, is an extension; the stubs know generated
                # ones only.
                message.ClearExtension(descriptor)  # type: ignore[arg-type]
            elif rule.dataset and rule.dataset not in self.granted:
                message.ClearField(rule.name)
            elif not rule.naming or self._keep_items(value, rule.naming):
                path = above + rule.name
                if rule.dataset:
                    self.fields.add(path)
                if rule.inside is not None:
                    for part in rule.parts(value):
                        self.reduce(part, rule.inside, path + ".")
                if rule.opened_by and rule.opened_by.isdisjoint(self.granted):
                    # How many there were, or that there was one, belongs to what was in them.
                    message.ClearField(rule.name)

    def _keep_items(self, items: MutableSequence[Message], naming: str) -> bool:
        """Take out of each item the names that were not granted, and the items with no other; return if any is left."""
        for index in range(len(items) - 1, -1, -1):
            names = getattr(items[index], naming)
            granted = [name for name in names if name in self.granted]
            if granted:
                names[:] = granted
            else:
                del items[index]
        return len(items) > 0
