"""Logging a citizen in: OpenID Connect on real sockets, step by step and with everything that can be wrong."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import jwt
import pytest
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from sqlalchemy import text

from lienthong_core.database import sqlite_url
from tests.support.browser import TIMEOUT_S
from tests.support.databases import file_away
from tests.support.identity import (
    CALLBACK,
    GATEWAY,
    LEVEL_ONE,
    MAI,
    PORTAL_SECRET,
    VERIFIER,
    IdentityWorld,
    identity_world,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "login-without-a-browser.md"


@pytest.fixture
def world(database_url: str) -> Iterator[IdentityWorld]:
    with identity_world(database_url) as started:
        yield started


def claims_of(world: IdentityWorld, token: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token, its signature checked with a library that the provider does not use."""
    keys = joserfc_jwk.KeySet.import_key_set(world.portal.get("/jwks").json())
    decoded = joserfc_jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.claims["aud"] == audience
    return dict(decoded.claims)


def rows_of_table(markdown: str) -> list[list[str]]:
    """Return the cells of a document's only table, without its head."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_the_documented_steps_log_a_citizen_in(world: IdentityWorld) -> None:
    world.consents.ask()
    asked = '[{"type":"lienthong_consent","consent_request_id":"6a1f0f7e-6f0b-4f0e-9c53-0d6c6a3b5d11"}]'
    typed = {"personal_number": MAI, "passcode": "135790", "decision": "approve"}
    browser = world.browser()
    page = browser.get(world.portal.authorize(authorization_details=asked))
    for request, fields, _answer in rows_of_table(DOCUMENT.read_text()):
        method, path = request.strip("`").split()
        if method != "POST":
            continue
        names = [name.strip("` ") for name in fields.split(",")]
        assert page.action == path
        page = browser.submit(page, **{name: typed[name] for name in names if name not in page.fields})
    assert world.portal.exchange(page.answer["code"]).status_code == 200


def test_a_code_is_exchanged_for_tokens_that_say_who_logged_in_and_how(world: IdentityWorld) -> None:
    body = world.tokens(acr_values="2")
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "openid profile")
    about_her = {
        "iss": world.issuer,
        "sub": f"00000000-0000-4000-8000-{MAI}",
        "acr": "2",
        "amr": ["pwd", "swk", "mfa"],
        "simulation": True,
        "personal_number": MAI,
    }
    id_token = claims_of(world, body["id_token"], "portal")
    assert about_her.items() <= id_token.items()
    assert (id_token["nonce"], id_token["name"], id_token["birthdate"]) == ("n-1", "Nguyễn Thị Mai", "1990-05-17")
    assert id_token["account_level"] == 2
    access_token = claims_of(world, body["access_token"], GATEWAY.spiffe_id)
    assert about_her.items() <= access_token.items()
    assert access_token["client_id"] == "portal"
    assert access_token["cnf"] == {"x5t#S256": world.portal_tls.thumbprint}
    assert access_token["account_level"] == 2
    assert access_token["exp"] - access_token["iat"] == 900
    assert "authorization_details" not in access_token
    assert jwt.get_unverified_header(body["access_token"])["typ"] == "at+jwt"


def test_a_level_one_account_logs_in_with_level_one_whatever_was_asked_for(world: IdentityWorld) -> None:
    browser = world.browser()
    page = browser.log_in(browser.get(world.portal.authorize(acr_values="2")), LEVEL_ONE)
    assert "asks for level 2" in page.response.text
    page = browser.submit(page, decision="approve")
    claims = claims_of(world, world.portal.exchange(page.answer["code"]).json()["id_token"], "portal")
    assert (claims["acr"], claims["amr"], claims["birthdate"]) == ("1", ["pwd"], "1985")


@pytest.mark.parametrize(("number", "levels"), [(MAI, "1"), (MAI, "1 2"), (MAI, "LoA1"), (LEVEL_ONE, "2 1")])
def test_nobody_is_told_of_a_level_that_she_has_or_that_there_is_not(
    world: IdentityWorld, number: str, levels: str
) -> None:
    browser = world.browser()
    approve = browser.log_in(browser.get(world.portal.authorize(acr_values=levels)), number)
    assert approve.path == "/approve"
    assert "asks for level" not in approve.response.text


def test_the_id_token_tells_no_name_without_the_profile_scope(world: IdentityWorld) -> None:
    body = world.tokens(scope="openid")
    claims = claims_of(world, body["id_token"], "portal")
    assert claims.keys().isdisjoint({"name", "birthdate", "personal_number", "account_level"})
    userinfo = world.portal.get("/userinfo", Authorization=f"Bearer {body['access_token']}")
    assert userinfo.json() == {"sub": claims["sub"], "simulation": True}


def test_the_access_token_says_that_she_let_the_client_act_for_her(world: IdentityWorld) -> None:
    body = world.tokens(scope="openid rights")
    assert body["scope"] == "openid rights"
    assert claims_of(world, body["access_token"], GATEWAY.spiffe_id)["scope"] == "openid rights"
    assert (
        claims_of(world, body["id_token"], "portal")
        .keys()
        .isdisjoint({"name", "birthdate", "personal_number", "account_level"})
    )


def test_userinfo_tells_what_the_scope_allows(world: IdentityWorld) -> None:
    body = world.tokens()
    userinfo = world.portal.get("/userinfo", Authorization=f"Bearer {body['access_token']}")
    assert userinfo.json() == {
        "sub": f"00000000-0000-4000-8000-{MAI}",
        "name": "Nguyễn Thị Mai",
        "birthdate": "1990-05-17",
        "personal_number": MAI,
        "account_level": 2,
        "simulation": True,
    }


def test_an_openid_client_that_nobody_here_wrote_logs_in(world: IdentityWorld) -> None:
    metadata = world.portal.get("/.well-known/openid-configuration").json()
    with cast("Any", OAuth2Client)(
        "portal",
        PORTAL_SECRET,
        scope="openid profile",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        verify=world.trust,
        timeout=TIMEOUT_S,
    ) as client:
        address, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-2"
        )
        browser = world.browser()
        page = browser.submit(browser.log_in(browser.get(address)), decision="approve")
        token = client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=page.response.headers["location"],
            state=state,
            code_verifier=VERIFIER,
        )
        userinfo = client.get(metadata["userinfo_endpoint"]).json()
    keys = joserfc_jwk.KeySet.import_key_set(
        world.portal.get(str(metadata["jwks_uri"]).removeprefix(world.issuer)).json()
    )
    id_token = joserfc_jwt.decode(token["id_token"], keys, algorithms=["ES256"])
    joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": world.issuer},
        aud={"essential": True, "value": "portal"},
        nonce={"essential": True, "value": "n-2"},
        exp={"essential": True},
    ).validate(id_token.claims)
    assert userinfo["sub"] == id_token.claims["sub"]


def test_the_metadata_names_only_what_is_offered(world: IdentityWorld) -> None:
    metadata = world.portal.get("/.well-known/openid-configuration").json()
    assert metadata["issuer"] == world.issuer
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["id_token_signing_alg_values_supported"] == ["ES256"]
    assert metadata["authorization_details_types_supported"] == ["lienthong_consent"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    assert {"name", "birthdate", "personal_number", "account_level"} <= set(metadata["claims_supported"])
    assert metadata["scopes_supported"] == ["openid", "profile", "rights"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic cG9ydGFsOng="])
def test_userinfo_without_a_token_is_refused(world: IdentityWorld, header: str) -> None:
    response = world.portal.get("/userinfo", Authorization=header)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


def test_userinfo_takes_no_id_token_and_no_token_that_is_over(world: IdentityWorld) -> None:
    body = world.tokens()
    assert world.portal.get("/userinfo", Authorization=f"Bearer {body['id_token']}").status_code == 401
    world.clock.advance(timedelta(minutes=15))
    assert world.portal.get("/userinfo", Authorization=f"Bearer {body['access_token']}").status_code == 401


@pytest.mark.parametrize("path", ["/login", "/static/style.css", "/jwks", "/account", "/nowhere", "/logged-out"])
def test_no_answer_can_be_framed_sniffed_stored_or_read_by_other_sites(world: IdentityWorld, path: str) -> None:
    response = world.portal.get(path, Origin="https://elsewhere.test")
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("access-control-")]


def test_a_failure_that_nobody_foresaw_shows_a_page_and_nothing_of_its_cause(world: IdentityWorld) -> None:
    with world.server.engine.begin() as connection:
        connection.execute(text("DROP TABLE client"))
    response = world.browser().http.get(world.portal.authorize())
    assert response.status_code == 500
    assert "MÔ PHỎNG" in response.text
    assert "client" not in response.text
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


def test_a_database_that_is_away_is_told_to_citizens_and_clients_who_may_try_again(tmp_path: Path) -> None:
    with identity_world(sqlite_url(tmp_path / "identity.sqlite")) as world:
        browser = world.browser().http
        with file_away(world.server.engine):
            page, answer = browser.get(world.portal.authorize()), world.portal.exchange("code")

        assert (page.status_code, "cannot use its database now" in page.text) == (503, True)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert browser.get(world.portal.authorize()).status_code == 303


def test_a_provider_that_was_stopped_leaves_no_thread_and_no_port_behind(database_url: str) -> None:
    before = set(threading.enumerate())
    with identity_world(database_url) as world:
        assert world.portal.get("/jwks").status_code == 200
    assert not [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith(("web", "rpc"))]
    with pytest.raises(httpx2.ConnectError):
        world.portal.get("/jwks")


def test_an_address_or_method_that_does_not_exist_is_told_so(world: IdentityWorld) -> None:
    assert world.portal.get("/nowhere").status_code == 404
    assert world.portal.get("/token").status_code == 405
    assert world.portal.post("/authorize", {}).status_code == 405
