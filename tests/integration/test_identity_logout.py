"""Clients that send a citizen to be logged out (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from lienthong_core.signing import SigningKey
from lienthong_services.identity.rules import TOKEN_LIFETIME
from tests.support.browser import Browser, Page, answer_of
from tests.support.identity import AFTERWARDS, LEVEL_ONE, IdentityWorld, identity_world


@pytest.fixture
def world(database_url: str) -> Iterator[IdentityWorld]:
    with identity_world(database_url) as started:
        yield started


def logged_in(world: IdentityWorld, number: str | None = None) -> tuple[Browser, dict[str, Any]]:
    """Return a browser that a citizen has logged in with, and what the portal got for her code."""
    browser = world.browser()
    page = browser.submit(browser.log_in(browser.get(world.portal.authorize()), number), decision="approve")
    tokens: dict[str, Any] = world.portal.exchange(page.answer["code"]).json()
    return browser, tokens


def way_out(**parameters: str) -> str:
    return f"/end-session?{urlencode(parameters)}"


def is_logged_in(browser: Browser) -> bool:
    return browser.get("/account").path == "/account"


def led_to(page: Page) -> str:
    assert page.response.status_code == 303, page.response.text
    return str(page.response.headers["location"])


def test_a_client_learns_where_citizens_are_logged_out(world: IdentityWorld) -> None:
    metadata = world.portal.get("/.well-known/openid-configuration").json()
    assert metadata["end_session_endpoint"] == f"{world.issuer}/end-session"


@pytest.mark.parametrize("later", [timedelta(0), TOKEN_LIFETIME])
def test_whom_a_client_had_logged_in_it_logs_out_and_has_back_with_its_state(
    world: IdentityWorld, later: timedelta
) -> None:
    browser, tokens = logged_in(world)
    world.clock.advance(later)
    hint = tokens["id_token"]
    page = browser.get(way_out(id_token_hint=hint, post_logout_redirect_uri=AFTERWARDS, state="s 1&x=2"))
    assert led_to(page).startswith(f"{AFTERWARDS}&")
    assert answer_of(led_to(page)) == {"from": ["identity"], "state": ["s 1&x=2"]}
    assert not is_logged_in(browser)


def test_a_client_that_names_no_address_leaves_her_at_the_provider(world: IdentityWorld) -> None:
    browser, tokens = logged_in(world)
    assert browser.get(way_out(id_token_hint=tokens["id_token"], state="st-1")).path == "/logged-out"
    assert not is_logged_in(browser)


def test_who_is_not_logged_in_is_led_on_at_once(world: IdentityWorld) -> None:
    asked = way_out(client_id="portal", post_logout_redirect_uri=AFTERWARDS)
    assert led_to(world.browser().get(asked)) == AFTERWARDS
    assert world.browser().get("/end-session").path == "/logged-out"


@pytest.mark.parametrize("hinted", ["nobody", "another citizen"])
def test_a_citizen_is_asked_by_name_whom_the_client_does_not_show_to_have_logged_in(
    world: IdentityWorld, hinted: str
) -> None:
    browser, _ = logged_in(world)
    hint = "" if hinted == "nobody" else logged_in(world, LEVEL_ONE)[1]["id_token"]
    asked = way_out(client_id="portal", id_token_hint=hint, post_logout_redirect_uri=AFTERWARDS, state="st-1")
    page = browser.get(asked)
    assert page.response.status_code == 200
    for said in ("Log out of your e-identity account?", "Nguyễn Thị Mai", "Public-service portal sent you here"):
        assert said in page.response.text
    assert is_logged_in(browser)

    assert answer_of(led_to(browser.submit(page))) == {"from": ["identity"], "state": ["st-1"]}
    assert not is_logged_in(browser)


def test_without_any_parameter_she_is_asked_too(world: IdentityWorld) -> None:
    browser, _ = logged_in(world)
    assert browser.submit(browser.get("/end-session")).path == "/logged-out"
    assert not is_logged_in(browser)


def test_nobody_else_sends_the_form_that_logs_her_out(world: IdentityWorld) -> None:
    browser, _ = logged_in(world)
    page = browser.get(way_out(client_id="portal", post_logout_redirect_uri=AFTERWARDS))
    assert browser.submit(page, csrf="made-up").response.status_code == 403
    assert is_logged_in(browser)


def test_a_form_of_another_site_with_which_no_cookie_comes_takes_none_away(world: IdentityWorld) -> None:
    for path in ("/logout", "/end-session"):
        assert "set-cookie" not in world.portal.post(path, {}).headers


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": "portal", "post_logout_redirect_uri": "https://attacker.example/"},
        {"client_id": "portal", "post_logout_redirect_uri": f"{AFTERWARDS}&more=1"},
        {"client_id": "portal", "post_logout_redirect_uri": AFTERWARDS.upper()},
        {"client_id": "bank", "post_logout_redirect_uri": AFTERWARDS},
        {"client_id": "nobody", "post_logout_redirect_uri": AFTERWARDS},
        {"client_id": "nobody\0"},
        {"post_logout_redirect_uri": AFTERWARDS},
        {"client_id": "portal", "state": "một"},
        {"id_token_hint": "nonsense"},
    ],
    ids=str,
)
def test_a_request_that_is_not_valid_leads_nowhere_and_logs_nobody_out(
    world: IdentityWorld, parameters: dict[str, str]
) -> None:
    browser, _ = logged_in(world)
    page = browser.get(way_out(**parameters))
    assert page.response.status_code == 400
    assert "location" not in page.response.headers
    assert "you may be logged in still" in page.response.text
    assert 'href="/account"' in page.response.text
    assert is_logged_in(browser)


def test_what_is_no_id_token_of_this_client_and_provider_logs_nobody_out(world: IdentityWorld) -> None:
    browser, tokens = logged_in(world)
    claims = {"iss": world.issuer, "aud": "portal", "sub": world.store.account(browser.citizen).subject}  # type: ignore[union-attr]
    forged = SigningKey.create().sign(claims, token_type="JWT")
    for hint, client_id in ((forged, "portal"), (tokens["access_token"], "portal"), (tokens["id_token"], "bank")):
        assert browser.get(way_out(id_token_hint=hint, client_id=client_id)).response.status_code == 400
    assert is_logged_in(browser)


def test_the_form_of_another_page_leads_nowhere_else_either(world: IdentityWorld) -> None:
    browser, _ = logged_in(world)
    page = browser.get("/end-session")
    sent = {"client_id": "portal", "post_logout_redirect_uri": "https://attacker.example/"}
    assert browser.submit(page, **sent).response.status_code == 400
    assert is_logged_in(browser)


def test_a_parameter_that_comes_twice_is_refused(world: IdentityWorld) -> None:
    assert world.portal.get("/end-session?client_id=portal&client_id=bank").status_code == 400


def test_a_client_may_also_post_its_request(world: IdentityWorld) -> None:
    browser, tokens = logged_in(world)
    posted = world.portal.post("/end-session", {"id_token_hint": tokens["id_token"]})
    assert posted.status_code == 303
    assert browser.get(posted.headers["location"]).path == "/logged-out"
    assert not is_logged_in(browser)
