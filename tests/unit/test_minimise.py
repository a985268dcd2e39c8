"""Nothing leaves the gateway but what was granted."""

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.population.v1.citizen_pb2 import Citizen, Household, HouseholdMember
from lienthong.api.population.v1.population_pb2 import GetCitizenResponse, GetHouseholdResponse, ListChangesResponse
from lienthong.api.types.v1.types_pb2 import Address
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import Refusal
from lienthong_gateway.contracts import MethodContract, load_contracts
from lienthong_gateway.steps.minimise import minimise
from lienthong_seeds import members
from tests.support.citizens import citizen
from tests.support.messages import NOT_PERSONAL, leaves, marker, messages

CONTRACTS = load_contracts(members.registration(), all_contracts())
POPULATION = "/lienthong.api.population.v1.PopulationService/"
GET_CITIZEN = CONTRACTS[f"{POPULATION}GetCitizen"]
GET_HOUSEHOLD = CONTRACTS[f"{POPULATION}GetHousehold"]


@st.composite
def answers(draw: st.DrawFn) -> tuple[MethodContract, Message, frozenset[str]]:
    contract = CONTRACTS[draw(st.sampled_from(sorted(CONTRACTS)))]
    answer = draw(messages(contract.response_type))
    granted = draw(st.frozensets(st.sampled_from(sorted(contract.datasets)))) if contract.datasets else frozenset[str]()
    return contract, answer, granted


@given(drawn=answers())
def test_exactly_the_granted_fields_are_released_untouched(
    drawn: tuple[MethodContract, Message, frozenset[str]],
) -> None:
    contract, answer, granted = drawn
    allowed = granted | {NOT_PERSONAL}

    released = minimise(contract, answer.SerializeToString(), granted)

    got = contract.response_type()
    got.ParseFromString(released.message)
    assert list(leaves(got)) == [leaf for leaf in leaves(answer) if leaf[1] in allowed]


@given(drawn=answers())
def test_no_byte_of_a_dataset_that_was_not_granted_is_released(
    drawn: tuple[MethodContract, Message, frozenset[str]],
) -> None:
    contract, answer, granted = drawn

    released = minimise(contract, answer.SerializeToString(), granted)

    for dataset in contract.datasets.keys() - granted:
        assert marker(dataset).encode() not in released.message


@given(drawn=answers())
def test_what_was_withheld_and_what_was_released_is_told(
    drawn: tuple[MethodContract, Message, frozenset[str]],
) -> None:
    contract, answer, granted = drawn
    answered = {dataset for _, dataset, _ in leaves(answer)} - {NOT_PERSONAL}

    released = minimise(contract, answer.SerializeToString(), granted)

    assert set(released.datasets) == granted
    assert answered - granted <= set(released.withheld) <= contract.datasets.keys() - granted


def test_a_field_is_named_by_its_path() -> None:
    released = minimise(GET_CITIZEN, GetCitizenResponse(citizen=citizen()).SerializeToString(), {"health.blood_group"})

    assert released.fields == ("citizen.blood_group",)
    assert released.withheld == ("family", "identity.basic", "identity.ethnicity", "residence")


def test_members_of_a_household_are_withheld_with_it_and_its_address_is_not() -> None:
    household = Household(
        household_number="17", address=Address(detail="Số 5"), members=[HouseholdMember(personal_number="099190000001")]
    )

    released = minimise(GET_HOUSEHOLD, GetHouseholdResponse(household=household).SerializeToString(), {"residence"})

    got = GetHouseholdResponse.FromString(released.message).household
    assert got == Household(address=Address(detail="Số 5"))


def test_fields_that_the_contract_does_not_know_are_dropped_everywhere() -> None:
    unknown = b"\xfa\x3e\x06secret"
    inner = Citizen(nationality="VN").SerializeToString() + unknown
    answer = b"\x0a" + bytes([len(inner)]) + inner + unknown

    released = minimise(GET_CITIZEN, answer, {"identity.basic"})

    got = GetCitizenResponse.FromString(released.message)
    assert b"secret" not in released.message
    assert (len(UnknownFieldSet(got)), len(UnknownFieldSet(got.citizen))) == (0, 0)
    assert got.citizen == Citizen(nationality="VN")


def test_an_answer_in_which_nothing_is_set_stays_so() -> None:
    released = minimise(CONTRACTS[f"{POPULATION}ListChanges"], ListChangesResponse().SerializeToString(), frozenset())

    assert (released.message, released.datasets, released.withheld, released.fields) == (b"", (), (), ())


@given(answer=st.binary(max_size=200))
def test_bytes_that_are_no_answer_are_refused_and_nothing_of_them_is_released(answer: bytes) -> None:
    try:
        GetCitizenResponse.FromString(answer)
    except DecodeError:
        with pytest.raises(Refusal) as caught:
            minimise(GET_CITIZEN, answer, {"identity.basic"})
        assert (caught.value.reason, caught.value.status) == ("PROVIDER_ANSWER_INVALID", grpc.StatusCode.INTERNAL)
    else:
        minimise(GET_CITIZEN, answer, {"identity.basic"})
