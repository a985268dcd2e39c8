"""Providers that refuse, are down, are slow or answer nonsense: the caller learns which, and nothing leaks."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, cast

import grpc
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from lienthong.api.population.v1.citizen_pb2 import Citizen
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, GetCitizenResponse
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import PersonName
from lienthong.client import CallContext, Header, explain
from lienthong_core.database import sqlite_url
from lienthong_core.errors import Refusal, not_found
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.doubles import population_server
from tests.support.figures import Figures
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world, refusal_of, trailing_metadata
from tests.support.load import under_load
from tests.support.waiting import wait_until

SHORT_S = 4.0
"""Of which the gateway keeps a second to tell the caller."""
CALLERS = 6


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        world.consent()
        yield world


def last_refusal(world: GatewayWorld) -> tuple[str, str]:
    entry = [entry for entry in world.entries() if entry["event"] == "REFUSAL"][-1]
    return entry["reason"], entry["status"]


def test_a_providers_refusal_is_passed_on_in_the_contracts_words_and_named_as_the_providers(
    world: GatewayWorld,
) -> None:
    world.population.answer("GetCitizen", not_found("CITIZEN_UNKNOWN", "No citizen has or had this number."))

    with pytest.raises(grpc.RpcError) as caught:
        world.read()

    why = explain(caught.value)
    assert (why.status, why.reason) == (grpc.StatusCode.NOT_FOUND, "CITIZEN_UNKNOWN")
    assert why.message == "Nobody in the register has or had this personal number; check it."
    assert why.metadata["origin"] == str(members.POPULATION)
    assert why.metadata["exchange_id"] == trailing_metadata(caught.value)[Header.EXCHANGE_ID]
    assert last_refusal(world) == ("CITIZEN_UNKNOWN", "NOT_FOUND")


def everything_said(error: grpc.RpcError) -> str:
    """Return all that a caller is told, as text."""
    pairs = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata())
    return f"{explain(error)} {[value for _, value in pairs]}"


SECRET = "Hang-Bai-12"


def test_what_a_provider_says_beside_its_reason_is_neither_passed_on_nor_recorded(
    world: GatewayWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    metadata = {"address": SECRET, "log_index": "0", SECRET: ""}
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, "CITIZEN_UNKNOWN", f"She lives in {SECRET}.", metadata)
    world.population.answer("GetCitizen", refusal)

    with pytest.raises(grpc.RpcError) as caught:
        world.read()

    assert SECRET not in everything_said(caught.value)
    assert explain(caught.value).metadata.keys() == {"origin", "exchange_id", "log_index"}
    assert explain(caught.value).metadata["log_index"] == trailing_metadata(caught.value)[Header.LOG_INDEX]
    assert SECRET not in str(world.entries())
    assert SECRET not in caplog.text


@pytest.mark.parametrize("after_s", [1e14, -1e14, 1e12, -1.0])
def test_a_refusal_is_passed_on_whenever_the_provider_says_that_it_may_be_asked_again(
    world: GatewayWorld, after_s: float
) -> None:
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, "CITIZEN_UNKNOWN", "No.", retry_after_s=after_s)
    world.population.answer("GetCitizen", refusal)

    assert refusal_of(world.read).reason == "CITIZEN_UNKNOWN"


REASONS_OF_NOBODY = {
    "a name in capitals": "NGUYEN_THI_LAN",
    "a sentence": "Nguyen Thi Lan lives in Hang Bai street",
    "a declared one with more": "CITIZEN_UNKNOWN_099195000001",
    "a declared one in small letters": "citizen_unknown",
    "a zero": "CITIZEN\0UNKNOWN",
    "three thousand letters": "LAN" * 1_000,
    "nothing": "",
    "what the contract has for never sent": "UNSPECIFIED",
    "the gateway's own failure": "STORE_UNAVAILABLE",
    "the failure of the gateway's log": "EXCHANGE_LOG_UNAVAILABLE",
    "the gateway's own decision": "CONSENT_REVOKED",
    "the gateway's own note": "CALLER_GONE",
}


@pytest.mark.parametrize("reason", REASONS_OF_NOBODY.values(), ids=REASONS_OF_NOBODY)
def test_a_reason_that_the_providers_contract_does_not_declare_is_an_invalid_answer(
    world: GatewayWorld, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    caplog.set_level(logging.DEBUG)
    world.population.answer("GetCitizen", Refusal(grpc.StatusCode.NOT_FOUND, reason, "No."))

    with pytest.raises(grpc.RpcError) as caught:
        world.read()

    why = explain(caught.value)
    assert (why.status, why.reason) == (grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID")
    assert str(members.POPULATION) in why.message
    assert why.metadata["origin"] == "gateway"
    assert last_refusal(world) == ("PROVIDER_ANSWER_INVALID", "INTERNAL")
    if reason:
        assert all(reason not in text for text in (everything_said(caught.value), str(world.entries()), caplog.text))


def test_a_provider_cannot_pass_for_the_gateway(world: GatewayWorld) -> None:
    lie = Refusal(grpc.StatusCode.ABORTED, "CITIZEN_UNKNOWN", "No.", {"origin": "gateway", "exchange_id": "another"})
    world.population.answer("GetCitizen", lie)

    with pytest.raises(grpc.RpcError) as caught:
        world.read()

    why = explain(caught.value)
    assert why.metadata["origin"] == str(members.POPULATION)
    assert why.metadata["exchange_id"] == trailing_metadata(caught.value)[Header.EXCHANGE_ID]


def test_a_provider_that_fails_in_a_way_it_does_not_know_says_so_itself(world: GatewayWorld) -> None:
    world.population.answer("GetCitizen", RuntimeError("a bug at the provider"))

    why = refusal_of(world.read)

    assert (why.reason, why.metadata["origin"]) == ("INTERNAL", str(members.POPULATION))
    assert "docs/errors.md" in why.message
    assert "bug" not in why.message


def test_a_provider_whose_database_is_away_says_so_itself_and_may_be_asked_again(
    world: GatewayWorld, tmp_path: Path
) -> None:
    with pytest.raises(OperationalError) as away:
        create_engine(sqlite_url(tmp_path / "nowhere" / "register.sqlite")).connect()
    world.population.answer("GetCitizen", away.value)

    why = refusal_of(world.read)

    assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert why.message == f"{members.POPULATION} cannot answer now (DATABASE_UNAVAILABLE); try again."
    assert why.metadata["origin"] == str(members.POPULATION)
    assert last_refusal(world) == ("DATABASE_UNAVAILABLE", "UNAVAILABLE")


def test_a_provider_that_is_down_is_named_and_used_again_once_it_is_back(world: GatewayWorld) -> None:
    world.read()
    world.population_server.stop()
    why = refusal_of(world.read)
    address = world.config.providers[members.POPULATION]
    identity = world.authority.issue(members.POPULATION)
    back = population_server(world.population, address, identity, members.GATEWAY)
    back.start()
    try:
        wait_until(lambda: _reads(world))
    finally:
        back.stop()

    assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE")
    assert str(members.POPULATION) in why.message
    assert why.metadata["origin"] == "gateway"


def test_a_slow_provider_is_a_timeout_that_the_caller_hears_of_before_its_own_deadline(world: GatewayWorld) -> None:
    with world.population.hanging("GetCitizen"):
        began = time.monotonic()
        why = refusal_of(lambda: world.get_citizen(CallContext(PURPOSE), timeout=SHORT_S))

    assert (why.status, why.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT")
    assert time.monotonic() - began < SHORT_S
    assert last_refusal(world) == ("PROVIDER_TIMEOUT", "DEADLINE_EXCEEDED")


def test_a_slow_provider_holds_nobody_else_up(world: GatewayWorld) -> None:
    with world.population.hanging("GetCitizen"), ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(refusal_of, lambda: world.get_citizen(CallContext(PURPOSE), timeout=SHORT_S)) for _ in range(8)
        ]
        why = refusal_of(lambda: world.get_citizen(CallContext("ekyc"), members.BANK))

        assert why.reason == "CONSENT_MISSING"
        assert not all(call.done() for call in calls)
        assert {call.result().reason for call in calls} == {"PROVIDER_TIMEOUT"}


def test_a_caller_that_goes_away_while_the_provider_works_leaves_its_entry_in_the_log(world: GatewayWorld) -> None:
    stub = PopulationServiceStub(world.channel(members.PORTAL))
    with world.population.hanging("GetCitizen"):
        request = GetCitizenRequest(personal_number=LAN)
        call = stub.GetCitizen.future(request, metadata=CallContext(PURPOSE, message_id="gone").metadata(), timeout=20)
        wait_until(lambda: world.population.calls)
        call.cancel()

        wait_until(lambda: any(entry["message_id"] == "gone" for entry in world.entries()))

    (entry,) = [entry for entry in world.entries() if entry["message_id"] == "gone"]
    assert (entry["event"], entry["reason"], entry["status"]) == ("REFUSAL", "CALLER_GONE", "CANCELLED")
    assert entry["provider"] == str(members.POPULATION)
    assert entry["datasets_released"] == []


@pytest.mark.parametrize(
    "answer", [b"\xff\xff\xff", b"\x0a\x7fshort", b"\x0a\x02\x0a\x80"], ids=["noise", "cut", "text"]
)
def test_an_answer_that_is_no_message_of_the_method_is_withheld(world: GatewayWorld, answer: bytes) -> None:
    world.population.answer("GetCitizen", answer)

    why = refusal_of(world.read)

    assert (why.status, why.reason) == (grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID")
    assert last_refusal(world) == ("PROVIDER_ANSWER_INVALID", "INTERNAL")


def lan_of(length: int) -> GetCitizenResponse:
    """Return an answer about Lan that is so many bytes long."""
    answer = GetCitizenResponse(citizen=Citizen(personal_number=LAN, name=PersonName(full_name="x" * length)))
    answer.citizen.name.full_name = "x" * (2 * length - answer.ByteSize())
    assert answer.ByteSize() == length
    return answer


def test_an_answer_is_as_long_as_a_client_takes_and_no_longer(world: GatewayWorld) -> None:
    longest = lan_of(4 << 20)
    world.population.answer("GetCitizen", longest)
    assert world.read()[0] == longest

    world.population.answer("GetCitizen", lan_of((4 << 20) + 1))
    why = refusal_of(world.read)
    assert why.reason == "PROVIDER_ANSWER_INVALID"
    assert "more than 4 MiB" in why.message
    assert last_refusal(world) == ("PROVIDER_ANSWER_INVALID", "INTERNAL")


def test_a_provider_that_the_gateway_has_no_address_of_is_unavailable(tmp_path: Path) -> None:
    with gateway_world(sqlite_url(tmp_path / "other.sqlite"), providers={}) as world:
        world.consent()

        assert refusal_of(world.read).reason == "PROVIDER_UNAVAILABLE"


class NoProvider:
    """Takes connections where a provider should be, and says to each what it is told to; then ends it, or not."""

    def __init__(self, says: bytes, *, ends: bool) -> None:
        self._says = says
        self._ends = ends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for taken in self._taken:
            taken.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                with contextlib.suppress(OSError):
                    taken.sendall(self._says)
                if self._ends:
                    taken.close()
                else:
                    self._taken.append(taken)


NO_PROVIDERS: dict[str, tuple[bytes, bool, str]] = {
    "hangs up": (b"", True, "PROVIDER_UNAVAILABLE"),
    "speaks HTTP in the clear": (b"HTTP/1.1 400 Bad Request\r\n\r\n", True, "PROVIDER_UNAVAILABLE"),
    "makes noise": (bytes(range(256)) * 16, True, "PROVIDER_UNAVAILABLE"),
    "is silent": (b"", False, "PROVIDER_TIMEOUT"),
}


@pytest.mark.parametrize("name", NO_PROVIDERS)
def test_what_is_no_provider_at_all_is_told_in_time(tmp_path: Path, figures: Figures, name: str) -> None:
    says, ends, reason = NO_PROVIDERS[name]
    with (
        NoProvider(says, ends=ends) as nobody,
        gateway_world(sqlite_url(tmp_path / "other.sqlite"), providers={members.POPULATION: nobody.address}) as world,
    ):
        world.consent()
        began = time.monotonic()
        why = refusal_of(lambda: world.get_citizen(CallContext(PURPOSE), timeout=SHORT_S))
        took_s = time.monotonic() - began

        assert why.reason == reason
        assert last_refusal(world)[0] == reason
    assert took_s < SHORT_S
    figures.tell(f"a provider that {name}: {reason} after {took_s:.2f} s")


def test_a_provider_that_goes_and_comes_back_under_load_costs_its_own_calls_only(
    world: GatewayWorld, figures: Figures
) -> None:
    address, identity = world.config.providers[members.POPULATION], world.authority.issue(members.POPULATION)
    with contextlib.ExitStack() as stack, under_load(world, CALLERS) as load:
        load.wait_for_answers(20)
        world.population_server.stop()
        load.wait_for_refusals(CALLERS)
        back = population_server(world.population, address, identity, members.GATEWAY)
        stack.callback(back.stop)
        back.start()
        first_s = load.wait_for_answers(1)
        load.wait_for_answers(20)

    recorded = {entry["exchange_id"] for entry in world.entries() if entry["event"] == "EXCHANGE"}
    assert {receipt.exchange_id for receipt in load.answers} <= recorded
    assert set(load.reasons) <= {"PROVIDER_UNAVAILABLE", "PROVIDER_ANSWER_INVALID"}
    figures.tell(
        f"provider gone under {CALLERS} callers: {load.reasons.total()} refused after {load.longest_s:.2f} s at most, "
        f"the first answered {first_s:.2f} s after it was back"
    )


def _reads(world: GatewayWorld) -> bool:
    try:
        world.read()
    except grpc.RpcError:
        return False
    return True
