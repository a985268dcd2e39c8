"""Approving, denying and ending consents at the identity provider, with a gateway behind mutual TLS."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest

from lienthong.api.consent.v1 import consent_pb2
from tests.support.browser import Browser, Page, answer_of
from tests.support.consents import REQUEST_ID
from tests.support.identity import GATEWAY, LEVEL_ONE, MAI, PORTAL, IdentityWorld, identity_world

ASKED = f'[{{"type":"lienthong_consent","consent_request_id":"{REQUEST_ID}"}}]'
READING = timedelta(minutes=5)
"""How long she takes before she answers."""


@pytest.fixture
def world(database_url: str) -> Iterator[IdentityWorld]:
    with identity_world(database_url) as started:
        yield started


def asked(world: IdentityWorld) -> tuple[Browser, Page]:
    """Return a browser on the page that asks for consent, or on what came instead of it."""
    return world.signed_in(authorization_details=ASKED)


def way_back(page: Page) -> dict[str, list[str]]:
    """Return what the error page's link tells the client."""
    address = page.response.text.split('class="button" href="')[1].split('"')[0]
    return answer_of(html.unescape(address))


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_the_page_shows_what_the_gateway_says_is_asked_for(world: IdentityWorld) -> None:
    world.consents.ask()
    text = asked(world)[1].response.text
    for shown in (
        "Cổng dịch vụ công",
        "VN-SANDBOX/GOV/G01/population",
        "Đăng ký thường trú",
        "Registering permanent residence",
        "Nơi thường trú, nơi tạm trú, nơi ở hiện tại",
        "Permanent, temporary and current residence",
        "unheard.of",
        "1 giờ",
        "1 hour",
        "2026-01-01",
        "MÔ PHỎNG",
    ):
        assert shown in text


def test_what_a_consumer_wrote_is_shown_as_text_on_both_pages(world: IdentityWorld) -> None:
    terms = world.consents.ask(purpose_title_vi="<i>Đăng ký</i>", purpose_title_en="<i>Registering</i>").terms
    page = asked(world)[1]
    world.consents.give("c-1", terms)
    for text in (page.response.text, signed_in_to_the_account_page(world)[1].response.text):
        assert "<i>" not in text
        assert "&lt;i&gt;Đăng ký&lt;/i&gt;" in text
        assert "&lt;i&gt;Registering&lt;/i&gt;" in text


def test_sensitive_datasets_are_marked_and_no_others(world: IdentityWorld) -> None:
    world.consents.ask()
    items = asked(world)[1].response.text.split("<li>")[1:]
    assert ["sensitive data" in item.split("</li>")[0] for item in items] == [False, True, False]


def test_an_approval_is_signed_recorded_and_told_to_the_client(world: IdentityWorld) -> None:
    terms = world.consents.ask(uses=3, purpose_reference="H26.1-7").terms
    terms.uses_per.FromSeconds(600)
    terms.retention.FromSeconds(86_400)
    browser, page = asked(world)
    logged_in = int(world.clock.now().timestamp())
    world.clock.advance(READING)
    page = browser.submit(page, decision="approve")
    decision = world.consents.decisions[0]
    assert logged_in - 60 <= decision.pop("auth_time") <= logged_in
    assert 0 <= int(world.clock.now().timestamp()) - decision.pop("iat") < 60
    assert decision.pop("jti")
    assert decision == {
        "iss": world.issuer,
        "aud": GATEWAY.spiffe_id,
        "decision": "approved",
        "consent_request_id": REQUEST_ID,
        "subject_number": MAI,
        "subject_age": "grown_up",
        "approved_by": MAI,
        "approves_as": "subject",
        "acr": "2",
        "consumer": str(PORTAL),
        "provider": "VN-SANDBOX/GOV/G01/population",
        "datasets": ["residence", "identity.ethnicity", "unheard.of"],
        "purpose": "1.004222",
        "purpose_title_vi": "Đăng ký thường trú",
        "purpose_title_en": "Registering permanent residence",
        "purpose_reference": "H26.1-7",
        "valid_for": 3600,
        "uses": 3,
        "uses_per": 600,
        "retention": 86_400,
        "legal_text_version": "2026-01-01",
        "legal_text_digest": "d1" * 32,
        "simulation": True,
    }
    details = [
        {
            "type": "lienthong_consent",
            "consent_request_id": REQUEST_ID,
            "consent_id": f"consent-of-{REQUEST_ID}",
            "provider": "VN-SANDBOX/GOV/G01/population",
            "datasets": ["residence", "identity.ethnicity", "unheard.of"],
            "purpose": "1.004222",
        }
    ]
    body = world.portal.exchange(page.answer["code"]).json()
    assert body["authorization_details"] == details
    assert claims_of(body["access_token"])["authorization_details"] == details


def test_what_is_signed_is_what_she_saw(world: IdentityWorld) -> None:
    terms = world.consents.ask(uses=1).terms
    browser, page = asked(world)
    assert "once" in page.response.text
    terms.uses, terms.purpose = 99, "another"
    browser.submit(page, decision="approve")
    (decision,) = world.consents.decisions
    assert (decision["uses"], decision["purpose"]) == (1, "1.004222")


def test_citizens_who_have_their_pages_open_at_once_each_sign_what_they_were_asked(world: IdentityWorld) -> None:
    another = REQUEST_ID.replace("6a1f", "7b2e")
    world.consents.ask()
    world.consents.ask(another, subject_number=LEVEL_ONE, purpose="another")
    browser, page = asked(world)
    other = world.browser()
    other.citizen = LEVEL_ONE
    address = world.portal.authorize(authorization_details=ASKED.replace(REQUEST_ID, another))
    others_page = other.submit(other.log_in(other.get(address)), decision="approve")

    browser.submit(page, decision="approve")
    other.submit(others_page, decision="approve")

    signed = ("consent_request_id", "subject_number", "approved_by", "purpose")
    assert [tuple(decision[name] for name in signed) for decision in world.consents.decisions] == [
        (REQUEST_ID, MAI, MAI, "1.004222"),
        (another, LEVEL_ONE, LEVEL_ONE, "another"),
    ]


def test_a_denial_is_signed_recorded_and_told_to_the_client(world: IdentityWorld) -> None:
    request = world.consents.ask()
    browser, page = asked(world)
    answer = browser.submit(page, decision="deny").answer
    assert (answer["error"], answer["state"]) == ("access_denied", "st-1")
    assert [decision["decision"] for decision in world.consents.decisions] == ["denied"]
    assert request.state == consent_pb2.CONSENT_REQUEST_STATE_DENIED
    assert not world.consents.consents


def test_who_is_logged_in_sees_only_the_page_that_asks_for_consent(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    world.consents.ask()
    page = browser.get(world.portal.authorize(authorization_details=ASKED))
    assert page.path == "/consent"
    assert "code" in browser.submit(page, decision="approve").answer
    none = browser.get(world.portal.authorize(authorization_details=ASKED, prompt="none"))
    assert none.answer["error"] == "consent_required"


def test_nothing_is_recorded_while_the_gateway_does_not_answer_and_she_can_try_again(world: IdentityWorld) -> None:
    world.consents.ask()
    world.consents.down = True
    browser, page = asked(world)
    assert page.response.status_code == 503
    assert "Try again" in page.response.text
    world.consents.down = False
    page = browser.get(str(page.response.url))
    world.consents.down = True
    failed = browser.submit(page, decision="approve")
    assert failed.response.status_code == 503
    assert not world.consents.decisions
    world.consents.down = False
    assert "code" in browser.submit(page, decision="approve").answer


def test_an_approval_whose_answer_was_lost_on_its_way_counts(world: IdentityWorld) -> None:
    world.consents.ask()
    browser, page = asked(world)
    world.consents.loses_answers = True
    assert browser.submit(page, decision="approve").response.status_code == 503
    world.consents.loses_answers = False
    answer = browser.submit(page, decision="approve").answer
    body = world.portal.exchange(answer["code"]).json()
    assert body["authorization_details"][0]["consent_id"] == f"consent-of-{REQUEST_ID}"


def test_an_approval_that_was_recorded_cannot_be_turned_into_a_denial(world: IdentityWorld) -> None:
    world.consents.ask()
    browser, page = asked(world)
    world.consents.loses_answers = True
    browser.submit(page, decision="approve")
    world.consents.loses_answers = False
    page = browser.submit(page, decision="deny")
    assert page.response.status_code == 403
    assert way_back(page)["error"] == ["invalid_authorization_details"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_number": LEVEL_ONE}, "access_denied"),
        ({"consumer": "VN-SANDBOX/COM/BANK01/ekyc"}, "invalid_authorization_details"),
    ],
)
def test_a_request_for_somebody_else_cannot_be_answered(
    world: IdentityWorld, changes: dict[str, str], error: str
) -> None:
    world.consents.ask(**changes)
    page = asked(world)[1]
    assert page.response.status_code == 403
    assert not page.action
    assert way_back(page)["error"] == [error]
    assert way_back(page)["state"] == ["st-1"]


@pytest.mark.parametrize("state", ["APPROVED", "DENIED", "EXPIRED"])
def test_a_request_that_is_closed_cannot_be_answered(world: IdentityWorld, state: str) -> None:
    request = world.consents.ask()
    request.state = consent_pb2.ConsentRequestState.Value(f"CONSENT_REQUEST_STATE_{state}")
    assert way_back(asked(world)[1])["error"] == ["invalid_authorization_details"]


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_request_that_is_over_before_it_is_answered_is_told_to_her_and_the_client(
    world: IdentityWorld, decision: str
) -> None:
    request = world.consents.ask()
    browser, page = asked(world)
    request.state = consent_pb2.CONSENT_REQUEST_STATE_EXPIRED
    page = browser.submit(page, decision=decision)
    assert page.response.status_code == 403
    assert "was answered or is over" in page.response.text
    assert way_back(page)["error"] == ["invalid_authorization_details"]
    assert not world.consents.decisions


def test_a_request_that_nobody_made_cannot_be_answered(world: IdentityWorld) -> None:
    assert way_back(asked(world)[1])["error"] == ["invalid_authorization_details"]


# The account page.


def signed_in_to_the_account_page(world: IdentityWorld) -> tuple[Browser, Page]:
    browser = world.browser()
    page = browser.log_in(browser.get("/account"))
    assert page.path == "/account", page.response.text
    return browser, page


def test_the_account_page_lists_her_consents_and_ends_one(world: IdentityWorld) -> None:
    consent = world.consents.give("c-1", world.consents.ask().terms)
    browser, page = signed_in_to_the_account_page(world)
    assert "Public-service portal" in page.response.text
    assert "In force" in page.response.text
    assert "2027-01-01 12:30 UTC" in page.response.text
    page = browser.submit(page)
    assert page.path == "/account"
    assert "Revoked" in page.response.text
    assert consent.state == consent_pb2.CONSENT_STATE_REVOKED


def test_older_consents_are_behind_a_link_and_can_be_ended_there(world: IdentityWorld) -> None:
    terms = world.consents.ask().terms
    given = [world.consents.give(f"c-{number}", terms) for number in range(5)]
    world.consents.page_size = 2
    browser, page = signed_in_to_the_account_page(world)
    pages = [page.response.text]
    while older := re.search(r'href="([^"]+)">Cũ hơn <span lang="en">Older<', page.response.text):
        page = browser.get(html.unescape(older[1]))
        pages.append(page.response.text)
    assert [re.findall(r"receipt\?consent_id=([^\"]+)", text) for text in pages] == [
        ["c-0", "c-1"],
        ["c-2", "c-3"],
        ["c-4"],
    ]
    assert ['href="/account">Mới nhất <span lang="en">Newest<' in text for text in pages] == [False, True, True]

    page = browser.submit(page)

    assert page.path == "/account"
    revoked = consent_pb2.CONSENT_STATE_REVOKED
    assert [consent.consent_id for consent in given if consent.state == revoked] == ["c-4"]


def test_a_page_of_consents_that_there_is_not_is_told_with_the_way_back(world: IdentityWorld) -> None:
    browser, _ = signed_in_to_the_account_page(world)
    page = browser.get("/account?cursor=made-up")
    assert page.response.status_code == 400
    assert "This address leads to nothing of yours (CURSOR_INVALID)." in page.response.text
    assert 'href="/account"' in page.response.text


def test_nobody_ends_the_consent_of_another_citizen(world: IdentityWorld) -> None:
    world.consents.give("c-1", world.consents.ask().terms)
    others = world.consents.give("c-2", world.consents.ask(subject_number=LEVEL_ONE).terms)
    browser, page = signed_in_to_the_account_page(world)
    page = browser.submit(page, consent_id="c-2")
    assert page.response.status_code == 404
    assert "CONSENT_UNKNOWN" in page.response.text
    assert others.state == consent_pb2.CONSENT_STATE_ACTIVE


def test_no_consent_ends_without_the_csrf_field_or_a_login(world: IdentityWorld) -> None:
    consent = world.consents.give("c-1", world.consents.ask().terms)
    browser, page = signed_in_to_the_account_page(world)
    assert browser.submit(page, csrf="made-up").response.status_code == 403
    assert world.browser().submit(page).response.status_code == 400
    assert consent.state == consent_pb2.CONSENT_STATE_ACTIVE


@pytest.mark.parametrize("action", ["revoke", "pause", "resume"])
def test_who_has_not_logged_in_changes_nothing_with_the_csrf_field_of_a_page_of_hers(
    world: IdentityWorld, action: str
) -> None:
    # Of a citizen whose data were erased there is no number left, and of who has not logged in there is none yet.
    consent = world.consents.give("c-1", world.consents.ask(subject_number="").terms)
    paused, active = consent_pb2.CONSENT_STATE_PAUSED, consent_pb2.CONSENT_STATE_ACTIVE
    consent.state = before = paused if action == "resume" else active
    browser = world.browser()
    page = browser.get("/account")
    page.action = f"/account/{action}"
    assert browser.submit(page, consent_id="c-1").response.status_code == 400
    assert browser.get("/account/receipt?consent_id=c-1").path == "/login"
    assert consent.state == before


def test_the_account_page_says_when_the_gateway_does_not_answer(world: IdentityWorld) -> None:
    world.consents.down = True
    browser = world.browser()
    assert browser.log_in(browser.get("/account")).response.status_code == 503


def test_logging_out_ends_the_session(world: IdentityWorld) -> None:
    browser, page = signed_in_to_the_account_page(world)
    cookies = dict(browser.http.cookies)
    assert page.action == "/logout"
    assert browser.submit(page).path == "/logged-out"
    browser.http.cookies.update(cookies)
    assert browser.get("/account").path == "/login"
