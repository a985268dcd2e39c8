"""A gateway that is killed: every answer that reached a caller has its entry, once, and nothing published is unsaid."""

import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import pytest

from lienthong.api.exchange.v1.log_pb2 import ListCheckpointsRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext, Receipt
from lienthong_core.database import open_database, snapshot, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import Checkpoint
from lienthong_gateway.log.merkle import Tree
from lienthong_gateway.log.store import StoredEntry, all_entries
from lienthong_gateway.log.verdict import Verification
from lienthong_gateway.log.verify import verify_log
from lienthong_seeds import members
from tests.support.figures import Figures
from tests.support.gateway_process import GatewayProcess
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world
from tests.support.waiting import wait_until

KILLS = 50
LONGEST_LIFE_S = 0.25
CALLERS = 6
SEED = 20261121


@dataclass
class Load:
    """Callers that read without pause and keep the receipt of every answer that reached them."""

    world: GatewayWorld
    over: threading.Event = field(default_factory=threading.Event)
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    published: dict[int, str] = field(default_factory=dict[int, str])
    """Every checkpoint that an auditor was shown, by size."""

    def read(self) -> None:
        """Read a citizen's record again and again."""
        context = CallContext(PURPOSE, self.world.token())
        while not self.over.is_set():
            try:
                self.receipts.append(self.world.get_citizen(context)[1])
            except grpc.RpcError:
                self.over.wait(0.02)

    def watch(self) -> None:
        """Ask for new checkpoints again and again, as an auditor does."""
        stub = ExchangeLogServiceStub(self.world.channel(members.AUDITOR))
        while not self.over.is_set():
            try:
                request = ListCheckpointsRequest(start_size=max(self.published, default=0), page_size=100)
                for checkpoint in stub.ListCheckpoints(request, timeout=TIMEOUT_S).checkpoints:
                    self.published[checkpoint.tree_size] = checkpoint.note
            except grpc.RpcError:
                pass
            self.over.wait(0.02)

    def wait_for_an_answer(self) -> None:
        """Return once one more answer has reached its caller."""
        before = len(self.receipts)
        wait_until(lambda: len(self.receipts) > before)


@pytest.mark.timeout(300)
def test_every_answer_that_was_received_has_its_entry_however_often_the_gateway_is_killed(
    tmp_path: Path, figures: Figures
) -> None:
    url = sqlite_url(tmp_path / "gateway.sqlite")
    moments = random.Random(SEED)  # noqa: S311 (when to kill)
    with gateway_world(url, partial(GatewayProcess, folder=tmp_path / "process")) as world:
        world.consent()
        load = Load(world)
        with ThreadPoolExecutor(CALLERS + 1) as pool:
            try:
                running = [pool.submit(load.read) for _ in range(CALLERS)]
                running.append(pool.submit(load.watch))
                for _ in range(KILLS):
                    load.wait_for_an_answer()
                    load.over.wait(moments.uniform(0, LONGEST_LIFE_S))
                    kill_and_restart(world)
                load.wait_for_an_answer()
            finally:
                load.over.set()
        assert [caller.result() for caller in running] == [None] * len(running)
        key = world.config.checkpoint_key.verifier

    entries, verification = stored_log(url, world)
    assert verification.fault is None
    leaves = [json.loads(entry.leaf) for entry in entries]
    for receipt in load.receipts:
        leaf = leaves[receipt.log_index]
        assert (leaf["event"], leaf["exchange_id"]) == ("EXCHANGE", receipt.exchange_id)
    times_recorded = Counter(leaf["exchange_id"] for leaf in leaves if leaf["event"] == "EXCHANGE")
    assert set(times_recorded.values()) == {1}
    roots = roots_of(entries)
    for size, note in load.published.items():
        assert key.open(note) == Checkpoint(size, roots[size])
    figures.tell(
        f"gateway killed {KILLS} times under load: {len(load.receipts)} answers received, all of them among "
        f"{len(entries)} entries, none twice; {len(load.published)} published checkpoints all hold"
    )


def kill_and_restart(world: GatewayWorld) -> None:
    assert isinstance(world.gateway, GatewayProcess)
    world.gateway.kill()
    world.gateway.start()


def stored_log(url: str, world: GatewayWorld) -> tuple[list[StoredEntry], Verification]:
    engine = open_database(url, schema.metadata(), version=schema.VERSION)
    try:
        with snapshot(engine) as connection:
            entries = list(all_entries(connection))
        return entries, verify_log(engine, world.config.checkpoint_key.verifier)
    finally:
        engine.dispose()


def roots_of(entries: list[StoredEntry]) -> list[bytes]:
    """Return the root of the tree at every size, from 0."""
    tree = Tree()
    roots = [tree.root()]
    for entry in entries:
        tree.append(entry.leaf_hash)
        roots.append(tree.root())
    return roots
