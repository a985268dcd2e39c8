"""Citizens log in at the portal with their e-identity accounts, and nobody else does."""

import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta

import grpc
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert, text
from starlette.responses import JSONResponse, Response

from lienthong.api.portal.v1.portal_pb2 import ListDossiersRequest
from lienthong_core.signing import SigningKey
from lienthong_services.portal.model import LoginAttempt
from lienthong_services.portal.rules import LOGIN_LIFETIME, MOST_LOGINS
from tests.support.citizens import LAN, MAI
from tests.support.portal_doubles import CLIENT_ID, Claims, IssuerDouble
from tests.support.portal_world import SESSION_COOKIE, TIMEOUT_S, PortalWorld, assert_refused, refused

UNAUTHENTICATED, DENIED, INVALID, UNAVAILABLE = 401, 403, 400, 503


def way_back(browser: httpx2.Client) -> str:
    """Go to the identity provider and return the address it sends the browser back to, not opened yet."""
    away = browser.get("/login", follow_redirects=False).headers["location"]
    return str(browser.get(away, follow_redirects=False).headers["location"])


def test_a_citizen_logs_in_and_her_app_calls_with_the_session(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    assert lan.dossiers() == []
    home = lan.browser.get("/").text
    assert "Nguyễn Thị Lan" in home
    assert "level 2" in home


def test_the_account_level_is_what_the_provider_says(world: PortalWorld) -> None:
    world.issuer.level = "1"
    assert "level 1" in world.logged_in().browser.get("/").text


@pytest.mark.parametrize(("level", "told"), [("1", True), ("2", False)])
def test_whose_account_is_of_too_low_a_level_to_have_forms_prefilled_is_told_before_she_starts_one(
    world: PortalWorld, level: str, told: bool
) -> None:
    world.issuer.level = level
    lan = world.logged_in()
    for address in ("/arrived", "/", lan.start().consent_url):
        page = lan.browser.get(address).text
        assert ("With level 1 the portal cannot prefill a form" in page) is told
        assert ("Với mức độ 1, cổng không điền sẵn được tờ khai" in page) is told


def test_the_session_cookie_is_the_browsers_alone(world: PortalWorld) -> None:
    browser = world.browser()
    arrived = browser.get(way_back(browser), follow_redirects=False)
    cookie = next(c for c in arrived.headers.get_list("set-cookie") if c.startswith(f"{SESSION_COOKIE}="))
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= attributes
    assert not any(attribute.startswith("domain") for attribute in attributes)


def test_the_session_is_stored_as_a_digest_only(stored: PortalWorld) -> None:
    token = stored.logged_in().browser.cookies[SESSION_COOKIE]
    with stored.portal.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM citizensession")).mappings().one()
    assert row["token_sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in map(str, row.values())


def test_the_way_there_is_protected_by_pkce_state_and_nonce(world: PortalWorld) -> None:
    browser = world.browser()
    browser.get("/login")
    browser.get("/login")
    first, second = world.issuer.asked
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == f"{world.url}/oidc/callback"
    assert set(first["scope"].split()) == {"openid", "profile", "rights"}
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


def test_a_tampered_state_is_refused(world: PortalWorld) -> None:
    browser = world.browser()
    back = httpx2.URL(way_back(browser)).copy_set_param("state", "another")
    assert_refused(browser.get(back), INVALID, "LOGIN_UNKNOWN")


def test_a_way_back_works_once(stored: PortalWorld) -> None:
    browser = stored.browser()
    back = way_back(browser)
    assert browser.get(back).status_code == 200
    browser.cookies.delete(SESSION_COOKIE)
    assert_refused(browser.get(back), INVALID, "LOGIN_UNKNOWN")


def test_logins_that_began_side_by_side_in_one_browser_both_lead_back(world: PortalWorld) -> None:
    browser = world.browser()
    first, second = way_back(browser), way_back(browser)
    assert browser.get(first).status_code == 200
    assert browser.get(second).status_code == 200


def test_of_two_ways_back_at_once_one_works(stored: PortalWorld) -> None:
    browser = stored.browser()
    back = way_back(browser)
    cookies = dict(browser.cookies)
    statuses: list[int] = []
    start = threading.Barrier(4)

    def come_back() -> None:
        other = stored.browser()
        other.cookies.update(cookies)
        start.wait(10)
        statuses.append(other.get(back).status_code)

    threads = [threading.Thread(target=come_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, INVALID, INVALID, INVALID]


def test_nobody_is_logged_in_by_a_link_that_began_in_another_browser(world: PortalWorld) -> None:
    back = way_back(world.browser())
    victim = world.browser()
    assert_refused(victim.get(back), INVALID, "LOGIN_UNKNOWN")
    way_back(victim)
    assert_refused(victim.get(back), INVALID, "LOGIN_UNKNOWN")


def test_a_way_back_is_closed_after_ten_minutes(stored: PortalWorld) -> None:
    browser = stored.browser()
    back = way_back(browser)
    stored.clock.advance(timedelta(minutes=10))
    assert_refused(browser.get(back), INVALID, "LOGIN_UNKNOWN")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": "không phải"},
        {"aud": "loyalty"},
        {"iss": "https://elsewhere.test"},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"acr": "gold"},
        {"acr": None},
        {"personal_number": None},
        {"name": None},
    ],
    ids=str,
)
def test_an_id_token_that_is_not_for_this_login_is_refused(world: PortalWorld, changes: Claims) -> None:
    world.issuer.changes = changes
    browser = world.browser()
    assert_refused(browser.get("/login"), UNAUTHENTICATED, "ID_TOKEN_INVALID")
    assert "Log in" in browser.get("/").text


def unsigned(issuer: IssuerDouble) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode(claims, "", algorithm="none", headers={"kid": issuer.keys[0].key_id})


def symmetric(issuer: IssuerDouble) -> Callable[[Claims], str]:
    public = str(issuer.keys[0].jwk["x"]).encode()
    return lambda claims: jwt.encode(claims, public, algorithm="HS256", headers={"kid": issuer.keys[0].key_id})


def other_key(_issuer: IssuerDouble) -> Callable[[Claims], str]:
    stranger = SigningKey.create()
    return lambda claims: stranger.sign(claims, token_type="JWT")


def other_key_under_a_known_name(issuer: IssuerDouble) -> Callable[[Claims], str]:
    stranger = ec.generate_private_key(ec.SECP256R1())
    return lambda claims: jwt.encode(claims, stranger, algorithm="ES256", headers={"kid": issuer.keys[0].key_id})


def no_token(_issuer: IssuerDouble) -> Callable[[Claims], str]:
    return lambda _claims: "three.short.parts"


@pytest.mark.parametrize("forge", [unsigned, symmetric, other_key, other_key_under_a_known_name, no_token])
def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    world: PortalWorld, forge: Callable[[IssuerDouble], Callable[[Claims], str]]
) -> None:
    world.issuer.sign = forge(world.issuer)
    assert_refused(world.browser().get("/login"), UNAUTHENTICATED, "ID_TOKEN_INVALID")


def test_a_provider_may_change_its_keys(world: PortalWorld) -> None:
    world.logged_in()
    world.issuer.keys = [SigningKey.create()]
    world.logged_in()


def test_the_sandboxs_clock_decides_about_the_id_token(world: PortalWorld) -> None:
    world.clock.advance(timedelta(days=3_000))
    world.logged_in()
    world.issuer.changes = {"exp": int(world.clock.now().timestamp()) - 1}
    assert_refused(world.browser().get("/login"), UNAUTHENTICATED, "ID_TOKEN_INVALID")


def test_a_login_that_she_does_not_approve_logs_nobody_in(world: PortalWorld) -> None:
    world.issuer.denies_with = "access_denied"
    assert_refused(world.browser().get("/login"), DENIED, "LOGIN_DENIED")


def test_a_login_that_the_provider_refuses_is_told_from_one_that_she_did_not_approve(world: PortalWorld) -> None:
    world.issuer.denies_with = "invalid_scope"
    assert_refused(world.browser().get("/login"), UNAUTHENTICATED, "LOGIN_REFUSED")


def test_a_code_that_the_provider_does_not_know_logs_nobody_in(world: PortalWorld) -> None:
    browser = world.browser()
    back = httpx2.URL(way_back(browser)).copy_set_param("code", "invented")
    assert_refused(browser.get(back), UNAUTHENTICATED, "LOGIN_REFUSED")


@pytest.mark.parametrize(
    "answer",
    [JSONResponse({"error": "server_error"}, 500), Response("<html>"), Response("", 502)],
    ids=["failing", "not JSON", "empty"],
)
def test_a_provider_that_fails_is_unavailable(world: PortalWorld, answer: Response) -> None:
    world.issuer.token_answer = answer
    assert_refused(world.browser().get("/login"), UNAVAILABLE, "IDENTITY_PROVIDER_UNAVAILABLE")


def test_a_provider_that_is_down_is_unavailable(world: PortalWorld) -> None:
    browser = world.browser()
    back = way_back(browser)
    world.issuer_server.stop()
    assert_refused(browser.get(back), UNAVAILABLE, "IDENTITY_PROVIDER_UNAVAILABLE")


def test_a_provider_that_never_answers_is_unavailable(world: PortalWorld) -> None:
    world.issuer.hangs = threading.Event()
    try:
        assert_refused(world.browser().get("/login"), UNAVAILABLE, "IDENTITY_PROVIDER_UNAVAILABLE")
    finally:
        world.issuer.hangs.set()


def test_who_logs_out_is_logged_out_everywhere(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    token = lan.browser.cookies[SESSION_COOKIE]
    assert "Log in" in lan.browser.post("/logout").text
    lan.browser.cookies.set(SESSION_COOKIE, token)
    assert "Log in" in lan.browser.get("/").text


def test_who_logs_out_is_logged_out_at_the_identity_provider_and_comes_back(world: PortalWorld) -> None:
    browser = world.logged_in().browser
    page = browser.post("/logout")
    browser.post("/logout")
    by_her, by_nobody = world.issuer.asked_to_log_out
    assert jwt.decode(by_her.pop("id_token_hint"), options={"verify_signature": False})["sub"] == world.issuer.subject
    assert by_her == by_nobody == {"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{world.url}/logged-out"}
    assert page.url == f"{world.url}/logged-out"
    assert "and so has the one at the identity provider" in page.text


def test_the_way_to_log_out_is_open_in_a_browser_that_holds_forms_to_a_policy(world: PortalWorld) -> None:
    policy = world.logged_in().browser.get("/").headers["content-security-policy"]
    assert policy.endswith(f"form-action 'self' {world.issuer.issuer}")


def test_who_logs_in_again_leaves_no_session_behind(stored: PortalWorld) -> None:
    lan = stored.logged_in()
    before = lan.metadata
    assert lan.browser.get("/login").status_code == 200
    assert lan.dossiers() == []
    with refused("SESSION_INVALID", grpc.StatusCode.UNAUTHENTICATED):
        lan.app.ListDossiers(ListDossiersRequest(), metadata=before, timeout=TIMEOUT_S)


def test_a_page_does_not_log_out_by_a_link(world: PortalWorld) -> None:
    lan = world.logged_in()
    assert lan.browser.get("/logout").status_code == 405
    assert lan.dossiers() == []


@pytest.mark.parametrize("origin", ["same-site", "cross-site"])
def test_a_form_of_another_origin_does_not_log_her_out_but_leads_to_the_page_where_she_can(
    world: PortalWorld, origin: str
) -> None:
    lan = world.logged_in()
    page = lan.browser.post("/logout", headers={"sec-fetch-site": origin})
    assert page.url == f"{world.url}/"
    assert "Log out" in page.text
    assert lan.dossiers() == []
    assert "Log in" in lan.browser.post("/logout", headers={"sec-fetch-site": "same-origin"}).text


def test_a_form_of_another_site_with_which_no_cookie_comes_takes_none_away(world: PortalWorld) -> None:
    assert "set-cookie" not in world.browser().post("/logout", follow_redirects=False).headers
    assert "set-cookie" in world.logged_in().browser.post("/logout", follow_redirects=False).headers


def test_two_citizens_have_two_sessions(world: PortalWorld) -> None:
    lan, mai = world.logged_in(LAN), world.logged_in(MAI)
    lan.start()
    assert [d.applicant_number for d in lan.dossiers()] == [LAN]
    assert mai.dossiers() == []


def test_only_so_many_logins_are_under_way_and_the_newest_stay(world: PortalWorld) -> None:
    earlier, later = world.browser(), world.browser()
    earliest = way_back(earlier)
    world.clock.advance(timedelta(seconds=1))
    over = world.clock.now() + LOGIN_LIFETIME
    with world.portal.engine.begin() as connection:
        logins = [
            LoginAttempt(state_sha256=f"{number:064x}", browser_sha256="", nonce="", code_verifier="", expires_at=over)
            for number in range(MOST_LOGINS - 2)
        ]
        connection.execute(insert(LoginAttempt), [login.model_dump() for login in logins])
    newest = [way_back(later), way_back(later)]

    assert_refused(earlier.get(earliest), INVALID, "LOGIN_UNKNOWN")
    assert [later.get(address).status_code for address in newest] == [200, 200]
