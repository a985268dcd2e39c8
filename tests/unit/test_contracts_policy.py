"""The policy that contracts carry: what every provider's contract states, and what a faulty one is refused for."""

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import AccessKind, FieldPolicy, MethodPolicy
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, ListChangesRequest
from lienthong_core.contracts import all_contracts
from lienthong_core.systems import SystemId
from lienthong_gateway.contracts import ContractFault, MethodContract, load_contracts
from lienthong_gateway.registration import Registration, System
from lienthong_seeds import members

PROVIDER = SystemId("VN-SANDBOX", "GOV", "G98", "faulty")
CONTRACTS = load_contracts(members.registration(), all_contracts())
POPULATION = "/lienthong.api.population.v1.PopulationService/"

WHOLE = MethodPolicy(subject="personal_number", account_level=2, access=AccessKind.ACCESS_KIND_READ)
BASIC = FieldPolicy(dataset="identity.basic")


def text_field(name: str, policy: FieldPolicy | None, number: int = 1) -> FieldDescriptorProto:
    field = FieldDescriptorProto(
        name=name, number=number, type=FieldDescriptorProto.TYPE_STRING, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    if policy is not None:
        field.options.Extensions[options_pb2.field].CopyFrom(policy)
    return field


def message_field(name: str, type_name: str, policy: FieldPolicy | None) -> FieldDescriptorProto:
    field = text_field(name, policy, number=2)
    field.type = FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = type_name
    return field


def load(
    package: str,
    method: MethodPolicy | None,
    answer: DescriptorProto,
    *,
    requests: bool = False,
    answers: bool = False,
) -> MethodContract:
    """Load the contract of a service with one method, `Ask`, that answers `answer`."""
    request = DescriptorProto(name="Request", field=[text_field("personal_number", None)])
    ask = MethodDescriptorProto(name="Ask", input_type=f".{package}.Request", output_type=f".{package}.{answer.name}")
    ask.client_streaming, ask.server_streaming = requests, answers
    if method is not None:
        ask.options.Extensions[options_pb2.method].CopyFrom(method)
    file = FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3", message_type=[request, answer]
    )
    file.dependency.append("lienthong/api/options/v1/options.proto")
    file.service.add(name="Faulty", method=[ask])
    made = descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    system = System(PROVIDER, "", "", (f"{package}.Faulty",))
    return load_contracts(Registration.of([system], [], []), [made])[f"/{package}.Faulty/Ask"]


def test_a_method_may_answer_with_a_stream() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", BASIC)])
    contract = load("test.streaming", WHOLE, answer, answers=True)

    assert contract.streams


def test_a_method_that_takes_a_stream_is_a_fault_because_one_request_is_decided_about() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", BASIC)])
    with pytest.raises(ContractFault, match="one request at a time"):
        load("test.requests", WHOLE, answer, requests=True)


@pytest.mark.parametrize("path", sorted(CONTRACTS))
def test_every_method_of_a_provider_states_its_policy(path: str) -> None:
    policy = CONTRACTS[path].policy

    assert policy.access != AccessKind.ACCESS_KIND_UNSPECIFIED
    assert policy.account_level in {1, 2}
    assert policy.title_vi
    assert policy.title_en


@pytest.mark.parametrize("path", sorted(CONTRACTS))
def test_every_dataset_that_a_method_answers_says_in_both_languages_what_it_is(path: str) -> None:
    for name, dataset in CONTRACTS[path].datasets.items():
        assert dataset.name == name
        assert dataset.title_vi
        assert dataset.title_en


def test_a_right_to_call_names_a_method_that_some_contract_has() -> None:
    assert {method for _, method, _ in members.registration().access_rights} <= CONTRACTS.keys()


def test_what_purposes_and_rights_name_are_datasets_that_some_contract_declares() -> None:
    declared = {name for contract in CONTRACTS.values() for name in contract.datasets}

    assert {name for purpose in members.PURPOSES for name in purpose.datasets} <= declared
    assert {name for right in members.ACCESS_RIGHTS for name in right.datasets} <= declared


def test_the_subject_of_a_request_is_read_from_the_field_that_the_contract_names() -> None:
    request = GetCitizenRequest(personal_number="099190000001")

    assert CONTRACTS[f"{POPULATION}GetCitizen"].subject_of(request) == "099190000001"


def test_a_list_of_changes_is_about_nobody_in_particular() -> None:
    assert CONTRACTS[f"{POPULATION}ListChanges"].subject_of(ListChangesRequest()) == ""


def test_a_whole_contract_is_taken() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", BASIC)])

    assert set(load("test.whole", WHOLE, answer).datasets) == {"identity.basic"}


def test_a_method_without_a_policy_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", BASIC)])

    with pytest.raises(ContractFault, match=r"/test\.unruled\.Faulty/Ask has no"):
        load("test.unruled", None, answer)


def test_a_method_that_does_not_say_how_it_accesses_the_register_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", BASIC)])

    with pytest.raises(ContractFault, match="reads, verifies or writes"):
        load("test.kindless", MethodPolicy(subject="personal_number", account_level=2), answer)


def test_a_subject_that_the_request_does_not_have_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", BASIC)])
    policy = MethodPolicy(subject="citizen.personal_number", access=AccessKind.ACCESS_KIND_READ)

    with pytest.raises(ContractFault, match="no text field of its request"):
        load("test.subjectless", policy, answer)


def test_a_personal_field_without_a_dataset_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", None)])

    with pytest.raises(ContractFault, match=r"test\.unlabelled\.Answer\.name.*has no dataset"):
        load("test.unlabelled", WHOLE, answer)


def test_a_personal_field_without_a_dataset_deep_inside_the_answer_is_a_fault() -> None:
    inner = DescriptorProto(name="Inner", field=[text_field("name", None)])
    answer = DescriptorProto(
        name="Answer", nested_type=[inner], field=[message_field("inner", ".test.deep.Answer.Inner", None)]
    )

    with pytest.raises(ContractFault, match=r"test\.deep\.Answer\.Inner\.name"):
        load("test.deep", WHOLE, answer)


def test_a_policy_that_says_nothing_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", FieldPolicy())])

    with pytest.raises(ContractFault, match="neither names a dataset nor says not_personal"):
        load("test.silent", WHOLE, answer)


def test_a_dataset_that_no_contract_declares_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[text_field("name", FieldPolicy(dataset="identity.basik"))])

    with pytest.raises(ContractFault, match=r"no contract declares: identity\.basik"):
        load("test.mistyped", WHOLE, answer)


def test_a_field_within_a_labelled_one_may_belong_to_another_dataset() -> None:
    inner = DescriptorProto(
        name="Inner",
        field=[text_field("name", None), text_field("faith", FieldPolicy(dataset="identity.ethnicity"), 2)],
    )
    answer = DescriptorProto(
        name="Answer", nested_type=[inner], field=[message_field("inner", ".test.inner.Answer.Inner", BASIC)]
    )

    assert set(load("test.inner", WHOLE, answer).datasets) == {"identity.basic", "identity.ethnicity"}


def test_a_message_that_holds_itself_can_be_answered() -> None:
    answer = DescriptorProto(
        name="Answer", field=[text_field("name", BASIC), message_field("parent", ".test.recursive.Answer", None)]
    )

    assert set(load("test.recursive", WHOLE, answer).datasets) == {"identity.basic"}


def test_a_service_that_is_in_no_contract_is_a_fault() -> None:
    registration = Registration.of([System(PROVIDER, "", "", ("test.nowhere.Service",))], [], [])

    with pytest.raises(ContractFault, match=r"test\.nowhere\.Service"):
        load_contracts(registration, all_contracts())
