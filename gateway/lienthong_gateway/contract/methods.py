"""What the contracts say about the methods that can be called through the gateway, read from their descriptors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import AccessKind, Dataset, MethodPolicy
from lienthong_core.errors import GATEWAY_REASONS
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.field_paths import FieldPath
from lienthong_gateway.contract.field_rules import ContractFault, MessageRules, ResponseRules, response_rules
from lienthong_gateway.registration import Registration

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_DATASET = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")

_KINDS = {AccessKind.ACCESS_KIND_READ, AccessKind.ACCESS_KIND_VERIFY, AccessKind.ACCESS_KIND_WRITE}
_ACCOUNT_LEVELS = {1, 2}


@dataclass(frozen=True)
class MethodContract:
    """One method, its policy and its messages."""

    path: str
    provider: SystemId
    policy: MethodPolicy
    request_type: type[Message]
    response_type: type[Message]
    datasets: Mapping[str, Dataset]
    """The datasets that its response can hold or tell something of, by name."""
    rules: MessageRules
    """What may be done with each field of its response."""
    subject: FieldPath | None
    """The field of its request that names the citizen it is about; None: it is about nobody in particular."""
    answer_subjects: tuple[FieldPath, ...]
    """The fields of its response one of which names the citizen asked for; none: no field could."""
    reasons: Mapping[str, str]
    """The reasons that its file declares, each with the sentence that a caller is told."""
    changes: bool
    """Whether it changes a register."""
    streams: bool
    """Whether it answers with any number of messages."""

    @property
    def readable_on_consent(self) -> bool:
        """Whether a citizen's consent can cover it: what she consents to is that her data are read."""
        return self.subject is not None and not self.changes

    def subject_of(self, request: Message) -> str:
        """Return the personal number that the request is about; empty if the method is about nobody in particular."""
        return self.subject.texts(request)[0] if self.subject is not None else ""

    def request_about(self, personal_number: str) -> bytes:
        """Return a request that is about a citizen and says nothing else."""
        request = self.request_type()
        if self.subject is not None:
            self.subject.put(request, personal_number)
        return request.SerializeToString()


def load_contracts(registration: Registration, files: Iterable[FileDescriptor]) -> dict[str, MethodContract]:
    """Return the methods of all registered providers, by path (`/package.Service/Method`), as `files` have them.

    Raises ContractFault if a service is in no contract or of two providers, a method has no whole policy, a field of
    its response no dataset, or a reason or dataset no proper name or sentence, or if two contracts declare one dataset
    or two methods tell a citizen's numbers.
    """
    files = tuple(files)
    services = {service.full_name: service for file in files for service in file.services_by_name.values()}
    declared = _datasets(files)
    contracts: dict[str, MethodContract] = {}
    provided: dict[str, SystemId] = {}
    for system in registration.systems.values():
        for name in system.services:
            if name not in services:
                raise ContractFault(f"{name} is registered as provided, but no contract has it")
            if provided.setdefault(name, system.system_id) != system.system_id:
                raise ContractFault(f"{name} is registered as provided by {provided[name]} and by {system.system_id}")
            reasons = _reasons(services[name].file)
            for method, response in _answered(services[name]):
                contract = _contract(method, response, system.system_id, declared, reasons)
                contracts[contract.path] = contract
    if len(telling := [path for path, contract in contracts.items() if contract.policy.tells_all_numbers]) > 1:
        raise ContractFault(f"{' and '.join(telling)} say that they tell all numbers of a citizen; one method may")
    return contracts


def method_path(method: MethodDescriptor) -> str:
    """Return what a method is called by: `/package.Service/Method`."""
    return f"/{method.containing_service.full_name}/{method.name}"


def _answered(service: ServiceDescriptor) -> list[tuple[MethodDescriptor, ResponseRules]]:
    """Return each method with the rules of its response: one that names datasets can tell of all that are answered."""
    responses = [(method, response_rules(method.output_type, method_path(method))) for method in service.methods]
    answered = frozenset[str]().union(*(response.datasets for _, response in responses))
    return [
        (method, replace(response, datasets=answered) if response.names_datasets else response)
        for method, response in responses
    ]


def _contract(
    method: MethodDescriptor,
    response: ResponseRules,
    provider: SystemId,
    declared: Mapping[str, Dataset],
    reasons: Mapping[str, str],
) -> MethodContract:
    path = method_path(method)
    if method.client_streaming:
        raise ContractFault(f"{path} takes a stream of requests, and the gateway decides about one request at a time")
    policy = _method_policy(method, path)
    if missing := response.datasets - declared.keys():
        message = f"{path} answers datasets that no contract declares: {', '.join(sorted(missing))}"
        raise ContractFault(message)
    return MethodContract(
        path=path,
        provider=provider,
        policy=policy,
        request_type=message_factory.GetMessageClass(method.input_type),
        response_type=message_factory.GetMessageClass(method.output_type),
        changes=policy.access == AccessKind.ACCESS_KIND_WRITE,
        streams=method.server_streaming,
        datasets={name: declared[name] for name in sorted(response.datasets)},
        rules=response.rules,
        subject=_subject(method, policy, path),
        answer_subjects=_answer_subjects(method, policy, path, personal=bool(response.datasets)),
        reasons=reasons,
    )


def _datasets(files: Iterable[FileDescriptor]) -> dict[str, Dataset]:
    datasets: dict[str, Dataset] = {}
    for file in files:
        for declared in file.GetOptions().Extensions[options_pb2.dataset]:
            is_said = _DATASET.fullmatch(declared.name) and declared.title_vi and declared.title_en
            if not is_said or declared.name in datasets:
                fault = "misnamed, without both its titles, or beside another of that name"
                raise ContractFault(f"{file.name} declares {declared.name!r} as a dataset {fault}")
            datasets[declared.name] = declared
    return datasets


def _reasons(file: FileDescriptor) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for declared in file.GetOptions().Extensions[options_pb2.provider_reason]:
        if not _REASON.fullmatch(declared.name) or not declared.advice or declared.name in reasons:
            raise ContractFault(f"{file.name} declares {declared.name!r} as a reason twice, without advice or misnamed")
        if declared.name in GATEWAY_REASONS:
            raise ContractFault(f"{file.name} declares {declared.name} as a reason, which is the gateway's")
        reasons[declared.name] = declared.advice
    return reasons


def _method_policy(method: MethodDescriptor, path: str) -> MethodPolicy:
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.method):
        message = (
            f"{path} has no (lienthong.api.options.v1.method) option; every method of a provider states its policy"
        )
        raise ContractFault(message)
    policy = options.Extensions[options_pb2.method]
    if policy.access not in _KINDS:
        raise ContractFault(f"{path} does not say whether it reads, verifies or writes")
    covered = policy.subject and policy.access != AccessKind.ACCESS_KIND_WRITE
    if covered and policy.account_level not in _ACCOUNT_LEVELS:
        raise ContractFault(f"{path} does not say that it needs account level 1 or 2, and consent can cover it")
    return policy


def _subject(method: MethodDescriptor, policy: MethodPolicy, path: str) -> FieldPath | None:
    if not policy.subject:
        return None
    subject = FieldPath.find(method.input_type, policy.subject)
    if subject is None or not subject.is_single:
        raise ContractFault(f"{path} names {policy.subject!r} as its subject, which is no text field of its request")
    return subject


def _answer_subjects(
    method: MethodDescriptor, policy: MethodPolicy, path: str, *, personal: bool
) -> tuple[FieldPath, ...]:
    found: list[FieldPath] = []
    for name in policy.answer_subject:
        subject = FieldPath.find(method.output_type, name)
        if subject is None:
            raise ContractFault(f"{path} names {name!r} as whom its answer is about, which is no text field of it")
        found.append(subject)
    if found and not policy.subject:
        raise ContractFault(f"{path} says whom its answer is about, but not whom its request is about")
    if found and policy.answer_names_nobody:
        raise ContractFault(f"{path} says both whom its answer is about and why it names nobody")
    if policy.subject and personal and not found and not policy.answer_names_nobody:
        fault = f"{path} neither says which field of its answer names the citizen asked for nor why none does"
        raise ContractFault(fault)
    if policy.tells_all_numbers and (method.server_streaming or not found):
        raise ContractFault(f"{path} says that it tells all numbers of a citizen, and does not answer with them")
    return tuple(found)
