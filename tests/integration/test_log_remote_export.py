"""Entries of a running gateway's log in a file that proves itself, also where the log is in PostgreSQL."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import explain
from lienthong_core.database import open_database, snapshot, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import CheckpointFault, CheckpointKey
from lienthong_gateway.log.export import ExportFault, verify_export
from lienthong_gateway.log.pruning import stored_leaves
from lienthong_gateway.log.tiles import LogDamaged
from lienthong_sandbox.cli.gateway_channel import channel_at
from lienthong_sandbox.gateway_log import GatewayLog
from lienthong_seeds import members
from tests.support.administration import BY_OFFICER
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world
from tests.support.log import BEGIN, entry, extend, filled
from tests.support.log_double import LogDouble, serving

SIZE = 1_100
"""More than are listed at once, of 1 March 2026."""
KEY = CheckpointKey.create()


@pytest.fixture
def world(database_url: str) -> Iterator[GatewayWorld]:
    with gateway_world(database_url, checkpoint_key=KEY) as world:
        engine = database(world)
        extend(engine, 0, SIZE, KEY, batch=100)
        engine.dispose()
        world.clock.set(datetime(2026, 9, 2, tzinfo=UTC))
        yield world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder: a log in SQLite is in the one above."""
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


def database(world: GatewayWorld) -> Engine:
    return open_database(world.config.database_url, schema.metadata(), version=schema.VERSION)


def log(world: GatewayWorld) -> GatewayLog:
    return GatewayLog(world.channel(members.AUDITOR))


def prune(world: GatewayWorld, minimum: int) -> None:
    stub = ExchangeLogServiceStub(world.channel(members.ADMINISTRATION))
    request = pb.PruneEntriesRequest(minimum_index=minimum, archive_digest=bytes(32))
    stub.PruneEntries(request, metadata=BY_OFFICER, timeout=TIMEOUT_S)


def test_any_range_of_a_running_gateways_log_proves_itself(world: GatewayWorld, folder: Path) -> None:
    engine = database(world)
    for first, last in ((0, SIZE - 1), (0, 0), (SIZE - 1, SIZE - 1), (255, 257), (256, 1_050), (7, None)):
        file = folder / f"{first}.jsonl"
        end = log(world).export(first, last, file, KEY.verifier)

        export = verify_export(file, KEY.verifier)
        assert (export.first, export.end) == (first, end)
        # Without an end, up to the newest checkpoint: the calls that read the log have made it longer.
        assert end == last + 1 if last is not None else end == export.checkpoint.size > SIZE
        with snapshot(engine) as connection:
            assert file.read_bytes().splitlines()[1:] == list(stored_leaves(connection, first, end))
    engine.dispose()


def test_what_was_pruned_is_not_exported_and_what_is_left_is(world: GatewayWorld, folder: Path) -> None:
    prune(world, 512)
    with pytest.raises(IndexError, match="has entries 100 to 511 no more; it is whole from 512 on"):
        log(world).export(100, SIZE - 1, folder / "range.jsonl", KEY.verifier)
    assert list(folder.iterdir()) == []

    log(world).export(512, SIZE - 1, folder / "range.jsonl", KEY.verifier)

    assert verify_export(folder / "range.jsonl", KEY.verifier).first == 512


def test_what_is_pruned_while_it_is_exported_is_told_and_leaves_no_file(world: GatewayWorld, folder: Path) -> None:
    engine = database(world)
    extend(engine, SIZE, 2_400, KEY, batch=650)
    engine.dispose()
    world.clock.set(datetime(2026, 9, 3, tzinfo=UTC))
    steps = iter([1_280])

    def pruned(_entries: int, _all: int) -> None:
        for step in steps:
            prune(world, step)

    with pytest.raises(IndexError, match="Entry 1000 was pruned while the log was read; begin with a later one"):
        log(world).export(0, 1_999, folder / "range.jsonl", KEY.verifier, pruned)
    assert list(folder.iterdir()) == []


def test_what_can_be_pruned_is_what_is_old_enough_in_whole_tiles(world: GatewayWorld) -> None:
    assert log(world).prunable(0, BEGIN + timedelta(minutes=600)) == range(512)
    assert log(world).prunable(256, BEGIN + timedelta(minutes=512)) == range(256, 512)
    assert not log(world).prunable(0, BEGIN + timedelta(minutes=255))
    # The newest entries fill no tile.
    assert log(world).prunable(0, BEGIN + timedelta(days=1)) == range(1_024)


def test_looking_for_what_can_be_pruned_does_not_read_on_what_that_reading_adds(world: GatewayWorld) -> None:
    log(world).prunable(0, BEGIN + timedelta(days=1))

    readings = [entry for entry in world.entries() if entry["method"].endswith("/ListEntries")]
    assert len(readings) < 10, "one for each tile, and the test's own"


def test_what_is_pruned_before_it_is_known_what_can_be_is_told(world: GatewayWorld) -> None:
    prune(world, 512)
    with pytest.raises(IndexError, match="Entry 0 was pruned while the log was read; begin with a later one"):
        log(world).prunable(0, BEGIN + timedelta(days=1))


@pytest.mark.parametrize("leaf", [b"no entry", b"{}", b'{"time":1}', b'{"time":"once"}'])
def test_what_a_gateway_lists_that_is_no_entry_is_not_taken_for_one_that_can_be_pruned(
    tmp_path: Path, leaf: bytes
) -> None:
    told = filled(sqlite_url(tmp_path / "told.sqlite"), 300, KEY)
    with (
        serving(LogDouble(KEY.verifier, told, told, 300, leaf=leaf), tmp_path) as address,
        channel_at(address, tmp_path) as channel,
        pytest.raises(LogDamaged, match="says no time: verify the log"),
    ):
        GatewayLog(channel).prunable(0, BEGIN + timedelta(days=1))
    told.dispose()


def test_a_system_that_may_not_read_the_log_exports_nothing(world: GatewayWorld, folder: Path) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        GatewayLog(world.channel(members.BANK)).export(0, 9, folder / "range.jsonl", KEY.verifier)
    assert explain(caught.value).reason == "CALLER_NOT_ALLOWED"
    assert list(folder.iterdir()) == []


def test_a_log_that_is_signed_with_another_key_is_not_exported(world: GatewayWorld, folder: Path) -> None:
    with pytest.raises(CheckpointFault, match="no valid signature"):
        log(world).export(0, 9, folder / "range.jsonl", CheckpointKey.create().verifier)


@pytest.mark.parametrize("lie", ["other entries", "fewer entries", "a gap", "other peaks"])
def test_a_gateway_that_gives_something_else_than_it_has_signed_makes_no_file(
    tmp_path: Path, folder: Path, lie: str
) -> None:
    shown = filled(sqlite_url(tmp_path / "shown.sqlite"), 60, KEY)
    other = filled(sqlite_url(tmp_path / "other.sqlite"), 60, KEY, make=lambda number: entry(number + 1))
    double = LogDouble(
        KEY.verifier,
        shown,
        other if lie == "other entries" else shown,
        up_to=40 if lie == "fewer entries" else 60,
        without=30 if lie == "a gap" else None,
        proved=other if lie == "other peaks" else shown,
    )
    with (
        serving(double, tmp_path) as address,
        channel_at(address, tmp_path) as channel,
        pytest.raises(ExportFault, match="is not what was signed"),
    ):
        GatewayLog(channel).export(20, 59, folder / "range.jsonl", KEY.verifier)
    assert list(folder.iterdir()) == []
    shown.dispose()
    other.dispose()


def test_a_double_that_tells_the_truth_is_exported(tmp_path: Path, folder: Path) -> None:
    told = filled(sqlite_url(tmp_path / "told.sqlite"), 60, KEY)
    with (
        serving(LogDouble(KEY.verifier, told, told, 60), tmp_path) as address,
        channel_at(address, tmp_path) as channel,
    ):
        GatewayLog(channel).export(20, 59, folder / "range.jsonl", KEY.verifier)
    lines = (folder / "range.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["exchange_id"] for line in lines[1:]] == [f"exchange-{n}" for n in range(20, 60)]
    told.dispose()
