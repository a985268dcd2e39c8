"""A path names a text field of a message, and can tell how often the bytes of one hold it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.population.v1.citizen_pb2 import Household, HouseholdMember
from lienthong.api.population.v1.population_pb2 import GetHouseholdResponse
from lienthong_gateway.contract.field_paths import FieldPath

RESPONSE = GetHouseholdResponse.DESCRIPTOR
NUMBERS = st.lists(st.from_regex(r"[0-9]{12}", fullmatch=True), max_size=4)


def found(path: str) -> FieldPath:
    """Return a path that is there."""
    there = FieldPath.find(RESPONSE, path)
    assert there is not None
    return there


@pytest.mark.parametrize(
    "path",
    ["", "none", "household", "household.none", "household.members", "household.household_number.more", "household."],
)
def test_what_leads_to_no_text_is_no_path(path: str) -> None:
    assert FieldPath.find(RESPONSE, path) is None


@pytest.mark.parametrize(
    ("path", "single"), [("household.household_number", True), ("household.members.personal_number", False)]
)
def test_a_path_says_whether_there_can_be_several(path: str, single: bool) -> None:
    assert found(path).is_single == single


@given(numbers=NUMBERS)
def test_every_text_at_the_end_of_a_path_is_given(numbers: list[str]) -> None:
    members = [HouseholdMember(personal_number=number) for number in numbers]
    response = GetHouseholdResponse(household=Household(members=members))

    assert list(found("household.members.personal_number").texts(response)) == numbers


def test_a_single_text_that_is_not_set_is_empty() -> None:
    assert list(found("household.household_number").texts(GetHouseholdResponse())) == [""]


@given(numbers=NUMBERS)
def test_every_occurrence_counts_whichever_part_of_the_message_it_is_in(numbers: list[str]) -> None:
    parts = [GetHouseholdResponse(household=Household(household_number=number)) for number in numbers]
    together = b"".join(part.SerializeToString() for part in parts)

    assert found("household.household_number").count(together) == len(numbers)
