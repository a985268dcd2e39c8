"""How often a consent may be used: counted where the exchange is recorded, so that never more is released."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from lienthong.api.population.v1.population_pb2 import GetCitizenResponse
from lienthong.client import CallContext, explain
from tests.support.citizens import LAN, citizen
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world, refusal_of
from tests.support.waiting import wait_until


@pytest.fixture
def world(database_url: str) -> Iterator[GatewayWorld]:
    with gateway_world(database_url) as world:
        yield world


def seconds(count: int) -> Duration:
    return Duration(seconds=count)


def exchanges(world: GatewayWorld) -> int:
    return sum(entry["event"] == "EXCHANGE" for entry in world.entries())


def outcome_of_reading(world: GatewayWorld) -> str:
    try:
        world.read()
    except grpc.RpcError as error:
        return explain(error).reason
    return "released"


def test_a_consent_for_once_releases_once(world: GatewayWorld) -> None:
    world.consent(uses=1)
    world.read()
    asked = len(world.population.calls)

    why = refusal_of(world.read)

    assert (why.reason, why.status) == ("CONSENT_USED_UP", grpc.StatusCode.PERMISSION_DENIED)
    assert len(world.population.calls) == asked, "the provider was asked in vain"
    assert exchanges(world) == 1


def test_of_many_calls_at_once_exactly_as_many_release_as_were_allowed(world: GatewayWorld) -> None:
    world.consent(uses=5)

    with ThreadPoolExecutor(16) as pool:
        outcomes = [read.result() for read in [pool.submit(outcome_of_reading, world) for _ in range(40)]]

    assert outcomes.count("released") == 5
    assert set(outcomes) == {"released", "CONSENT_USED_UP"}
    assert exchanges(world) == 5


def test_uses_come_back_when_the_length_of_time_has_passed(world: GatewayWorld) -> None:
    world.consent(uses=2, uses_per=seconds(600))
    world.read()
    world.clock.advance(timedelta(minutes=6))
    world.read()
    assert refusal_of(world.read).reason == "CONSENT_USED_UP"

    world.clock.advance(timedelta(minutes=5))

    world.read()
    assert refusal_of(world.read).reason == "CONSENT_USED_UP"


def test_a_clock_that_is_set_back_gives_no_use_back(world: GatewayWorld) -> None:
    world.clock.advance(timedelta(minutes=10))
    world.consent(uses=1, uses_per=seconds(60))
    world.clock.advance(timedelta(seconds=30))
    world.read()
    world.clock.advance(timedelta(seconds=-20))

    assert refusal_of(world.read).reason == "CONSENT_USED_UP"


def test_an_answer_that_is_not_released_counts_for_nothing(world: GatewayWorld) -> None:
    world.consent(uses=1)
    world.population.answer("GetCitizen", b"\xff\xff")
    assert refusal_of(world.read).reason == "PROVIDER_ANSWER_INVALID"

    world.population.answer("GetCitizen", GetCitizenResponse(citizen=citizen()))
    world.read()


def test_a_second_consent_is_used_when_the_first_is_used_up(world: GatewayWorld) -> None:
    world.consent(uses=1)
    second = world.consent(uses=1)
    for _ in range(2):
        world.get_citizen(CallContext(PURPOSE, world.token()), number=LAN)

    used = [entry["consent_id"] for entry in world.entries() if entry["event"] == "EXCHANGE"]
    assert second.consent_id in used
    assert len(set(used)) == 2


def test_what_a_used_up_consent_alone_allows_is_released_again_once_its_uses_come_back(world: GatewayWorld) -> None:
    world.consent()
    world.consent(datasets=["identity.basic", "residence"], uses=1, uses_per=seconds(600))

    def released() -> tuple[str, ...]:
        return world.read()[1].datasets_released

    assert released() == ("identity.basic", "residence")
    assert released() == released() == ("identity.basic",)

    world.clock.advance(timedelta(minutes=11))

    assert released() == ("identity.basic", "residence")


def read_while_others_do(world: GatewayWorld, calls: int) -> list[str]:
    """Make calls that are all decided before any of them is recorded; return how each ended."""
    asked = len(world.population.calls)
    with ThreadPoolExecutor(calls) as pool:
        with world.population.hanging("GetCitizen"):
            outcomes = [pool.submit(outcome_of_reading, world) for _ in range(calls)]
            wait_until(lambda: len(world.population.calls) == asked + calls)
        return sorted(outcome.result() for outcome in outcomes)


def test_a_call_that_loses_the_last_use_can_be_made_again_if_another_consent_covers_it(world: GatewayWorld) -> None:
    world.consent(uses=1)
    world.consent(uses=1)

    assert read_while_others_do(world, 2) == ["DECISION_OUTDATED", "released"]

    world.read()
    assert exchanges(world) == 2
    assert refusal_of(world.read).reason == "CONSENT_USED_UP"


def test_a_consent_for_once_is_not_used_up_while_one_without_limit_covers_the_calls(world: GatewayWorld) -> None:
    unlimited = world.consent()
    world.consent(uses=1)

    assert read_while_others_do(world, 4) == ["released"] * 4

    used = {entry["consent_id"] for entry in world.entries() if entry["event"] == "EXCHANGE"}
    assert used == {unlimited.consent_id}
