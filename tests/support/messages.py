"""Random messages of a contract's types, in which every text says which dataset it belongs to."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from lienthong_gateway.contracts import field_policy

NOT_PERSONAL = "-"
_INTEGERS = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64}
_DEEPEST = 6


def marker(dataset: str) -> str:
    """Return a text that occurs in a message only where a field of `dataset` is."""
    return f"⟦{dataset}⟧"


@st.composite
def messages(draw: st.DrawFn, message_type: type[Message], above: str = "", depth: int = 0) -> Message:
    """Draw a message; `above` is the dataset of the field that it stands in, empty at the top."""
    message = message_type()
    for field in cast("Iterable[FieldDescriptor]", message.DESCRIPTOR.fields):
        dataset = dataset_of(field, above)
        for _ in range(draw(st.integers(0, 2)) if field.is_repeated else draw(st.integers(0, 1))):
            _put(message, field, draw(_values(field, dataset, depth)))
    return message


def leaves(message: Message, path: str = "", above: str = "") -> Iterator[tuple[str, str, Any]]:
    """Give path, dataset and value of everything that is set in a message, containers left out."""
    for field, value in message.ListFields():
        name = f"{path}.{field.name}"
        dataset = dataset_of(field, above)
        for index, part in enumerate(value if field.is_repeated else (value,)):
            place = f"{name}[{index}]" if field.is_repeated else name
            if isinstance(part, Message):
                yield from leaves(part, place, dataset)
            else:
                yield place, dataset, part


def dataset_of(field: FieldDescriptor, above: str) -> str:
    """Return the dataset a field belongs to: its own, or that of the field it stands in."""
    policy = field_policy(field)
    if policy is None:
        return above
    return policy.dataset or NOT_PERSONAL


def _values(field: FieldDescriptor, dataset: str, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        inner = message_factory.GetMessageClass(field.message_type)
        return messages(inner, dataset, depth + 1) if depth < _DEEPEST else st.just(inner())
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.text("aàảãáạăâđêôơưz09", max_size=4).map(lambda text: f"{text}{marker(dataset)}{text}")
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.just(value=True)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    assert field.type in _INTEGERS, f"{field.full_name}: draw values of its type here"
    return st.integers(1, 9_999)


def _put(message: Message, field: FieldDescriptor, value: Any) -> None:  # noqa: ANN401 (of the field's own type)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif isinstance(value, Message):
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
