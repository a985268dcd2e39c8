"""An answer is the method's own, and about the citizen who was asked for."""

import grpc
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.identity.v1.identity_pb2 import Account, GetAccountResponse
from lienthong.api.options.v1.options_pb2 import MethodPolicy
from lienthong.api.population.v1.citizen_pb2 import Citizen, FormerNumber, Household, HouseholdMember, RelatedPerson
from lienthong.api.population.v1.population_pb2 import (
    Change,
    GetCitizenResponse,
    GetHouseholdResponse,
    ListChangesResponse,
    VerifyCitizenResponse,
)
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import Refusal
from lienthong_gateway.contract.methods import MethodContract, load_contracts
from lienthong_gateway.steps.read_answer import present_number, read_answer
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI, citizen
from tests.support.made_contracts import BASIC, READ, load, message_field, plain_field, repeated

CONTRACTS = {
    path.rsplit("/", 1)[1]: contract
    for path, contract in load_contracts(members.registration(), all_contracts()).items()
}
GET_CITIZEN = CONTRACTS["GetCitizen"]
BEFORE = "099190000009"
LAN_FORMERLY = [FormerNumber(personal_number=BEFORE)]


def household(*numbers: str) -> Household:
    return Household(members=[HouseholdMember(personal_number=number) for number in numbers])


ABOUT_LAN: dict[str, tuple[str, str, Message]] = {
    "her record": ("GetCitizen", LAN, GetCitizenResponse(citizen=citizen())),
    "her record, asked by a number she had": (
        "GetCitizen",
        BEFORE,
        GetCitizenResponse(citizen=Citizen(personal_number=LAN, former_numbers=LAN_FORMERLY)),
    ),
    "the household she is a member of": ("GetHousehold", LAN, GetHouseholdResponse(household=household(MAI, LAN))),
    "her household, asked by a number she had": (
        "GetHousehold",
        BEFORE,
        GetHouseholdResponse(household=household(MAI, LAN), former_numbers=LAN_FORMERLY),
    ),
    "her account": ("GetAccount", LAN, GetAccountResponse(account=Account(personal_number=LAN))),
    "an answer that names nobody by its contract": ("VerifyCitizen", LAN, VerifyCitizenResponse(exists=True)),
    "an answer about nobody in particular": (
        "ListChanges",
        "",
        ListChangesResponse(changes=[Change(personal_number=MAI)]),
    ),
}
ABOUT_OTHERS: dict[str, tuple[str, Message]] = {
    "another's record": ("GetCitizen", GetCitizenResponse(citizen=citizen(MAI))),
    "another's record in which she is the mother": (
        "GetCitizen",
        GetCitizenResponse(citizen=Citizen(personal_number=MAI, mother=RelatedPerson(personal_number=LAN))),
    ),
    "a record of nobody": ("GetCitizen", GetCitizenResponse(citizen=Citizen(nationality="VN"))),
    "a number cut short": ("GetCitizen", GetCitizenResponse(citizen=Citizen(personal_number=LAN[:-1]))),
    "no record at all": ("GetCitizen", GetCitizenResponse()),
    "a household without her": ("GetHousehold", GetHouseholdResponse(household=household(MAI, BEFORE))),
    "a household of nobody": ("GetHousehold", GetHouseholdResponse(household=household())),
    "another's account": ("GetAccount", GetAccountResponse(account=Account(personal_number=MAI))),
}


@pytest.mark.parametrize(("method", "asked", "answer"), ABOUT_LAN.values(), ids=ABOUT_LAN)
def test_an_answer_about_the_citizen_asked_for_is_taken(method: str, asked: str, answer: Message) -> None:
    assert read_answer(CONTRACTS[method], answer.SerializeToString(), asked) == answer


@pytest.mark.parametrize(("method", "answer"), ABOUT_OTHERS.values(), ids=ABOUT_OTHERS)
def test_an_answer_that_is_not_about_the_citizen_asked_for_is_refused(method: str, answer: Message) -> None:
    with pytest.raises(Refusal) as caught:
        read_answer(CONTRACTS[method], answer.SerializeToString(), LAN)

    refusal = caught.value
    assert (refusal.reason, refusal.status) == ("PROVIDER_ANSWER_MISMATCH", grpc.StatusCode.INTERNAL)
    assert str(CONTRACTS[method].provider) in refusal.message
    assert not any(number in refusal.message for number in (LAN, MAI, BEFORE))


def nested_contract() -> MethodContract:
    family = DescriptorProto(name="Family", field=[repeated(plain_field("numbers", BASIC))])
    field = repeated(message_field("families", ".test.nested.Family", None))
    subjects = ["families.numbers"]
    policy = MethodPolicy(subject="personal_number", account_level=2, access=READ, answer_subject=subjects)
    return load("test.nested", policy, DescriptorProto(name="Answer", field=[field]), family)


NESTED = nested_contract()


@given(families=st.lists(st.lists(st.sampled_from([LAN, MAI, BEFORE, ""]), max_size=3), max_size=3))
def test_one_of_many_numbers_is_enough_at_any_depth(families: list[list[str]]) -> None:
    answer = NESTED.response_type(families=[{"numbers": numbers} for numbers in families]).SerializeToString()

    if any(LAN in numbers for numbers in families):
        assert read_answer(NESTED, answer, LAN).SerializeToString() == answer
    else:
        with pytest.raises(Refusal):
            read_answer(NESTED, answer, LAN)


@given(answer=st.binary(max_size=200))
def test_bytes_that_are_no_answer_are_refused(answer: bytes) -> None:
    try:
        VerifyCitizenResponse.FromString(answer)
    except DecodeError:
        with pytest.raises(Refusal) as caught:
            read_answer(CONTRACTS["VerifyCitizen"], answer, LAN)
        assert (caught.value.reason, caught.value.status) == ("PROVIDER_ANSWER_INVALID", grpc.StatusCode.INTERNAL)
    else:
        read_answer(CONTRACTS["VerifyCitizen"], answer, LAN)


@pytest.mark.parametrize("present", ["", "x", "0991900000010", "09919000000\u0661"])
def test_what_stands_in_the_place_of_her_number_and_is_none_is_not_taken_for_it(present: str) -> None:
    answer = GetCitizenResponse(citizen=Citizen(personal_number=present, former_numbers=LAN_FORMERLY))
    assert present_number(GET_CITIZEN, answer, BEFORE) == BEFORE


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GetCitizen", GetCitizenResponse(citizen=Citizen(personal_number=LAN, former_numbers=LAN_FORMERLY))),
        (
            "GetHousehold",
            GetHouseholdResponse(household=household(MAI, LAN), former_numbers=LAN_FORMERLY, personal_number=LAN),
        ),
    ],
)
def test_who_was_asked_for_by_a_number_she_had_is_known_by_the_one_she_has(method: str, answer: Message) -> None:
    assert present_number(CONTRACTS[method], answer, BEFORE) == LAN
    assert present_number(CONTRACTS["VerifyCitizen"], VerifyCitizenResponse(exists=True), BEFORE) == BEFORE


def test_who_is_one_of_several_in_an_answer_is_not_taken_for_another_of_them() -> None:
    answer = GetHouseholdResponse(household=household(MAI, LAN))
    assert present_number(CONTRACTS["GetHousehold"], answer, LAN) == LAN
