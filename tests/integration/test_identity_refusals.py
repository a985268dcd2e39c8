"""What a client is refused: at the authorization endpoint and at the token endpoint."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from tests.support.browser import TIMEOUT_S, answer_of
from tests.support.consents import REQUEST_ID
from tests.support.identity import (
    BANK_SECRET,
    CALLBACK,
    MAI,
    OTHER_CALLBACK,
    PORTAL_SECRET,
    VERIFIER,
    IdentityWorld,
    Relying,
    identity_world,
)

CONSENT = f'{{"type":"lienthong_consent","consent_request_id":"{REQUEST_ID}"}}'


@pytest.fixture
def world(database_url: str) -> Iterator[IdentityWorld]:
    with identity_world(database_url) as started:
        yield started


def refused(world: IdentityWorld, code: str, **changes: str | None) -> str:
    response = world.portal.exchange(code, **changes)
    assert response.status_code in {400, 401}
    assert response.headers["cache-control"] == "no-store"
    assert "access_token" not in response.json()
    assert response.json()["error_description"]
    error: str = response.json()["error"]
    return error


@pytest.mark.parametrize("seconds", [0, 120])
def test_a_code_works_once_and_its_second_use_ends_what_it_gave(world: IdentityWorld, seconds: int) -> None:
    _, page = world.signed_in()
    code = page.answer["code"]
    body = world.portal.exchange(code).json()
    world.clock.advance(timedelta(seconds=seconds))
    world.browser().get(world.portal.authorize())
    token = f"Bearer {body['access_token']}"
    assert world.portal.get("/userinfo", Authorization=token).status_code == 200
    assert refused(world, code) == "invalid_grant"
    userinfo = world.portal.get("/userinfo", Authorization=token)
    assert userinfo.status_code == 401
    assert 'error="invalid_token"' in userinfo.headers["www-authenticate"]


def test_a_bogus_code_is_refused(world: IdentityWorld) -> None:
    assert refused(world, "bogus") == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": CALLBACK + "/"}, "invalid_grant"),
        ({"redirect_uri": OTHER_CALLBACK}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": VERIFIER + "="}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"client_id": "bank"}, "invalid_request"),
        ({"client_secret": PORTAL_SECRET}, "invalid_request"),
        ({"code_verifier": "v" * 43 + "\x00"}, "invalid_request"),
    ],
)
def test_a_token_request_that_does_not_fit_is_refused_and_uses_nothing_up(
    world: IdentityWorld, changes: dict[str, str | None], error: str
) -> None:
    _, page = world.signed_in()
    code = page.answer["code"]
    assert refused(world, code, **changes) == error
    assert world.portal.exchange(code).status_code == 200


def test_a_code_is_over_after_sixty_seconds(world: IdentityWorld) -> None:
    codes = [world.signed_in()[1].answer["code"] for _ in range(2)]
    world.clock.advance(timedelta(seconds=45))
    assert world.portal.exchange(codes[0]).status_code == 200
    world.clock.advance(timedelta(seconds=15))
    assert refused(world, codes[1]) == "invalid_grant"


def test_a_code_is_of_no_use_to_another_client(world: IdentityWorld) -> None:
    _, page = world.signed_in()
    bank = Relying(world.issuer, world.trust, "bank", BANK_SECRET)
    assert bank.exchange(page.answer["code"]).json()["error"] == "invalid_grant"
    tokens = world.portal.exchange(page.answer["code"])
    assert tokens.status_code == 200

    assert bank.exchange(page.answer["code"]).json()["error"] == "invalid_grant"
    assert world.portal.get("/userinfo", Authorization=f"Bearer {tokens.json()['access_token']}").status_code == 200


@pytest.mark.parametrize(("client", "secret"), [("portal", "wrong"), ("nobody", PORTAL_SECRET), ("portal", "")])
def test_a_client_without_its_secret_is_refused(world: IdentityWorld, client: str, secret: str) -> None:
    response = Relying(world.issuer, world.trust, client, secret).exchange("code")
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")


def test_a_client_may_send_its_secret_in_the_form(world: IdentityWorld) -> None:
    _, page = world.signed_in()
    form = {
        "grant_type": "authorization_code",
        "code": page.answer["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": "portal",
        "client_secret": PORTAL_SECRET,
    }
    assert world.portal.post("/token", form).status_code == 200


def test_a_code_for_an_account_that_was_locked_meanwhile_is_refused(world: IdentityWorld) -> None:
    _, page = world.signed_in()
    world.store.lock_account(MAI, "lost her phone", world.clock.now())
    assert refused(world, page.answer["code"]) == "invalid_grant"


def test_a_token_tells_nothing_of_an_account_that_was_locked_meanwhile(world: IdentityWorld) -> None:
    token = f"Bearer {world.tokens()['access_token']}"
    assert world.portal.get("/userinfo", Authorization=token).status_code == 200
    world.store.lock_account(MAI, "lost her phone", world.clock.now())
    answer = world.portal.get("/userinfo", Authorization=token)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert MAI not in answer.text


def announced(size: int) -> bytes:
    return bytes(size)


def in_pieces(size: int) -> Iterator[bytes]:
    yield from (b"x" * 1_024 for _ in range(size // 1_024))


@pytest.mark.parametrize("body", [announced, in_pieces])
@pytest.mark.parametrize("path", ["/token", "/login", "/logout"])
def test_a_body_larger_than_any_form_is_refused_in_the_words_of_its_path(
    world: IdentityWorld, path: str, body: Callable[[int], Any]
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with httpx2.Client(verify=world.trust, timeout=TIMEOUT_S) as http:
        large = http.post(f"{world.issuer}{path}", content=body(40 << 10), headers=headers)
    assert large.status_code == 413
    assert "larger than 32768 bytes" in large.text
    if path == "/token":
        assert large.json()["error"] == "invalid_request"
    else:
        assert "MÔ PHỎNG" in large.text


@pytest.mark.parametrize("path", ["/userinfo", "/account", "/static/style.css", "/nothing"])
def test_a_body_that_nobody_reads_is_refused_if_it_is_large(world: IdentityWorld, path: str) -> None:
    with httpx2.Client(verify=world.trust, timeout=TIMEOUT_S) as http:
        large = http.request("POST" if path == "/userinfo" else "GET", f"{world.issuer}{path}", content=bytes(40 << 10))
    assert (large.status_code, "larger than 32768 bytes" in large.text) == (413, True)
    assert large.headers["content-type"].startswith("application/json" if path == "/userinfo" else "text/html")


@pytest.mark.parametrize("path", ["/logged-out/", "/static"])
def test_no_header_says_where_a_path_with_another_slash_leads(world: IdentityWorld, path: str) -> None:
    answer = world.portal.get(path, Host="attacker.example")
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


@pytest.mark.parametrize(("path", "allowed"), [("/token", "POST"), ("/userinfo", "GET, HEAD, POST")])
def test_a_client_that_uses_another_method_is_told_in_json_which_to_use(
    world: IdentityWorld, path: str, allowed: str
) -> None:
    with httpx2.Client(verify=world.trust, timeout=TIMEOUT_S) as http:
        answer = http.put(f"{world.issuer}{path}")
    assert (answer.status_code, answer.json()["error"]) == (405, "invalid_request")
    assert sorted(answer.headers["allow"].split(", ")) == sorted(allowed.split(", "))


def test_a_failure_that_nobody_foresaw_is_told_to_a_client_in_json(world: IdentityWorld) -> None:
    with world.server.engine.begin() as connection:
        connection.execute(text("DROP TABLE client"))
    answer = world.portal.exchange("code")
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_no_form_is_refused(world: IdentityWorld) -> None:
    json = world.portal.post("/token", {}, **{"Content-Type": "application/json"})
    assert (json.status_code, json.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "nobody"}, {"client_id": None}, {"redirect_uri": CALLBACK + "?x=1"}, {"redirect_uri": None}],
)
def test_nobody_is_redirected_to_an_address_that_is_not_registered(
    world: IdentityWorld, changes: dict[str, str | None]
) -> None:
    page = world.browser().get(world.portal.authorize(**changes))
    assert page.response.status_code == 400
    assert "MÔ PHỎNG" in page.response.text
    assert "location" not in page.response.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid email"}, "invalid_scope"),
        ({"scope": "openid rights rights"}, "invalid_scope"),
        ({"scope": "rights"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"prompt": "consent"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "e30."}, "request_not_supported"),
        ({"request_uri": "https://localhost:9/r"}, "request_uri_not_supported"),
        ({"nonce": "n\x00"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": "[" * 5000}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"other"}]'}, "invalid_authorization_details"),
        ({"authorization_details": f"[{CONSENT},{CONSENT}]"}, "invalid_authorization_details"),
        ({"authorization_details": f'[{CONSENT[:-1]},"datasets":[]}}]'}, "invalid_authorization_details"),
    ],
)
def test_a_request_that_does_not_fit_goes_back_to_the_client_with_its_state(
    world: IdentityWorld, changes: dict[str, str | None], error: str
) -> None:
    answer = world.browser().get(world.portal.authorize(**changes)).answer
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "st-1", world.issuer)
    assert answer["error_description"]


def test_a_parameter_that_comes_twice_is_refused(world: IdentityWorld) -> None:
    answer = world.browser().get(world.portal.authorize() + "&scope=openid").answer
    assert answer["error"] == "invalid_request"
    twice = world.browser().get(world.portal.authorize() + "&redirect_uri=https://localhost:9/other")
    assert twice.response.status_code == 400


def test_the_state_comes_back_character_by_character_and_only_if_it_was_sent(world: IdentityWorld) -> None:
    state = "a b+c&d=e%2F?#'\"<script>\\"
    _, page = world.signed_in(state=state)
    assert answer_of(page.response.headers["location"])["state"] == [state]
    _, page = world.signed_in(state=None)
    assert answer_of(page.response.headers["location"]).keys() == {"code", "iss"}


def test_a_state_that_is_no_printable_ascii_is_refused_and_not_repeated(world: IdentityWorld) -> None:
    answer = world.browser().get(world.portal.authorize(state="x\r\nset-cookie: a=b")).answer
    assert answer["error"] == "invalid_request"
    assert "state" not in answer


def test_denying_the_login_goes_back_to_the_client_and_ends_it(world: IdentityWorld) -> None:
    browser = world.browser()
    asked = browser.log_in(browser.get(world.portal.authorize()))
    page = browser.submit(asked, decision="deny")
    assert (page.answer["error"], page.answer["state"]) == ("access_denied", "st-1")
    assert browser.submit(asked, decision="approve").response.status_code == 400
