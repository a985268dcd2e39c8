"""The life of a dossier, from the draft to the result."""

import threading
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import ConsentRequest, ConsentRequestState, FetchConsentRequestResponse
from lienthong.api.exchange.v1.log_pb2 import Access, ListAccessesRequest, ListAccessesResponse
from lienthong.api.population.v1.citizen_pb2 import ResidenceKind
from lienthong.api.population.v1.population_pb2 import UpdateResidenceRequest
from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong.client import Header
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.portal_doubles import CONSENT_REQUEST_ID
from tests.support.portal_world import NEW_ADDRESS, OFFICER, TIMEOUT_S, PortalWorld, State, refused, values

NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
REGISTER = pb.FormFieldSource.FORM_FIELD_SOURCE_REGISTER
CITIZEN = pb.FormFieldSource.FORM_FIELD_SOURCE_CITIZEN


def due(dossier: pb.Dossier) -> tuple[int, int, int]:
    return dossier.due_date.year, dossier.due_date.month, dossier.due_date.day


def test_a_dossier_lives_from_the_draft_to_the_result(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    draft = lan.consented()
    assert (draft.state, draft.code, draft.consent_id) == (0, "", f"consent-of-{CONSENT_REQUEST_ID}")
    prefilled = lan.prefill(draft.dossier_id)
    assert [receipt.method.rpartition("/")[2] for receipt in prefilled.exchanges] == ["GetCitizen", "GetHousehold"]
    submitted = lan.submit(draft.dossier_id, **NEW_ADDRESS)
    assert submitted.code == "G01.99-20261123-0000001"
    for state in (State.DOSSIER_STATE_RECEIVED, State.DOSSIER_STATE_PROCESSING):
        stored.officers_move(submitted.code, state)
    finished = stored.officers_move(submitted.code, State.DOSSIER_STATE_FINISHED, "Đã đăng ký")
    assert [receipt.method.rpartition("/")[2] for receipt in finished.exchanges] == ["UpdateResidence"]
    stored.officers_move(submitted.code, State.DOSSIER_STATE_RETURNED)
    seen = lan.sees(submitted.code)
    assert [(event.state, event.moved_by, event.note) for event in seen.events] == [
        (1, "citizen", ""),
        (2, OFFICER, ""),
        (4, OFFICER, ""),
        (9, OFFICER, "Đã đăng ký"),
        (10, OFFICER, ""),
    ]
    assert seen.state_name_vi == seen.events[-1].state_name_vi == "Đã trả kết quả"
    assert due(seen) == (2026, 12, 2)
    assert seen == stored.officer_sees(seen.dossier_id)


def test_an_incomplete_form_is_refused_naming_what_it_lacks_and_nothing_of_it_is_kept(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    dossier_id = lan.start().dossier.dossier_id
    with refused("FORM_INCOMPLETE", INVALID) as why:
        lan.submit(dossier_id, full_name="Nguyễn Thị Lan", new_province_code="01")
    assert set(why[0].metadata["fields"].split(",")) == {
        "birth_date",
        "sex",
        "personal_number",
        "new_commune_code",
        "new_address_detail",
        "from_date",
    }
    assert "Giới tính" in why[0].message
    assert values(lan.sees(dossier_id)) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("personal_number", MAI),
        ("from_date", "2026-02-30"),
        ("from_date", "hôm nay"),
        ("new_commune_code", "4"),
        ("new_province_code", "Hà Nội"),
        ("new_address_detail", "x" * 201),
        ("new_address_detail", "Số 7\u200b"),
        ("request", "x" * 501),
        ("new_address_detail", "Số 7\x00"),
        ("sex", "Nu"),
        ("phone", "12345"),
        ("shoe_size", "37"),
    ],
)
def test_an_impossible_value_is_refused_naming_its_field(world: PortalWorld, name: str, value: str) -> None:
    lan = world.logged_in()
    dossier_id = lan.consented().dossier_id
    lan.prefill(dossier_id)
    with refused("FORM_INVALID", INVALID) as why:
        lan.submit(dossier_id, **{**NEW_ADDRESS, name: value})
    assert why[0].metadata["fields"] == name
    assert lan.sees(dossier_id).state == State.DOSSIER_STATE_UNSPECIFIED


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("new_commune_code", "99999", "no commune has this code"),
        ("new_province_code", "79", "Phường Ba Đình, 00004, lies in province 01"),
        ("from_date", "2025-06-30", "is in force from 2025-07-01"),
        ("from_date", "2026-11-24", "today is 2026-11-23 in Vietnam"),
        ("birth_date", "2026-11-21", "before the birth"),
    ],
    ids=["no commune", "another province", "before the commune", "tomorrow", "before birth"],
)
def test_what_the_register_would_refuse_at_the_end_is_refused_while_it_can_be_corrected(
    world: PortalWorld, name: str, value: str, said: str
) -> None:
    lan = world.logged_in()
    dossier_id = lan.consented().dossier_id
    lan.prefill(dossier_id)
    with refused("FORM_INVALID", INVALID) as why:
        lan.submit(dossier_id, **{**NEW_ADDRESS, name: value})
    assert said in why[0].message
    assert lan.submit(dossier_id, **NEW_ADDRESS).state == State.DOSSIER_STATE_REGISTERED


def test_a_submitted_dossier_cannot_be_changed(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    dossier = lan.submitted()
    for again in (lambda: lan.submit(dossier.dossier_id, **NEW_ADDRESS), lambda: lan.prefill(dossier.dossier_id)):
        with refused("DOSSIER_NOT_DRAFT", PRECONDITION):
            again()
    assert lan.sees(dossier.dossier_id) == dossier


def test_codes_count_the_dossiers_of_a_day_in_vietnam(stored: PortalWorld) -> None:
    stored.clock.set(datetime(2026, 11, 23, 16, 58, tzinfo=UTC))
    lan = stored.logged_in()
    codes = [lan.submitted().code, lan.submitted().code]
    stored.clock.set(datetime(2026, 11, 23, 17, 0, tzinfo=UTC))
    codes.append(lan.submitted().code)
    assert codes == ["G01.99-20261123-0000001", "G01.99-20261123-0000002", "G01.99-20261124-0000001"]


def test_dossiers_submitted_at_once_get_different_codes(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    drafts = [lan.consented().dossier_id for _ in range(4)]
    for draft in drafts:
        lan.prefill(draft)
    codes: list[str] = []
    start = threading.Barrier(len(drafts))

    def submit(draft: str) -> None:
        start.wait(TIMEOUT_S)
        codes.append(lan.submit(draft, **NEW_ADDRESS).code)

    threads = [threading.Thread(target=submit, args=(draft,)) for draft in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [f"G01.99-20261123-000000{number}" for number in range(1, 5)]


def test_finishing_registers_the_residence_on_the_state_bodys_own_ground(world: PortalWorld) -> None:
    _, code = world.in_processing()
    world.officers_move(code, State.DOSSIER_STATE_FINISHED)
    (call,) = world.gateway.received("UpdateResidence")
    assert call.headers[Header.LEGAL_BASIS] == "state_19_1_c"
    assert call.headers[Header.LEGAL_REFERENCE] == code
    assert call.headers[Header.OFFICER] == OFFICER
    assert Header.AUTHORIZATION not in call.headers
    request = UpdateResidenceRequest.FromString(call.request)
    assert (request.personal_number, request.case_reference) == (LAN, code)
    assert request.kind == ResidenceKind.RESIDENCE_KIND_PERMANENT
    assert (request.address.province_code, request.address.commune_code) == ("01", "00004")
    assert request.from_date == PartialDate(year=2026, month=11, day=20)


def test_a_temporary_residence_is_due_in_three_working_days_and_registered_as_such(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.start("1.004194").dossier.dossier_id
    lan.browser.get(f"/dossiers/{dossier_id}/consent")
    lan.prefill(dossier_id)
    code = lan.submit(dossier_id, **NEW_ADDRESS).code
    assert due(world.officers_move(code, State.DOSSIER_STATE_RECEIVED).dossier) == (2026, 11, 26)
    world.officers_move(code, State.DOSSIER_STATE_PROCESSING)
    world.officers_move(code, State.DOSSIER_STATE_FINISHED)
    request = UpdateResidenceRequest.FromString(world.gateway.received("UpdateResidence")[0].request)
    assert request.kind == ResidenceKind.RESIDENCE_KIND_TEMPORARY


def test_the_due_date_moves_by_the_working_days_that_the_applicant_took(stored: PortalWorld) -> None:
    _, code = stored.in_processing()
    stored.officers_move(code, State.DOSSIER_STATE_PAPERS_REQUESTED)
    # From Monday to the Wednesday of the week after: seven working days.
    stored.clock.advance(timedelta(days=9))
    resumed = stored.officers_move(code, State.DOSSIER_STATE_PROCESSING).dossier
    assert due(resumed) == (2026, 12, 11)


def test_an_applicant_may_withdraw_and_then_nobody_moves_the_dossier(world: PortalWorld) -> None:
    lan, code = world.in_processing()
    assert lan.move(code, State.DOSSIER_STATE_WITHDRAWN).state_name_vi == "Công dân yêu cầu rút hồ sơ"
    with refused("MOVE_NOT_ALLOWED", PRECONDITION):
        world.officers_move(code, State.DOSSIER_STATE_FINISHED)
    assert not world.gateway.received("UpdateResidence")


def test_a_citizens_dossiers_are_paged_to_the_oldest(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    started = [lan.start().dossier.dossier_id for _ in range(3)]
    first = lan.page(page_size=2)
    last = lan.page(page_size=2, cursor=first.next_cursor)
    assert [dossier.dossier_id for dossier in (*first.dossiers, *last.dossiers)] == started[::-1]
    assert (bool(first.next_cursor), last.next_cursor) == (True, "")
    assert not lan.page(page_size=3).next_cursor


def test_a_cursor_beyond_every_dossier_begins_with_the_newest(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    started = lan.start().dossier.dossier_id

    assert [dossier.dossier_id for dossier in lan.page(cursor="9" * 18).dossiers] == [started]


def test_a_page_of_dossiers_without_a_size_holds_fifty(world: PortalWorld) -> None:
    lan = world.logged_in()
    for _ in range(51):
        lan.start()
    assert len(lan.page().dossiers) == 50


@pytest.mark.parametrize(
    ("size", "cursor", "reason"),
    [
        (-1, "", "PAGE_SIZE_INVALID"),
        (51, "", "PAGE_SIZE_INVALID"),
        (1, "x", "CURSOR_INVALID"),
        (1, "-1", "CURSOR_INVALID"),
    ],
)
def test_a_page_of_dossiers_that_cannot_be_is_refused(world: PortalWorld, size: int, cursor: str, reason: str) -> None:
    with refused(reason, INVALID):
        world.logged_in().page(page_size=size, cursor=cursor)


def test_a_citizens_dossiers_are_hers_alone(stored: PortalWorld) -> None:
    lan = stored.logged_in(LAN)
    draft, dossier = lan.consented(), lan.submitted()
    mai = stored.logged_in(MAI)
    attempts = (
        lambda: mai.sees(dossier.code),
        lambda: mai.sees(draft.dossier_id),
        lambda: mai.prefill(draft.dossier_id),
        lambda: mai.submit(draft.dossier_id, **NEW_ADDRESS),
        lambda: mai.move(dossier.code, State.DOSSIER_STATE_WITHDRAWN),
    )
    for attempt in attempts:
        with refused("DOSSIER_UNKNOWN", NOT_FOUND):
            attempt()
    given = ConsentRequest(state=ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED, consent_id="given")
    stored.gateway.answers["FetchConsentRequest"] = FetchConsentRequestResponse(consent_request=given)
    page = mai.browser.get(f"/dossiers/{draft.dossier_id}/consent")
    assert (page.status_code, "DOSSIER_UNKNOWN" in page.text) == (404, True)
    assert mai.dossiers() == []


def test_an_officer_sees_no_drafts(world: PortalWorld) -> None:
    draft = world.logged_in().consented()
    with refused("DOSSIER_UNKNOWN", NOT_FOUND):
        world.officer_sees(draft.dossier_id)


def test_her_dossiers_are_listed_newest_first(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    first = lan.submitted()
    stored.clock.advance(timedelta(days=-1))
    second = lan.start().dossier
    assert [dossier.dossier_id for dossier in lan.dossiers()] == [second.dossier_id, first.dossier_id]


@pytest.mark.parametrize("reference", ["", "G01.99-20261123-9999999", "' OR 1=1 --", "\x00", "x" * 10_000])
def test_a_dossier_that_cannot_be_is_not_found(stored: PortalWorld, reference: str) -> None:
    lan = stored.logged_in()
    with refused("DOSSIER_UNKNOWN", NOT_FOUND):
        lan.sees(reference)


def test_an_unknown_procedure_is_not_found(world: PortalWorld) -> None:
    lan = world.logged_in()
    with refused("PROCEDURE_UNKNOWN", NOT_FOUND):
        lan.start("9.999999")
    assert not world.gateway.calls


def test_procedures_are_listed_without_a_session(world: PortalWorld) -> None:
    listed = world.stub(members.PORTAL_APP).ListProcedures(pb.ListProceduresRequest(), timeout=TIMEOUT_S).procedures
    assert [(p.code, p.working_days, p.form) for p in listed] == [("1.004194", 3, "CT01"), ("1.004222", 7, "CT01")]


def test_who_accessed_her_data_is_what_the_gateways_log_says(world: PortalWorld) -> None:
    accesses = [Access(log_index=7, consumer=str(members.PORTAL), exchange_id="x")]
    world.gateway.answers["ListAccesses"] = ListAccessesResponse(accesses=accesses, next_cursor="older")
    lan = world.logged_in()
    request = pb.ListAccessesRequest(cursor="newer", page_size=3)
    answer = lan.app.ListAccesses(request, metadata=lan.metadata, timeout=TIMEOUT_S)
    assert (list(answer.accesses), answer.next_cursor) == (accesses, "older")
    (call,) = world.gateway.received("ListAccesses")
    assert ListAccessesRequest.FromString(call.request) == ListAccessesRequest(cursor="newer", page_size=3)
    assert call.headers[Header.AUTHORIZATION] == "Bearer access-token-1"
