"""Filling a dossier's form with what the register says of a citizen, on her consent."""

import json

import grpc
import pytest

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.population.v1.citizen_pb2 import Citizen as Record
from lienthong.api.population.v1.population_pb2 import GetCitizenResponse
from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong.api.types.v1.types_pb2 import PartialDate, PersonName
from lienthong.client import Header
from lienthong_core.errors import not_found
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.portal_doubles import CONSENT_REQUEST_ID
from tests.support.portal_world import NEW_ADDRESS, PortalWorld, State, refused, values

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
REGISTER = pb.FormFieldSource.FORM_FIELD_SOURCE_REGISTER
CITIZEN = pb.FormFieldSource.FORM_FIELD_SOURCE_CITIZEN


def test_consent_is_asked_for_what_the_procedure_needs_and_nothing_else(world: PortalWorld) -> None:
    started = world.logged_in().start()
    request = asked_for(world)
    assert (request.subject_number, request.provider, request.purpose) == (LAN, str(members.POPULATION), "1.004222")
    assert set(request.datasets) == {"identity.basic", "residence", "household"}
    assert started.consent_url == f"{world.url}/dossiers/{started.dossier.dossier_id}/consent"
    assert started.dossier.consent_request_id == CONSENT_REQUEST_ID


def asked_for(world: PortalWorld) -> consent_pb2.RequestConsentRequest:
    (call,) = world.gateway.received("RequestConsent")
    return consent_pb2.RequestConsentRequest.FromString(call.request)


def test_prefilling_reads_on_her_consent_with_the_newest_token(world: PortalWorld) -> None:
    lan = world.logged_in()
    lan.prefill(lan.consented().dossier_id)
    for method in ("GetCitizen", "GetHousehold"):
        (call,) = world.gateway.received(method)
        assert call.headers[Header.PURPOSE] == "1.004222"
        assert call.headers[Header.AUTHORIZATION] == "Bearer access-token-2"
        assert Header.LEGAL_BASIS not in call.headers


def test_the_form_is_filled_with_what_was_released(world: PortalWorld) -> None:
    lan = world.logged_in()
    answer = lan.prefill(lan.consented().dossier_id)
    form = {field.name: field for field in answer.dossier.form}
    assert (form["full_name"].value, form["full_name"].source) == ("Nguyễn Thị Lan", REGISTER)
    assert (form["birth_date"].value, form["sex"].value) == ("1990-03-14", "Nữ")
    assert form["head_name"].label_vi == "Họ, chữ đệm và tên chủ hộ"
    assert form["new_commune_code"].required
    assert not form["new_commune_code"].value
    assert list(answer.exchanges[0].datasets_released) == ["identity.basic", "residence"]
    assert list(answer.exchanges[0].datasets_withheld) == ["family"]


def test_a_birth_known_by_its_year_alone_fills_the_form(world: PortalWorld) -> None:
    record = Record(personal_number=LAN, name=PersonName(full_name="Lan"), birth_date=PartialDate(year=1950))
    world.gateway.answers["GetCitizen"] = GetCitizenResponse(citizen=record)
    lan = world.logged_in()
    dossier_id = lan.consented().dossier_id
    assert values(lan.prefill(dossier_id).dossier)["birth_date"] == "1950"
    with refused("FORM_INCOMPLETE", INVALID) as why:
        lan.submit(dossier_id, **NEW_ADDRESS)
    assert why[0].metadata["fields"] == "sex"
    assert lan.submit(dossier_id, sex="Nữ", **NEW_ADDRESS).code


def test_who_is_in_no_household_gets_the_rest_of_the_form(world: PortalWorld) -> None:
    world.gateway.answers["GetHousehold"] = not_found("HOUSEHOLD_UNKNOWN", "In no household.")
    lan = world.logged_in()
    answer = lan.prefill(lan.consented().dossier_id)
    assert len(answer.exchanges) == 1
    assert "full_name" in values(answer.dossier)
    assert "head_name" not in values(answer.dossier)


def test_nothing_is_read_before_she_consents(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.start().dossier.dossier_id
    with refused("CONSENT_NOT_GIVEN", PRECONDITION):
        lan.prefill(dossier_id)
    assert not world.gateway.received("GetCitizen")


def test_who_does_not_consent_keeps_a_draft_and_fills_it_in_herself(world: PortalWorld) -> None:
    lan = world.logged_in()
    started = lan.start()
    world.issuer.denies_with = "access_denied"
    page = lan.browser.get(started.consent_url)
    assert page.status_code == 403
    assert "CONSENT_DENIED" in page.text
    assert "Chưa có sự đồng ý" in page.text
    dossier_id = started.dossier.dossier_id
    assert (lan.sees(dossier_id).state, lan.sees(dossier_id).consent_id) == (0, "")
    own = {"full_name": "Nguyễn Thị Lan", "birth_date": "1990-03-14", "sex": "Nữ", "personal_number": LAN}
    assert lan.submit(dossier_id, **own, **NEW_ADDRESS).state == State.DOSSIER_STATE_REGISTERED


def test_a_consent_that_the_portal_has_not_heard_of_fills_the_form(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.start().dossier.dossier_id
    answered(world, consent_pb2.CONSENT_REQUEST_STATE_APPROVED, consent_id="given-without-coming-back")
    filled = lan.prefill(dossier_id).dossier
    assert filled.consent_id == "given-without-coming-back"
    assert values(filled)["full_name"] == "Nguyễn Thị Lan"


@pytest.mark.parametrize(
    "closed", [consent_pb2.CONSENT_REQUEST_STATE_DENIED, consent_pb2.CONSENT_REQUEST_STATE_EXPIRED]
)
def test_a_request_for_consent_that_is_closed_is_made_anew(
    world: PortalWorld, closed: consent_pb2.ConsentRequestState.ValueType
) -> None:
    lan = world.logged_in()
    started = lan.start()
    answered(world, closed)
    anew = consent_pb2.ConsentRequest(consent_request_id="made-anew")
    world.gateway.answers["RequestConsent"] = consent_pb2.RequestConsentResponse(consent_request=anew)
    lan.browser.get(started.consent_url)
    assert lan.sees(started.dossier.dossier_id).consent_request_id == "made-anew"
    assert "made-anew" in world.issuer.asked[-1]["authorization_details"]
    first, second = world.gateway.received("RequestConsent")
    assert first.request == second.request


def test_a_request_for_consent_is_not_made_anew_when_the_consent_was_given(world: PortalWorld) -> None:
    lan = world.logged_in()
    started = lan.start()
    answered(world, consent_pb2.CONSENT_REQUEST_STATE_APPROVED, consent_id="given-without-coming-back")
    page = lan.browser.get(started.consent_url)
    assert (page.status_code, "Đã ghi nhận sự đồng ý" in page.text) == (200, True)
    assert lan.sees(started.dossier.dossier_id).consent_id == "given-without-coming-back"
    assert not any("authorization_details" in asked for asked in world.issuer.asked)


def test_a_gateway_that_is_down_is_named_on_the_page_that_asks_for_consent(world: PortalWorld) -> None:
    lan = world.logged_in()
    started = lan.start()
    world.gateway_server.stop()
    page = lan.browser.get(started.consent_url)
    assert (page.status_code, "GATEWAY_UNAVAILABLE" in page.text) == (503, True)
    assert "Trục liên thông không trả lời" in page.text


def answered(world: PortalWorld, state: consent_pb2.ConsentRequestState.ValueType, consent_id: str = "") -> None:
    request = consent_pb2.ConsentRequest(consent_request_id=CONSENT_REQUEST_ID, state=state, consent_id=consent_id)
    world.gateway.answers["FetchConsentRequest"] = consent_pb2.FetchConsentRequestResponse(consent_request=request)


def test_nobody_is_asked_for_consent_to_prefilling_what_was_submitted(world: PortalWorld) -> None:
    lan = world.logged_in()
    started = lan.start()
    own = {"full_name": "Nguyễn Thị Lan", "birth_date": "1990-03-14", "sex": "Nữ", "personal_number": LAN}
    lan.submit(started.dossier.dossier_id, **own, **NEW_ADDRESS)
    page = lan.browser.get(started.consent_url)
    assert (page.status_code, "DOSSIER_NOT_DRAFT" in page.text) == (400, True)
    assert not any("authorization_details" in asked for asked in world.issuer.asked)


def test_what_she_gives_replaces_what_was_prefilled(world: PortalWorld) -> None:
    lan = world.logged_in()
    dossier_id = lan.consented().dossier_id
    lan.prefill(dossier_id)
    submitted = lan.submit(dossier_id, head_name="  Trần Văn Nam ", **NEW_ADDRESS)
    head = next(field for field in submitted.form if field.name == "head_name")
    assert (head.value, head.source) == ("Trần Văn Nam", CITIZEN)


def test_another_citizen_cannot_consent_in_her_place(world: PortalWorld) -> None:
    lan = world.logged_in(LAN)
    started = lan.start()
    world.issuer.personal_number = MAI
    page = lan.browser.get(started.consent_url)
    assert (page.status_code, "CITIZEN_MISMATCH" in page.text) == (403, True)
    assert not lan.sees(started.dossier.dossier_id).consent_id


def test_whom_the_applicant_gives_the_address_can_answer_for_her_and_sees_nothing_of_the_dossier(
    world: PortalWorld,
) -> None:
    lan = world.logged_in(LAN)
    started = lan.start()
    mai = world.logged_in(MAI)

    page = mai.browser.get(started.consent_url)

    assert (page.status_code, LAN in page.text) == (200, False)
    details = json.loads(world.issuer.asked[-1]["authorization_details"])
    assert details == [{"type": "lienthong_consent", "consent_request_id": CONSENT_REQUEST_ID}]
    assert lan.sees(started.dossier.dossier_id).consent_id
    with refused("DOSSIER_UNKNOWN", NOT_FOUND):
        mai.sees(started.dossier.dossier_id)


def test_a_request_made_anew_where_somebody_else_answers_is_about_the_applicant(world: PortalWorld) -> None:
    started = world.logged_in(LAN).start()
    answered(world, consent_pb2.CONSENT_REQUEST_STATE_EXPIRED)

    world.logged_in(MAI).browser.get(started.consent_url)

    assert [asked.subject_number for asked in all_asked_for(world)] == [LAN, LAN]


def test_a_representative_answers_too_when_she_is_asked_again_because_the_first_consent_is_over(
    world: PortalWorld,
) -> None:
    lan = world.logged_in(LAN)
    draft = lan.consented()
    answered(world, consent_pb2.CONSENT_REQUEST_STATE_APPROVED, consent_id=draft.consent_id)
    lan.browser.get(f"/dossiers/{draft.dossier_id}/consent")
    answered(world, consent_pb2.CONSENT_REQUEST_STATE_PENDING)

    page = world.logged_in(MAI).browser.get(f"/dossiers/{draft.dossier_id}/consent")

    assert page.status_code == 200
    assert len(all_asked_for(world)) == 2


def all_asked_for(world: PortalWorld) -> list[consent_pb2.RequestConsentRequest]:
    return [
        consent_pb2.RequestConsentRequest.FromString(call.request) for call in world.gateway.received("RequestConsent")
    ]
