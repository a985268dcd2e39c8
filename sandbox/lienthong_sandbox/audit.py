"""Reading the exchange log as the auditor does, over gRPC, and keeping a copy that can be verified offline."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from sqlalchemy import Engine, insert

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong_core.database import open_database, sqlite_url, writing
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import VerifierKey
from lienthong_gateway.log.growth import Growth
from lienthong_gateway.log.store import CHECKPOINTS, ENTRIES, TILES, tile_row

_PAGE = 1_000
_DEADLINE_S = 10.0


def read_log(channel: grpc.Channel) -> list[dict[str, Any]]:
    """Return what every entry says, oldest first; unless some were pruned, entry `i` is the one with log index `i`."""
    return [json.loads(entry.leaf) for entry in _entries(ExchangeLogServiceStub(channel)) if entry.leaf]


def copy_log(channel: grpc.Channel, file: Path) -> tuple[Engine, VerifierKey]:
    """Copy the whole log into a new SQLite file; return the copy and the key to verify it with."""
    stub = ExchangeLogServiceStub(channel)
    checkpoints, key = _checkpoints(stub)
    size = checkpoints[-1].tree_size
    # Reading is recorded as well, so the log has grown past the last checkpoint by now.
    entries = [entry for entry in _entries(stub) if entry.log_index < size]
    growth = Growth.of_partial(())
    tiles = [tile for entry in entries for tile in growth.append(entry.leaf_hash)]
    engine = open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION)
    with writing(engine) as connection:
        connection.execute(insert(ENTRIES), [_row(entry) for entry in entries if entry.leaf])
        connection.execute(insert(CHECKPOINTS), [{"tree_size": c.tree_size, "note": c.note} for c in checkpoints])
        if tiles:
            connection.execute(insert(TILES), [tile_row(tile) for tile in tiles])
    return engine, key


def _row(entry: pb.LogEntry) -> dict[str, object]:
    said = json.loads(entry.leaf)
    keys = {name: said[name] for name in ("subject", "consumer", "provider")}
    return {"log_index": entry.log_index, "leaf": entry.leaf, "leaf_hash": entry.leaf_hash, **keys}


def _entries(stub: ExchangeLogServiceStub) -> Iterator[pb.LogEntry]:
    size = stub.GetCheckpoint(pb.GetCheckpointRequest(), timeout=_DEADLINE_S).checkpoint.tree_size
    start = 0
    while True:
        request = pb.ListEntriesRequest(start=start, page_size=_PAGE)
        page = stub.ListEntries(request, timeout=_DEADLINE_S).entries
        yield from page
        # Not until a page is empty: reading is recorded as well, so none ever would be.
        if not page or page[-1].log_index + 1 >= size:
            return
        start = page[-1].log_index + 1


def _checkpoints(stub: ExchangeLogServiceStub) -> tuple[list[pb.Checkpoint], VerifierKey]:
    found: list[pb.Checkpoint] = []
    start = 0
    while True:
        request = pb.ListCheckpointsRequest(start_size=start, page_size=_PAGE)
        answer = stub.ListCheckpoints(request, timeout=_DEADLINE_S)
        found += answer.checkpoints
        if len(answer.checkpoints) < _PAGE:
            return found, VerifierKey.parse(answer.verifier_key)
        start = found[-1].tree_size + 1
