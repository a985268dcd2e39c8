"""Texts that no database could look for: every method that the gateway answers itself refuses them in the same way."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1 import administration_pb2, log_pb2
from lienthong.api.exchange.v1.administration_pb2_grpc import AdministrationServiceStub
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.rights.v1 import rights_pb2
from lienthong.api.rights.v1.rights_pb2_grpc import SubjectRightsServiceStub
from lienthong.client import CallContext
from lienthong_core.systems import SystemId
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.rights import VIEW, as_citizen

ID = "6a1f0f7e-6f0b-4f0e-9c53-0d6c6a3b5d11\0"


@pytest.fixture
def world(database_url: str) -> Iterator[GatewayWorld]:
    with gateway_world(database_url) as world:
        yield world


def consents(world: GatewayWorld) -> ConsentServiceStub:
    return ConsentServiceStub(world.channel(members.PORTAL))


def log_of(world: GatewayWorld, system: SystemId = members.AUDITOR) -> ExchangeLogServiceStub:
    return ExchangeLogServiceStub(world.channel(system))


def rights(world: GatewayWorld) -> SubjectRightsServiceStub:
    return SubjectRightsServiceStub(world.channel(members.PORTAL))


def submit(world: GatewayWorld, detail: str) -> rights_pb2.SubmitResponse:
    request = rights_pb2.SubmitRequest(kind=VIEW, controller=str(members.POPULATION), detail=detail)
    return rights(world).Submit(request, metadata=as_citizen(world), timeout=TIMEOUT_S)


def register_ground(world: GatewayWorld) -> object:
    stub = AdministrationServiceStub(world.channel(members.AUDITOR))
    request = administration_pb2.RegisterLegalGroundRequest()
    request.legal_ground.purposes.append("a\0b")
    return stub.RegisterLegalGround(request, timeout=TIMEOUT_S)


CALLS: dict[str, Callable[[GatewayWorld], object]] = {
    "a request's text": lambda world: submit(world, "a\0b"),
    "an id of a consent": lambda world: consents(world).GetConsent(
        consent_pb2.GetConsentRequest(consent_id=ID), timeout=TIMEOUT_S
    ),
    "an id of a request for consent": lambda world: consents(world).FetchConsentRequest(
        consent_pb2.FetchConsentRequestRequest(consent_request_id=ID), timeout=TIMEOUT_S
    ),
    "an id of a rights request": lambda world: rights(world).Fulfil(
        rights_pb2.FulfilRequest(request_id=ID),
        metadata=CallContext("", officer=members.OFFICER).metadata(),
        timeout=TIMEOUT_S,
    ),
    "one of several texts": lambda world: world.request_consent(datasets=["identity.basic", "a\0b"]),
    "a text within a filter": lambda world: log_of(world).ListAccesses(
        log_pb2.ListAccessesRequest(filter=log_pb2.AccessFilter(consumer="a\0b")), timeout=TIMEOUT_S
    ),
    "a consumer of the summary": lambda world: log_of(world).GetDailySummary(
        log_pb2.GetDailySummaryRequest(first_day="2026-01-01", last_day="2026-01-02", consumer="\0"), timeout=TIMEOUT_S
    ),
    "one of several texts of a part": register_ground,
}


def test_a_zero_in_any_text_of_a_call_to_the_gateway_itself_is_refused_and_recorded(world: GatewayWorld) -> None:
    for name, call in CALLS.items():
        why = refusal_of(partial(call, world))

        assert (name, why.reason, why.status) == (name, "TEXT_INVALID", grpc.StatusCode.INVALID_ARGUMENT)
        assert "U+0000" in why.message
        assert why.metadata["origin"] == "gateway"
    recorded = [entry["reason"] for entry in world.entries() if entry["event"] == "REFUSAL"]
    assert recorded == ["TEXT_INVALID"] * len(CALLS)
    assert submit(world, "a b").request.request_id


def test_a_zero_that_is_in_no_text_is_none(world: GatewayWorld) -> None:
    request = log_pb2.GetConsistencyProofRequest(first_size=0, second_size=0).SerializeToString() + b"\x08\x00"
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = world.channel(members.AUDITOR).unary_unary(
        "/lienthong.api.exchange.v1.ExchangeLogService/ListEntries"
    )

    assert call(request, timeout=TIMEOUT_S)


def test_over_json_a_text_is_refused_as_over_grpc(world: GatewayWorld, tmp_path: Path) -> None:
    portal = world.curl(tmp_path, members.PORTAL)
    method = "/lienthong.api.consent.v1.ConsentService/GetConsent"

    zero = portal.post(method, rb'{"consentId": "a\u0000b"}')
    half = portal.post(method, rb'{"consentId": "a\ud800b"}')

    assert (zero.status, zero.error_info.reason) == (400, "TEXT_INVALID")
    assert (half.status, half.error_info.reason) == (400, "REQUEST_MALFORMED")
