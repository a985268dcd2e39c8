"""What the population database answers to questions, and how it refuses them."""

from collections.abc import Callable

import grpc
import pytest

from lienthong.api.population.v1.citizen_pb2 import (
    LIFE_STATUS_DECEASED,
    NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED,
    RESIDENCE_KIND_CURRENT,
    RESIDENCE_KIND_TEMPORARY,
    Citizen,
)
from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    GetHouseholdRequest,
    ListPersonalNumbersRequest,
    MatchResult,
    Relationship,
    VerifyCitizenRequest,
    VerifyRelationshipRequest,
    VerifyRelationshipResponse,
)
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong.client import Explanation
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.systems import SystemId
from tests.integration.population.calls import call, refusal_of
from tests.integration.population.people import (
    DAUGHTER,
    DECEASED,
    FATHER,
    FOREIGNER,
    MOTHER,
    RENUMBERED,
    RENUMBERED_BEFORE,
    UNKNOWN,
)

pytestmark = pytest.mark.usefixtures("server")

MATCH, MISMATCH = MatchResult.MATCH_RESULT_MATCH, MatchResult.MATCH_RESULT_MISMATCH
NOT_ASKED = MatchResult.MATCH_RESULT_UNSPECIFIED


def read(population: PopulationServiceStub, number: str) -> Citizen:
    return call(population.GetCitizen, GetCitizenRequest(personal_number=number)).citizen


@pytest.mark.parametrize("name", ["TRAN THI THUY", "trần  thị thuý", "Tra\u0302\u0300n Thi\u0323 Thu\u0301y"])
def test_a_name_matches_whatever_its_case_diacritics_tone_placement_and_spaces(
    population: PopulationServiceStub, name: str
) -> None:
    answer = call(population.VerifyCitizen, VerifyCitizenRequest(personal_number=DAUGHTER, full_name=name))
    assert (answer.exists, answer.full_name, answer.birth_date) == (True, MATCH, NOT_ASKED)


def test_another_name_and_another_date_do_not_match(population: PopulationServiceStub) -> None:
    birth_date = PartialDate(year=2004, month=5, day=7)
    request = VerifyCitizenRequest(personal_number=DAUGHTER, full_name="Trần Thị Thùy Dương", birth_date=birth_date)
    answer = call(population.VerifyCitizen, request)
    assert (answer.exists, answer.full_name, answer.birth_date) == (True, MISMATCH, MISMATCH)


@pytest.mark.parametrize(
    ("number", "birth_date", "expected"),
    [
        (DAUGHTER, PartialDate(year=2004), MATCH),
        (DAUGHTER, PartialDate(year=2004, month=5), MATCH),
        (DAUGHTER, PartialDate(year=2004, month=6), MISMATCH),
        (RENUMBERED, PartialDate(year=1950, month=12, day=31), MATCH),
        (RENUMBERED, PartialDate(year=1951), MISMATCH),
    ],
)
def test_a_date_of_birth_is_compared_as_far_as_both_sides_know_it(
    population: PopulationServiceStub, number: str, birth_date: PartialDate, expected: MatchResult.ValueType
) -> None:
    answer = call(population.VerifyCitizen, VerifyCitizenRequest(personal_number=number, birth_date=birth_date))
    assert answer.birth_date == expected


def test_verifying_an_unknown_number_is_answered_and_compares_nothing(population: PopulationServiceStub) -> None:
    answer = call(population.VerifyCitizen, VerifyCitizenRequest(personal_number=UNKNOWN, full_name="Trần Văn Minh"))
    assert (answer.exists, answer.full_name) == (False, NOT_ASKED)


def test_a_record_holds_name_birth_family_and_origin(population: PopulationServiceStub) -> None:
    citizen = read(population, DAUGHTER)
    assert citizen.personal_number == DAUGHTER
    assert citizen.name.full_name == "Trần Thị Thúy"
    assert (citizen.birth_date.year, citizen.birth_date.month, citizen.birth_date.day) == (2004, 5, 6)
    assert (citizen.father.personal_number, citizen.father.name.full_name) == (FATHER, "Trần Văn Minh")
    assert citizen.mother.nationality == "VN"
    assert citizen.representative.personal_number == MOTHER
    assert not citizen.HasField("spouse")
    assert citizen.birth_registration_place.province_name == "Thành phố Hà Nội"
    assert citizen.place_of_origin.province_code == "38"
    assert (citizen.household_number, citizen.relation_to_head) == ("H-1", "Con đẻ")


def test_residences_are_told_apart_by_kind_and_time(population: PopulationServiceStub) -> None:
    citizen = read(population, DAUGHTER)
    assert citizen.permanent_residence.address.commune_name == "Phường Ba Đình"
    assert not citizen.permanent_residence.HasField("until_date")
    assert citizen.temporary_residence.kind == RESIDENCE_KIND_TEMPORARY
    assert citizen.temporary_residence.address.commune_name == "Phường Ngọc Hà"
    former = citizen.former_residences
    assert [(home.from_date.year, home.until_date.year) for home in former] == [(2012, 2025), (2004, 2012)]
    assert former[0].address.district_name == "Quận Ba Đình"


def test_a_citizen_lives_at_her_temporary_residence_unless_another_is_on_record(
    population: PopulationServiceStub,
) -> None:
    daughter, renumbered, father = (read(population, number) for number in (DAUGHTER, RENUMBERED, FATHER))
    assert daughter.current_residence.kind == RESIDENCE_KIND_CURRENT
    assert daughter.current_residence.address == daughter.temporary_residence.address
    assert renumbered.current_residence.address.commune_name == "Phường Ngọc Hà"
    assert father.current_residence.address == father.permanent_residence.address


def test_a_former_number_finds_the_citizen_and_is_listed_newest_first(population: PopulationServiceStub) -> None:
    citizen = read(population, RENUMBERED_BEFORE)
    assert citizen.personal_number == RENUMBERED
    assert [former.personal_number for former in citizen.former_numbers] == [RENUMBERED_BEFORE, "099151000004"]
    assert citizen.former_numbers[0].cancelled_on == PartialDate(year=2021)
    assert citizen.former_numbers[0].reason == NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED


def test_any_of_her_numbers_finds_all_that_a_citizen_has_and_had(population: PopulationServiceStub) -> None:
    for number in (RENUMBERED, RENUMBERED_BEFORE):
        answer = call(population.ListPersonalNumbers, ListPersonalNumbersRequest(personal_number=number))
        assert answer.personal_number == RENUMBERED
        assert set(answer.former_numbers) == {RENUMBERED_BEFORE, "099151000004"}
    other = call(population.ListPersonalNumbers, ListPersonalNumbersRequest(personal_number=DAUGHTER))
    assert (other.personal_number, list(other.former_numbers)) == (DAUGHTER, [])


def test_what_is_not_known_is_left_out(population: PopulationServiceStub) -> None:
    renumbered, foreigner = read(population, RENUMBERED), read(population, FOREIGNER)
    assert renumbered.birth_date == PartialDate(year=1950)
    assert (renumbered.name.middle_name, renumbered.name.full_name) == ("", "Lê Đào")
    assert not renumbered.HasField("life_status_date")
    assert not foreigner.HasField("permanent_residence")
    assert not foreigner.HasField("place_of_origin")
    assert foreigner.birth_registration_place.country_code == "FR"


def test_the_deceased_stay_on_record(population: PopulationServiceStub) -> None:
    citizen = read(population, DECEASED)
    assert (citizen.life_status, citizen.life_status_date) == (LIFE_STATUS_DECEASED, PartialDate(year=2020))


def test_a_household_lists_its_head_first(population: PopulationServiceStub) -> None:
    household = call(population.GetHousehold, GetHouseholdRequest(personal_number=DAUGHTER)).household
    assert household.household_number == "H-1"
    assert household.address.commune_name == "Phường Ba Đình"
    members = [(member.personal_number, member.relation_to_head) for member in household.members]
    assert members == [(FATHER, "Chủ hộ"), (MOTHER, "Vợ"), (DAUGHTER, "Con đẻ")]


def test_a_household_says_which_numbers_the_citizen_who_was_asked_for_had_before(
    population: PopulationServiceStub,
) -> None:
    answer = call(population.GetHousehold, GetHouseholdRequest(personal_number=RENUMBERED_BEFORE))
    assert [member.personal_number for member in answer.household.members] == [RENUMBERED]
    assert [former.personal_number for former in answer.former_numbers] == [RENUMBERED_BEFORE, "099151000004"]
    assert answer.personal_number == RENUMBERED
    other = call(population.GetHousehold, GetHouseholdRequest(personal_number=DAUGHTER))
    assert not other.former_numbers
    assert not other.personal_number


def test_a_citizen_without_a_household_has_none_to_show(population: PopulationServiceStub) -> None:
    refusal = refusal_of(population.GetHousehold, GetHouseholdRequest(personal_number=FOREIGNER))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "HOUSEHOLD_UNKNOWN")


@pytest.mark.parametrize(
    ("number", "related", "relationship", "confirmed"),
    [
        (DAUGHTER, FATHER, Relationship.RELATIONSHIP_FATHER, True),
        (DAUGHTER, FATHER, Relationship.RELATIONSHIP_MOTHER, False),
        (DAUGHTER, MOTHER, Relationship.RELATIONSHIP_MOTHER, True),
        (DAUGHTER, MOTHER, Relationship.RELATIONSHIP_REPRESENTATIVE, True),
        (FATHER, DAUGHTER, Relationship.RELATIONSHIP_CHILD, True),
        (DAUGHTER, FATHER, Relationship.RELATIONSHIP_CHILD, False),
        (FATHER, MOTHER, Relationship.RELATIONSHIP_SPOUSE, True),
        (DAUGHTER, RENUMBERED, Relationship.RELATIONSHIP_SPOUSE, False),
        (FOREIGNER, RENUMBERED, Relationship.RELATIONSHIP_MOTHER, True),
        (RENUMBERED, FOREIGNER, Relationship.RELATIONSHIP_CHILD, True),
        (DAUGHTER, UNKNOWN, Relationship.RELATIONSHIP_FATHER, False),
    ],
)
def test_a_relationship_is_confirmed_if_the_records_hold_it(
    population: PopulationServiceStub,
    number: str,
    related: str,
    relationship: Relationship.ValueType,
    confirmed: bool,
) -> None:
    request = VerifyRelationshipRequest(
        personal_number=number, related_personal_number=related, relationship=relationship
    )
    assert call(population.VerifyRelationship, request) == VerifyRelationshipResponse(confirmed=confirmed)


@pytest.mark.parametrize(
    ("number", "other", "shared"),
    [
        (DAUGHTER, MOTHER, True),
        (DAUGHTER, RENUMBERED, False),
        (FOREIGNER, DECEASED, False),
        (DAUGHTER, DAUGHTER, False),
    ],
)
def test_that_two_live_in_one_household_is_said_apart_from_relationships(
    population: PopulationServiceStub, number: str, other: str, shared: bool
) -> None:
    request = VerifyRelationshipRequest(
        personal_number=number,
        related_personal_number=other,
        relationship=Relationship.RELATIONSHIP_SAME_HOUSEHOLD,
    )
    assert call(population.VerifyRelationship, request) == VerifyRelationshipResponse(same_household=shared)


def test_an_unknown_citizen_is_not_found(population: PopulationServiceStub) -> None:
    refusals = [
        refusal_of(population.GetCitizen, GetCitizenRequest(personal_number=UNKNOWN)),
        refusal_of(population.GetHousehold, GetHouseholdRequest(personal_number=UNKNOWN)),
        refusal_of(population.ListPersonalNumbers, ListPersonalNumbersRequest(personal_number=UNKNOWN)),
        refusal_of(
            population.VerifyRelationship,
            VerifyRelationshipRequest(
                personal_number=UNKNOWN,
                related_personal_number=FATHER,
                relationship=Relationship.RELATIONSHIP_FATHER,
            ),
        ),
    ]
    assert {(r.status, r.reason) for r in refusals} == {(grpc.StatusCode.NOT_FOUND, "CITIZEN_UNKNOWN")}


@pytest.mark.parametrize(
    "number", ["", "12345678901", "1234567890123", "09930400000x", "٠٩٩٣٠٤٠٠٠٠٠٣", "099304000003 "]
)
def test_a_malformed_number_is_refused_with_its_form(population: PopulationServiceStub, number: str) -> None:
    refusals = [
        refusal_of(population.VerifyCitizen, VerifyCitizenRequest(personal_number=number)),
        refusal_of(population.GetCitizen, GetCitizenRequest(personal_number=number)),
        refusal_of(population.GetHousehold, GetHouseholdRequest(personal_number=number)),
        refusal_of(population.ListPersonalNumbers, ListPersonalNumbersRequest(personal_number=number)),
        refusal_of(
            population.VerifyRelationship,
            VerifyRelationshipRequest(
                personal_number=FATHER,
                related_personal_number=number,
                relationship=Relationship.RELATIONSHIP_FATHER,
            ),
        ),
    ]
    expected = (grpc.StatusCode.INVALID_ARGUMENT, "PERSONAL_NUMBER_INVALID")
    assert {(r.status, r.reason) for r in refusals} == {expected}
    assert all("twelve digits" in r.message for r in refusals)


@pytest.mark.parametrize(
    "birth_date",
    [
        PartialDate(),
        PartialDate(year=2023, month=2, day=29),
        PartialDate(year=2023, month=13),
        PartialDate(year=2023, day=1),
        PartialDate(year=-1),
        PartialDate(year=10_000),
    ],
)
def test_an_impossible_date_is_refused(population: PopulationServiceStub, birth_date: PartialDate) -> None:
    request = VerifyCitizenRequest(personal_number=DAUGHTER, birth_date=birth_date)
    refusal = refusal_of(population.VerifyCitizen, request)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DATE_INVALID")


def test_a_relationship_must_be_claimed(population: PopulationServiceStub) -> None:
    request = VerifyRelationshipRequest(personal_number=FATHER, related_personal_number=MOTHER)
    refusal = refusal_of(population.VerifyRelationship, request)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RELATIONSHIP_INVALID")


@pytest.mark.parametrize(
    "message", [GetCitizenRequest(personal_number=DAUGHTER).SerializeToString(), b"\xff"], ids=["a request", "noise"]
)
def test_nobody_but_the_gateway_is_answered(
    connect: Callable[[TlsIdentity], grpc.Channel], authority: Authority, message: bytes
) -> None:
    bank = connect(authority.issue(SystemId.parse("VN-SANDBOX/COM/BANK01/ekyc")))
    refusal = refusal_of_bytes(bank, "GetCitizen", message)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


def test_another_authority_s_certificate_gets_no_connection(connect: Callable[[TlsIdentity], grpc.Channel]) -> None:
    stranger = Authority.create().issue(SystemId.parse("VN-SANDBOX/GOV/G00/gateway"))
    refusal = refusal_of(PopulationServiceStub(connect(stranger)).GetCitizen, GetCitizenRequest())
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "CONNECTION_FAILED")


def refusal_of_bytes(channel: grpc.Channel, method: str, message: bytes) -> Explanation:
    path = f"/lienthong.api.population.v1.PopulationService/{method}"
    return refusal_of(channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes), message)


@pytest.mark.parametrize("method", ["DeleteCitizen", "grpc.DeleteCitizen"])
def test_an_unknown_method_is_refused(channel: grpc.Channel, method: str) -> None:
    refusal = refusal_of_bytes(channel, method, b"")
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN")


@pytest.mark.parametrize("message", [b"\xff", b"\x0a\x0c099", b"\x0a\x02\xc3\x28"])
def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel, message: bytes) -> None:
    refusal = refusal_of_bytes(channel, "GetCitizen", message)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")


@pytest.mark.parametrize(
    ("length", "reason"),
    [(1_500_000, "MESSAGE_TOO_LARGE"), (2_500_000, "CONNECTION_FAILED")],
    ids=["refused with its reason", "refused by gRPC itself"],
)
def test_a_message_that_is_too_large_is_refused_and_the_next_call_is_answered(
    population: PopulationServiceStub, length: int, reason: str
) -> None:
    huge = VerifyCitizenRequest(personal_number=DAUGHTER, full_name="a" * length)
    refusal = refusal_of(population.VerifyCitizen, huge)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
    assert read(population, DAUGHTER).personal_number == DAUGHTER
