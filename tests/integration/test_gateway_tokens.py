"""Citizens' access tokens at a real gateway: only the identity provider's own, in time, and for this certificate."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import grpc
import pytest

from lienthong.client import CallContext, Explanation
from lienthong_core.database import sqlite_url
from lienthong_core.signing import SigningKey
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world, refusal_of

REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "cnf", "personal_number", "account_level"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Give one gateway to all tests here: none of them changes anything at it."""
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("tokens") / "gateway.sqlite")) as world:
        world.consent(valid_for=timedelta(days=7))
        yield world


def outcome(world: GatewayWorld, token: str) -> Explanation:
    return refusal_of(lambda: world.get_citizen(CallContext(PURPOSE, token)))


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(world: GatewayWorld, header: dict[str, str]) -> str:
    """Return the signing input of a token that is good but for its header."""
    whole = {"typ": "at+jwt", "kid": world.key_set.keys[0].key_id, **header}
    return f"{encoded(whole)}.{encoded(world.claims(members.PORTAL))}"


def signed(key: SigningKey, claims: dict[str, Any]) -> str:
    return key.sign(claims, token_type="at+jwt")


def test_a_good_token_is_believed(world: GatewayWorld) -> None:
    answer, _ = world.get_citizen(CallContext(PURPOSE, world.token()))

    assert answer.citizen.personal_number == LAN


def test_a_token_is_believed_each_time_it_comes(world: GatewayWorld) -> None:
    token = world.token()

    for _ in range(3):
        answer, _ = world.get_citizen(CallContext(PURPOSE, token))
        assert answer.citizen.personal_number == LAN


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_scheme_is_bearer_in_any_case(world: GatewayWorld, scheme: str) -> None:
    context = (("lienthong-purpose", PURPOSE), ("authorization", f"{scheme} {world.token(exp=1)}"))

    assert refusal_of(lambda: world.call(context)).reason == "TOKEN_EXPIRED"


@pytest.mark.parametrize("value", ["Basic bGFuOjEzNTc5MA==", "Bearer", "Bearer a.b.c", "Bearer a b", "token"])
def test_an_authorization_that_is_no_token_is_refused(world: GatewayWorld, value: str) -> None:
    context = (("lienthong-purpose", PURPOSE), ("authorization", value))

    assert refusal_of(lambda: world.call(context)).reason == "TOKEN_MALFORMED"


def test_a_token_without_signature_is_refused(world: GatewayWorld) -> None:
    for algorithm in ("none", "None", "NONE"):
        why = outcome(world, unsigned(world, {"alg": algorithm}) + ".")
        assert (why.status, why.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_SIGNATURE_INVALID")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(world: GatewayWorld) -> None:
    start = unsigned(world, {"alg": "HS256"})
    secret = json.dumps(world.key_set.keys[0].jwk).encode()
    signature = base64.urlsafe_b64encode(hmac.digest(secret, start.encode(), hashlib.sha256)).rstrip(b"=").decode()

    assert outcome(world, f"{start}.{signature}").reason == "TOKEN_SIGNATURE_INVALID"


def test_a_token_that_brings_its_own_key_is_refused(world: GatewayWorld) -> None:
    assert outcome(world, signed(SigningKey.create(), world.claims(members.PORTAL))).reason == "TOKEN_SIGNATURE_INVALID"


def test_a_token_signed_with_another_key_under_the_providers_name_is_refused(world: GatewayWorld) -> None:
    other = signed(SigningKey.create(), world.claims(members.PORTAL)).rsplit(".", 1)[1]

    assert outcome(world, f"{unsigned(world, {'alg': 'ES256'})}.{other}").reason == "TOKEN_SIGNATURE_INVALID"


def test_a_token_with_altered_claims_is_refused(world: GatewayWorld) -> None:
    header, _, signature = world.token(level=1).split(".")
    claims = encoded(world.claims(members.PORTAL, level=2))

    assert outcome(world, f"{header}.{claims}.{signature}").reason == "TOKEN_SIGNATURE_INVALID"


@pytest.mark.parametrize("kept", [-1, -4, -87, 40, 1], ids=["end", "more of the end", "signature", "claims", "all"])
def test_a_token_cut_short_is_refused(world: GatewayWorld, kept: int) -> None:
    why = outcome(world, world.token()[:kept])

    assert why.status == grpc.StatusCode.UNAUTHENTICATED
    assert why.reason in {"TOKEN_MALFORMED", "TOKEN_SIGNATURE_INVALID"}


def test_a_header_nested_without_end_is_refused(world: GatewayWorld) -> None:
    header = base64.urlsafe_b64encode(b"[" * 5_000).rstrip(b"=").decode()

    assert outcome(world, f"{header}.e30.AAAA").reason == "TOKEN_MALFORMED"


def test_a_token_of_another_issuer_is_refused(world: GatewayWorld) -> None:
    assert outcome(world, world.token(iss="https://elsewhere.test")).reason == "TOKEN_ISSUER_INVALID"


@pytest.mark.parametrize("audience", ["portal", str(members.GATEWAY), ["https://elsewhere.test"]])
def test_a_token_for_another_audience_is_refused(world: GatewayWorld, audience: object) -> None:
    assert outcome(world, world.token(aud=audience)).reason == "TOKEN_AUDIENCE_INVALID"


def test_an_id_token_is_not_an_access_token(world: GatewayWorld) -> None:
    token = world.key_set.keys[0].sign(world.claims(members.PORTAL), token_type="JWT")

    assert outcome(world, token).reason == "TOKEN_MALFORMED"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_token_without_a_required_claim_is_refused(world: GatewayWorld, name: str) -> None:
    claims = world.claims(members.PORTAL)
    del claims[name]

    why = outcome(world, signed(world.key_set.keys[0], claims))

    assert why.status == grpc.StatusCode.UNAUTHENTICATED
    assert why.reason in {"TOKEN_MALFORMED", "TOKEN_AUDIENCE_INVALID", "TOKEN_ISSUER_INVALID"}


@pytest.mark.parametrize(
    "changes",
    [
        {"cnf": "x5t#S256"},
        {"cnf": {"jkt": "abc"}},
        {"cnf": None},
        {"account_level": "two"},
        {"account_level": None},
        {"exp": "tomorrow"},
        {"exp": None},
        {"iat": []},
        {"sub": 7},
        {"personal_number": None},
        {"scope": ["openid", "rights"]},
        {"scope": None},
    ],
    ids=str,
)
def test_a_token_with_a_claim_of_the_wrong_kind_is_refused(world: GatewayWorld, changes: dict[str, Any]) -> None:
    assert outcome(world, world.token(**changes)).reason == "TOKEN_MALFORMED"


def test_a_token_that_is_over_is_refused(world: GatewayWorld) -> None:
    now = int(world.clock.now().timestamp())

    assert outcome(world, world.token(iat=now - 900, exp=now)).reason == "TOKEN_EXPIRED"


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_that_is_not_valid_yet_is_refused(world: GatewayWorld, claim: str) -> None:
    later: dict[str, Any] = {claim: int(world.clock.now().timestamp()) + 60}

    assert outcome(world, world.token(**later)).reason == "TOKEN_EXPIRED"


def test_a_token_that_was_believed_is_over_when_the_sandboxs_clock_says_so(world: GatewayWorld) -> None:
    token = world.token()
    world.get_citizen(CallContext(PURPOSE, token))

    world.clock.advance(timedelta(minutes=15))

    assert outcome(world, token).reason == "TOKEN_EXPIRED"


def test_a_token_issued_to_another_system_is_refused(world: GatewayWorld) -> None:
    token = world.token(members.BANK)

    why = outcome(world, token)

    assert (why.status, why.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_NOT_YOURS")


def test_a_token_believed_from_its_own_system_is_still_refused_from_another(world: GatewayWorld) -> None:
    token = world.token()
    world.get_citizen(CallContext(PURPOSE, token))

    why = refusal_of(lambda: world.get_citizen(CallContext("ekyc", token), members.BANK))

    assert why.reason == "TOKEN_NOT_YOURS"


def test_a_second_certificate_of_the_same_system_is_another_one(world: GatewayWorld) -> None:
    token = world.token(cnf={"x5t#S256": world.authority.issue(members.PORTAL).thumbprint})

    assert outcome(world, token).reason == "TOKEN_NOT_YOURS"


def test_many_unknown_keys_make_the_gateway_ask_the_provider_once(world: GatewayWorld) -> None:
    world.get_citizen(CallContext(PURPOSE, world.token()))
    asked = world.key_set.asked
    tokens = [signed(SigningKey.create(), world.claims(members.PORTAL)) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(outcome, world, token) for token in tokens]

    assert {call.result().reason for call in calls} == {"TOKEN_SIGNATURE_INVALID"}
    assert world.key_set.asked <= asked + 1
