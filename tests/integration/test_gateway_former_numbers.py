"""A citizen whose number was replaced: what named her by the one she had before is hers to see, and erased with her."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from lienthong.api.exchange.v1.log_pb2 import Access, AccessFilter, ListAccessesRequest, LogEvent
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1 import population_pb2 as pb
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.rights.v1.rights_pb2 import FulfilRequest, ListRequest, RightsRequestState
from lienthong.client import CallContext, Header
from lienthong_core.database import sqlite_url
from lienthong_core.errors import unavailable
from lienthong_core.systems import SystemId
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from lienthong_services.population.rules import citizen_unknown
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.rights import (
    DELETE,
    GATEWAY,
    OFFICE,
    acknowledge,
    as_citizen,
    by_officer,
    complied,
    fulfil,
    listed,
    service,
    submit,
)

BEFORE = "099189000001"
SHORT_S = 4.0
HERS = pb.ListPersonalNumbersResponse(personal_number=LAN, former_numbers=[BEFORE])
BY_LAW = CallContext(
    PURPOSE, legal_basis="state_19_1_c", legal_reference="G01.99-20261121-0000001", officer=members.OFFICER
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        world.population.answer("VerifyCitizen", pb.VerifyCitizenResponse(exists=True))
        world.population.answer("UpdateResidence", pb.UpdateResidenceResponse(change_number=1))
        world.population.answer("ListPersonalNumbers", HERS)
        yield world


def name_her_as_before(world: GatewayWorld) -> None:
    """Have her verified, be refused her record, and change her residence, each by the number that she had before."""
    portal, metadata = PopulationServiceStub(world.channel(members.PORTAL)), BY_LAW.metadata()
    verified = CallContext("integration-test", "", "state_19_1_c", "TEST-1", "officer-1").metadata()
    tester = PopulationServiceStub(world.channel(members.YOUR_SYSTEM))
    tester.VerifyCitizen(pb.VerifyCitizenRequest(personal_number=BEFORE), metadata=verified, timeout=TIMEOUT_S)
    refusal_of(lambda: world.get_citizen(CallContext("ekyc"), members.BANK, BEFORE))
    portal.UpdateResidence(pb.UpdateResidenceRequest(personal_number=BEFORE), metadata=metadata, timeout=TIMEOUT_S)


def accesses(world: GatewayWorld, system: SystemId, number: str, *, as_consumer: bool = False) -> list[Access]:
    """Return what a system may see of what was recorded about a number before it asks."""
    request = ListAccessesRequest(filter=AccessFilter(subject_number=number), as_consumer=as_consumer)
    stub = ExchangeLogServiceStub(world.channel(system))
    _own_reading, *others = stub.ListAccesses(request, timeout=TIMEOUT_S).accesses
    return others


def words(accesses: list[Access]) -> list[str]:
    return [f"{LogEvent.Name(access.event)[10:]} {access.method.rpartition('/')[2]}" for access in accesses]


NAMED_AS_BEFORE = [
    "EXCHANGE UpdateResidence",
    "CHANGE_ALLOWED UpdateResidence",
    "REFUSAL GetCitizen",
    "EXCHANGE VerifyCitizen",
]


def test_a_citizen_sees_what_was_verified_changed_and_refused_under_a_number_she_had_before(
    world: GatewayWorld,
) -> None:
    name_her_as_before(world)

    assert words(world.accesses()) == ["LOG_READ ListAccesses", *NAMED_AS_BEFORE]


def test_the_register_is_asked_by_the_gateway_for_nothing_but_her_numbers_and_is_in_the_log(
    world: GatewayWorld,
) -> None:
    (own_reading,) = world.accesses()

    (call,) = world.population.calls
    assert call.request == pb.ListPersonalNumbersRequest(personal_number=LAN).SerializeToString()
    assert call.metadata[Header.CONSUMER] == str(members.GATEWAY)
    assert own_reading.provider == str(members.POPULATION)
    assert own_reading.exchange_id != call.metadata[Header.EXCHANGE_ID]


def test_whom_the_register_does_not_know_sees_what_named_her_by_the_number_she_has(world: GatewayWorld) -> None:
    name_her_as_before(world)
    world.population.answer("ListPersonalNumbers", citizen_unknown())

    assert words(world.accesses(MAI)) == ["LOG_READ ListAccesses"]
    assert words(world.accesses(BEFORE)) == ["LOG_READ ListAccesses", *NAMED_AS_BEFORE]


def test_only_she_learns_which_entries_name_her_by_another_number(world: GatewayWorld) -> None:
    name_her_as_before(world)
    world.accesses()

    assert words(accesses(world, members.BANK, LAN, as_consumer=True)) == []
    assert words(accesses(world, members.AUDITOR, LAN)) == ["LOG_READ ListAccesses"] * 2
    assert words(accesses(world, members.AUDITOR, BEFORE)) == NAMED_AS_BEFORE
    assert [call.method for call in world.population.calls].count("ListPersonalNumbers") == 1


def test_a_register_that_answers_about_somebody_else_shows_her_nothing_of_them(world: GatewayWorld) -> None:
    name_her_as_before(world)

    assert refusal_of(lambda: world.accesses(MAI)).reason == "PROVIDER_ANSWER_MISMATCH"


def test_an_erasure_unlinks_what_named_her_by_a_number_she_had_before(world: GatewayWorld) -> None:
    name_her_as_before(world)
    submit(world, DELETE, number=BEFORE)
    before = {entry["subject"] for entry in world.entries()}

    erased = complied(world, DELETE, GATEWAY, OFFICE)

    assert words(accesses(world, members.AUDITOR, BEFORE)) == []
    size = len(world.entries())
    name_her_as_before(world)
    after = {entry["subject"] for entry in world.entries()[size:]} - {""}
    assert (len(after), after & before) == (1, set())
    (kept,) = listed(world, ListRequest(), metadata=as_citizen(world, BEFORE), system=members.PORTAL).requests
    assert kept.request_id not in {entry["legal_reference"] for entry in world.entries()}
    asked = len(world.population.calls)
    assert refusal_of(lambda: fulfil(world, erased.request_id, OFFICE)).reason == "RIGHTS_REQUEST_MOVE_NOT_ALLOWED"
    assert len(world.population.calls) == asked
    assert isinstance(world.gateway, GatewayServer)
    assert verify_log(world.gateway.engine, world.config.checkpoint_key.verifier).fault is None


def test_while_the_register_does_not_answer_she_is_told_so_and_nothing_is_erased(world: GatewayWorld) -> None:
    name_her_as_before(world)
    asked = submit(world, DELETE, GATEWAY)
    acknowledge(world, asked.request_id, OFFICE)
    world.population.answer("ListPersonalNumbers", unavailable("DATABASE_UNAVAILABLE", "The database is away."))

    told = [refusal_of(world.accesses), refusal_of(lambda: fulfil(world, asked.request_id, OFFICE))]

    assert {(why.status, why.reason) for why in told} == {(grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")}
    assert words(accesses(world, members.AUDITOR, BEFORE)) == NAMED_AS_BEFORE
    (still,) = listed(world, ListRequest(), OFFICE).requests
    assert still.state == RightsRequestState.RIGHTS_REQUEST_STATE_ACKNOWLEDGED
    world.population.answer("ListPersonalNumbers", HERS)
    fulfil(world, asked.request_id, OFFICE)
    assert words(accesses(world, members.AUDITOR, BEFORE)) == []


def test_whom_a_slow_register_keeps_waiting_is_told_so_before_the_calls_own_deadline(world: GatewayWorld) -> None:
    asked = submit(world, DELETE, GATEWAY)
    acknowledge(world, asked.request_id, OFFICE)
    reading, fulfilling = ListAccessesRequest(), FulfilRequest(request_id=asked.request_id)
    log, citizen, officer = ExchangeLogServiceStub(world.channel(members.PORTAL)), as_citizen(world), by_officer(OFFICE)

    with world.population.hanging("ListPersonalNumbers"):
        shown = log.ListAccesses.future(reading, metadata=citizen, timeout=SHORT_S)
        fulfilled = service(world, OFFICE).Fulfil.future(fulfilling, metadata=officer, timeout=SHORT_S)
        told = {refusal_of(shown.result).reason, refusal_of(fulfilled.result).reason}

    assert told == {"PROVIDER_TIMEOUT"}
    assert [entry["reason"] for entry in world.entries() if entry["event"] == "REFUSAL"] == ["PROVIDER_TIMEOUT"] * 2
    (still,) = listed(world, ListRequest(), OFFICE).requests
    assert still.state == RightsRequestState.RIGHTS_REQUEST_STATE_ACKNOWLEDGED


def test_numbers_that_nobody_can_all_have_had_are_taken_for_nobodys(world: GatewayWorld) -> None:
    name_her_as_before(world)
    asked = submit(world, DELETE, GATEWAY)
    acknowledge(world, asked.request_id, OFFICE)
    others = [f"0991890001{number:02}" for number in range(18)]
    hers = [BEFORE, BEFORE, *others]
    world.population.answer(
        "ListPersonalNumbers", pb.ListPersonalNumbersResponse(personal_number=LAN, former_numbers=[*hers, MAI])
    )

    told = [refusal_of(world.accesses), refusal_of(lambda: fulfil(world, asked.request_id, OFFICE))]

    assert {(why.status, why.reason) for why in told} == {(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_MISMATCH")}
    assert words(accesses(world, members.AUDITOR, BEFORE)) == NAMED_AS_BEFORE
    world.population.answer(
        "ListPersonalNumbers", pb.ListPersonalNumbersResponse(personal_number=LAN, former_numbers=hers)
    )
    fulfil(world, asked.request_id, OFFICE)
    assert words(accesses(world, members.AUDITOR, BEFORE)) == []
