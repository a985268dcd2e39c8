"""Messages as they are sent, field by field, so that what is in one can be counted before it is made.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

# What follows a field's tag.
_VARINT, _I64, _LEN, _GROUP, _GROUP_END, _I32 = range(6)
_DEEPER = {_GROUP: 1, _GROUP_END: -1}
_LONGEST_VARINT = 10
_MORE = 0x80
_NOTHING = memoryview(b"")
_NOT_PACKED = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE}


def wire_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Give the number of each field and what is in it, in their order; nothing is, unless it has a length.

    The fields of a group are those of another message, and left out. Raises ValueError where there is no field.
    """
    depth = 0
    for number, kind, content in _parts(message):
        if depth == 0 and kind != _GROUP_END:
            yield number, content
        depth += _DEEPER.get(kind, 0)


def has_more_fields(message: bytes, message_type: Descriptor, most: int) -> bool:
    """Return whether there are more than `most` fields in a message, at any depth; raises ValueError as above.

    Each element of a list is one, and of a list of numbers each byte.
    """
    # Each takes a byte or more.
    if len(message) <= most:
        return False
    count, unread = 0, [(memoryview(message), message_type)]
    while unread:
        container, container_type = unread.pop()
        for field, content in _fields(container, container_type):
            count += 1 if field is None else _elements(field, content)
            if count > most:
                return True
            if field is not None and field.message_type is not None:
                unread.append((content, field.message_type))
    return False


def _fields(message: memoryview, message_type: Descriptor) -> Iterator[tuple[FieldDescriptor | None, memoryview]]:
    """Give each field with what is in it, also those of groups; None: its message's type does not have it."""
    types: list[Descriptor | None] = [message_type]
    for number, kind, content in _parts(message):
        if kind == _GROUP_END:
            types.pop()
            if not types:
                raise ValueError("a group ends that has not begun")
            continue
        inside = types[-1]
        field = inside.fields_by_number.get(number) if inside is not None else None
        yield field, content
        if kind == _GROUP:
            types.append(field.message_type if field is not None else None)


def _parts(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Give number, kind and content of whatever has a tag; the fields of a group stand between its two ends."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind, content = tag & 0b111, _NOTHING
        if kind == _LEN:
            length, at = _varint(message, at)
            content = message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _I64:
            at += 8
        elif kind == _I32:
            at += 4
        elif kind not in _DEEPER:
            raise ValueError("there is no such type")
        if at > len(message):
            raise ValueError("a field ends early")
        yield tag >> 3, kind, content


def _elements(field: FieldDescriptor, content: memoryview) -> int:
    return max(1, len(content)) if field.is_repeated and field.type not in _NOT_PACKED else 1


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = shift = 0
    for byte in message[at : at + _LONGEST_VARINT]:
        at += 1
        if byte < _MORE:
            return value | byte << shift, at
        value |= (byte - _MORE) << shift
        shift += 7
    raise ValueError("a number does not end")
