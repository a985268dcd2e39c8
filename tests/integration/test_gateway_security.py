"""Attacks by name: each is refused with its reason, releases nothing, asks no provider, and stands in the log.

docs/security.md lists them.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf.duration_pb2 import Duration

from lienthong.api.consent.v1.consent_pb2 import RequestConsentRequest, RevokeConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1.log_pb2 import AccessFilter, ListAccessesRequest
from lienthong.api.population.v1.citizen_pb2 import Citizen
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, GetCitizenResponse
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_core.signing import SigningKey
from lienthong_seeds import members
from tests.support.attacks import Attack, assert_refused, send, show
from tests.support.citizens import LAN, MAI, citizen
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world

ABOUT_LAN = GetCitizenRequest(personal_number=LAN).SerializeToString()
ABOUT_MAI = GetCitizenRequest(personal_number=MAI).SerializeToString()
"""In requests to the gateway itself the subject is the first field as well."""
REQUEST_CONSENT = "/lienthong.api.consent.v1.ConsentService/RequestConsent"
LIST_CONSENTS = "/lienthong.api.consent.v1.ConsentService/ListConsents"
LIST_ACCESSES = "/lienthong.api.exchange.v1.ExchangeLogService/ListAccesses"
ACCESSES_OF_LAN, ACCESSES_OF_MAI = (
    ListAccessesRequest(filter=AccessFilter(subject_number=number), as_consumer=True).SerializeToString()
    for number in (LAN, MAI)
)
CONSENT_OF_LAN = RequestConsentRequest(
    subject_number=LAN,
    provider=str(members.POPULATION),
    datasets=["identity.basic"],
    purpose=PURPOSE,
    valid_for=Duration(seconds=3_600),
).SerializeToString()


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Give one gateway to all attacks that need the ordinary consent alone."""
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("security") / "gateway.sqlite")) as world:
        world.consent(valid_for=timedelta(days=1))
        yield world


def signing_input(world: GatewayWorld, algorithm: str) -> str:
    """Return header and claims of a token that is good but for its algorithm."""
    header = {"typ": "at+jwt", "kid": world.key_set.keys[0].key_id, "alg": algorithm}
    parts = (header, world.claims(members.PORTAL))
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


def hs256(world: GatewayWorld) -> str:
    """Return a token whose secret is the provider's public key, which everybody has."""
    pem = jwt.PyJWK(world.key_set.keys[0].jwk).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    start = signing_input(world, "HS256")
    signature = hmac.digest(pem, start.encode(), hashlib.sha256)
    return f"{start}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def rs256(world: GatewayWorld) -> str:
    """Return a token signed with an RSA key under the name of the provider's key."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    headers = {"typ": "at+jwt", "kid": world.key_set.keys[0].key_id}
    return jwt.encode(world.claims(members.PORTAL), key, "RS256", headers)


def unbound(world: GatewayWorld) -> str:
    """Return a token that is bound to no certificate."""
    claims = world.claims(members.PORTAL)
    del claims["cnf"]
    return world.key_set.keys[0].sign(claims, token_type="at+jwt")


def of_another_key(world: GatewayWorld) -> str:
    return SigningKey.create().sign(world.claims(members.PORTAL), token_type="at+jwt")


def by_shop(world: GatewayWorld) -> None:
    show(world, world.token(members.SHOP), members.SHOP)


ATTACKS: dict[str, tuple[str, Attack]] = {
    "certificate of another system than x-road-client names": (
        "CLIENT_MISMATCH",
        lambda world: send(world, ABOUT_LAN, ("x-road-client", str(members.BANK))),
    ),
    "x-road-client that names two systems": (
        "CLIENT_MISMATCH",
        lambda world: send(world, ABOUT_LAN, ("x-road-client", f"{members.PORTAL},{members.BANK}")),
    ),
    "certificate of a system without the right": ("ACCESS_RIGHT_MISSING", by_shop),
    "token of another audience": (
        "TOKEN_AUDIENCE_INVALID",
        lambda world: show(world, world.token(aud="https://portal.test")),
    ),
    "token of another client": ("TOKEN_NOT_YOURS", lambda world: show(world, world.token(members.BANK))),
    "token of another issuer": ("TOKEN_ISSUER_INVALID", lambda world: show(world, world.token(iss="https://a.test"))),
    "token of another key": ("TOKEN_SIGNATURE_INVALID", lambda world: show(world, of_another_key(world))),
    "token without signature": (
        "TOKEN_SIGNATURE_INVALID",
        lambda world: show(world, f"{signing_input(world, 'none')}."),
    ),
    "token of HS256 with the public key as its secret": (
        "TOKEN_SIGNATURE_INVALID",
        lambda world: show(world, hs256(world)),
    ),
    "token of RS256": ("TOKEN_SIGNATURE_INVALID", lambda world: show(world, rs256(world))),
    "unbound token": ("TOKEN_MALFORMED", lambda world: show(world, unbound(world))),
    "token of another citizen": ("SUBJECT_MISMATCH", lambda world: show(world, world.token(number=MAI))),
    "consent of another citizen": ("CONSENT_MISSING", lambda world: send(world, ABOUT_MAI)),
    "purpose that the consent does not cover": (
        "CONSENT_FOR_OTHER_PURPOSE",
        lambda world: world.get_citizen(CallContext(members.TEMPORARY_RESIDENCE.code)),
    ),
    "purpose that the system has no right for": (
        "ACCESS_RIGHT_MISSING",
        lambda world: world.get_citizen(CallContext(members.MARKETING.code)),
    ),
    "request that names two subjects": ("SUBJECT_AMBIGUOUS", lambda world: send(world, ABOUT_MAI + ABOUT_LAN)),
    "request that names a subject in a field nobody knows": (
        "REQUEST_FIELD_UNKNOWN",
        lambda world: send(world, ABOUT_LAN + b"\xfa\x3e\x0c" + MAI.encode()),
    ),
    "request for consent that names two subjects": (
        "SUBJECT_AMBIGUOUS",
        lambda world: send(world, ABOUT_MAI + CONSENT_OF_LAN, method=REQUEST_CONSENT),
    ),
    "request for consent with a field nobody knows": (
        "REQUEST_FIELD_UNKNOWN",
        lambda world: send(world, CONSENT_OF_LAN + b"\xfa\x3e\x0c" + MAI.encode(), method=REQUEST_CONSENT),
    ),
    "question for consents that names two subjects": (
        "SUBJECT_AMBIGUOUS",
        lambda world: send(world, ABOUT_MAI + ABOUT_LAN, method=LIST_CONSENTS),
    ),
    "question for accesses that names two subjects": (
        "SUBJECT_AMBIGUOUS",
        lambda world: send(world, ACCESSES_OF_MAI + ACCESSES_OF_LAN, method=LIST_ACCESSES),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_its_reason_releases_nothing_and_is_recorded(
    shared_world: GatewayWorld, name: str
) -> None:
    reason, attack = ATTACKS[name]

    assert_refused(shared_world, attack, reason)


ANSWERS: dict[str, GetCitizenResponse] = {
    "another citizen's record": GetCitizenResponse(citizen=citizen(MAI)),
    "a record that names nobody": GetCitizenResponse(citizen=Citizen(nationality="VN")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_provider_that_does_not_answer_about_the_citizen_asked_for_is_caught(
    shared_world: GatewayWorld, name: str
) -> None:
    shared_world.population.answer("GetCitizen", ANSWERS[name])
    try:
        entry = assert_refused(shared_world, GatewayWorld.read, "PROVIDER_ANSWER_MISMATCH", asked=1)
    finally:
        shared_world.population.answer("GetCitizen", GetCitizenResponse(citizen=citizen()))

    assert (entry["provider"], entry["status"]) == (str(members.POPULATION), "INTERNAL")
    assert entry["response_bytes"] == 0


def test_the_provider_gets_the_bytes_that_were_decided_on_and_not_those_that_came(shared_world: GatewayWorld) -> None:
    world = shared_world

    # Its length in two bytes where one would do.
    send(world, b"\x0a\x8c\x00" + LAN.encode())

    assert world.population.calls[-1].request == ABOUT_LAN


def test_a_replayed_approval_gives_no_second_consent(world: GatewayWorld) -> None:
    request = world.request_consent()
    statement = world.approval(request)
    consent = world.decide(request.consent_request_id, statement).consent
    revoked = RevokeConsentRequest(consent_id=consent.consent_id)
    ConsentServiceStub(world.channel(members.PORTAL)).RevokeConsent(revoked, timeout=TIMEOUT_S)

    def replay(world: GatewayWorld) -> object:
        return world.decide(request.consent_request_id, statement)

    assert_refused(world, replay, "CONSENT_REQUEST_CLOSED")
    assert_refused(world, GatewayWorld.read, "CONSENT_REVOKED")


def test_an_approval_replayed_for_another_request_gives_no_consent(world: GatewayWorld) -> None:
    request = world.request_consent()
    statement = world.approval(request)
    world.decide(request.consent_request_id, statement)
    wider = world.request_consent(datasets=["identity.basic", "residence"])

    def replay(world: GatewayWorld) -> object:
        return world.decide(wider.consent_request_id, statement)

    assert_refused(world, replay, "APPROVAL_INVALID")
    _, receipt = world.get_citizen(CallContext(PURPOSE))
    assert receipt.datasets_released == ("identity.basic",)
