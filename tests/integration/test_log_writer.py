"""Who writes an entry: the thread that writes batches, or the event loop itself if that holds nobody up (ADR 5)."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1.catalogue_pb2 import ListSystemsRequest
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong_core.database import open_database, sqlite_url
from lienthong_core.errors import Refusal, denied
from lienthong_gateway import schema
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.head import Head
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.log.writer import LogWriter
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, gateway_world
from tests.support.log import entry
from tests.support.waiting import wait_until

KEY = CheckpointKey.create()
THREAD = "exchange-log"
SOON_S = 4.0
"""Sooner than a locked database is given up: whoever waits for one would take five seconds."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    engine = open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[LogWriter]:
    """Give a writer whose thread has not been started; it is ended if a test has."""
    writer = LogWriter(engine, Appender(engine, KEY))
    yield writer
    writer.stop()


def noting(names: list[str], first: Callable[[], object] = lambda: None) -> Job:
    """Return a job that notes which thread writes it."""

    def check(_connection: Connection, _head: Head) -> None:
        first()
        names.append(threading.current_thread().name)

    return Job(entry(len(names)), check=check)


def test_an_entry_that_is_alone_is_durable_without_the_thread(writer: LogWriter, engine: Engine) -> None:
    # One: whether the next is written so depends on how quick the disk was.
    index = asyncio.run(writer.write(Job(entry(0))))

    assert index == 0
    verification = verify_log(engine, KEY.verifier)
    assert (verification.fault, verification.size) == (None, 1)


def test_an_entry_waits_for_those_that_were_handed_in_before(writer: LogWriter) -> None:
    earlier = writer.append(Job(entry(0)))

    async def later() -> int:
        writing = asyncio.create_task(writer.write(Job(entry(1))))
        await asyncio.sleep(0)
        assert not writing.done()
        writer.start()
        return await writing

    assert asyncio.run(later()) > earlier.result(TIMEOUT_S)


def test_whoever_ended_without_waiting_for_an_entry_does_not_end_the_writing(writer: LogWriter) -> None:
    earlier = writer.append(Job(entry(0)))

    async def leave() -> None:
        waiting = asyncio.create_task(writer.write(Job(entry(1))))
        await asyncio.sleep(0)
        assert not waiting.done()

    asyncio.run(leave())
    writer.start()

    assert earlier.result(TIMEOUT_S) == 0
    assert writer.append(Job(entry(2))).result(TIMEOUT_S) == 2


def test_whoever_goes_away_keeps_nobody_else_of_its_batch_waiting(writer: LogWriter) -> None:
    async def stay() -> int:
        writer.append(Job(entry(0)))
        gone, staying = (asyncio.create_task(writer.write(Job(entry(number)))) for number in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        writer.start()
        return await asyncio.wait_for(staying, TIMEOUT_S)

    assert asyncio.run(stay()) == 2


def test_an_entry_that_is_alone_and_refused_is_not_taken_for_written(writer: LogWriter) -> None:
    def check(_connection: Connection, _head: Head) -> None:
        raise denied("CONSENT_REVOKED", "The citizen has revoked her consent.")

    with pytest.raises(Refusal) as refused:
        asyncio.run(writer.write(Job(entry(0), check=check)))

    assert refused.value.reason == "CONSENT_REVOKED"


def test_a_batch_is_as_long_as_what_was_written_of_it_and_has_256_entries_at_most(engine: Engine) -> None:
    sizes: list[int] = []
    writer = LogWriter(engine, Appender(engine, KEY), on_batch=sizes.append)
    for number in range(299):
        writer.append(Job(entry(number)))
    writer.append(Job(replace(entry(299), reason="A" * 33_000)))

    writer.start()
    writer.stop()

    assert sizes == [256, 43]


def who_writes(writer: LogWriter) -> list[str]:
    """Return which thread writes an entry that is handed in alone."""
    names: list[str] = []
    writer.start()
    try:
        asyncio.run(writer.write(noting(names)))
    finally:
        writer.stop()
    return names


def test_entries_beside_other_calls_are_written_by_the_thread(engine: Engine) -> None:
    assert who_writes(LogWriter(engine, Appender(engine, KEY), calls=lambda: 2)) == [THREAD]


def test_a_change_of_state_is_written_by_the_thread(writer: LogWriter) -> None:
    writer.start()
    names: list[str] = []

    def change(_connection: Connection) -> None:
        names.append(threading.current_thread().name)

    asyncio.run(writer.write(Job(entry(0), change)))

    assert names == [THREAD]


def test_who_writes_an_entry_that_is_alone_depends_on_whether_a_network_is_in_front_of_the_database(
    database_url: str,
) -> None:
    engine = open_database(database_url, schema.metadata(), version=schema.VERSION)
    try:
        names = who_writes(LogWriter(engine, Appender(engine, KEY)))
    finally:
        engine.dispose()

    assert names == [threading.current_thread().name if engine.dialect.name == "sqlite" else THREAD]


def test_after_a_slow_write_the_next_one_is_left_to_the_thread(writer: LogWriter) -> None:
    writer.start()
    names: list[str] = []
    slow = noting(names, lambda: threading.Event().wait(0.01))

    asyncio.run(writer.write(slow))
    asyncio.run(writer.write(noting(names)))

    loop = threading.current_thread().name
    assert names == [loop, THREAD]


def test_a_database_that_is_locked_for_one_exchange_holds_up_nobody_else(file: Path) -> None:
    with (
        gateway_world(sqlite_url(file)) as world,
        closing(sqlite3.connect(file, isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        world.consent()
        world.read()
        catalogue = CatalogueServiceStub(world.channel(members.BANK))
        catalogue.ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)
        other.execute("BEGIN IMMEDIATE")
        asked = len(world.population.calls)
        reading = pool.submit(world.read)
        wait_until(lambda: len(world.population.calls) > asked)

        # What needs no log is answered meanwhile, several times over.
        for _ in range(3):
            assert catalogue.ListSystems(ListSystemsRequest(), timeout=SOON_S).systems
        assert not reading.done()
        other.execute("ROLLBACK")

        assert reading.result(TIMEOUT_S)[1].log_index > 0
