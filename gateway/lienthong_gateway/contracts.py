"""What the contracts say about the methods that can be called through the gateway, read from their descriptors."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import Default, DescriptorPool
from google.protobuf.message import Message

import lienthong.api
from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import Dataset, FieldPolicy, MethodPolicy
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

    def subject_of(self, request: Message) -> str:
        """Return the personal number that the request is about; empty if the method is about nobody in particular."""
        if not self.policy.subject:
            return ""
        value: object = request
        for name in self.policy.subject.split("."):
            value = getattr(value, name)
        return str(value)


def import_contracts() -> None:
    """Put every contract of the SDK into protobuf's default pool."""
    for module in pkgutil.walk_packages(lienthong.api.__path__, "lienthong.api."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)


def load_contracts(registration: Registration) -> dict[str, MethodContract]:
    """Return the methods of all registered providers, by path (`/package.Service/Method`).

    Raises ContractFault if a method has no policy, or a field of its response no dataset.
    """
    import_contracts()
    pool = Default()
    declared = declared_datasets(pool)
    contracts: dict[str, MethodContract] = {}
    for system in registration.systems.values():
        for name in system.services:
            service: ServiceDescriptor = pool.FindServiceByName(name)
            for method in service.methods:
                contract = _contract(method, system.system_id, declared)
                contracts[contract.path] = contract
    return contracts


def declared_datasets(pool: DescriptorPool) -> dict[str, Dataset]:
    """Return every dataset that a contract of the SDK declares, by name."""
    datasets: dict[str, Dataset] = {}
    for module in pkgutil.walk_packages(lienthong.api.__path__, "lienthong.api."):
        if module.name.endswith("_pb2"):
            file = pool.FindFileByName(module.name.removesuffix("_pb2").replace(".", "/") + ".proto")
            datasets.update({d.name: d for d in file.GetOptions().Extensions[options_pb2.dataset]})
    return datasets


def field_policy(field: FieldDescriptor) -> FieldPolicy | None:
    """Return the policy that a field carries, or None if it carries none."""
    options = field.GetOptions()
    return options.Extensions[options_pb2.field] if options.HasExtension(options_pb2.field) else None


def _contract(method: MethodDescriptor, provider: SystemId, declared: Mapping[str, Dataset]) -> MethodContract:
    options = method.GetOptions()
    path = f"/{method.containing_service.full_name}/{method.name}"
    if not options.HasExtension(options_pb2.method):
        message = (
            f"{path} has no (lienthong.api.options.v1.method) option; every method of a provider states its policy"
        )
        raise ContractFault(message)
    names = set(_response_datasets(method.output_type, path, frozenset()))
    if missing := names - declared.keys():
        message = f"{path} answers datasets that no contract declares: {', '.join(sorted(missing))}"
        raise ContractFault(message)
    return MethodContract(
        path=path,
        provider=provider,
        policy=options.Extensions[options_pb2.method],
        request_type=message_factory.GetMessageClass(method.input_type),
        response_type=message_factory.GetMessageClass(method.output_type),
        datasets={name: declared[name] for name in sorted(names)},
    )


def _response_datasets(message: Descriptor, path: str, above: frozenset[str]) -> Iterator[str]:
    """Give the datasets of all fields reachable from a response; a field that has none is a fault of the contract."""
    if message.full_name in above:
        return
    for field in message.fields:
        policy = field_policy(field)
        if policy is not None:
            if policy.dataset:
                yield policy.dataset
        elif field.message_type is not None:
            yield from _response_datasets(field.message_type, path, above | {message.full_name})
        else:
            fault = f"{field.full_name}, which {path} can answer, has no dataset and is not marked not_personal"
            raise ContractFault(fault)
