"""Officers named in calls to the gateway itself: whoever is not registered for the system has nothing done."""

from collections.abc import Callable

import pytest

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1 import catalogue_pb2, log_pb2
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext, Header
from lienthong_seeds import members
from tests.support.administration import DENIED, administration, admit
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, refusal_of
from tests.support.rights import POPULATION

Officer = tuple[str, str]
Call = Callable[[GatewayWorld, Officer], object]


def ask_for_consent(world: GatewayWorld, officer: Officer) -> object:
    stub = ConsentServiceStub(world.channel(members.PORTAL))
    request = consent_pb2.RequestConsentRequest(
        subject_number=LAN, provider=POPULATION, datasets=["identity.basic"], purpose=PURPOSE
    )
    return stub.RequestConsent(request, metadata=(officer,), timeout=TIMEOUT_S)


def list_entries(world: GatewayWorld, officer: Officer) -> object:
    stub = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    return stub.ListEntries(log_pb2.ListEntriesRequest(), metadata=(officer,), timeout=TIMEOUT_S)


def list_her_accesses(world: GatewayWorld, officer: Officer) -> object:
    stub = ExchangeLogServiceStub(world.channel(members.PORTAL))
    metadata = (*CallContext("", world.rights_token()).metadata(), officer)
    return stub.ListAccesses(log_pb2.ListAccessesRequest(), metadata=metadata, timeout=TIMEOUT_S)


def list_methods(world: GatewayWorld, officer: Officer) -> object:
    stub = CatalogueServiceStub(world.channel(members.PORTAL))
    return stub.ListMethods(catalogue_pb2.ListMethodsRequest(), metadata=(officer,), timeout=TIMEOUT_S)


CALLS: dict[str, Call] = {
    "asking for a consent": ask_for_consent,
    "reading the log": list_entries,
    "showing a citizen who read her data": list_her_accesses,
    "reading the catalogue": list_methods,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_to_the_gateway_in_the_name_of_an_officer_of_nobody_does_nothing(
    world: GatewayWorld, call: Call
) -> None:
    why = refusal_of(lambda: call(world, (Header.OFFICER, "anybody at all")))

    assert (why.reason, why.status) == ("OFFICER_NOT_ALLOWED", DENIED)
    refused, *later = ((entry["event"], entry["officer"]) for entry in world.entries())
    assert refused == ("REFUSAL", "anybody at all")
    assert set(later) <= {("LOG_READ", "")}, "the test's own reading of the log"


def test_a_call_to_the_gateway_in_the_name_of_a_registered_officer_is_recorded_with_him(world: GatewayWorld) -> None:
    admit(administration(world), str(members.AUDITOR), "thanh-tra-01")

    list_entries(world, (Header.OFFICER, "thanh-tra-01"))

    (reading,) = (entry for entry in world.entries() if entry["event"] == "LOG_READ" and entry["officer"])
    assert (reading["consumer"], reading["officer"]) == (str(members.AUDITOR), "thanh-tra-01")


def test_what_happens_to_a_consent_is_recorded_with_the_officer_who_acts_and_the_trace_he_acts_in(
    world: GatewayWorld,
) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    revoke = consent_pb2.RevokeConsentRequest(consent_id=world.consent().consent_id)
    stub = ConsentServiceStub(world.channel(members.PORTAL))
    metadata = ((Header.OFFICER, members.OFFICER), ("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01"))

    stub.RevokeConsent(revoke, metadata=metadata, timeout=TIMEOUT_S)

    *given, revoked = (entry for entry in world.entries() if entry["event"] == "CONSENT")
    assert (revoked["reason"], revoked["officer"], revoked["trace_id"]) == (
        "CONSENT_REVOKED",
        members.OFFICER,
        trace_id,
    )
    assert all(entry["trace_id"] and not entry["officer"] for entry in given)


def test_what_happens_to_a_consent_is_recorded_with_the_system_that_does_it_for_the_consumer(
    world: GatewayWorld,
) -> None:
    consent_id = world.consent().consent_id
    by_citizen = ConsentServiceStub(world.channel(members.IDENTITY))
    by_citizen.PauseConsent(consent_pb2.PauseConsentRequest(consent_id=consent_id), timeout=TIMEOUT_S)
    itself = ConsentServiceStub(world.channel(members.PORTAL))
    itself.RevokeConsent(consent_pb2.RevokeConsentRequest(consent_id=consent_id), timeout=TIMEOUT_S)

    entries = [entry for entry in world.entries() if entry["event"] == "CONSENT"]
    accesses = [access for access in world.accesses() if access.event == log_pb2.LOG_EVENT_CONSENT]

    identity = str(members.IDENTITY)
    assert [entry["reason"] for entry in entries] == [
        "CONSENT_REQUESTED",
        "CONSENT_GIVEN",
        "CONSENT_PAUSED",
        "CONSENT_REVOKED",
    ]
    assert [entry["caller"] for entry in entries] == ["", identity, identity, ""]
    assert [access.caller for access in reversed(accesses)] == ["", identity, identity, ""]
    assert {entry["consumer"] for entry in entries} == {str(members.PORTAL)}
