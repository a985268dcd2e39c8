"""The policy that contracts carry: what every provider's contract states, and what a faulty one is refused for."""

import pytest
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import AccessKind, Dataset, FieldPolicy, MethodPolicy, ProviderReason
from lienthong.api.population.v1 import citizen_pb2, population_pb2
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, ListChangesRequest
from lienthong.api.types.v1 import types_pb2
from lienthong_core.contracts import all_contracts
from lienthong_gateway.contract.field_rules import ContractFault
from lienthong_gateway.contract.methods import load_contracts
from lienthong_gateway.registration import Registration, System
from lienthong_seeds import members
from tests.support.made_contracts import (
    BASIC,
    NOT_PERSONAL,
    PROVIDER,
    READ,
    WHOLE,
    add_map,
    load,
    message_field,
    plain_field,
    repeated,
)

CONTRACTS = load_contracts(members.registration(), all_contracts())
POPULATION = "/lienthong.api.population.v1.PopulationService/"
FREE_FORM = ["Any", "Struct", "Value", "ListValue"]


def test_a_method_may_answer_with_a_stream() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    contract = load("test.streaming", WHOLE, answer, streams=(False, True))

    assert contract.streams


def test_a_method_that_takes_a_stream_is_a_fault_because_one_request_is_decided_about() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    with pytest.raises(ContractFault, match="one request at a time"):
        load("test.requests", WHOLE, answer, streams=(True, False))


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
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])

    assert set(load("test.whole", WHOLE, answer).datasets) == {"identity.basic"}


def test_a_method_without_a_policy_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])

    with pytest.raises(ContractFault, match=r"/test\.unruled\.Faulty/Ask has no"):
        load("test.unruled", None, answer)


def test_a_method_that_does_not_say_how_it_accesses_the_register_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])

    with pytest.raises(ContractFault, match="reads, verifies or writes"):
        load("test.kindless", MethodPolicy(subject="personal_number", account_level=2), answer)


@pytest.mark.parametrize("kind", [0, 4, -1])
def test_a_kind_of_access_that_is_none_is_a_fault_because_a_change_could_pass_for_reading(kind: int) -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    policy = MethodPolicy()
    policy.CopyFrom(WHOLE)
    policy.access = AccessKind.ValueType(kind)

    with pytest.raises(ContractFault, match="reads, verifies or writes"):
        load("test.otherwise", policy, answer)


@pytest.mark.parametrize("level", [0, 3, -1])
def test_a_method_that_consent_can_cover_and_that_asks_for_no_level_there_is_is_a_fault(level: int) -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    policy = MethodPolicy()
    policy.CopyFrom(WHOLE)
    policy.account_level = level

    with pytest.raises(ContractFault, match="account level 1 or 2"):
        load("test.levelless", policy, answer)


@pytest.mark.parametrize("subject", ["citizen.personal_number", "numbers"], ids=["no field", "a list"])
def test_a_subject_that_the_request_does_not_have_or_can_have_several_of_is_a_fault(subject: str) -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    policy = MethodPolicy(subject=subject, account_level=2, access=READ, answer_names_nobody=".")

    with pytest.raises(ContractFault, match="no text field of its request"):
        load("test.subjectless", policy, answer)


def test_a_personal_field_without_a_dataset_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", None)])

    with pytest.raises(ContractFault, match=r"test\.unlabelled\.Answer\.name.*has no dataset"):
        load("test.unlabelled", WHOLE, answer)


def test_a_field_of_the_answer_that_may_not_be_left_out_is_a_fault_because_it_could_not_be_withheld() -> None:
    name = plain_field("name", BASIC)
    name.label = FieldDescriptorProto.LABEL_REQUIRED

    with pytest.raises(ContractFault, match=r"test\.required\.Answer\.name.*is required"):
        load("test.required", WHOLE, DescriptorProto(name="Answer", field=[name]), syntax="proto2")


def test_a_personal_field_without_a_dataset_deep_inside_the_answer_is_a_fault() -> None:
    inner = DescriptorProto(name="Inner", field=[plain_field("name", None)])
    answer = DescriptorProto(
        name="Answer", nested_type=[inner], field=[message_field("inner", ".test.deep.Answer.Inner", None)]
    )

    with pytest.raises(ContractFault, match=r"test\.deep\.Answer\.Inner\.name"):
        load("test.deep", WHOLE, answer)


@pytest.mark.parametrize("kind", ["test.hollow.Nothing", "test.hollow.Itself"])
def test_a_message_without_a_dataset_is_a_fault_where_nothing_in_it_has_one_either(kind: str) -> None:
    nothing = DescriptorProto(name="Nothing")
    itself = DescriptorProto(name="Itself", field=[message_field("itself", ".test.hollow.Itself", None)])
    answer = DescriptorProto(name="Answer", field=[message_field("married", f".{kind}", None)])

    with pytest.raises(ContractFault, match=r"\.(married|itself), which .* has no dataset, and neither has anything"):
        load("test.hollow", WHOLE, answer, nothing, itself)


def test_a_policy_that_says_nothing_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", FieldPolicy())])

    with pytest.raises(ContractFault, match="neither names a dataset nor says not_personal"):
        load("test.silent", WHOLE, answer)


def test_a_dataset_that_no_contract_declares_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", FieldPolicy(dataset="identity.basik"))])

    with pytest.raises(ContractFault, match=r"no contract declares: identity\.basik"):
        load("test.mistyped", WHOLE, answer)


def test_a_contract_declares_datasets_of_its_own() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", FieldPolicy(dataset="health.x_ray"))])
    declared = Dataset(name="health.x_ray", title_vi="Ảnh chụp X-quang", title_en="X-ray pictures", sensitive=True)

    contract = load("test.own", WHOLE, answer, declared=[declared])

    assert contract.datasets == {"health.x_ray": declared}


BAD_DATASETS = {
    "capital letters": [Dataset(name="Health", title_vi="Một", title_en="One")],
    "a comma": [Dataset(name="a,b", title_vi="Một", title_en="One")],
    "not said in Vietnamese": [Dataset(name="one", title_en="One")],
    "not said in English": [Dataset(name="one", title_vi="Một")],
    "declared twice": [Dataset(name="one", title_vi="Một", title_en="One")] * 2,
    "declared by another contract": [Dataset(name="identity.ethnicity", title_vi="Màu mắt", title_en="Colour of eyes")],
}


@pytest.mark.parametrize("datasets", BAD_DATASETS.values(), ids=BAD_DATASETS)
def test_a_dataset_that_is_not_of_its_form_is_a_fault(datasets: list[Dataset]) -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    with pytest.raises(ContractFault, match="as a dataset"):
        load("test.datasets", WHOLE, answer, declared=datasets)


def test_a_field_within_a_labelled_one_may_belong_to_another_dataset() -> None:
    inner = DescriptorProto(
        name="Inner",
        field=[plain_field("name", None), plain_field("faith", FieldPolicy(dataset="identity.ethnicity"), 2)],
    )
    answer = DescriptorProto(
        name="Answer", nested_type=[inner], field=[message_field("inner", ".test.inner.Answer.Inner", BASIC)]
    )

    assert set(load("test.inner", WHOLE, answer).datasets) == {"identity.basic", "identity.ethnicity"}


def test_a_message_that_is_labelled_in_one_place_is_a_fault_where_it_is_not() -> None:
    place = DescriptorProto(name="Place", field=[plain_field("city", BASIC), plain_field("street", None, 2)])
    home = message_field("home", ".test.twice.Place", BASIC, 1)
    work = message_field("work", ".test.twice.Place", None, 2)
    answer = DescriptorProto(name="Answer", field=[home, work])

    with pytest.raises(ContractFault, match=r"test\.twice\.Place\.street, which /test\.twice\.Faulty/Ask can answer"):
        load("test.twice", WHOLE, answer, place)


def test_a_message_that_holds_itself_can_be_answered() -> None:
    answer = DescriptorProto(
        name="Answer", field=[plain_field("name", BASIC), message_field("parent", ".test.recursive.Answer", None)]
    )

    assert set(load("test.recursive", WHOLE, answer).datasets) == {"identity.basic"}


def test_a_service_that_is_in_no_contract_is_a_fault() -> None:
    registration = Registration.of([System(PROVIDER, "", "", ("test.nowhere.Service",))], [], [])

    with pytest.raises(ContractFault, match=r"test\.nowhere\.Service"):
        load_contracts(registration, all_contracts())


def test_a_service_that_two_systems_provide_is_a_fault_because_either_could_be_asked() -> None:
    services = ("lienthong.api.population.v1.PopulationService",)
    systems = [System(system, "", "", services) for system in (PROVIDER, members.POPULATION)]

    with pytest.raises(ContractFault, match=r"PopulationService is registered as provided by .* and by "):
        load_contracts(Registration.of(systems, [], []), all_contracts())


@pytest.mark.parametrize("kind", FREE_FORM)
@pytest.mark.parametrize("policy", [None, NOT_PERSONAL], ids=["no policy", "not personal"])
def test_a_field_that_can_hold_anything_is_a_fault(kind: str, policy: FieldPolicy | None) -> None:
    package = f"test.anything.{kind.lower()}{'' if policy is None else '_marked'}"
    answer = DescriptorProto(name="Answer", field=[message_field("extra", f".google.protobuf.{kind}", policy)])

    with pytest.raises(ContractFault, match=rf"Answer\.extra.*google\.protobuf\.{kind}, which can hold anything"):
        load(package, WHOLE, answer)


def test_a_field_that_can_hold_anything_is_a_fault_also_within_a_labelled_one() -> None:
    inner = DescriptorProto(name="Inner", field=[message_field("extra", ".google.protobuf.Any", None)])
    answer = DescriptorProto(name="Answer", field=[message_field("inner", ".test.within.Inner", BASIC)])

    with pytest.raises(ContractFault, match=r"test\.within\.Inner\.extra"):
        load("test.within", WHOLE, answer, inner)


@pytest.mark.parametrize("kind", FREE_FORM)
def test_a_field_that_can_hold_anything_is_taken_with_a_dataset_of_its_own(kind: str) -> None:
    answer = DescriptorProto(name="Answer", field=[message_field("extra", f".google.protobuf.{kind}", BASIC)])

    assert set(load(f"test.labelled.{kind.lower()}", WHOLE, answer).datasets) == {"identity.basic"}


def test_a_map_without_a_dataset_is_a_fault_whatever_its_values_say() -> None:
    answer, value = DescriptorProto(name="Answer"), DescriptorProto(name="Value", field=[plain_field("name", BASIC)])
    add_map(
        answer, ".test.mapped.Answer", plain_field("by_name", None), message_field("value", ".test.mapped.Value", None)
    )

    with pytest.raises(ContractFault, match=r"test\.mapped\.Answer\.by_name.*has no dataset"):
        load("test.mapped", WHOLE, answer, value)


@pytest.mark.parametrize("path", sorted(CONTRACTS))
def test_every_method_says_whom_its_answer_is_about_or_why_it_names_nobody(path: str) -> None:
    contract = CONTRACTS[path]

    about_somebody = bool(contract.policy.subject and contract.datasets)
    assert about_somebody == bool(contract.answer_subjects or contract.policy.answer_names_nobody)


def test_an_answer_with_personal_data_that_does_not_say_whom_it_is_about_is_a_fault() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])

    with pytest.raises(ContractFault, match="neither says which field of its answer names the citizen"):
        load("test.nameless", MethodPolicy(subject="personal_number", account_level=2, access=READ), answer)


def test_an_answer_without_personal_data_need_not_say_whom_it_is_about() -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("state", NOT_PERSONAL)])
    policy = MethodPolicy(subject="personal_number", account_level=1, access=READ)

    assert not load("test.impersonal", policy, answer).answer_subjects


NUMBER_AND_COUNT = [
    plain_field("number", BASIC),
    plain_field("count", NOT_PERSONAL, 2, FieldDescriptorProto.TYPE_INT32),
]
FAULTY_ANSWERS: dict[str, tuple[MethodPolicy, str]] = {
    "unknown": (MethodPolicy(subject="personal_number", answer_subject=["citizen.number"]), "no text field of it"),
    "counted": (MethodPolicy(subject="personal_number", answer_subject=["count"]), "no text field of it"),
    "one_of_two": (MethodPolicy(subject="personal_number", answer_subject=["number", "x"]), "no text field of it"),
    "both": (
        MethodPolicy(subject="personal_number", answer_subject=["number"], answer_names_nobody="."),
        "says both whom",
    ),
    "unasked": (MethodPolicy(answer_subject=["number"]), "not whom its request is about"),
    "untold": (
        MethodPolicy(subject="personal_number", answer_names_nobody=".", tells_all_numbers=True),
        "does not answer with them",
    ),
}


@pytest.mark.parametrize("name", FAULTY_ANSWERS)
def test_what_cannot_say_whom_an_answer_is_about_is_a_fault(name: str) -> None:
    policy, fault = FAULTY_ANSWERS[name]
    policy.access, policy.account_level = READ, 2

    with pytest.raises(ContractFault, match=fault):
        load(f"test.answers.{name}", policy, DescriptorProto(name="Answer", field=NUMBER_AND_COUNT))


def test_a_stream_that_tells_all_numbers_of_a_citizen_is_a_fault_because_it_may_end_early() -> None:
    policy = MethodPolicy(
        subject="personal_number", account_level=2, access=READ, answer_subject=["number"], tells_all_numbers=True
    )

    with pytest.raises(ContractFault, match="does not answer with them"):
        load("test.told", policy, DescriptorProto(name="Answer", field=NUMBER_AND_COUNT), streams=(False, True))


def test_two_methods_that_tell_all_numbers_of_a_citizen_are_a_fault_because_either_could_be_asked() -> None:
    file, pool = FileDescriptorProto.FromString(population_pb2.DESCRIPTOR.serialized_pb), DescriptorPool()
    for imported in (descriptor_pb2, timestamp_pb2, options_pb2, types_pb2, citizen_pb2):
        pool.AddSerializedFile(imported.DESCRIPTOR.serialized_pb)
    (get_citizen,) = (method for method in file.service[0].method if method.name == "GetCitizen")
    get_citizen.options.Extensions[options_pb2.method].tells_all_numbers = True
    system = System(members.POPULATION, "", "", ("lienthong.api.population.v1.PopulationService",))
    files = [contract for contract in all_contracts() if contract.name != file.name]
    files.append(pool.AddSerializedFile(file.SerializeToString()))

    with pytest.raises(ContractFault, match=r"GetCitizen and .*ListPersonalNumbers say .* one method may"):
        load_contracts(Registration.of([system], [], []), files)


def test_an_answer_may_name_several_of_whom_one_was_asked_for() -> None:
    answer = DescriptorProto(name="Answer", field=[repeated(plain_field("numbers", BASIC))])
    policy = MethodPolicy(subject="personal_number", account_level=1, access=READ, answer_subject=["numbers"])

    assert load("test.several", policy, answer).answer_subjects


def test_a_contract_declares_the_reasons_of_its_services() -> None:
    declared = ProviderReason(name="NOBODY_THERE", advice="Nobody is there; knock again.")
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])

    contract = load("test.reasons", WHOLE, answer, declared=[declared])

    assert contract.reasons == {"NOBODY_THERE": "Nobody is there; knock again."}


GOOD_REASON = ProviderReason(name="A", advice="Do.")
BAD_REASONS = {
    "no name": [ProviderReason(advice="Do.")],
    "small letters": [ProviderReason(name="nobody", advice="Do.")],
    "a digit first": [ProviderReason(name="1A", advice="Do.")],
    "too long": [ProviderReason(name="A" * 64, advice="Do.")],
    "no advice": [ProviderReason(name="A")],
    "the gateway's": [ProviderReason(name="STORE_UNAVAILABLE", advice="Do.")],
    "declared twice": [GOOD_REASON, GOOD_REASON],
}


@pytest.mark.parametrize("reasons", BAD_REASONS.values(), ids=BAD_REASONS)
def test_a_reason_that_is_not_of_its_form_is_a_fault(reasons: list[ProviderReason]) -> None:
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC)])
    with pytest.raises(ContractFault, match="as a reason"):
        load("test.reasons", WHOLE, answer, declared=reasons)
