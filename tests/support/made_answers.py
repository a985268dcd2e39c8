"""Random types of answers: nested, repeated, maps, oneofs, optional values, and policies wherever they may stand.

Some types name the datasets they are about; such a one occurs in lists only.
"""

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto
from hypothesis import strategies as st

from lienthong.api.options.v1.options_pb2 import FieldPolicy
from lienthong_gateway.contract.methods import MethodContract
from tests.support.made_contracts import WHOLE, add_map, load, plain_field, repeated
from tests.support.messages import DATASETS

Field = FieldDescriptorProto
_NOT_PERSONAL = "-"
_PLAIN = (Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_INT64, Field.TYPE_DOUBLE, Field.TYPE_BOOL, Field.TYPE_ENUM)
_SHAPES = ("single", "repeated", "map", "choice", "optional")
_MOST_TYPES = 4
_ABOUT = 100
"""The number of the field that names datasets."""


@dataclass(frozen=True)
class _MadeField:
    kind: int
    """A plain type; or, below zero, minus one for the first message type, minus two for the second, and so on."""
    shape: str
    policy: str
    """A dataset, or that it is not personal; empty: it says nothing."""

    @property
    def says_nothing_of_a_message(self) -> bool:
        return self.kind < 0 and self.shape != "map" and not self.policy

    @property
    def held_type(self) -> int:
        return -1 - self.kind


_Types = tuple[tuple[_MadeField, ...], ...]


@st.composite
def made_contracts(draw: st.DrawFn) -> MethodContract:
    """Draw the contract of a method whose answer is of a random type."""
    count = draw(st.integers(1, _MOST_TYPES))
    made_field = st.builds(
        _MadeField,
        kind=st.sampled_from((*_PLAIN, *range(-1, -1 - count, -1))),
        shape=st.sampled_from(_SHAPES),
        policy=st.sampled_from(("", "", *DATASETS, _NOT_PERSONAL)),
    )
    drawn = draw(st.tuples(*[st.lists(made_field, min_size=1, max_size=5).map(tuple)] * count))
    naming = draw(st.frozensets(st.integers(1, count - 1))) if count > 1 else frozenset[int]()
    types = _with_policies(tuple(tuple(_listed(field, naming) for field in fields) for fields in drawn))
    package = f"made.p{hashlib.sha256(repr((types, sorted(naming))).encode()).hexdigest()[:16]}"
    answer, *others = [_message(package, index, fields) for index, fields in enumerate(types)]
    for index in naming:
        others[index - 1].field.append(repeated(plain_field("about", FieldPolicy(names_datasets=True), _ABOUT)))
    colour = EnumDescriptorProto(name="Colour")
    for number, name in enumerate(("COLOUR_NONE", "COLOUR_RED")):
        colour.value.add(name=name, number=number)
    return load(package, WHOLE, answer, *others, enums=[colour])


def _listed(field: _MadeField, naming: AbstractSet[int]) -> _MadeField:
    return replace(field, shape="repeated") if field.kind < 0 and field.held_type in naming else field


def _with_policies(types: _Types) -> _Types:
    """Give datasets where there would otherwise be none, as the gateway refuses such a contract.

    A message without one must hold a field that has one.
    """
    bare = {0}
    waiting = [0]
    while waiting:
        below = {field.held_type for field in types[waiting.pop()] if field.says_nothing_of_a_message}
        waiting += below - bare
        bare |= below
    return tuple(_labelled_type(fields) if index in bare else fields for index, fields in enumerate(types))


def _labelled_type(fields: tuple[_MadeField, ...]) -> tuple[_MadeField, ...]:
    first, *others = map(_labelled, fields)
    if not any(field.policy for field in (first, *others)):
        first = replace(first, policy=DATASETS[0])
    return first, *others


def _labelled(field: _MadeField) -> _MadeField:
    return field if field.policy or field.says_nothing_of_a_message else replace(field, policy=DATASETS[0])


def _message(package: str, index: int, fields: Sequence[_MadeField]) -> DescriptorProto:
    message = DescriptorProto(name=f"Type{index}")
    if any(field.shape == "choice" for field in fields):
        message.oneof_decl.add(name="choice")
    for number, field in enumerate(fields, start=1):
        made = _typed(plain_field(f"field_{number}", _policy(field.policy), number), field, package)
        if field.shape == "map":
            add_map(message, f".{package}.Type{index}", made, _typed(Field(), field, package))
        else:
            message.field.add().CopyFrom(made)
            _shape(message, message.field[-1], field.shape)
    return message


def _shape(message: DescriptorProto, field: Field, shape: str) -> None:
    if shape == "repeated":
        repeated(field)
    elif shape == "choice":
        field.oneof_index = 0
    elif shape == "optional":
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


def _typed(made: Field, field: _MadeField, package: str) -> Field:
    if field.kind < 0:
        made.type, made.type_name = Field.TYPE_MESSAGE, f".{package}.Type{field.held_type}"
    else:
        made.type = Field.Type.ValueType(field.kind)
        if field.kind == Field.TYPE_ENUM:
            made.type_name = f".{package}.Colour"
    return made


def _policy(text: str) -> FieldPolicy | None:
    if not text:
        return None
    return FieldPolicy(not_personal=True) if text == _NOT_PERSONAL else FieldPolicy(dataset=text)
