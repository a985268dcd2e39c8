"""Beyond its limits the gateway refuses at once, says when to try again, and works on."""

import json
import sqlite3
import time
import tracemalloc
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.exchange.v1.catalogue_pb2 import ListSystemsRequest
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.api.exchange.v1.log_pb2 import GetDailySummaryRequest, ListAccessesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext, Header, explain
from lienthong_core.database import sqlite_url
from lienthong_core.working_days import civil_date
from lienthong_gateway.edge.limits import Limits, Rate, Returns
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import (
    PURPOSE,
    TIMEOUT_S,
    GatewayWorld,
    gateway_world,
    refusal_of,
    trailing_metadata,
)
from tests.support.waiting import wait_until

CAPACITY = 4
BEYOND = 40
AT_ONCE_S = 5.0
"""Sooner than the calls under way end: they hang for three times as long."""
LIST_SYSTEMS = "/lienthong.api.exchange.v1.CatalogueService/ListSystems"


@pytest.fixture
def full(tmp_path: Path) -> Iterator[GatewayWorld]:
    """Give a gateway that takes four calls at once."""
    with gateway_world(
        sqlite_url(tmp_path / "gateway.sqlite"),
        limits=Limits(calls_in_flight=CAPACITY, returns=Returns(soonest_s=1.5, latest_s=1.5)),
    ) as world:
        world.consent()
        yield world


@contextmanager
def filled(world: GatewayWorld) -> Generator[list[Any]]:
    """Keep as many calls under way as the gateway takes, all waiting for a provider."""
    stub = PopulationServiceStub(world.channel(members.PORTAL))
    metadata = CallContext(PURPOSE, world.token()).metadata()
    with world.population.hanging("GetCitizen"):
        request = GetCitizenRequest(personal_number=LAN)
        before = len(world.population.calls)
        under_way = [stub.GetCitizen.future(request, metadata=metadata, timeout=TIMEOUT_S) for _ in range(CAPACITY)]
        wait_until(lambda: len(world.population.calls) == before + CAPACITY)
        yield under_way


def list_systems(world: GatewayWorld) -> None:
    stub = CatalogueServiceStub(world.channel(members.BANK))
    stub.ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)


def overloaded_in(world: GatewayWorld) -> list[tuple[str, int]]:
    return [(entry["consumer"], entry["calls"]) for entry in world.entries() if entry["reason"] == "OVERLOADED"]


def test_calls_beyond_capacity_are_refused_at_once_and_the_admitted_ones_are_answered(full: GatewayWorld) -> None:
    with filled(full) as admitted:
        longest = 0.0
        for _ in range(BEYOND):
            began = time.monotonic()
            why = refusal_of(lambda: list_systems(full))
            longest = max(longest, time.monotonic() - began)
            assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert why.retry_after_s == 1.5
            assert why.metadata == {"origin": "gateway"}
    assert longest < AT_ONCE_S
    assert [call.result().citizen.personal_number for call in admitted] == [LAN] * CAPACITY
    list_systems(full)


def test_calls_that_were_turned_away_are_in_the_log_soon_also_if_no_other_comes(tmp_path: Path) -> None:
    file, limits = tmp_path / "gateway.sqlite", Limits(rates={members.BANK: Rate(0.001, 1)})

    def turned_away() -> list[dict[str, Any]]:
        # Read from the file: whoever asks the gateway makes a call.
        with closing(sqlite3.connect(file)) as database:
            entries = [json.loads(leaf) for (leaf,) in database.execute("SELECT leaf FROM log_entry")]
        return [entry for entry in entries if entry["reason"] == "RATE_LIMITED"]

    with gateway_world(sqlite_url(file), limits=limits) as world:
        world.clock.set(datetime(2027, 3, 1, 12, tzinfo=UTC))
        list_systems(world)
        for _ in range(BEYOND):
            assert refusal_of(lambda: list_systems(world)).reason == "RATE_LIMITED"
        wait_until(lambda: sum(entry["calls"] for entry in turned_away()) == BEYOND)

    assert {entry["time"][:10] for entry in turned_away()} == {"2027-03-01"}


def test_one_connection_carries_only_so_many_calls_at_once_and_holds_no_other_up(tmp_path: Path) -> None:
    limits = Limits(streams_per_connection=CAPACITY)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        world.consent()
        with filled(world) as under_way:
            same_connection = CatalogueServiceStub(world.channel(members.PORTAL))
            why = refusal_of(lambda: same_connection.ListSystems(ListSystemsRequest(), timeout=1.0))
            list_systems(world)
        assert (why.status, why.metadata) == (grpc.StatusCode.DEADLINE_EXCEEDED, {})
        assert [call.result().citizen.personal_number for call in under_way] == [LAN] * CAPACITY
        same_connection.ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)


def test_citizens_who_wait_for_the_register_of_their_numbers_hold_no_more_places_than_calls_to_it(
    tmp_path: Path,
) -> None:
    limits = Limits(
        calls_at_once=CAPACITY // 2, calls_per_provider=CAPACITY, returns=Returns(soonest_s=1.5, latest_s=1.5)
    )
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        stub = ExchangeLogServiceStub(world.channel(members.PORTAL))
        metadata = CallContext("", world.rights_token()).metadata()
        with world.population.hanging("ListPersonalNumbers"):
            waiting = [
                stub.ListAccesses.future(ListAccessesRequest(), metadata=metadata, timeout=TIMEOUT_S)
                for _ in range(CAPACITY)
            ]
            wait_until(lambda: len(world.population.calls) == CAPACITY)
            told = [refusal_of(world.accesses) for _ in range(BEYOND)]
            list_systems(world)
        assert {(why.reason, why.retry_after_s, *why.metadata.items()) for why in told} == {
            ("OVERLOADED", 1.5, ("origin", "gateway"))
        }
        assert [call.result().accesses[0].method.rpartition("/")[2] for call in waiting] == ["ListAccesses"] * CAPACITY
        assert world.accesses()
        wait_until(lambda: sum(calls for _, calls in overloaded_in(world)) == BEYOND)
        assert {entry["method"] for entry in world.entries() if entry["reason"] == "OVERLOADED"} == {""}


def test_refusing_for_want_of_room_takes_no_memory(full: GatewayWorld) -> None:
    with filled(full):
        refusal_of(lambda: list_systems(full))
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(300):
                refusal_of(lambda: list_systems(full))
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 1 << 20


def test_calls_turned_away_share_an_entry_for_each_system_and_reason_that_counts_them(
    full: GatewayWorld,
) -> None:
    today = civil_date(full.clock.now())
    with filled(full) as admitted:
        for _ in range(BEYOND):
            refusal_of(lambda: list_systems(full))
    for call in admitted:
        # Until they are over, the auditor would be turned away as well.
        call.result()
    wait_until(lambda: overloaded_in(full))
    assert overloaded_in(full) == [(str(members.BANK), BEYOND)]
    days = GetDailySummaryRequest(first_day=today.isoformat(), last_day=(today + timedelta(days=1)).isoformat())
    log = ExchangeLogServiceStub(full.channel(members.AUDITOR))
    summary = log.GetDailySummary(days, timeout=TIMEOUT_S)
    assert [count.entries for count in summary.counts if count.reason == "OVERLOADED"] == [BEYOND]


def test_over_http_the_hint_is_also_in_the_header_for_it(full: GatewayWorld, tmp_path: Path) -> None:
    with filled(full):
        answer = full.curl(tmp_path, members.BANK).call(LIST_SYSTEMS, {})
    assert (answer.status, answer.json["code"]) == (429, "resource_exhausted")
    assert answer.headers["retry-after"] == "2"
    assert answer.error_info.reason == "OVERLOADED"
    assert {"retryDelay": "1.500s"} in [detail["debug"] for detail in answer.json["details"]]


def test_a_full_gateway_goes_on_answering_those_without_a_certificate_and_telling_its_metrics(
    full: GatewayWorld, tmp_path: Path
) -> None:
    with filled(full):
        assert full.curl(tmp_path, None).get("/checkpoint").status == 200
        refused = full.curl(tmp_path, members.BANK).get("/checkpoint")
        assert (refused.status, refused.json["reason"]) == (429, "OVERLOADED")
        metrics = full.curl(tmp_path, members.BANK).get("/metrics").body.decode()
    assert f"lienthong_gateway_calls_in_flight {CAPACITY}" in metrics


def test_a_system_that_calls_too_often_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    limits = Limits(rates={members.BANK: Rate(0.001, 3)})
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        for _ in range(3):
            list_systems(world)
        why = refusal_of(lambda: list_systems(world))
        assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert why.retry_after_s is not None
        assert 900 < why.retry_after_s <= 1_000
        assert world.entries()


def test_a_call_with_too_many_headers_is_refused_and_recorded(full: GatewayWorld) -> None:
    stub = CatalogueServiceStub(full.channel(members.BANK))
    metadata = tuple((f"h-{number}", "1") for number in range(65))
    why = refusal_of(lambda: stub.ListSystems(ListSystemsRequest(), metadata=metadata, timeout=TIMEOUT_S))
    assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "HEADERS_TOO_MANY")
    assert full.entries()[-2]["reason"] == "HEADERS_TOO_MANY"


def test_headers_within_the_limits_pass_each_time_and_those_above_are_told_so_each_time(full: GatewayWorld) -> None:
    stub = CatalogueServiceStub(full.channel(members.BANK))
    # As many and as long as there may be, beside what the client itself sends; and a little longer.
    most, beyond = (tuple((f"h-{number:02}", "1" * length) for number in range(60)) for length in (266, 290))
    for _ in range(30):
        stub.ListSystems(ListSystemsRequest(), metadata=most, timeout=TIMEOUT_S)
        why = refusal_of(lambda: stub.ListSystems(ListSystemsRequest(), metadata=beyond, timeout=TIMEOUT_S))
        assert why.reason == "HEADERS_TOO_MANY"


def test_grpc_refuses_headers_that_are_too_large_itself(full: GatewayWorld) -> None:
    stub = CatalogueServiceStub(full.channel(members.BANK))
    metadata = (("h", "1" * (32 << 10)),)
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListSystems(ListSystemsRequest(), metadata=metadata, timeout=TIMEOUT_S)
    why = explain(caught.value)
    assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CONNECTION_FAILED")


@pytest.mark.parametrize("kibibytes", [17, 60])
def test_a_head_that_is_too_large_is_refused_over_http(full: GatewayWorld, tmp_path: Path, kibibytes: int) -> None:
    answer = full.curl(tmp_path, members.BANK).call(LIST_SYSTEMS, {}, [("h", "1" * (kibibytes << 10))])
    assert (answer.status, answer.error_info.reason) == (429, "HEADERS_TOO_MANY")


def test_no_call_is_worked_on_for_longer_than_the_gateways_own_deadline(tmp_path: Path) -> None:
    database = sqlite_url(tmp_path / "gateway.sqlite")
    with gateway_world(database, limits=Limits(deadline_s=2.0)) as world:
        world.consent()
        with world.population.hanging("GetCitizen"), pytest.raises(grpc.RpcError) as caught:
            world.read()
        why, told = explain(caught.value), trailing_metadata(caught.value)
        assert (why.status, why.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED")
        assert why.metadata == {"exchange_id": told[Header.EXCHANGE_ID], "origin": "gateway"}
        (entry,) = [e for e in world.entries() if e["exchange_id"] == told[Header.EXCHANGE_ID]]
        assert (entry["reason"], entry["status"]) == ("DEADLINE_PASSED", "DEADLINE_EXCEEDED")
        assert world.read()[0].citizen.personal_number == LAN
