"""Contracts made up by a test: a service with one method, `Ask`, and whatever answer the test wants."""

from collections.abc import Iterable

from google.protobuf import any_pb2, descriptor_pb2, struct_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import AccessKind, Dataset, FieldPolicy, MethodPolicy, ProviderReason
from lienthong_core.contracts import all_contracts
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import MethodContract, load_contracts
from lienthong_gateway.registration import Registration, System

PROVIDER = SystemId("VN-SANDBOX", "GOV", "G98", "made-up")
READ = AccessKind.ACCESS_KIND_READ
WHOLE = MethodPolicy(
    subject="personal_number", account_level=2, access=READ, answer_names_nobody="A test's answer has a name alone"
)
BASIC = FieldPolicy(dataset="identity.basic")
RESIDENCE = FieldPolicy(dataset="residence")
NOT_PERSONAL = FieldPolicy(not_personal=True)
_IMPORTED = tuple(file.DESCRIPTOR for file in (descriptor_pb2, options_pb2, any_pb2, struct_pb2, wrappers_pb2))


def plain_field(
    name: str,
    policy: FieldPolicy | None,
    number: int = 1,
    kind: FieldDescriptorProto.Type.ValueType = FieldDescriptorProto.TYPE_STRING,
) -> FieldDescriptorProto:
    """Return a single field of a plain type, by default text."""
    field = FieldDescriptorProto(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if policy is not None:
        field.options.Extensions[options_pb2.field].CopyFrom(policy)
    return field


def message_field(name: str, type_name: str, policy: FieldPolicy | None, number: int = 2) -> FieldDescriptorProto:
    """Return a single field that holds a message of `type_name`, full and with a dot before it."""
    field = plain_field(name, policy, number, FieldDescriptorProto.TYPE_MESSAGE)
    field.type_name = type_name
    return field


def repeated(field: FieldDescriptorProto) -> FieldDescriptorProto:
    """Make a field a repeated one."""
    field.label = FieldDescriptorProto.LABEL_REPEATED
    return field


def add_map(message: DescriptorProto, full_name: str, field: FieldDescriptorProto, value: FieldDescriptorProto) -> None:
    """Add `field` to a message as a map from texts to what `value` holds."""
    entry = message.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    entry.field.add().CopyFrom(plain_field("key", None))
    entry.field.add(name="value", number=2)
    entry.field[1].MergeFrom(value)
    message.field.add().CopyFrom(repeated(message_field(field.name, f"{full_name}.{entry.name}", None, field.number)))
    message.field[-1].options.CopyFrom(field.options)


def load(
    package: str,
    method: MethodPolicy | None,
    answer: DescriptorProto,
    *others: DescriptorProto,
    enums: Iterable[EnumDescriptorProto] = (),
    extensions: Iterable[FieldDescriptorProto] = (),
    syntax: str = "proto3",
    streams: tuple[bool, bool] = (False, False),
    declared: Iterable[ProviderReason | Dataset] = (),
) -> MethodContract:
    """Load a contract file with the service, beside all others; `streams`: whether requests do, and whether answers do.

    `others` are further messages, `declared` the reasons and datasets of the file. Raises ContractFault.
    """
    numbers = repeated(plain_field("numbers", None, number=3))
    request = DescriptorProto(
        name="Request", field=[plain_field("personal_number", None), plain_field("note", None, number=2), numbers]
    )
    ask = MethodDescriptorProto(name="Ask", input_type=f".{package}.Request", output_type=f".{package}.{answer.name}")
    ask.client_streaming, ask.server_streaming = streams
    if method is not None:
        ask.options.Extensions[options_pb2.method].CopyFrom(method)
    file = FileDescriptorProto(
        name=f"{package}.proto",
        package=package,
        syntax=syntax,
        dependency=[file.name for file in _IMPORTED],
        message_type=[request, answer, *others],
        enum_type=enums,
        extension=extensions,
    )
    file.service.add(name="Faulty", method=[ask])
    for each in declared:
        if isinstance(each, Dataset):
            file.options.Extensions[options_pb2.dataset].append(each)
        else:
            file.options.Extensions[options_pb2.provider_reason].append(each)
    made = _pool().AddSerializedFile(file.SerializeToString())
    system = System(PROVIDER, "", "", (f"{package}.Faulty",))
    return load_contracts(Registration.of([system], [], []), [*all_contracts(), made])[f"/{package}.Faulty/Ask"]


def _pool() -> DescriptorPool:
    """Return a pool of the contract's own, so that another may have the same names."""
    pool = DescriptorPool()
    for file in _IMPORTED:
        pool.AddSerializedFile(file.serialized_pb)
    return pool
