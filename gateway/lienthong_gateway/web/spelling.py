"""Names of fields in JSON: each may be written as the contract has it or as ProtoJSON spells it, but not both ways."""

from collections.abc import Iterator
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_WELL_KNOWN = "google.protobuf."


def fields_named_twice(value: Any, message_type: type[Message]) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    """Give the names of fields that stand in an object in both their spellings, at any depth.

    `value` is JSON that has been read as a message of this type without a fault. Raises ValueError where that was none
    all the same: the library takes whatever is empty for an empty message.
    """
    return _named_twice(value, cast("Descriptor", message_type.DESCRIPTOR))


def _named_twice(value: Any, message: Descriptor) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if message.full_name.startswith(_WELL_KNOWN):
        # It has a form of its own in JSON, and no fields in it.
        return
    if not isinstance(value, dict):
        raise ValueError(f"what stands for a {message.full_name} is no JSON object")  # noqa: TRY004 (a fault of the JSON)
    by_name = {name: field for field in message.fields for name in (field.name, field.json_name)}
    seen: set[int] = set()
    for name, held in cast("dict[str, Any]", value).items():
        field = by_name.get(name)
        if field is None:
            # An extension, which has one name only.
            continue
        if field.number in seen:
            yield field.name
        seen.add(field.number)
        for part, part_type in _messages_in(field, held):
            yield from _named_twice(part, part_type)


def _messages_in(field: FieldDescriptor, value: Any) -> Iterator[tuple[Any, Descriptor]]:  # noqa: ANN401 (any JSON)
    if field.message_type is None or value is None:
        return
    if field.message_type.GetOptions().map_entry:
        held = field.message_type.fields_by_name["value"].message_type
        if held is not None:
            yield from ((part, held) for part in value.values())
    elif field.is_repeated:
        yield from ((part, field.message_type) for part in value)
    else:
        yield value, field.message_type
