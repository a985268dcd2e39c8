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
from lienthong_gateway.log.store import CHECKPOINTS, ENTRIES

_PAGE = 1_000
_DEADLINE_S = 10.0


def read_log(channel: grpc.Channel) -> list[dict[str, Any]]:
    """Return what every entry says, oldest first; entry `i` is the one with log index `i`."""
    return [json.loads(entry.leaf) for entry in _entries(ExchangeLogServiceStub(channel))]


def copy_log(channel: grpc.Channel, file: Path) -> tuple[Engine, VerifierKey]:
    """Copy the whole log into a new SQLite file; return the copy and the key to verify it with."""
    stub = ExchangeLogServiceStub(channel)
    checkpoints, key = _checkpoints(stub)
    size = checkpoints[-1].tree_size
    # Reading is recorded as well, so the log has grown past the last checkpoint by now.
    entries = [entry for entry in _entries(stub) if entry.log_index < size]
    engine = open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION)
    with writing(engine) as connection:
        connection.execute(insert(ENTRIES), [_row(entry) for entry in entries])
        notes = [{"tree_size": c.tree_size, "note": c.note, "peaks": b""} for c in checkpoints]
        connection.execute(insert(CHECKPOINTS), notes)
    return engine, key


def _row(entry: pb.LogEntry) -> dict[str, object]:
    subject = json.loads(entry.leaf)["subject"]
    return {"log_index": entry.log_index, "leaf": entry.leaf, "leaf_hash": entry.leaf_hash, "subject": subject}


def _entries(stub: ExchangeLogServiceStub) -> Iterator[pb.LogEntry]:
    start = 0
    while True:
        request = pb.ListEntriesRequest(start=start, page_size=_PAGE)
        page = stub.ListEntries(request, timeout=_DEADLINE_S).entries
        yield from page
        if len(page) < _PAGE:
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
