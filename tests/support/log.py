"""Logs to look into, written as the gateway writes them but without a gateway."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copyfile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.database import open_database, writing
from lienthong_gateway import schema
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.append import Appender, Line
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey, VerifierKey
from lienthong_gateway.log.leaf import Entry

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
CONSUMERS = ("VN-SANDBOX/COM/BANK01/ekyc", "VN-SANDBOX/GOV/G02/portal")
PROVIDER = "VN-SANDBOX/GOV/G01/population"


class CountingKey(VerifierKey):
    """A log's key, which counts the signatures that are checked with it."""

    def __init__(self, key: CheckpointKey) -> None:
        super().__init__(Ed25519PublicKey.from_public_bytes(key.verifier.raw))
        self.checked = 0

    def open(self, note: str) -> Checkpoint:
        """Open a note, and count it."""
        self.checked += 1
        return super().open(note)


def entry(number: int) -> Entry:
    """Return an entry of an exchange; every seventh is a refusal."""
    trace = Trace(
        exchange_id=f"exchange-{number}",
        method="/lienthong.api.population.v1.PopulationService/GetCitizen",
        consumer=CONSUMERS[number % 2],
        provider=PROVIDER,
        subject=f"{number % 5:012}",
        purpose="ekyc",
        legal_basis="consent",
        officer=f"officer-{number % 3}",
    )
    time = BEGIN + timedelta(minutes=number)
    if number % 7 == 6:
        return Entry(time, LogEvent.LOG_EVENT_REFUSAL, trace, "PERMISSION_DENIED", "CONSENT_MISSING")
    return Entry(
        time, LogEvent.LOG_EVENT_EXCHANGE, trace, "OK", "", ("identity.basic",), ("residence",), ("citizen.name",)
    )


def filled(
    url: str, size: int, key: CheckpointKey | None = None, batch: int = 37, make: Callable[[int], Entry] = entry
) -> Engine:
    """Return a new database with a log of `size` entries, `batch` of them to a checkpoint."""
    engine = open_database(url, schema.metadata(), version=schema.VERSION)
    extend(engine, 0, size, key or CheckpointKey.create(), batch, make)
    return engine


def extend(
    engine: Engine, start: int, end: int, key: CheckpointKey, batch: int = 37, make: Callable[[int], Entry] = entry
) -> None:
    """Append entries `start` up to `end` to a log."""
    appender = Appender(engine, key)
    for first in range(start, end, batch):
        with writing(engine) as connection:
            head = appender.begin(connection)
            made = [make(number) for number in range(first, min(end, first + batch))]
            lines = [
                Line.of(entry, appender.commitment(connection, entry.trace.subject), appender.after) for entry in made
            ]
            appender.append(connection, lines, head)
        appender.committed()


def altered(file: Path, folder: Path, *statements: str) -> Path:
    """Return a copy of a closed SQLite log, in `folder`, with what each statement does to it."""
    copy = folder / "gateway.sqlite"
    copyfile(file, copy)
    with closing(sqlite3.connect(copy)) as database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return copy


def hidden(file: Path, index: str, entry_index: int) -> None:
    """Take an entry out of an index by making it a partial one, and have the schema say that it is whole."""
    with closing(sqlite3.connect(file)) as database:
        (sql,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        database.execute(f"DROP INDEX {index}")
        database.execute(f"{sql} WHERE log_index <> {entry_index}")
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, index))
        database.commit()
