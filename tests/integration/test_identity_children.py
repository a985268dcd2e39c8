"""Deciding for a child at the identity provider, which asks the register through the gateway who represents her."""

import html
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.population.v1.citizen_pb2 import Citizen
from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    GetCitizenResponse,
    Relationship,
    VerifyRelationshipRequest,
    VerifyRelationshipResponse,
)
from lienthong.api.types.v1.types_pb2 import PartialDate, PersonName
from lienthong_core.database import sqlite_url
from lienthong_core.errors import not_found, unavailable
from lienthong_seeds import members
from lienthong_services.identity import register
from tests.support.browser import Browser, Page
from tests.support.consents import REQUEST_ID
from tests.support.identity import CHILD, LEVEL_ONE, MAI, SMALL_CHILD, IdentityWorld, identity_world

ASKED = f'[{{"type":"lienthong_consent","consent_request_id":"{REQUEST_ID}"}}]'
SUBJECT, REPRESENTATIVE = (
    consent_pb2.Capacity.CAPACITY_SUBJECT,
    consent_pb2.Capacity.CAPACITY_REPRESENTATIVE,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IdentityWorld]:
    with identity_world(sqlite_url(tmp_path / "identity.sqlite")) as started:
        started.clock.set(datetime(2026, 11, 21, 3, 0, tzinfo=UTC))
        yield started


def born(world: IdentityWorld, year: int, month: int = 0, day: int = 0, number: str = "") -> None:
    """Have the register confirm the representative of a child born then, who has the number asked for, or `number`."""
    asked = world.consents.requests[REQUEST_ID].terms.subject_number
    name, birth_date = PersonName(full_name="Lê Gia Hân"), PartialDate(year=year, month=month, day=day)
    child = Citizen(personal_number=number or asked, name=name, birth_date=birth_date)
    world.register.answer("VerifyRelationship", VerifyRelationshipResponse(confirmed=True))
    world.register.answer("GetCitizen", GetCitizenResponse(citizen=child))


def visit(world: IdentityWorld, citizen: str = MAI) -> tuple[Browser, Page]:
    """Return a citizen's browser on the page that asks for consent, or on what came instead of it."""
    browser = world.browser()
    browser.citizen = citizen
    address = world.portal.authorize(authorization_details=ASKED)
    return browser, browser.submit(browser.log_in(browser.get(address)), decision="approve")


def test_the_page_says_for_which_child_the_representative_decides(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    born(world, 2018, 5, 20)

    text = html.unescape(visit(world)[1].response.text)

    for shown in (
        "Lê Gia Hân",
        CHILD,
        "Nguyễn Thị Mai",
        MAI,
        "You decide for a child whom you represent: Lê Gia Hân.",
        "From 7 on",
        "from when child and representative have both approved",
    ):
        assert shown in text


def test_who_approves_first_is_not_told_that_the_period_begins_with_that(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    assert "from when child and representative have both approved" in visit(world, CHILD)[1].response.text


def test_a_representative_signs_as_such_and_for_a_small_child_alone(world: IdentityWorld) -> None:
    request = world.consents.ask(subject_number=SMALL_CHILD)
    born(world, 2024, 6, 1)
    browser, page = visit(world)
    assert "From 7 on" not in page.response.text

    answer = browser.submit(page, decision="approve").answer

    (decision,) = world.consents.decisions
    assert decision["subject_number"] == SMALL_CHILD
    assert (decision["approved_by"], decision["approves_as"]) == (MAI, "representative")
    assert (decision["subject_age"], decision["decision"]) == ("child_under_7", "approved")
    assert request.state == consent_pb2.CONSENT_REQUEST_STATE_APPROVED
    assert world.portal.exchange(answer["code"]).json()["authorization_details"][0]["consent_id"]


def test_the_client_is_told_of_no_consent_until_both_have_approved(world: IdentityWorld) -> None:
    request = world.consents.ask(subject_number=CHILD)
    born(world, 2018, 5, 20)
    mother, page = visit(world)
    answer = mother.submit(page, decision="approve").answer
    assert "authorization_details" not in world.portal.exchange(answer["code"]).json()
    assert request.state == consent_pb2.CONSENT_REQUEST_STATE_PENDING

    child, page = visit(world, CHILD)
    assert "Your legal representative approves as well" in page.response.text
    answer = child.submit(page, decision="approve").answer
    assert world.portal.exchange(answer["code"]).json()["authorization_details"][0]["consent_id"]
    assert [(decision["approves_as"], decision["acr"]) for decision in world.consents.decisions] == [
        ("representative", "2"),
        ("subject", "1"),
    ]
    assert request.state == consent_pb2.CONSENT_REQUEST_STATE_APPROVED


def test_who_has_approved_is_told_that_it_waits_for_the_other(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    born(world, 2018, 5, 20)
    browser, page = visit(world)
    browser.submit(page, decision="approve")

    again = browser.get(world.portal.authorize(authorization_details=ASKED))

    assert again.response.status_code == 403
    assert "waits for the other" in again.response.text


def test_an_approval_whose_answer_was_lost_counts_while_the_other_is_missing(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    born(world, 2018, 5, 20)
    browser, page = visit(world)
    world.consents.loses_answers = True
    assert browser.submit(page, decision="approve").response.status_code == 503
    world.consents.loses_answers = False

    assert "code" in browser.submit(page, decision="approve").answer
    assert list(world.consents.requests[REQUEST_ID].approved_as) == [REPRESENTATIVE]


def test_an_approval_whose_answer_was_lost_does_not_count_once_the_other_has_denied(world: IdentityWorld) -> None:
    request = world.consents.ask(subject_number=CHILD)
    browser, page = visit(world, CHILD)
    world.consents.loses_answers = True
    assert browser.submit(page, decision="approve").response.status_code == 503
    world.consents.loses_answers = False
    request.state = consent_pb2.CONSENT_REQUEST_STATE_DENIED

    told = browser.submit(page, decision="approve")

    assert told.response.status_code == HTTPStatus.FORBIDDEN
    assert list(request.approved_as) == [SUBJECT]


def test_a_child_under_seven_cannot_answer_herself(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=SMALL_CHILD)

    page = visit(world, SMALL_CHILD)[1]

    assert page.response.status_code == 403
    assert "the legal representative decides" in page.response.text
    assert not world.register.calls


def test_the_register_is_asked_who_represents_her_for_the_registered_purpose_on_its_legal_basis(
    world: IdentityWorld,
) -> None:
    world.consents.ask(subject_number=CHILD)
    born(world, 2018, 5, 20)
    visit(world)

    assert [call.method for call in world.register.calls] == ["VerifyRelationship", "GetCitizen"]
    for call in world.register.calls:
        assert call.metadata["lienthong-purpose"] == register.PURPOSE == members.CONSENT_REPRESENTATION.code
        assert call.metadata["lienthong-legal-basis"] == "state_19_1_c"
        assert call.metadata["lienthong-legal-reference"] == f"consent-request/{REQUEST_ID}"
        assert call.metadata["x-road-userid"] == register.OFFICER
    assert VerifyRelationshipRequest.FromString(world.register.calls[0].request) == VerifyRelationshipRequest(
        personal_number=CHILD, related_personal_number=MAI, relationship=Relationship.RELATIONSHIP_REPRESENTATIVE
    )
    assert GetCitizenRequest.FromString(world.register.calls[1].request).personal_number == CHILD


def test_who_is_no_representative_learns_nothing_about_the_child(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)

    page = visit(world)[1]

    assert page.response.status_code == 403
    assert CHILD not in page.response.text
    assert [call.method for call in world.register.calls] == ["VerifyRelationship"]


def test_who_logs_in_after_a_representative_sees_nothing_of_the_child_and_decides_nothing(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=SMALL_CHILD)
    born(world, 2024, 6, 1)
    browser, page = visit(world)
    assert SMALL_CHILD in page.response.text
    world.register.answer("VerifyRelationship", VerifyRelationshipResponse(confirmed=False))

    browser.log_in(browser.get(world.portal.authorize(prompt="login")), number=LEVEL_ONE)
    after = browser.get(str(page.response.url))
    if after.path == "/approve":
        after = browser.submit(after, decision="approve")

    assert after.response.status_code == HTTPStatus.FORBIDDEN
    assert SMALL_CHILD not in after.response.text
    assert "Lê Gia Hân" not in html.unescape(after.response.text)
    assert not world.consents.decisions


def test_a_number_that_the_register_does_not_know_has_no_representative(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    world.register.answer("VerifyRelationship", not_found("CITIZEN_UNKNOWN", "Nobody has this number."))

    assert visit(world)[1].response.status_code == 403


@pytest.mark.parametrize(("year", "month", "day"), [(2010, 11, 21), (2009, 0, 0)])
def test_nobody_represents_somebody_of_sixteen(world: IdentityWorld, year: int, month: int, day: int) -> None:
    world.consents.ask(subject_number=CHILD)
    born(world, year, month, day)

    assert visit(world)[1].response.status_code == 403


def test_nobody_answers_for_a_child_by_a_number_that_she_has_no_more(world: IdentityWorld) -> None:
    world.consents.ask(subject_number="099224000006")
    born(world, 2024, 6, 1, number=SMALL_CHILD)

    page = visit(world)[1]

    assert page.response.status_code == HTTPStatus.FORBIDDEN
    assert "Lê Gia Hân" not in html.unescape(page.response.text)


def test_she_can_try_again_when_the_register_does_not_answer(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    world.register.answer("VerifyRelationship", unavailable("PROVIDER_UNAVAILABLE", "The provider is away."))
    browser, page = visit(world)
    assert page.response.status_code == 503
    assert "Try again" in page.response.text

    born(world, 2018, 5, 20)
    assert "You decide for a child" in browser.get(str(page.response.url)).response.text


def test_she_is_told_in_time_when_the_register_never_answers(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    with world.register.hanging("VerifyRelationship"):
        page = visit(world)[1]
    assert page.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "Try again" in page.response.text


def test_a_birthday_while_the_page_is_open_changes_who_decides(world: IdentityWorld) -> None:
    request = world.consents.ask(subject_number=SMALL_CHILD)
    born(world, 2024, 6, 1)
    world.clock.set(datetime(2031, 5, 31, 16, 58, tzinfo=UTC))
    browser, page = visit(world)
    assert "From 7 on" not in page.response.text
    world.clock.set(datetime(2031, 5, 31, 17, 1, tzinfo=UTC))

    shown_anew = browser.submit(page, decision="approve")

    assert "From 7 on" in shown_anew.response.text
    assert not world.consents.decisions
    browser.submit(shown_anew, decision="approve")
    assert world.consents.decisions[0]["subject_age"] == "child_from_7"
    assert (request.state, list(request.approved_as)) == (consent_pb2.CONSENT_REQUEST_STATE_PENDING, [REPRESENTATIVE])


def test_nobody_represents_a_child_who_turns_sixteen_while_the_page_is_open(world: IdentityWorld) -> None:
    world.consents.ask(subject_number=CHILD)
    born(world, 2018, 5, 20)
    world.clock.set(datetime(2034, 5, 19, 16, 58, tzinfo=UTC))
    browser, page = visit(world)
    world.clock.set(datetime(2034, 5, 19, 17, 1, tzinfo=UTC))

    assert browser.submit(page, decision="approve").response.status_code == HTTPStatus.FORBIDDEN
    assert not world.consents.decisions


# The account page.


def at_the_account_page(world: IdentityWorld) -> tuple[Browser, Page]:
    browser = world.browser()
    return browser, browser.log_in(browser.get("/account"))


def test_a_representative_sees_and_ends_a_childs_consent_as_such(world: IdentityWorld) -> None:
    consent = world.consents.give("c-1", world.consents.ask(subject_number=CHILD).terms, approved_by=MAI)
    browser, page = at_the_account_page(world)
    assert "A child you represent" in page.response.text
    assert CHILD in page.response.text

    browser.submit(page)

    assert consent.state == consent_pb2.CONSENT_STATE_REVOKED
    assert world.consents.capacities == [REPRESENTATIVE]


@pytest.mark.parametrize(("subject", "capacity"), [(MAI, SUBJECT), (CHILD, REPRESENTATIVE)])
def test_she_pauses_and_resumes_a_consent_as_whoever_she_is_to_the_subject(
    world: IdentityWorld, subject: str, capacity: consent_pb2.Capacity.ValueType
) -> None:
    consent = world.consents.give("c-1", world.consents.ask(subject_number=subject).terms, approved_by=MAI)
    browser, page = at_the_account_page(world)

    page.action = "/account/pause"
    page = browser.submit(page)
    assert (consent.state, consent.paused_as) == (consent_pb2.CONSENT_STATE_PAUSED, capacity)
    assert "Paused" in page.response.text
    assert 'action="/account/resume"' in page.response.text
    assert 'action="/account/pause"' not in page.response.text

    page.action = "/account/resume"
    page = browser.submit(page)
    assert consent.state == consent_pb2.CONSENT_STATE_ACTIVE
    assert "In force" in page.response.text


@pytest.mark.parametrize("meanwhile", ["CONSENT_ENDED", "CONSENT_PAUSED"])
def test_what_has_become_of_a_consent_since_the_page_was_opened_is_told_with_the_way_on(
    world: IdentityWorld, meanwhile: str
) -> None:
    consent = world.consents.give("c-1", world.consents.ask().terms)
    browser, page = at_the_account_page(world)
    if meanwhile == "CONSENT_ENDED":
        consent.state = consent_pb2.CONSENT_STATE_REVOKED
    else:
        consent.state, consent.paused_as = consent_pb2.CONSENT_STATE_PAUSED, REPRESENTATIVE

    page.action = "/account/pause"
    page = browser.submit(page)

    assert page.response.status_code == 409
    assert f"has changed since the page was opened ({meanwhile})" in page.response.text
    assert 'href="/account"' in page.response.text


def test_who_has_not_paused_a_consent_is_not_offered_to_resume_it(world: IdentityWorld) -> None:
    consent = world.consents.give("c-1", world.consents.ask(subject_number=CHILD).terms, approved_by=MAI)
    consent.state, consent.paused_as = consent_pb2.CONSENT_STATE_PAUSED, SUBJECT

    _, page = at_the_account_page(world)

    assert 'action="/account/revoke"' in page.response.text
    assert 'action="/account/resume"' not in page.response.text


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_nothing_is_paused_or_resumed_without_the_csrf_field_a_login_or_the_right_citizen(
    world: IdentityWorld, action: str
) -> None:
    consent = world.consents.give("c-1", world.consents.ask().terms)
    world.consents.give("c-2", world.consents.ask(subject_number=CHILD).terms)
    browser, page = at_the_account_page(world)
    page.action = f"/account/{action}"

    assert browser.submit(page, csrf="made-up").response.status_code == 403
    assert world.browser().submit(page).response.status_code == 400
    assert browser.submit(page, consent_id="c-2").response.status_code == 404
    assert consent.state == consent_pb2.CONSENT_STATE_ACTIVE


def test_she_downloads_the_receipt_of_her_own_consent_alone(world: IdentityWorld) -> None:
    world.consents.give("c-1", world.consents.ask().terms)
    world.consents.give("c-2", world.consents.ask(subject_number=CHILD).terms)
    browser, page = at_the_account_page(world)
    assert 'href="/account/receipt?consent_id=c-1"' in page.response.text

    receipt = browser.get("/account/receipt?consent_id=c-1").response

    assert receipt.json() == {"of": "c-1"}
    assert receipt.headers["content-type"] == "application/json"
    assert "attachment" in receipt.headers["content-disposition"]
    assert receipt.headers["cache-control"] == "no-store"
    assert browser.get("/account/receipt?consent_id=c-2").response.status_code == 404
    assert world.browser().get("/account/receipt?consent_id=c-1").path == "/login"


def test_the_pages_say_how_often_a_consent_may_be_used_and_how_long_data_are_kept(world: IdentityWorld) -> None:
    request = world.consents.ask(uses=3)
    request.terms.uses_per.FromSeconds(3_600)
    request.terms.retention.FromSeconds(30 * 86_400)
    request.terms.purpose_reference = "H26.1-7"
    asked = visit(world)[1].response.text
    world.consents.give("c-1", request.terms)
    account = at_the_account_page(world)[1].response.text

    for text in (asked, account):
        assert "3 lần trong mỗi 1 giờ" in text
        assert "3 times in each 1 hour" in text
        assert "30 days" in text
    assert "H26.1-7" in asked
    assert "Bạn tự nguyện quyết định." in asked
