"""A gateway that is killed: every answer that reached a caller has its entry, and the log verifies."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc

from lienthong.client import CallContext, Receipt
from lienthong_core.database import open_database, snapshot, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.store import all_entries
from lienthong_gateway.log.verify import verify_log
from tests.support.gateway_process import GatewayProcess
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world
from tests.support.waiting import wait_until

KILLS = 3
ANSWERS_BETWEEN_KILLS = 40
CALLERS = 6


@dataclass
class Load:
    """Callers that read without pause and keep the receipt of every answer that reached them."""

    world: GatewayWorld
    over: threading.Event = field(default_factory=threading.Event)
    receipts: list[Receipt] = field(default_factory=list[Receipt])

    def run(self) -> None:
        context = CallContext(PURPOSE, self.world.token())
        while not self.over.is_set():
            try:
                self.receipts.append(self.world.get_citizen(context)[1])
            except grpc.RpcError:
                self.over.wait(0.02)

    def wait_for_answers(self, more: int) -> None:
        """Return once so many more answers have reached their callers."""
        enough = len(self.receipts) + more
        wait_until(lambda: len(self.receipts) >= enough)


def test_every_answer_that_was_received_has_its_entry_however_often_the_gateway_is_killed(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "gateway.sqlite")
    folder = tmp_path / "process"
    with gateway_world(url, partial(GatewayProcess, folder=folder)) as world:
        world.consent()
        load = Load(world)
        with ThreadPoolExecutor(CALLERS) as pool:
            try:
                callers = [pool.submit(load.run) for _ in range(CALLERS)]
                for _ in range(KILLS):
                    load.wait_for_answers(ANSWERS_BETWEEN_KILLS)
                    kill_and_restart(world)
                load.wait_for_answers(ANSWERS_BETWEEN_KILLS)
            finally:
                load.over.set()
        assert [caller.result() for caller in callers] == [None] * CALLERS
        key = world.config.checkpoint_key.verifier

    engine = open_database(url, schema.metadata(), version=schema.VERSION)
    try:
        with snapshot(engine) as connection:
            recorded = {entry.log_index: json.loads(entry.leaf) for entry in all_entries(connection)}
        verification = verify_log(engine, key)
    finally:
        engine.dispose()
    assert verification.fault is None
    assert verification.size == len(recorded)
    for receipt in load.receipts:
        entry = recorded[receipt.log_index]
        assert (entry["event"], entry["exchange_id"]) == ("EXCHANGE", receipt.exchange_id)


def kill_and_restart(world: GatewayWorld) -> None:
    assert isinstance(world.gateway, GatewayProcess)
    world.gateway.kill()
    world.gateway.start()
