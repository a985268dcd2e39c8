"""Random messages of any type, in which every text and every run of bytes is a secret that occurs once."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from lienthong_gateway.contract.field_rules import field_policy

Field = FieldDescriptor
DATASETS = ("identity.basic", "residence", "family")
"""What a list of datasets names, besides what is none."""
_DEEPEST = 5
_UNKNOWN_ENUM_VALUE = 77
_NUMBERS: Mapping[int, st.SearchStrategy[Any]] = {
    Field.TYPE_INT32: st.integers(1, 9_999),
    Field.TYPE_INT64: st.integers(-(1 << 63), (1 << 63) - 1),
    Field.TYPE_DOUBLE: st.floats(allow_nan=False),
    Field.TYPE_BOOL: st.booleans(),
}
_FIRST_UNKNOWN = 50_000


@dataclass(frozen=True)
class Leaf:
    """A value in a message, where it is, and what must be granted for it to leave the gateway.

    `needs` are datasets of which all must be, `about` sets of datasets of each of which one must be.
    """

    path: str
    value: Any
    needs: frozenset[str]
    about: frozenset[frozenset[str]]

    def open_to(self, granted: AbstractSet[str]) -> bool:
        """Return whether the value may be released."""
        return self.needs <= granted and not any(names.isdisjoint(granted) for names in self.about)


@st.composite
def messages(draw: st.DrawFn, message_type: type[Message]) -> Message:
    """Draw a message: any fields set, lists and maps of up to two, values that an open enumeration does not have."""
    return _Drawing(draw, itertools.count()).message(message_type, 0)


def leaves(
    message: Message,
    path: str = "",
    needs: frozenset[str] = frozenset(),
    about: frozenset[frozenset[str]] = frozenset(),
) -> Iterator[Leaf]:
    """Give everything that is set in a message, containers left out."""
    fields = cast("Iterable[Field]", message.DESCRIPTOR.fields)
    about |= {frozenset(getattr(message, field.name)) for field in fields if _names_datasets(field)}
    for field, value in message.ListFields():
        policy = field_policy(field)
        own = needs | {policy.dataset} if policy is not None and policy.dataset else needs
        for place, part in _parts(field, value, f"{path}.{field.name}"):
            if isinstance(part, Message):
                yield from leaves(part, place, own, about)
            else:
                yield Leaf(place, part, own | {part} if _names_datasets(field) else own, about)


def containers(message: Message) -> Iterator[Message]:
    """Give a message and every message in it, at any depth."""
    yield message
    for field, value in message.ListFields():
        for _, part in _parts(field, value, ""):
            if isinstance(part, Message):
                yield from containers(part)


def secrets(found: Iterator[Leaf] | list[Leaf]) -> list[bytes]:
    """Return the texts and bytes among values: each can be searched for, as it occurs nowhere else."""
    values = (leaf.value for leaf in found if leaf.value not in DATASETS)
    return [value.encode() if isinstance(value, str) else value for value in values if isinstance(value, str | bytes)]


def add_unknown(message: Message, number: int) -> bytes:
    """Add a field to a message that its type does not have, and return the secret in it."""
    secret = f"unknown-{_secret(number)}".encode()
    text = _tag(_FIRST_UNKNOWN + number, 2) + bytes([len(secret)]) + secret
    grouped = _tag(_FIRST_UNKNOWN + number, 3) + text + _tag(_FIRST_UNKNOWN + number, 4)
    message.MergeFromString(text if number % 2 else grouped)
    return secret


def _parts(field: Field, value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (of the field's own type)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key in sorted(value):
            yield f"{path}{{key}}", key
            yield f"{path}[{key}]", value[key]
    elif field.is_repeated:
        # Not numbered: where an item is withheld whole, the next one takes its place.
        yield from ((f"{path}[]", part) for part in value)
    else:
        yield path, value


def _names_datasets(field: Field) -> bool:
    policy = field_policy(field)
    return policy is not None and policy.names_datasets


def _secret(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def _tag(number: int, wire_type: int) -> bytes:
    key, encoded = number << 3 | wire_type, b""
    while key > 0x7F:
        encoded += bytes([key & 0x7F | 0x80])
        key >>= 7
    return encoded + bytes([key])


@dataclass(frozen=True)
class _Drawing:
    """One message being drawn; each secret takes the next number."""

    draw: st.DrawFn
    numbers: Iterator[int]

    def message(self, message_type: type[Message], depth: int) -> Message:
        message = message_type()
        for field in cast("Iterable[Field]", message.DESCRIPTOR.fields):
            for _ in range(self.draw(st.integers(0, 2 if field.is_repeated else 1))):
                self._put(message, field, depth)
        return message

    def _put(self, message: Message, field: Field, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name
            key, value = self._value(entry["key"], depth), self._value(entry["value"], depth)
            held = getattr(message, field.name)
            if isinstance(value, Message):
                held[key].CopyFrom(value)
            else:
                held[key] = value
        elif field.is_repeated:
            getattr(message, field.name).append(self._value(field, depth))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(self._value(field, depth))
        else:
            setattr(message, field.name, self._value(field, depth))

    def _value(self, field: Field, depth: int) -> Any:  # noqa: ANN401 (of the field's own type)
        if field.message_type is not None:
            inner = message_factory.GetMessageClass(field.message_type)
            return self.message(inner, depth + 1) if depth < _DEEPEST else inner()
        if field.type == Field.TYPE_STRING:
            secret = f"chữ-{_secret(next(self.numbers))}"
            return self.draw(st.sampled_from((*DATASETS, secret))) if _names_datasets(field) else secret
        if field.type == Field.TYPE_BYTES:
            return b"\xff" + _secret(next(self.numbers)).encode()
        if field.enum_type is not None:
            values = [value.number for value in field.enum_type.values]
            return self.draw(st.sampled_from([*values, _UNKNOWN_ENUM_VALUE]))
        return self.draw(_NUMBERS[field.type])
