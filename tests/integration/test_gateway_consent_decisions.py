"""Decisions about consents at a real gateway: who may record one, how often it counts, and what it is signed with."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import grpc
import pytest

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_core.signing import SigningKey
from lienthong_seeds import members
from tests.support.citizens import MAI
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

INVALID, DENIED, CLOSED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Give one gateway to the tests that ask a citizen of their own."""
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("consents") / "gateway.sqlite")) as world:
        yield world


@pytest.fixture(scope="module")
def numbers() -> Iterator[str]:
    """Give the numbers of citizens whom no other test asks."""
    return (f"09919001{count:04}" for count in range(10_000))


def recorded(world: GatewayWorld) -> list[str]:
    return [entry["reason"] for entry in world.entries() if entry["event"] == "CONSENT"]


def test_nobody_but_the_identity_provider_records_a_decision(world: GatewayWorld) -> None:
    request = world.request_consent()
    decision = pb.RecordDecisionRequest(consent_request_id=request.consent_request_id, decision=world.approval(request))

    why = refusal_of(
        lambda: ConsentServiceStub(world.channel(members.PORTAL)).RecordDecision(decision, timeout=TIMEOUT_S)
    )

    assert (why.reason, why.status) == ("CALLER_NOT_ALLOWED", DENIED)


def test_a_decision_counts_once(world: GatewayWorld) -> None:
    request = world.request_consent()
    statement = world.approval(request)
    world.decide(request.consent_request_id, statement)

    for again in (statement, world.approval(request, decision="denied")):
        why = refusal_of(lambda: world.decide(request.consent_request_id, again))  # noqa: B023 (called at once)
        assert (why.reason, why.status) == ("CONSENT_REQUEST_CLOSED", CLOSED)
    assert recorded(world) == ["CONSENT_REQUESTED", "CONSENT_GIVEN"]


def test_of_two_decisions_at_once_one_counts(world: GatewayWorld) -> None:
    request = world.request_consent()
    statements = [world.approval(request) for _ in range(6)]

    def decide(statement: str) -> str:
        try:
            world.decide(request.consent_request_id, statement)
        except grpc.RpcError:
            return "refused"
        return "given"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(decide, statements)) == ["given"] + ["refused"] * 5
    assert recorded(world) == ["CONSENT_REQUESTED", "CONSENT_GIVEN"]


def unsigned_by_provider(world: GatewayWorld, request: pb.ConsentRequest) -> str:
    own = world.key_set.keys[0]
    world.key_set.keys[0] = SigningKey.create()
    try:
        return world.approval(request)
    finally:
        world.key_set.keys[0] = own


def of_type(token_type: str) -> "Callable[[GatewayWorld, pb.ConsentRequest], str]":
    return lambda world, _request: world.key_set.keys[0].sign_canonical(
        world.claims(members.IDENTITY), token_type=token_type
    )


def with_claims(**changes: Any) -> "Callable[[GatewayWorld, pb.ConsentRequest], str]":  # noqa: ANN401 (any claim's value)
    return lambda world, request: world.approval(request, **changes)


def not_canonical(world: GatewayWorld, request: pb.ConsentRequest) -> str:
    claims = world.approval_claims(request)
    return world.key_set.keys[0].sign(claims, token_type="lienthong-consent-approval+jwt")


def beyond_canonical(world: GatewayWorld, request: pb.ConsentRequest) -> str:
    claims = {**world.approval_claims(request), "iat": 1 << 62}
    return world.key_set.keys[0].sign(claims, token_type="lienthong-consent-approval+jwt")


def of_another_type(world: GatewayWorld, request: pb.ConsentRequest) -> str:
    return world.key_set.keys[0].sign_canonical(world.approval_claims(request), token_type="at+jwt")


FORGED: dict[str, Callable[[GatewayWorld, pb.ConsentRequest], str]] = {
    "no statement": lambda _world, _request: "",
    "no JWS": lambda _world, _request: "approved",
    "an access token": of_type("at+jwt"),
    "a statement without its claims": of_type("lienthong-consent-approval+jwt"),
    "of another type": of_another_type,
    "about another request": lambda world, _request: world.approval(world.request_consent(number=MAI)),
    "about another citizen": with_claims(subject_number=MAI, approved_by=MAI),
    "about another citizen, whose word it is not": with_claims(subject_number=MAI),
    "approved by somebody else": with_claims(approved_by=MAI),
    "to more datasets": with_claims(datasets=["identity.basic", "residence"]),
    "to no datasets": with_claims(datasets=[]),
    "datasets of no kind": with_claims(datasets=7),
    "to another consumer": with_claims(consumer=str(members.BANK)),
    "about another provider": with_claims(provider=str(members.IDENTITY)),
    "for another purpose": with_claims(purpose="ekyc"),
    "for longer": with_claims(valid_for=86_400),
    "of another text": with_claims(legal_text_version="1999-01-01"),
    "of a text with another digest": with_claims(legal_text_digest="0" * 64),
    "to more uses": with_claims(uses=1),
    "to uses more often": with_claims(uses_per=60),
    "to keeping it longer": with_claims(retention=86_400),
    "with another title": with_claims(purpose_title_vi="Việc khác"),
    "with another reference": with_claims(purpose_reference="H1"),
    "with a number for a text": with_claims(purpose_reference=0),
    "by a grown-up's representative": with_claims(approves_as="representative", approved_by=MAI),
    "by herself as her own representative": with_claims(subject_age="child_under_7", approves_as="representative"),
    "by a small child": with_claims(subject_age="child_under_7"),
    "of no age": with_claims(subject_age="old"),
    "in no capacity": with_claims(approves_as="consumer"),
    "without a name of its own": with_claims(jti=""),
    "with a list for its name": with_claims(jti=["a"]),
    "authenticated at no time": with_claims(auth_time="then"),
    "not canonical": not_canonical,
    "beyond canonical": beyond_canonical,
    "undecided": with_claims(decision="perhaps"),
    "decision of no kind": with_claims(decision=["approved"]),
    "level of no kind": with_claims(acr="high"),
    "level that is none": with_claims(acr="9"),
    "time of no kind": with_claims(iat="now"),
    "of another issuer": with_claims(iss="https://elsewhere.test"),
    "for another audience": with_claims(aud="https://elsewhere.test"),
    "signed long ago": with_claims(iat=1_600_000_000),
    "signed in the future": with_claims(iat=4_000_000_000),
    "signed beyond all time": with_claims(iat=1 << 52),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_statement_that_is_not_the_providers_about_this_request_decides_nothing(
    shared_world: GatewayWorld, numbers: Iterator[str], forge: Callable[[GatewayWorld, pb.ConsentRequest], str]
) -> None:
    world, number = shared_world, next(numbers)
    request = world.request_consent(number=number)

    why = refusal_of(lambda: world.decide(request.consent_request_id, forge(world, request)))

    assert (why.reason, why.status) == ("APPROVAL_INVALID", INVALID)
    read = refusal_of(lambda: world.get_citizen(CallContext(PURPOSE), number=number))
    assert read.reason == "CONSENT_MISSING"
    world.decide(request.consent_request_id, world.approval(request))


def test_a_statement_decides_within_a_minute_of_its_signature(world: GatewayWorld) -> None:
    request = world.request_consent()
    statement = world.approval(request)

    for away in (timedelta(seconds=62), timedelta(seconds=-62)):
        world.clock.advance(away)
        why = refusal_of(lambda: world.decide(request.consent_request_id, statement))
        assert why.reason == "APPROVAL_INVALID"
        world.clock.advance(-away)

    world.clock.advance(timedelta(seconds=30))
    assert world.decide(request.consent_request_id, statement).consent.state == pb.ConsentState.CONSENT_STATE_ACTIVE


def test_a_statement_signed_by_somebody_else_decides_nothing(world: GatewayWorld) -> None:
    request = world.request_consent()

    why = refusal_of(lambda: world.decide(request.consent_request_id, unsigned_by_provider(world, request)))

    assert why.reason == "APPROVAL_INVALID"
    assert refusal_of(world.read).reason == "CONSENT_MISSING"
