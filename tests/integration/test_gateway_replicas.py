"""Two replicas of the gateway on one database: one log, and a revocation that holds on both at once."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import Consent, RevokeConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import CallContext, explain
from lienthong_core.database import open_database, snapshot
from lienthong_gateway import schema
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.batch import BatchWriter, Job, Outcome
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.store import all_entries
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.log import entry, filled
from tests.support.replicas import two_replicas
from tests.support.waiting import wait_until

CALLERS = 4
"""Callers at each replica."""
ANSWERS = 60
"""Answers that reach the callers of each replica before the consent is revoked."""
STARTS = 20
ENTRIES_A_START = 5


@pytest.fixture
def replicas(database_url: str) -> Iterator[tuple[GatewayWorld, GatewayWorld]]:
    with two_replicas(database_url) as worlds:
        yield worlds


def revoke(world: GatewayWorld, consent: Consent) -> None:
    stub = ConsentServiceStub(world.channel(members.IDENTITY))
    stub.RevokeConsent(RevokeConsentRequest(consent_id=consent.consent_id), timeout=TIMEOUT_S)


@dataclass
class Readers:
    """Callers that read at one replica without pause until they are refused for good."""

    world: GatewayWorld
    revoked: threading.Event = field(default_factory=threading.Event)
    answers: list[int] = field(default_factory=list[int])
    late: list[int] = field(default_factory=list[int])
    """Places in the log of answers to calls that were made after the revocation was acknowledged."""
    reasons: list[str] = field(default_factory=list[str])

    def run(self) -> None:
        context = CallContext(PURPOSE, self.world.token())
        while not self.reasons:
            was_revoked = self.revoked.is_set()
            try:
                _, receipt = self.world.get_citizen(context)
            except grpc.RpcError as error:
                self.reasons.append(explain(error).reason)
                return
            (self.late if was_revoked else self.answers).append(receipt.log_index)


def test_a_revocation_holds_on_every_replica_as_soon_as_it_is_acknowledged(
    replicas: tuple[GatewayWorld, GatewayWorld],
) -> None:
    first, second = replicas
    consent = first.consent()
    readers = [Readers(first), Readers(second)]
    with ThreadPoolExecutor(2 * CALLERS) as pool:
        running = [pool.submit(side.run) for side in readers for _ in range(CALLERS)]
        wait_until(lambda: all(len(side.answers) >= ANSWERS for side in readers))
        revoke(first, consent)
        for side in readers:
            side.revoked.set()
    assert [caller.result() for caller in running] == [None] * len(running)

    for side in readers:
        assert side.late == []
        assert set(side.reasons) == {"CONSENT_REVOKED"}
    leaves = [json.loads(leaf) for leaf in leaves_of(first)]
    revoked_at = next(index for index, leaf in enumerate(leaves) if leaf["reason"] == "CONSENT_REVOKED")
    assert [leaf["event"] for leaf in leaves[revoked_at:] if leaf["event"] == "EXCHANGE"] == []


def test_the_replicas_write_one_log_that_verifies(replicas: tuple[GatewayWorld, GatewayWorld]) -> None:
    first, second = replicas
    first.consent()

    indexes = [world.read()[1].log_index for _ in range(10) for world in (first, second, second)]

    assert indexes == sorted(set(indexes))
    engine = open_database(first.config.database_url, schema.metadata(), version=schema.VERSION)
    try:
        assert verify_log(engine, first.config.checkpoint_key.verifier).fault is None
    finally:
        engine.dispose()


def test_a_consent_given_at_one_replica_is_known_to_the_other(replicas: tuple[GatewayWorld, GatewayWorld]) -> None:
    first, second = replicas
    assert refusal_of(second.read).reason == "CONSENT_MISSING"

    first.consent()

    assert second.read()[0].citizen.personal_number


def test_replicas_that_start_at_once_make_one_new_database(new_database: Callable[[], str]) -> None:
    with gateway_world(new_database()) as world:
        config = replace(world.config, database_url=new_database())
    ready = threading.Barrier(2)

    def start() -> GatewayServer:
        ready.wait()
        return GatewayServer(config, world.clock)

    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(start) for _ in range(2)]
    for replica in started:
        assert verify_log(replica.result().engine, config.checkpoint_key.verifier).fault is None
        replica.result().stop()


def test_many_that_open_a_new_database_at_once_all_have_it(new_database: Callable[[], str]) -> None:
    at_once = 4
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(25):
            url, ready = new_database(), threading.Barrier(at_once)

            def opened(url: str = url, ready: threading.Barrier = ready) -> None:
                ready.wait()
                open_database(url, schema.metadata(), version=schema.VERSION).dispose()

            for done in [pool.submit(opened) for _ in range(at_once)]:
                done.result()


def test_a_replica_starts_while_another_writes(database_url: str) -> None:
    key = CheckpointKey.create()
    engine = filled(database_url, 0, key)
    other = BatchWriter(engine, Appender(engine, key))
    # Some entries a start, and not without an end: SQLite lets nobody in who is always a moment late.
    to_write: queue.SimpleQueue[int] = queue.SimpleQueue()
    written: list[Outcome] = []

    def write() -> None:
        while entries := to_write.get():
            for _ in range(entries):
                written.extend(other.write([Job(entry(len(written)))]))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(STARTS):
                to_write.put(ENTRIES_A_START)
                Appender(engine, key)
        finally:
            to_write.put(0)
        writing.result()
    other.close()

    assert written == list(range(STARTS * ENTRIES_A_START))
    engine.dispose()


def leaves_of(world: GatewayWorld) -> list[bytes]:
    engine = open_database(world.config.database_url, schema.metadata(), version=schema.VERSION)
    try:
        with snapshot(engine) as connection:
            return [entry.leaf for entry in all_entries(connection)]
    finally:
        engine.dispose()
