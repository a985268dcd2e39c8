"""What the exchange log costs by itself: appending one at a time and in groups, and verifying."""

import hashlib
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.report import Figure, Report, Tell
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock, SystemClock
from lienthong_core.database import open_database, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.log.writer import Job, LogWriter

_RUNS = 5
_ALONE = 200
_GROUP = 32
_GROUPS = 50
_VERIFIED = 100_000
_LARGE_GROUP = 256
_SUBJECTS = 1_000
_APPEND_S = 30.0
_NOTES = (
    "alone: the next entry is handed in when the last one is durable, so each pays for a transaction of its own.",
    f"{_GROUP} at a time: handed in together, as by so many calls in flight; they share transactions and signatures.",
    f"verified: every entry's hash, the tree and every signature, once over {_VERIFIED:,} entries on SQLite.",
)


def measure(tell: Tell) -> Report:
    """Append, then verify."""
    alone: list[float] = []
    grouped: list[float] = []
    key, clock = CheckpointKey.create(), SystemClock()
    with tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder, _log(Path(folder), key) as log:
        for number in range(1, _RUNS + 1):
            tell(f"appending, run {number} of {_RUNS}")
            alone.append(_append(log.writer, clock, groups=_ALONE, size=1))
            grouped.append(_append(log.writer, clock, groups=_GROUPS, size=_GROUP))
        written = _RUNS * (_ALONE + _GROUPS * _GROUP)
        tell(f"filling the log up to {_VERIFIED:,} entries")
        _append(log.writer, clock, groups=(_VERIFIED - written) // _LARGE_GROUP + 1, size=_LARGE_GROUP)
        tell("verifying")
        begun = time.perf_counter()
        verification = verify_log(log.engine, key.verifier)
        rate = verification.size / (time.perf_counter() - begun)
    if verification.fault is not None or verification.size < _VERIFIED:
        raise RuntimeError(f"the log that was just written does not verify: {verification}")
    figures = (
        Figure("append, alone", "µs/entry", tuple(alone)),
        Figure(f"append, {_GROUP} at a time", "µs/entry", tuple(grouped)),
        Figure("verified", "entries/s", (rate,)),
    )
    return Report("The exchange log by itself", figures, _NOTES)


@dataclass(frozen=True)
class _Log:
    engine: Engine
    writer: LogWriter


@contextmanager
def _log(folder: Path, key: CheckpointKey) -> Generator[_Log]:
    engine = open_database(sqlite_url(folder / "log.sqlite"), schema.metadata(), version=schema.VERSION)
    writer = LogWriter(engine, Appender(engine, key))
    writer.start()
    try:
        yield _Log(engine, writer)
    finally:
        writer.stop()
        engine.dispose()


def _append(writer: LogWriter, clock: Clock, *, groups: int, size: int) -> float:
    """Append groups of entries, each group when the last one is durable; return microseconds for one entry."""
    begun = time.perf_counter()
    for group in range(groups):
        entries = [_entry(clock, group * size + place) for place in range(size)]
        for done in [writer.append(Job(entry)) for entry in entries]:
            done.result(_APPEND_S)
    return (time.perf_counter() - begun) / (groups * size) * 1e6


def _entry(clock: Clock, number: int) -> Entry:
    """Return an entry like that of a consented read."""
    digest = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
    trace = Trace(
        exchange_id=str(uuid.uuid4()),
        method="/lienthong.api.population.v1.PopulationService/GetCitizen",
        consumer="VN-SANDBOX/COM/BANK01/ekyc",
        provider="VN-SANDBOX/GOV/G01/population",
        subject=f"{number % _SUBJECTS:012}",
        purpose="ekyc",
        legal_basis="consent",
        consent_id=str(uuid.uuid4()),
        request_digest=digest,
        request_bytes=14,
        response_digest=digest,
        response_bytes=200,
        step_us={"authenticate": 30, "decide": 600, "forward": 1_500, "minimise": 200},
    )
    fields = tuple(f"citizen.{name}" for name in ("full_name", "personal_number", "sex"))
    released = ("identity.basic",)
    return Entry(clock.now(), LogEvent.LOG_EVENT_EXCHANGE, trace, "OK", "", released, (), fields)
