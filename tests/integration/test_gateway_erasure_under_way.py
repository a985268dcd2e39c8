"""Erasing a citizen while exchanges about her are under way: what is recorded later leads to nothing of before."""

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.client import explain
from tests.support.citizens import LAN
from tests.support.following import about, following
from tests.support.gateway_world import GatewayWorld, refusal_of
from tests.support.rights import DELETE, GATEWAY, OFFICE, ask_to_update_residence, complied, update_residence
from tests.support.streaming import FOLLOW, name_in
from tests.support.waiting import wait_until


@contextmanager
def under_way(world: GatewayWorld, method: str, call: Callable[[], object]) -> Generator[Future[Any]]:
    """Have the provider work on a call for as long as the block lasts."""
    asked = len(world.population.calls)
    with ThreadPoolExecutor(1) as caller, world.population.hanging(method):
        answered = caller.submit(call)
        wait_until(lambda: len(world.population.calls) > asked)
        yield answered


def erase(world: GatewayWorld) -> None:
    complied(world, DELETE, GATEWAY, OFFICE)


def of_method(world: GatewayWorld, method: str) -> list[dict[str, Any]]:
    return [entry for entry in world.entries() if entry["method"].endswith(method)]


def test_the_outcome_of_a_change_that_was_allowed_before_an_erasure_is_about_nobody(world: GatewayWorld) -> None:
    update_residence(world)
    with under_way(world, "UpdateResidence", lambda: ask_to_update_residence(world)) as changed:
        erase(world)
    changed.result()

    allowed, outcome = of_method(world, "/UpdateResidence")[-2:]
    assert (allowed["event"], outcome["event"]) == ("CHANGE_ALLOWED", "EXCHANGE")
    assert allowed["exchange_id"] == outcome["exchange_id"]
    assert allowed["subject"]
    assert outcome["subject"] == ""
    update_residence(world)
    (anew,) = {entry["subject"] for entry in of_method(world, "/UpdateResidence")[-2:]}
    assert anew not in {"", allowed["subject"]}


def test_the_refusal_of_a_read_that_began_before_an_erasure_does_not_name_her_consent(world: GatewayWorld) -> None:
    consent = world.consent()
    with under_way(world, "GetCitizen", lambda: refusal_of(world.read)) as answered:
        erase(world)

    assert answered.result().reason == "CONSENT_MISSING"
    (refused,) = of_method(world, "/GetCitizen")
    before = {entry["subject"] for entry in world.entries() if entry["consent_id"] == consent.consent_id}
    assert before
    assert refused["subject"] not in before
    assert (refused["consent_id"], refused["consent_digest"]) == ("", "")


def test_the_refusal_of_a_read_names_the_consent_that_is_hers_still(world: GatewayWorld) -> None:
    consent = world.consent()
    world.population.answer("GetCitizen", b"\xff\xff")

    assert refusal_of(world.read).reason == "PROVIDER_ANSWER_INVALID"

    assert of_method(world, "/GetCitizen")[0]["consent_id"] == consent.consent_id


def test_the_end_of_a_stream_that_began_before_an_erasure_is_about_nobody(tmp_path: Path) -> None:
    with following(tmp_path, [about(LAN, "Lan"), about(LAN, "Lan Anh")]) as place:
        call = place.follow()
        assert name_in(next(call)) == "Lan"
        erase(place.world)
        place.double.go_on.set()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        released, refused = (entry for entry in place.world.entries() if entry["method"] == FOLLOW)
        assert explain(caught.value).reason == "CONSENT_MISSING"
        assert (released["event"], refused["event"]) == ("EXCHANGE", "REFUSAL")
        assert released["subject"]
        assert refused["subject"] == ""
