"""More calls than the gateway can answer: it turns some away and answers the others about as fast as otherwise."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext
from lienthong_core.database import open_database, snapshot, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.log.store import all_entries
from lienthong_gateway.log.verify import verify_log
from lienthong_seeds import members
from tests.support.attacks import GET_CITIZEN
from tests.support.citizens import LAN
from tests.support.crowd import Crowd, Told, call
from tests.support.figures import Figures
from tests.support.following import Following, about, following
from tests.support.gateway_process import GatewayProcess
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.waiting import wait_until

CAPACITY = 32
"""Calls in flight beyond which the gateway answers no more of them a second."""
BEYOND = 500
CONNECTIONS = 4
TIMES_SLOWER = 3
MORE_BYTES = 24 << 20
CAPACITY_S = 1.5
OVERLOAD_S = 5.0
WINDOWS = 8
"""So often is measured at most until it is as promised: others use the machine's cores at the same time."""
SAMPLE_S = 0.05
LARGE_CALLS = 30
LARGE_BYTES = 15 << 20
KEPT_BYTES = 200 << 20
"""Less than half of what the large calls send together."""
SLOW_CALLS = 6
SOON_S = 5.0
"""Sooner than the gateway gives a provider up, so that none of the slow calls can have made room for the next."""


@dataclass(frozen=True)
class Window:
    """What was measured, one right after the other: the gateway at its capacity, and far beyond it."""

    capacity: Told
    overload: Told
    more_bytes: int
    """How much larger the gateway's process was during the overload than before, at most."""

    @property
    def times_slower(self) -> float:
        """How many times longer the median answer took in the overload."""
        return self.overload.median_s / self.capacity.median_s


class Crowds:
    """Crowds of callers in front of a gateway, each in a process of its own."""

    def __init__(self, world: GatewayWorld, folder: Path) -> None:
        assert isinstance(world.gateway, GatewayProcess)
        self._world = world
        self._process = world.gateway
        self._certificate = folder
        world.identity(members.PORTAL).save(folder)

    def window(self) -> Window:
        """Measure the gateway at its capacity, then beyond it."""
        capacity = call(self._crowd(CAPACITY, CAPACITY_S))
        before = largest = self._process.resident_bytes
        with ThreadPoolExecutor(1) as pool:
            calls = pool.submit(call, self._crowd(BEYOND, OVERLOAD_S))
            while not calls.done():
                largest = max(largest, self._process.resident_bytes)
                wait([calls], SAMPLE_S)
        return Window(capacity, calls.result(), largest - before)

    def _crowd(self, callers: int, seconds: float) -> Crowd:
        metadata = CallContext(PURPOSE, self._world.token()).metadata()
        address, certificate = self._world.config.address, str(self._certificate)
        return Crowd(address, certificate, metadata, LAN, callers, CONNECTIONS, seconds)


@pytest.mark.timeout(240)
def test_far_beyond_its_capacity_the_gateway_turns_calls_away_and_answers_the_others_as_fast_and_recorded(
    tmp_path: Path, figures: Figures
) -> None:
    url = sqlite_url(tmp_path / "gateway.sqlite")
    with gateway_world(url, partial(GatewayProcess, folder=tmp_path / "process")) as world:
        world.consent()
        crowds = Crowds(world, tmp_path / "caller")
        windows = [crowds.window()]
        while windows[-1].times_slower > TIMES_SLOWER and len(windows) < WINDOWS:
            windows.append(crowds.window())
        assert world.read()[0].citizen.personal_number == LAN

    best = windows[-1]
    for window in windows:
        assert window.overload.refusals
        for status, reason, retry_after_s in window.overload.refusals:
            assert (status, reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
            assert retry_after_s is not None
            assert Limits().returns.soonest_s <= retry_after_s <= Limits().returns.latest_s
        assert window.more_bytes < MORE_BYTES
    assert best.times_slower <= TIMES_SLOWER
    answers = [told.exchanges for window in windows for told in (window.capacity, window.overload)]
    assert_recorded(url, world, answers)
    figures.tell(
        f"{BEYOND} callers at once, who honour the hint: {len(best.overload.answered_s)} answered with a median of "
        f"{best.overload.median_s * 1_000:.0f} ms, {best.times_slower:.1f} times the "
        f"{best.capacity.median_s * 1_000:.0f} ms of {CAPACITY} callers; {len(best.overload.refusals)} refused; "
        f"at most {best.more_bytes / (1 << 20):.1f} MiB more memory (measured {len(windows)} times)"
    )


def test_messages_far_too_large_are_not_kept_until_they_are_refused(tmp_path: Path, figures: Figures) -> None:
    url = sqlite_url(tmp_path / "gateway.sqlite")
    with gateway_world(url, partial(GatewayProcess, folder=tmp_path / "process")) as world:
        assert isinstance(world.gateway, GatewayProcess)
        send: grpc.UnaryUnaryMultiCallable[bytes, bytes] = world.channel(members.PORTAL).unary_unary(GET_CITIZEN)
        before = largest = world.gateway.resident_bytes
        with ThreadPoolExecutor(LARGE_CALLS) as pool:
            calls = [
                pool.submit(refusal_of, lambda: send(bytes(LARGE_BYTES), timeout=TIMEOUT_S)) for _ in range(LARGE_CALLS)
            ]
            while wait(calls, SAMPLE_S).not_done:
                largest = max(largest, world.gateway.resident_bytes)

    assert {call.result().status for call in calls} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    figures.tell(f"{LARGE_CALLS} messages of 15 MiB at once: {(largest - before) / (1 << 20):.0f} MiB more memory")
    assert largest - before < KEPT_BYTES


def assert_recorded(url: str, world: GatewayWorld, answers: list[dict[str, int]]) -> None:
    """Hold that every answer that was received is in the log, where its receipt says, and that the log verifies."""
    engine = open_database(url, schema.metadata(), version=schema.VERSION)
    try:
        with snapshot(engine) as connection:
            leaves = [json.loads(entry.leaf) for entry in all_entries(connection)]
        assert verify_log(engine, world.config.checkpoint_key.verifier).fault is None
    finally:
        engine.dispose()
    for exchanges in answers:
        for exchange_id, log_index in exchanges.items():
            assert (leaves[log_index]["event"], leaves[log_index]["exchange_id"]) == ("EXCHANGE", exchange_id)


@pytest.fixture
def slow_population(tmp_path: Path) -> Iterator[Following]:
    """Give a gateway with few turns and two providers, of which population answers nothing and has all it may hold."""
    limits = Limits(calls_at_once=1, calls_in_line=1, calls_per_provider=SLOW_CALLS)
    with following(tmp_path, [about(LAN, "Lan")], limits=limits) as place:
        place.double.go_on.set()
        world = place.world
        world.consent()
        stub = PopulationServiceStub(world.channel(members.PORTAL))
        metadata = CallContext(PURPOSE, world.token()).metadata()
        with world.population.hanging("GetCitizen"):
            held: list[Any] = []
            while len(held) < SLOW_CALLS:
                request = GetCitizenRequest(personal_number=LAN)
                held.append(stub.GetCitizen.future(request, metadata=metadata, timeout=TIMEOUT_S))
                wait_until(lambda: len(world.population.calls) == len(held), within_s=SOON_S)
            yield place
        assert [slow.result().citizen.personal_number for slow in held] == [LAN] * SLOW_CALLS


def test_a_slow_provider_holds_its_own_calls_and_those_to_the_others_go_on(slow_population: Following) -> None:
    for _ in range(2 * SLOW_CALLS):
        (answer,) = slow_population.follow()
        assert answer


def test_what_a_slow_provider_cannot_take_is_turned_away_and_named(slow_population: Following) -> None:
    why = refusal_of(slow_population.world.read)
    assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert str(members.POPULATION) in why.message
    assert why.retry_after_s is not None
