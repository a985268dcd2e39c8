"""What changes a register cannot be taken back: it is allowed and recorded before its provider is asked."""

import sqlite3
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.exchange.v1.administration_pb2 import WithdrawAccessRightRequest
from lienthong.api.exchange.v1.log_pb2 import GetDailySummaryRequest, LogEvent, Outcome
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1 import population_pb2 as pb
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext, Receipt
from lienthong_core.database import sqlite_url
from lienthong_core.errors import precondition
from lienthong_core.working_days import civil_date
from lienthong_seeds import members
from tests.support.administration import BY_OFFICER, administration
from tests.support.citizens import LAN
from tests.support.gateway_process import GatewayProcess
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.waiting import wait_until

DOSSIER = "H26.1-20261121-0000001"
BY_LAW = CallContext(PURPOSE, legal_basis="state_19_1_c", legal_reference=DOSSIER, officer=members.OFFICER)
METHOD = "/lienthong.api.population.v1.PopulationService/UpdateResidence"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def world(file: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(file)) as world:
        world.population.answer("UpdateResidence", pb.UpdateResidenceResponse(change_number=7))
        yield world


def change(world: GatewayWorld) -> Receipt:
    stub = PopulationServiceStub(world.channel(members.PORTAL))
    request = pb.UpdateResidenceRequest(personal_number=LAN, case_reference=DOSSIER)
    _, call = stub.UpdateResidence.with_call(request, metadata=BY_LAW.metadata(), timeout=TIMEOUT_S)
    return Receipt.of(call.trailing_metadata())


@contextmanager
def under_way(world: GatewayWorld) -> Generator[Future[Receipt]]:
    """Have the provider work on a change for as long as the block lasts."""
    asked = len(world.population.calls)
    with ThreadPoolExecutor(1) as caller, world.population.hanging("UpdateResidence"):
        changed = caller.submit(change, world)
        wait_until(lambda: len(world.population.calls) > asked)
        yield changed


def withdraw_right(world: GatewayWorld) -> None:
    request = WithdrawAccessRightRequest(consumer=str(members.PORTAL), method=METHOD, purpose=PURPOSE)
    administration(world).WithdrawAccessRight(request, metadata=BY_OFFICER, timeout=TIMEOUT_S)


def recorded(world: GatewayWorld) -> list[dict[str, Any]]:
    return [entry for entry in world.entries() if entry["method"] == METHOD]


def outcomes(world: GatewayWorld) -> list[tuple[str, str]]:
    return [(entry["event"], entry["reason"]) for entry in recorded(world)]


def test_the_log_says_that_a_change_is_allowed_before_the_provider_is_asked(world: GatewayWorld) -> None:
    with under_way(world) as changed:
        (allowed,) = recorded(world)

    assert (allowed["event"], allowed["decision"], allowed["datasets_released"]) == ("CHANGE_ALLOWED", "ALLOWED", [])
    _, exchange = recorded(world)
    assert exchange["event"] == "EXCHANGE"
    same = ("exchange_id", "consumer", "provider", "officer", "subject", "legal_basis", "request_digest")
    assert [exchange[field] for field in same] == [allowed[field] for field in same]
    assert changed.result().exchange_id == exchange["exchange_id"]


def test_the_citizen_sees_that_a_change_was_allowed_and_made(world: GatewayWorld) -> None:
    change(world)

    events = [access.event for access in world.accesses() if access.method == METHOD]
    assert events == [LogEvent.LOG_EVENT_EXCHANGE, LogEvent.LOG_EVENT_CHANGE_ALLOWED]


def test_a_change_that_was_allowed_and_made_counts_once(world: GatewayWorld) -> None:
    change(world)

    today = civil_date(world.clock.now())
    days = GetDailySummaryRequest(first_day=today.isoformat(), last_day=(today + timedelta(days=1)).isoformat())
    log = ExchangeLogServiceStub(world.channel(members.PORTAL))
    counts = log.GetDailySummary(days, timeout=TIMEOUT_S).counts

    assert [(count.dataset, count.outcome, count.entries) for count in counts] == [
        ("residence", Outcome.OUTCOME_RELEASED, 1)
    ]


def test_a_right_that_is_withdrawn_meanwhile_does_not_hide_the_change_that_was_made(world: GatewayWorld) -> None:
    with under_way(world) as changed:
        withdraw_right(world)

    withdrawal = ("ACCESS_RIGHT", "ACCESS_RIGHT_WITHDRAWN")
    assert outcomes(world) == [("CHANGE_ALLOWED", ""), withdrawal, ("EXCHANGE", "")]
    assert world.entries()[changed.result().log_index]["event"] == "EXCHANGE"
    assert refusal_of(partial(change, world)).reason == "ACCESS_RIGHT_NOT_IN_FORCE"


def test_a_change_that_the_provider_refuses_is_recorded_as_refused(world: GatewayWorld) -> None:
    world.population.answer("UpdateResidence", precondition("CITIZEN_DECEASED", "She has died."))

    assert refusal_of(partial(change, world)).reason == "CITIZEN_DECEASED"

    assert outcomes(world) == [("CHANGE_ALLOWED", ""), ("REFUSAL", "CITIZEN_DECEASED")]


def test_a_change_that_cannot_be_recorded_is_not_made(world: GatewayWorld, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("ALTER TABLE log_entry RENAME TO out_of_reach")
        why = refusal_of(partial(change, world))
        other.execute("ALTER TABLE out_of_reach RENAME TO log_entry")

    assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, "EXCHANGE_LOG_UNAVAILABLE")
    assert world.population.calls == []
    change(world)


def test_a_change_that_a_gateway_was_killed_over_is_in_the_log(tmp_path: Path) -> None:
    make = partial(GatewayProcess, folder=tmp_path / "process")
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), make) as world:
        world.population.answer("UpdateResidence", pb.UpdateResidenceResponse(change_number=7))
        assert isinstance(world.gateway, GatewayProcess)
        with under_way(world) as changed:
            world.gateway.kill()
            assert isinstance(changed.exception(TIMEOUT_S), grpc.RpcError)
        world.gateway.start()

        assert outcomes(world) == [("CHANGE_ALLOWED", "")]
