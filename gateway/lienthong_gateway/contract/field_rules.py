"""What may be done with each field of a response, read once from the contract's options when contracts are loaded."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import FieldPolicy

_FREE_FORM = {f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue")}
"""Messages that can hold anything, so that no policy can be stated for what is in them."""

_ALWAYS = ""
"""In the place of a dataset: it is released whatever has been granted."""

Parts = Callable[[Any], Iterable[Message]]


class ContractFault(Exception):  # noqa: N818 (names what is wrong)
    """A provider's contract does not carry the policy it owes."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What may be done with one field."""

    name: str
    dataset: str
    """The dataset that must have been granted; empty: it has none of its own, and stays."""
    inside: "MessageRules | None"
    """The rules for the messages it holds; None: they stay as they are, or it holds none."""
    parts: Parts
    """Gives the messages that a value of the field holds."""
    opened_by: frozenset[str] = frozenset()
    """For a field without a policy: the datasets one of which must have been granted for anything in it to be released.
    Otherwise not even that it is there may be known. Empty: something in it always is released, or it has a policy."""
    naming: str = ""
    """For a list of messages of which each names the datasets it is about: the field of theirs that does."""


@dataclass(frozen=True, slots=True)
class MessageRules:
    """The rules of a message's fields, by number. A message that can hold itself has rules that do, too."""

    fields: dict[int, FieldRule] = dataclasses.field(default_factory=dict[int, FieldRule])


@dataclass(frozen=True)
class ResponseRules:
    """The rules of a whole response, and every dataset that occurs in them."""

    rules: MessageRules
    datasets: frozenset[str]
    names_datasets: bool
    """Whether it also names datasets, of those that the service answers."""


def response_rules(response: Descriptor, path: str) -> ResponseRules:
    """Return the rules of the response of the method at `path`.

    Raises ContractFault if a field that the response can reach has no policy, of its own or from a field above, if it
    can hold anything whatever and has no dataset of its own, if it is required, or if it names datasets and is no list
    of texts in an item of a list. A message field needs none where fields in it have theirs.
    """
    if _naming(response):
        raise ContractFault(f"{response.full_name}, which {path} answers, names datasets and is not an item of a list")
    compiler = _Compiler(path)
    rules = compiler.message(response, covered=False)
    return ResponseRules(rules, frozenset(compiler.datasets), compiler.names_datasets)


def field_policy(field: FieldDescriptor) -> FieldPolicy | None:
    """Return the policy that a field carries, or None if it carries none."""
    options = field.GetOptions()
    return options.Extensions[options_pb2.field] if options.HasExtension(options_pb2.field) else None


class _Compiler:
    """Makes the rules of one response; each message type is looked at once, or twice if it also occurs covered."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._made: dict[tuple[str, bool], MessageRules] = {}
        self.datasets: set[str] = set()
        self.names_datasets = False

    def message(self, message: Descriptor, *, covered: bool) -> MessageRules:
        """Return the rules of a message; `covered`: a field above has a policy, which holds where there is no other."""
        key = (message.full_name, covered)
        if key not in self._made:
            rules = self._made[key] = MessageRules()
            for field in message.fields:
                rules.fields[field.number] = self._field(field, covered=covered)
        return self._made[key]

    def _field(self, field: FieldDescriptor, *, covered: bool) -> FieldRule:
        policy = field_policy(field)
        self._check(field, policy, covered=covered)
        dataset = _own_dataset(field)
        if dataset:
            self.datasets.add(dataset)
        inside = self._inside(field, covered=covered or policy is not None)
        opened_by = frozenset[str]() if covered or policy is not None else self._opened_by(field)
        return FieldRule(field.name, dataset, inside, _parts(field), opened_by, self._naming_field(field))

    def _naming_field(self, field: FieldDescriptor) -> str:
        held = _held(field)
        naming = _naming(held) if held is not None else []
        if not naming:
            return ""
        self.names_datasets = True
        if len(naming) > 1 or not _is_text_list(naming[0]) or not field.is_repeated or _is_map(field):
            fault = (
                f"{naming[0].full_name}, which {self._path} can answer in {field.full_name}, names datasets; only one "
                "list of texts in a message may, and only where that is an item of a list"
            )
            raise ContractFault(fault)
        return naming[0].name

    def _opened_by(self, field: FieldDescriptor) -> frozenset[str]:
        held = _held(field)
        opened_by = _openings(held) if held is not None else None
        if not opened_by:
            fault = f"{field.full_name}, which {self._path} can answer, has no dataset, and neither has anything in it"
            raise ContractFault(fault)
        return frozenset() if _ALWAYS in opened_by else opened_by

    def _inside(self, field: FieldDescriptor, *, covered: bool) -> MessageRules | None:
        held = _held(field)
        if held is None or held.full_name in _FREE_FORM:
            return None
        rules = self.message(held, covered=covered)
        return rules if not covered or _has_own_rules(held) else None

    def _check(self, field: FieldDescriptor, policy: FieldPolicy | None, *, covered: bool) -> None:
        held = _held(field)
        if field.is_required:
            fault = f"{field.full_name}, which {self._path} can answer, is required; make it optional, to be withheld"
            raise ContractFault(fault)
        if policy is not None and not (policy.dataset or policy.not_personal or policy.names_datasets):
            raise ContractFault(f"{field.full_name} has a policy that neither names a dataset nor says not_personal")
        if policy is None and not covered and (held is None or _is_map(field)):
            fault = f"{field.full_name}, which {self._path} can answer, has no dataset and is not marked not_personal"
            raise ContractFault(fault)
        if held is not None and held.full_name in _FREE_FORM and not (policy is not None and policy.dataset):
            fault = (
                f"{field.full_name}, which {self._path} can answer, is a {held.full_name}, which can hold anything; "
                "name the fields instead, or give it a dataset of its own, with which it is released whole"
            )
            raise ContractFault(fault)


def _openings(message: Descriptor) -> frozenset[str]:
    """Return the datasets of what a message without a policy holds, `_ALWAYS` among them for what needs no grant."""
    found: set[str] = set()
    for reached in _reachable(message, lambda field: field_policy(field) is None):
        found.update(policy.dataset for field in reached.fields if (policy := field_policy(field)))
    return frozenset(found)


def _has_own_rules(message: Descriptor) -> bool:
    """Return whether anything inside a covered message may not simply stay: other datasets, names, or extensions."""
    return any(
        reached.is_extendable or _naming(reached) or any(_own_dataset(field) for field in reached.fields)
        for reached in _reachable(message)
    )


def _own_dataset(field: FieldDescriptor) -> str:
    policy = field_policy(field)
    return policy.dataset if policy is not None else ""


def _naming(message: Descriptor) -> list[FieldDescriptor]:
    """Return the fields of a message that name datasets."""
    return [field for field in message.fields if (policy := field_policy(field)) and policy.names_datasets]


def _is_text_list(field: FieldDescriptor) -> bool:
    return field.is_repeated and field.type == FieldDescriptor.TYPE_STRING


def _reachable(
    message: Descriptor, through: Callable[[FieldDescriptor], bool] = lambda _field: True
) -> Iterator[Descriptor]:
    found = {message.full_name: message}
    waiting = [message]
    while waiting:
        reached = waiting.pop()
        yield reached
        for field in reached.fields:
            held = _held(field)
            if held is not None and held.full_name not in found and through(field):
                found[held.full_name] = held
                waiting.append(held)


def _held(field: FieldDescriptor) -> Descriptor | None:
    """Return the message type that a field holds, for a map that of its values; None if it holds plain values."""
    held = field.message_type
    return held.fields_by_name["value"].message_type if held is not None and _is_map(field) else held


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _parts(field: FieldDescriptor) -> Parts:
    if _is_map(field):
        return methodcaller("values")
    return iter if field.is_repeated else _alone


def _alone(value: Message) -> tuple[Message]:
    return (value,)
