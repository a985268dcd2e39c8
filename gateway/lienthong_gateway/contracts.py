"""What the contracts say about the methods that can be called through the gateway, read from their descriptors."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import AccessKind, Dataset, FieldPolicy, MethodPolicy
from lienthong_core.contracts import declared_datasets
from lienthong_core.systems import SystemId
from lienthong_gateway.registration import Registration


class ContractFault(Exception):  # noqa: N818 (names what is wrong)
    """A provider's contract does not carry the policy it owes."""


@dataclass(frozen=True)
class MethodContract:
    """One method, its policy and its messages."""

    path: str
    provider: SystemId
    policy: MethodPolicy
    request_type: type[Message]
    response_type: type[Message]
    datasets: Mapping[str, Dataset]
    """The datasets that its response can hold, by name."""
    streams: bool = False
    """Whether it answers with any number of messages."""

    def subject_of(self, request: Message) -> str:
        """Return the personal number that the request is about; empty if the method is about nobody in particular."""
        if not self.policy.subject:
            return ""
        value: object = request
        for name in self.policy.subject.split("."):
            value = getattr(value, name)
        return str(value)


def load_contracts(registration: Registration, files: Iterable[FileDescriptor]) -> dict[str, MethodContract]:
    """Return the methods of all registered providers, by path (`/package.Service/Method`), as `files` have them.

    Raises ContractFault if a service is in no contract, a method has no whole policy, or a field of its response
    no dataset.
    """
    services = {service.full_name: service for file in files for service in file.services_by_name.values()}
    declared = declared_datasets()
    contracts: dict[str, MethodContract] = {}
    for system in registration.systems.values():
        for name in system.services:
            if name not in services:
                raise ContractFault(f"{name} is registered as provided, but no contract has it")
            for method in services[name].methods:
                contract = _contract(method, system.system_id, declared)
                contracts[contract.path] = contract
    return contracts


def field_policy(field: FieldDescriptor) -> FieldPolicy | None:
    """Return the policy that a field carries, or None if it carries none."""
    options = field.GetOptions()
    return options.Extensions[options_pb2.field] if options.HasExtension(options_pb2.field) else None


def _contract(method: MethodDescriptor, provider: SystemId, declared: Mapping[str, Dataset]) -> MethodContract:
    path = f"/{method.containing_service.full_name}/{method.name}"
    if method.client_streaming:
        raise ContractFault(f"{path} takes a stream of requests, and the gateway decides about one request at a time")
    policy = _method_policy(method, path)
    names = set(_response_datasets(method.output_type, path, frozenset(), covered=False))
    if missing := names - declared.keys():
        message = f"{path} answers datasets that no contract declares: {', '.join(sorted(missing))}"
        raise ContractFault(message)
    return MethodContract(
        path=path,
        provider=provider,
        policy=policy,
        request_type=message_factory.GetMessageClass(method.input_type),
        response_type=message_factory.GetMessageClass(method.output_type),
        streams=method.server_streaming,
        datasets={name: declared[name] for name in sorted(names)},
    )


def _method_policy(method: MethodDescriptor, path: str) -> MethodPolicy:
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.method):
        message = (
            f"{path} has no (lienthong.api.options.v1.method) option; every method of a provider states its policy"
        )
        raise ContractFault(message)
    policy = options.Extensions[options_pb2.method]
    if policy.access == AccessKind.ACCESS_KIND_UNSPECIFIED:
        raise ContractFault(f"{path} does not say whether it reads, verifies or writes")
    if policy.subject and not _names_text(method.input_type, policy.subject):
        raise ContractFault(f"{path} names {policy.subject!r} as its subject, which is no text field of its request")
    return policy


def _names_text(message: Descriptor, path: str) -> bool:
    """Return whether a dotted path leads through single messages to a single string."""
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name)
    if field is None or field.is_repeated:
        return False
    if rest:
        return field.message_type is not None and _names_text(field.message_type, rest)
    return field.type == FieldDescriptor.TYPE_STRING


def _response_datasets(message: Descriptor, path: str, above: frozenset[str], *, covered: bool) -> Iterator[str]:
    """Give the datasets of all fields reachable from a response; a field that has none is a fault of the contract.

    `covered`: a field above has a policy, which holds for fields that have none of their own.
    """
    if message.full_name in above:
        return
    for field in message.fields:
        policy = field_policy(field)
        if policy is not None and policy.dataset:
            yield policy.dataset
        elif policy is not None and not policy.not_personal:
            raise ContractFault(f"{field.full_name} has a policy that neither names a dataset nor says not_personal")
        elif policy is None and not covered and field.message_type is None:
            fault = f"{field.full_name}, which {path} can answer, has no dataset and is not marked not_personal"
            raise ContractFault(fault)
        if field.message_type is not None:
            below = above | {message.full_name}
            yield from _response_datasets(field.message_type, path, below, covered=covered or policy is not None)
