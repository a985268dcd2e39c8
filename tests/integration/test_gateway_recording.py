"""No record, no release: what a gateway does when its log cannot be written, is extended by others, or is restarted."""

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Connection, Engine, insert

from lienthong.api.exchange.v1 import log_pb2
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import Header, explain
from lienthong_core.database import sqlite_url
from lienthong_core.errors import Refusal
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.checkpoint import CheckpointFault, CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.store import CHECKPOINTS
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of, trailing_metadata
from tests.support.threads import left_behind

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "EXCHANGE_LOG_UNAVAILABLE")
BUSY_S = 5.0
"""How long the gateway waits for a locked database."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def world(file: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(file)) as world:
        world.consent()
        yield world


def run(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


def engine_of(world: GatewayWorld) -> Engine:
    assert isinstance(world.gateway, GatewayServer)
    return world.gateway.engine


def fault(world: GatewayWorld) -> object:
    return verify_log(engine_of(world), world.config.checkpoint_key.verifier).fault


def test_an_answer_that_cannot_be_recorded_is_withheld_until_it_can_be(world: GatewayWorld, file: Path) -> None:
    world.read()
    before = len(world.entries())
    run(file, "ALTER TABLE log_entry RENAME TO out_of_reach")
    with pytest.raises(grpc.RpcError) as caught:
        world.read()
    run(file, "ALTER TABLE out_of_reach RENAME TO log_entry")

    why = explain(caught.value)
    assert (why.status, why.reason) == UNAVAILABLE
    assert Header.LOG_INDEX not in trailing_metadata(caught.value)
    assert len(world.population.calls) == 2
    _, receipt = world.read()
    assert receipt.log_index >= before
    assert fault(world) is None


def test_a_refusal_that_cannot_be_recorded_says_so(world: GatewayWorld, file: Path) -> None:
    run(file, "ALTER TABLE log_entry RENAME TO out_of_reach")

    why = refusal_of(lambda: world.call(()))

    assert (why.status, why.reason) == UNAVAILABLE


def test_a_consent_that_cannot_be_recorded_is_not_given(world: GatewayWorld, file: Path) -> None:
    request = world.request_consent()
    run(file, "ALTER TABLE log_entry RENAME TO out_of_reach")
    why = refusal_of(lambda: world.decide(request.consent_request_id, world.approval(request)))
    run(file, "ALTER TABLE out_of_reach RENAME TO log_entry")

    assert (why.status, why.reason) == UNAVAILABLE
    given = [entry["reason"] for entry in world.entries()].count("CONSENT_GIVEN")
    assert given == 1
    world.decide(request.consent_request_id, world.approval(request))


READINGS: dict[str, Callable[[ExchangeLogServiceStub], object]] = {
    "entries": lambda log: log.ListEntries(log_pb2.ListEntriesRequest(), timeout=TIMEOUT_S),
    "checkpoints": lambda log: log.ListCheckpoints(log_pb2.ListCheckpointsRequest(), timeout=TIMEOUT_S),
    "accesses": lambda log: log.ListAccesses(log_pb2.ListAccessesRequest(), timeout=TIMEOUT_S),
    "a receipt": lambda log: log.GetReceipt(log_pb2.GetReceiptRequest(), timeout=TIMEOUT_S),
    "a summary": lambda log: log.GetDailySummary(
        log_pb2.GetDailySummaryRequest(first_day="2026-03-01", last_day="2026-03-01"), timeout=TIMEOUT_S
    ),
}


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_nobody_reads_the_log_while_that_cannot_be_recorded(
    world: GatewayWorld, file: Path, reading: Callable[[ExchangeLogServiceStub], object]
) -> None:
    log = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    reading(log)
    run(file, "CREATE TRIGGER full BEFORE INSERT ON log_entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")

    why = refusal_of(lambda: reading(log))

    assert (why.status, why.reason) == UNAVAILABLE


def test_a_log_that_cannot_be_read_is_a_status_too(world: GatewayWorld, file: Path) -> None:
    run(file, "ALTER TABLE consent RENAME TO out_of_reach")

    why = refusal_of(world.read)

    assert (why.status, why.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


def test_a_locked_log_withholds_the_answer_and_keeps_the_caller_once(world: GatewayWorld, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        why = refusal_of(world.read)
        took = time.monotonic() - began
        other.execute("ROLLBACK")

    assert (why.status, why.reason) == UNAVAILABLE
    assert took < 2 * BUSY_S
    world.read()
    assert fault(world) is None


def test_a_log_that_somebody_else_extended_is_gone_on_with(world: GatewayWorld) -> None:
    other = LogWriter(engine_of(world), Appender(engine_of(world), world.config.checkpoint_key))
    other.start()
    try:
        entry = Entry(datetime(2026, 1, 1, tzinfo=UTC), LogEvent.LOG_EVENT_LOG_READ, Trace("id", "/a/b"), "OK")
        extended = other.append(Job(entry)).result(timeout=10)
    finally:
        other.stop()

    _, receipt = world.read()

    assert receipt.log_index > extended
    assert fault(world) is None


def test_a_change_that_contradicts_what_is_stored_fails_alone(world: GatewayWorld) -> None:
    def contradict(connection: Connection) -> None:
        connection.execute(insert(CHECKPOINTS).values(tree_size=0, note="there is one of this size"))

    other = LogWriter(engine_of(world), Appender(engine_of(world), world.config.checkpoint_key))
    entry = Entry(datetime(2026, 1, 1, tzinfo=UTC), LogEvent.LOG_EVENT_LOG_READ, Trace("id", "/a/b"), "OK")
    # Handed in before it starts to write, so both are in one batch.
    contradicting, beside = other.append(Job(entry, contradict)), other.append(Job(entry))
    other.start()
    try:
        with pytest.raises(Refusal) as caught:
            contradicting.result(timeout=10)
        assert caught.value.reason == "EXCHANGE_LOG_UNAVAILABLE"
        assert beside.result(timeout=10) > 0
    finally:
        other.stop()
    assert fault(world) is None


def test_a_log_can_be_verified_while_it_grows(world: GatewayWorld) -> None:
    sizes: list[int] = []

    def grow(size: int, _of: int) -> None:
        sizes.append(size)
        world.read()

    verification = verify_log(engine_of(world), world.config.checkpoint_key.verifier, grow)

    assert verification.fault is None
    assert verification.size == sizes[-1]
    assert len(world.entries()) > verification.size


def test_the_log_goes_on_where_it_was_when_the_gateway_is_restarted(file: Path) -> None:
    key = CheckpointKey.create()
    with gateway_world(sqlite_url(file), checkpoint_key=key) as world:
        world.consent()
        _, first = world.read()
    with gateway_world(sqlite_url(file), checkpoint_key=key) as world:
        _, second = world.read()

        assert second.log_index == first.log_index + 1
        assert fault(world) is None
        assert len(world.accesses()) == 5


def test_a_log_signed_with_another_key_is_not_gone_on_with(file: Path) -> None:
    with gateway_world(sqlite_url(file)) as world:
        config, clock = world.config, world.clock
        world.consent()

    with pytest.raises(CheckpointFault, match="no valid signature"):
        GatewayServer(replace(config, checkpoint_key=CheckpointKey.create()), clock)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE log_index = 1",
        "UPDATE log_entry SET leaf_hash = 'text' WHERE log_index = 1",
        "DELETE FROM log_entry WHERE log_index = 0",
        "UPDATE checkpoint SET tree_size = tree_size + 4 WHERE tree_size > 0",
    ],
    ids=["other hash", "no hash", "no entry", "other size"],
)
def test_a_log_whose_end_was_altered_is_not_gone_on_with(file: Path, statement: str) -> None:
    with gateway_world(sqlite_url(file)) as world:
        config, clock = world.config, world.clock
        world.consent()
    run(file, statement)

    with pytest.raises(CheckpointFault):
        GatewayServer(config, clock)


def test_a_gateway_that_stops_leaves_no_thread_and_no_port(file: Path) -> None:
    before = set(threading.enumerate())
    with gateway_world(sqlite_url(file)) as world:
        world.consent()
        world.read()
        address = world.config.address

    assert left_behind(before) == set()
    with socket.create_server(("127.0.0.1", int(address.rsplit(":", 1)[1]))):
        pass


def test_an_address_that_is_taken_is_told_and_nothing_is_left(file: Path) -> None:
    before = set(threading.enumerate())
    with gateway_world(sqlite_url(file)) as world:
        config, clock = world.config, world.clock
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = GatewayServer(replace(config, address=f"127.0.0.1:{taken.getsockname()[1]}"), clock)
        try:
            with pytest.raises(OSError, match="somebody else has the port"):
                server.start()
        finally:
            server.stop()

    assert left_behind(before) == set()
