"""Step 5, minimise: clear every field whose dataset was not granted, before anybody sees the answer."""

from collections.abc import MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from lienthong_gateway.contract.field_rules import FieldRule, MessageRules
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Released


def minimise(contract: MethodContract, answer: Message, granted: AbstractSet[str]) -> Released:
    """Return the answer without what was not granted, and without what the contract does not know.

    Fields that the contract does not know (a newer provider's), values that a closed enumeration does not have, and
    extensions are dropped at every depth, and messages without a policy in which nothing may be released, or of which
    nothing is left; names of datasets that were not granted, with the items of lists that are about no other. `answer`
    is of the method's response type; it is changed.
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

    def reduce(self, message: Message, rules: MessageRules, above: str) -> bool:
        """Clear what was not granted; return whether it was all that there was.

        `above` is the path of the message, with a dot at its end.
        """
        fields = message.ListFields()
        left = len(fields)
        for descriptor, value in fields:
            rule = rules.fields.get(descriptor.number)
            if rule is None:
                # What is set and known, but not by the message's own type, is an extension; the stubs know generated
                # ones only.
                message.ClearExtension(descriptor)  # type: ignore[arg-type]
                left -= 1
            elif not self._stays(value, rule, above + rule.name):
                message.ClearField(rule.name)
                left -= 1
        return bool(fields) and not left

    def _stays(self, value: Any, rule: FieldRule, path: str) -> bool:  # noqa: ANN401 (any field's value)
        """Reduce what a field holds; return whether the field may stay."""
        if rule.dataset and rule.dataset not in self.granted:
            return False
        if rule.naming and not self._keep_items(value, rule.naming):
            return False
        if rule.dataset:
            self.fields.add(path)
        if rule.inside is None:
            return True
        inside, below = rule.inside, path + "."
        emptied = [place for place, part in enumerate(rule.parts(value)) if self.reduce(part, inside, below)]
        # How many there were, or that there was one, belongs to what was in them.
        return not rule.opened_by or (not rule.opened_by.isdisjoint(self.granted) and _left_without(value, emptied))

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


def _left_without(value: Any, emptied: Sequence[int]) -> bool:  # noqa: ANN401 (a message, or a list of them)
    """Take the emptied items out of a list of messages; return whether an item, or the one message, is left."""
    if isinstance(value, Message):
        return not emptied
    for place in reversed(emptied):
        del value[place]
    return len(value) > 0
