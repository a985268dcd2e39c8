"""Step 5, minimise: clear every field whose dataset was not granted, before anybody sees the answer."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from lienthong_core.errors import Refusal
from lienthong_gateway.contracts import MethodContract, field_policy
from lienthong_gateway.exchange import Released


def minimise(contract: MethodContract, answer: bytes, granted: AbstractSet[str]) -> Released:
    """Return the answer without the fields that were not granted, and without fields the contract does not know.

    Refused: PROVIDER_ANSWER_INVALID, if the answer is no message of the method's type.
    """
    message = contract.response_type()
    try:
        message.ParseFromString(answer)
    except DecodeError as error:
        text = f"{contract.provider} answered with something that is not the method's response; nothing is released."
        raise Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", text) from error
    message.DiscardUnknownFields()
    sieve = _Sieve(granted)
    sieve.reduce(message, "")
    return Released(
        message=message.SerializeToString(),
        datasets=tuple(sorted(granted & contract.datasets.keys())),
        withheld=tuple(sorted(sieve.withheld)),
        fields=tuple(sorted(sieve.fields)),
    )


class _Sieve:
    """Walks one message; remembers which fields stayed and which datasets did not."""

    def __init__(self, granted: AbstractSet[str]) -> None:
        self._granted = granted
        self.withheld: set[str] = set()
        self.fields: set[str] = set()

    def reduce(self, message: Message, path: str, *, covered: bool = False) -> None:
        """Clear what was not granted; `covered`: a field above was granted, so what says nothing else may stay."""
        for field, value in message.ListFields():
            name = f"{path}.{field.name}" if path else field.name
            policy = field_policy(field)
            if policy is None and not covered and field.message_type is None:
                # Contracts are checked when the gateway starts; a field that escaped that is not given away.
                message.ClearField(field.name)
            elif policy is not None and policy.dataset and policy.dataset not in self._granted:
                message.ClearField(field.name)
                self.withheld.add(policy.dataset)
            else:
                if policy is not None and policy.dataset:
                    self.fields.add(name)
                for part in _messages_in(field, value):
                    self.reduce(part, name, covered=covered or policy is not None)


def _messages_in(field: FieldDescriptor, value: Any) -> Iterable[Message]:  # noqa: ANN401 (of the field's own type)
    if field.message_type is None:
        return ()
    if field.message_type.GetOptions().map_entry:
        holds_messages = field.message_type.fields_by_name["value"].message_type is not None
        return list(value.values()) if holds_messages else ()
    return list(value) if field.is_repeated else (value,)
