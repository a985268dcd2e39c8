"""Which access tokens the identity provider takes back, and what it says about whom."""

from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_services.identity.clients import make_client
from lienthong_services.identity.errors import OAuthError
from lienthong_services.identity.model import Account, AuthorizationCode
from lienthong_services.identity.tokens import TokenIssuer, scope_claims

NOW = 1_800_000_000
PORTAL = SystemId.parse("VN-SANDBOX/GOV/G02/portal")
CLIENT = make_client("portal", str(PORTAL), ("Cổng", "Portal"), "secret", "thumbprint", ["https://localhost:9/"])
KEY = SigningKey.create()
ISSUER = TokenIssuer("https://localhost:8", "spiffe://gateway", KEY)
CODE = AuthorizationCode(
    code_digest="digest",
    client_id="portal",
    redirect_uri="https://localhost:9/",
    code_challenge="challenge",
    scope="openid",
    nonce=None,
    personal_number="099190000001",
    level=2,
    auth_time=NOW,
    authorization_details=[],
    expires_at=NOW,
)


def account(birth_date: str = "1990-05-17") -> Account:
    return Account(
        personal_number="099190000001",
        subject="subject",
        kind=1,
        level=2,
        state=2,
        state_changed_at=datetime(2026, 1, 1, tzinfo=UTC),
        full_name="Nguyễn Thị Mai",
        birth_date=birth_date,
        passcode_hash="",
    )


def access_token() -> str:
    return ISSUER.access_token(CODE, account(), CLIENT, "token-id", NOW)


def test_an_access_token_is_read_until_it_is_over_by_the_given_time() -> None:
    assert ISSUER.read_access_token(access_token(), NOW + 899)["jti"] == "token-id"
    with pytest.raises(OAuthError, match="over"):
        ISSUER.read_access_token(access_token(), NOW + 900)


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://elsewhere.test"}, {"aud": "portal"}, {"jti": None}, {"exp": None}, {"personal_number": None}],
)
def test_an_access_token_with_other_claims_is_refused(changes: dict[str, Any]) -> None:
    claims = {**jwt.decode(access_token(), options={"verify_signature": False}), **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    with pytest.raises(OAuthError, match="not an access token"):
        ISSUER.read_access_token(KEY.sign(kept, token_type="at+jwt"), NOW)


def test_an_access_token_of_another_key_of_no_key_or_cut_short_is_refused() -> None:
    claims = jwt.decode(access_token(), options={"verify_signature": False})
    other_key = SigningKey.create().sign(claims, token_type="at+jwt")
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"typ": "at+jwt"})
    symmetric = jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"typ": "at+jwt"})
    other_type = KEY.sign(claims, token_type="JWT")
    for token in (other_key, unsigned, symmetric, other_type, access_token()[:-8], "", "a.b.c"):
        with pytest.raises(OAuthError, match="not an access token"):
            ISSUER.read_access_token(token, NOW)


@pytest.mark.parametrize(("stored", "told"), [("1990-05-17", "1990-05-17"), ("1990-05", "1990"), ("1990", "1990")])
def test_a_birth_date_is_told_in_the_forms_that_openid_connect_knows(stored: str, told: str) -> None:
    assert scope_claims("openid profile", account(stored), 2)["birthdate"] == told
