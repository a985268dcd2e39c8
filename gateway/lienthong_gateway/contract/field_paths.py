"""Paths such as `citizen.personal_number`, with which a contract's options name a text field of a message."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from lienthong_gateway.contract.wire import wire_fields


@dataclass(frozen=True)
class FieldPath:
    """A way through a message to a text field."""

    fields: tuple[FieldDescriptor, ...]

    @classmethod
    def find(cls, message: Descriptor, path: str) -> "FieldPath | None":
        """Return the path of that name through messages of a type, or None if it does not lead to a text field."""
        fields: list[FieldDescriptor] = []
        inside: Descriptor | None = message
        for name in path.split("."):
            field = inside.fields_by_name.get(name) if inside is not None else None
            if field is None or (field.message_type is not None and field.message_type.GetOptions().map_entry):
                return None
            fields.append(field)
            inside = field.message_type if field.type == FieldDescriptor.TYPE_MESSAGE else None
        return cls(tuple(fields)) if fields[-1].type == FieldDescriptor.TYPE_STRING else None

    def __str__(self) -> str:
        return ".".join(field.name for field in self.fields)

    @property
    def is_single(self) -> bool:
        """Whether a message can have at most one such field."""
        return not any(field.is_repeated for field in self.fields)

    def texts(self, message: Message) -> list[str]:
        """Return the texts of all such fields; that of one that is not set, or holds none, is empty."""
        values: list[Any] = [message]
        for field in self.fields:
            held = [getattr(value, field.name) for value in values]
            values = [part for parts in held for part in parts] if field.is_repeated else held
        # What is no UTF-8 is bytes, where the contract does not have the library refuse it (syntax proto2).
        return [value if isinstance(value, str) else "" for value in values]

    def put(self, message: Message, text: str) -> None:
        """Set the field of a message, which can have one such field only."""
        inside: Any = message
        for field in self.fields[:-1]:
            inside = getattr(inside, field.name)
        setattr(inside, self.fields[-1].name, text)

    def count(self, message: bytes) -> int:
        """Return how often the field occurs in the bytes of a message.

        A single field that occurs twice is no error to Protocol Buffers: its last value counts, or its parts are put
        together. Whoever wrote it may mean the first.
        """
        containers = [memoryview(message)]
        for field in self.fields:
            containers = [part for container in containers for part in _occurrences(container, field.number)]
        return len(containers)


def _occurrences(message: memoryview, number: int) -> list[memoryview]:
    return [content for found, content in wire_fields(message) if found == number]
