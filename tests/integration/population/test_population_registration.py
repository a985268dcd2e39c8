"""Registering residences, and following what changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import grpc
import pytest

from lienthong.api.population.v1.citizen_pb2 import (
    RESIDENCE_KIND_CURRENT,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
    RESIDENCE_KIND_UNSPECIFIED,
    Citizen,
    Household,
    ResidenceKind,
)
from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    GetHouseholdRequest,
    ListChangesRequest,
    ListChangesResponse,
    UpdateResidenceRequest,
)
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import Address, PartialDate
from lienthong_core.clock import SandboxClock
from tests.integration.population.calls import call, refusal_of
from tests.integration.population.people import (
    DAUGHTER,
    DECEASED,
    FATHER,
    FOREIGNER,
    HOME,
    INFANT,
    MOTHER,
    RENUMBERED,
    RENUMBERED_BEFORE,
    UNKNOWN,
)

pytestmark = pytest.mark.usefixtures("server")

TODAY = PartialDate(year=2026, month=11, day=21)
NGOC_HA = Address(province_code="01", commune_code="00008", detail="Số 5 ngõ 3")
SEEDED_CHANGES = 6


def move(
    personal_number: str,
    case_reference: str = "H26.1-20261121-0000001",
    *,
    kind: ResidenceKind.ValueType = RESIDENCE_KIND_PERMANENT,
    address: Address | None = NGOC_HA,
    from_date: PartialDate | None = TODAY,
) -> UpdateResidenceRequest:
    return UpdateResidenceRequest(
        personal_number=personal_number, kind=kind, address=address, from_date=from_date, case_reference=case_reference
    )


def read(population: PopulationServiceStub, number: str) -> Citizen:
    return call(population.GetCitizen, GetCitizenRequest(personal_number=number)).citizen


def household_of(population: PopulationServiceStub, number: str) -> Household:
    return call(population.GetHousehold, GetHouseholdRequest(personal_number=number)).household


def changes(population: PopulationServiceStub, cursor: str = "", page_size: int = 0) -> ListChangesResponse:
    return call(population.ListChanges, ListChangesRequest(cursor=cursor, page_size=page_size))


def test_a_move_is_registered_under_the_names_of_the_register(population: PopulationServiceStub) -> None:
    address = Address(
        province_code="01",
        province_name="Atlantis",
        commune_code="00008",
        detail="  Sô\u0301  5 ngõ 3 ",
        country_code="VN",
    )
    answer = call(population.UpdateResidence, move(MOTHER, address=address))
    registered = answer.residence.address
    assert (registered.province_name, registered.commune_name) == ("Thành phố Hà Nội", "Phường Ngọc Hà")
    assert registered.detail == "Số 5 ngõ 3"
    assert (answer.residence.kind, answer.residence.from_date) == (RESIDENCE_KIND_PERMANENT, TODAY)
    assert not answer.residence.HasField("until_date")
    assert answer.change_number == SEEDED_CHANGES + 1


def test_a_permanent_move_ends_the_permanent_residence_on_the_day_before(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(MOTHER))
    citizen = read(population, MOTHER)
    assert citizen.permanent_residence.address.commune_name == "Phường Ngọc Hà"
    (former,) = citizen.former_residences
    assert former.address.commune_name == "Phường Ba Đình"
    assert former.until_date == PartialDate(year=2026, month=11, day=20)


def test_residences_that_ended_before_keep_their_dates(population: PopulationServiceStub) -> None:
    before = read(population, DAUGHTER).former_residences
    call(population.UpdateResidence, move(DAUGHTER))
    assert read(population, DAUGHTER).former_residences[1:] == before[:]


def test_a_temporary_residence_leaves_the_permanent_one_and_the_household_alone(
    population: PopulationServiceStub,
) -> None:
    call(population.UpdateResidence, move(FATHER, kind=RESIDENCE_KIND_TEMPORARY))
    citizen = read(population, FATHER)
    assert citizen.permanent_residence.address.commune_name == "Phường Ba Đình"
    assert citizen.temporary_residence.address.commune_name == "Phường Ngọc Hà"
    assert citizen.current_residence.address == citizen.temporary_residence.address
    assert not citizen.former_residences
    assert citizen.household_number == "H-1"


def test_a_new_residence_ends_a_separate_current_one(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(RENUMBERED_BEFORE, kind=RESIDENCE_KIND_TEMPORARY))
    citizen = read(population, RENUMBERED)
    assert [former.kind for former in citizen.former_residences] == [RESIDENCE_KIND_CURRENT]
    assert citizen.current_residence.address.detail == "Số 5 ngõ 3"


def test_a_residence_can_be_corrected_on_the_day_it_began(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(MOTHER))
    corrected = Address(province_code="01", commune_code="00008", detail="Số 6 ngõ 3")
    call(population.UpdateResidence, move(MOTHER, "H26.1-20261121-0000002", address=corrected))
    citizen = read(population, MOTHER)
    assert citizen.permanent_residence.address.detail == "Số 6 ngõ 3"
    assert citizen.former_residences[0].until_date == TODAY


def test_who_moves_away_leaves_the_household_and_forms_one(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(MOTHER))
    left, formed = household_of(population, FATHER), household_of(population, MOTHER)
    assert [member.personal_number for member in left.members] == [FATHER, DAUGHTER]
    assert [(member.personal_number, member.relation_to_head) for member in formed.members] == [(MOTHER, "Chủ hộ")]
    assert formed.household_number not in {"", left.household_number}
    assert (formed.address.commune_name, formed.address.detail) == ("Phường Ngọc Hà", "Số 5 ngõ 3")


def test_when_the_head_moves_away_the_oldest_who_stays_heads_the_household(
    population: PopulationServiceStub,
) -> None:
    call(population.UpdateResidence, move(FATHER))
    members = [(m.personal_number, m.relation_to_head) for m in household_of(population, DAUGHTER).members]
    assert members == [(MOTHER, "Chủ hộ"), (DAUGHTER, "Khác")]


def test_the_household_of_who_lives_alone_moves_along(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(RENUMBERED))
    household = household_of(population, RENUMBERED)
    assert (household.household_number, household.address.commune_name) == ("H-2", "Phường Ngọc Hà")


def test_who_registers_at_the_household_s_own_address_stays_in_it(population: PopulationServiceStub) -> None:
    address = Address(province_code="01", commune_code="00004", detail=HOME.upper())
    call(population.UpdateResidence, move(FATHER, address=address))
    members = [(m.personal_number, m.relation_to_head) for m in household_of(population, FATHER).members]
    assert members == [(FATHER, "Chủ hộ"), (MOTHER, "Vợ"), (DAUGHTER, "Con đẻ")]


def test_who_had_no_household_forms_one(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(FOREIGNER))
    assert [m.personal_number for m in household_of(population, FOREIGNER).members] == [FOREIGNER]


def test_repeating_a_case_changes_nothing_and_answers_as_the_first_did(population: PopulationServiceStub) -> None:
    first = call(population.UpdateResidence, move(MOTHER))
    call(population.UpdateResidence, move(MOTHER, "H26.1-20261121-0000002", kind=RESIDENCE_KIND_PERMANENT))
    before = read(population, MOTHER)
    again = call(population.UpdateResidence, move(MOTHER, address=Address(commune_code="99999", detail="elsewhere")))
    assert again == first
    assert read(population, MOTHER) == before


def test_two_calls_of_one_case_at_once_register_once(population: PopulationServiceStub) -> None:
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(call, population.UpdateResidence, move(MOTHER)) for _ in range(8)]
    answers = [pending.result() for pending in calls]
    assert all(answer == answers[0] for answer in answers)
    assert len(read(population, MOTHER).former_residences) == 1
    assert [c.personal_number for c in changes(population).changes[SEEDED_CHANGES:]].count(MOTHER) == 1


def test_different_cases_at_once_leave_one_residence_in_force(population: PopulationServiceStub) -> None:
    requests = [move(MOTHER, f"H26.1-20261121-000000{case}") for case in range(8)]
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(call, population.UpdateResidence, request) for request in requests]
    answers = [pending.result() for pending in calls]
    assert len({answer.change_number for answer in answers}) == 8
    assert len(read(population, MOTHER).former_residences) == 8
    numbers = [change.change_number for change in changes(population).changes]
    assert numbers == list(range(1, len(numbers) + 1))


def test_one_case_may_move_two_citizens(population: PopulationServiceStub) -> None:
    answers = [call(population.UpdateResidence, move(number)) for number in (MOTHER, RENUMBERED)]
    assert answers[0].change_number != answers[1].change_number


def at(
    province_code: str, commune_code: str, detail: str, *, district_code: str = "", country_code: str = ""
) -> Address:
    return Address(
        province_code=province_code,
        district_code=district_code,
        commune_code=commune_code,
        detail=detail,
        country_code=country_code,
    )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (move("123"), "PERSONAL_NUMBER_INVALID"),
        (move(MOTHER, kind=RESIDENCE_KIND_UNSPECIFIED), "RESIDENCE_KIND_INVALID"),
        (move(MOTHER, kind=RESIDENCE_KIND_CURRENT), "RESIDENCE_KIND_INVALID"),
        (move(MOTHER, ""), "CASE_REFERENCE_INVALID"),
        (move(MOTHER, "H26\n"), "CASE_REFERENCE_INVALID"),
        (move(MOTHER, "x" * 65), "CASE_REFERENCE_INVALID"),
        (move(MOTHER, from_date=None), "DATE_INVALID"),
        (move(MOTHER, from_date=PartialDate(year=2026, month=11)), "DATE_INVALID"),
        (move(MOTHER, from_date=PartialDate(year=2026, month=2, day=30)), "DATE_INVALID"),
        (move(MOTHER, from_date=PartialDate(year=2026, month=11, day=22)), "DATE_INVALID"),
        (move(MOTHER, from_date=PartialDate(year=2025, month=6, day=30)), "ADDRESS_INVALID"),
        (move(MOTHER, address=None), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00008", " ")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00008", "a\x00b")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00008", "a" * 201)), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "8", "Thôn 1")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00009", "Thôn 1")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("79", "00008", "Thôn 1")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00099", "Thôn 1")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00008", "Thôn 1", district_code="001")), "ADDRESS_INVALID"),
        (move(MOTHER, address=at("01", "00008", "Thôn 1", country_code="FR")), "ADDRESS_INVALID"),
    ],
)
def test_a_wrong_request_is_refused_and_nothing_is_written(
    population: PopulationServiceStub, wrong: UpdateResidenceRequest, reason: str
) -> None:
    before = read(population, MOTHER)
    refusal = refusal_of(population.UpdateResidence, wrong)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert read(population, MOTHER) == before
    assert not changes(population, str(SEEDED_CHANGES)).changes


def test_a_residence_may_begin_today_in_vietnam_while_it_is_still_yesterday_in_utc(
    population: PopulationServiceStub, clock: SandboxClock
) -> None:
    clock.advance(timedelta(hours=16))
    tomorrow = PartialDate(year=2026, month=11, day=22)
    assert call(population.UpdateResidence, move(MOTHER, from_date=tomorrow)).residence.from_date == tomorrow


def test_a_commune_takes_residents_until_its_last_day(population: PopulationServiceStub) -> None:
    address = Address(province_code="01", commune_code="00099", detail="Thôn 1")
    last_day = PartialDate(year=2026, month=6, day=30)
    answer = call(population.UpdateResidence, move(MOTHER, address=address, from_date=last_day))
    assert answer.residence.address.commune_name == "Phường Bỏ"


def test_a_residence_cannot_begin_before_the_one_it_replaces(population: PopulationServiceStub) -> None:
    call(population.UpdateResidence, move(MOTHER))
    earlier = move(MOTHER, "H26.1-20261121-0000002", from_date=PartialDate(year=2026, month=11, day=20))
    refusal = refusal_of(population.UpdateResidence, earlier)
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "RESIDENCE_OUT_OF_ORDER")


def test_nobody_lives_anywhere_before_her_birth(population: PopulationServiceStub) -> None:
    before, born = PartialDate(year=2026, month=11, day=9), PartialDate(year=2026, month=11, day=10)
    refusal = refusal_of(population.UpdateResidence, move(INFANT, from_date=before))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DATE_INVALID")
    assert call(population.UpdateResidence, move(INFANT, from_date=born)).residence.from_date == born


def test_the_deceased_take_no_residence(population: PopulationServiceStub) -> None:
    refusal = refusal_of(population.UpdateResidence, move(DECEASED))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CITIZEN_DECEASED")


def test_nobody_unknown_takes_a_residence(population: PopulationServiceStub) -> None:
    refusal = refusal_of(population.UpdateResidence, move(UNKNOWN))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CITIZEN_UNKNOWN")


def test_changes_are_paged_to_the_end_and_on_after_the_next_change(population: PopulationServiceStub) -> None:
    pages = [changes(population, page_size=4)]
    while pages[-1].has_more:
        pages.append(changes(population, pages[-1].next_cursor, 4))
    assert [len(page.changes) for page in pages] == [4, 2]
    end = pages[-1].next_cursor
    assert changes(population, end) == ListChangesResponse(next_cursor=end)
    call(population.UpdateResidence, move(MOTHER))
    news = changes(population, end)
    assert [(change.personal_number, list(change.datasets)) for change in news.changes] == [
        (MOTHER, ["residence", "residence.history", "household"]),
        (FATHER, ["household"]),
        (DAUGHTER, ["household"]),
    ]
    assert news.changes[0].changed_at.ToJsonString().startswith("2026-11-21T03:")


def test_a_page_that_the_changes_fill_exactly_is_the_last(population: PopulationServiceStub) -> None:
    page = changes(population, page_size=SEEDED_CHANGES)
    assert (len(page.changes), page.has_more) == (SEEDED_CHANGES, False)


@pytest.mark.parametrize("cursor", ["-1", "01", "x", "1.0", "9" * 30, "٣", " 1", str(SEEDED_CHANGES + 1)])
def test_a_cursor_of_another_making_is_refused(population: PopulationServiceStub, cursor: str) -> None:
    refusal = refusal_of(population.ListChanges, ListChangesRequest(cursor=cursor))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID")


@pytest.mark.parametrize("size", [-1, 1_001])
def test_a_page_size_out_of_range_is_refused(population: PopulationServiceStub, size: int) -> None:
    refusal = refusal_of(population.ListChanges, ListChangesRequest(page_size=size))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_SIZE_INVALID")
