"""The exchange log by itself, and a gateway with a long one: appending, proving, verifying, memory."""

import os
import random
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from sqlalchemy import Engine

from benchmarks.place import Place, gateway_and_proxy
from benchmarks.report import Figure, Report, Tell
from lienthong.api.exchange.v1.log_pb2 import GetInclusionProofRequest, LogEvent
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong_core.clock import Clock, SystemClock
from lienthong_core.database import open_database, snapshot, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.digests import Digests
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.checkpoint import CheckpointKey, VerifierKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.proofs import Prover
from lienthong_gateway.log.tiles import StoredTiles, TileStatements
from lienthong_gateway.log.writer import LogWriter
from lienthong_sandbox.client import SystemClient
from lienthong_sandbox.stored_log import StoredLog
from lienthong_sandbox.world import World
from lienthong_seeds import members

_FILE = "gateway.sqlite"
_RUNS = 5
_WARM_UP = 1_500
"""Entries appended first at each length: SQLite's write-ahead log grows to its size in these (benchmarks/read.py)."""
_ALONE = 200
_GROUP = 32
_GROUPS = 50
_SHORT, _LONG = 1_000, 1_000_000
_SHORT_AT_END = _SHORT + _WARM_UP + _RUNS * (_ALONE + _GROUPS * _GROUP)
_LARGE_GROUP = 256
_SUBJECTS = 1_000
_PROOFS = 100
_READS = 500
_EACH_ALONE = 5_000
_APPEND_S = 30.0
_DEADLINE_S = 10.0
_NOTES = (
    "alone: the next entry is handed in when the last one is durable, so each pays for a transaction of its own.",
    f"{_GROUP} at a time: handed in together, as by so many calls in flight; they share transactions and signatures.",
    f"Two logs (SQLite) take turns, one of {_LONG:,} entries and one of {_SHORT:,}, which grows to {_SHORT_AT_END:,};",
    f"a ratio is that of two runs made one after the other. {_WARM_UP:,} entries came first that are not counted.",
    "inclusion proof: read from the database and made, for entries at random places; the median of 100.",
    "verified: as `lienthong log verify --data` does: every entry's hash, the tree, its tiles and every checkpoint.",
    "one by one: each such entry has a checkpoint of its own, which is compared with the tree like any other.",
    f"memory: resident, of a gateway process with that log, after {_READS} consented reads and {_PROOFS} proofs.",
)


@dataclass
class _Found:
    appended: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    proofs_ms: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    verified: list[float] = field(default_factory=list[float])
    verified_alone: list[float] = field(default_factory=list[float])
    resident_mb: list[float] = field(default_factory=list[float])


def measure(tell: Tell) -> Report:
    """Append to a short log and to a long one, prove, verify, and start a gateway on it."""
    found = _Found()

    def prepare(world: World) -> None:
        _measure_log(world, found, tell)
        tell("starting population, identity and gateway")

    with (
        tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder,
        gateway_and_proxy(Path(folder), prepare) as place,
    ):
        tell(f"{_READS} reads and {_PROOFS} proofs over gRPC")
        _use(place)
        found.resident_mb.append(_resident_mb(place.processes["gateway"]))
    return Report("The exchange log by itself, and a gateway with a long one", _figures(found), _NOTES)


def _figures(found: _Found) -> list[Figure]:
    figures = [Figure(f"append, {how}", "µs/entry", tuple(values)) for how, values in found.appended.items()]
    for how in ("alone", f"{_GROUP} at a time"):
        before, after = (found.appended[f"{how}, at {size:,}"] for size in (_SHORT, _LONG))
        ratios = tuple(long / short for short, long in zip(before, after, strict=True))
        figures.append(Figure(f"append, {how}: long / short", "of its cost", ratios, at_most=1.2))
    for size, values in found.proofs_ms.items():
        figures.append(Figure(f"inclusion proof at {size:,}", "ms", tuple(values), at_most=2.0))
    figures.append(Figure(f"verified, {_LONG:,}", "entries/s", tuple(found.verified), at_least=100_000))
    figures.append(Figure(f"verified, {_EACH_ALONE:,} that came one by one", "entries/s", tuple(found.verified_alone)))
    figures.append(Figure(f"gateway's memory at {_LONG:,}", "MB", tuple(found.resident_mb), at_most=150))
    return figures


def _measure_log(world: World, found: _Found, tell: Tell) -> None:
    folder = world.service_folder(members.GATEWAY)
    key, clock = CheckpointKey.load(folder / "checkpoint.pem"), SystemClock()
    with (
        tempfile.TemporaryDirectory(prefix="lienthong-bench-") as other,
        _log(Path(other), key) as short,
        _log(folder, key) as long,
    ):
        logs = {_SHORT: short.writer, _LONG: long.writer}
        for size, writer in logs.items():
            tell(f"filling a log up to {size:,} entries")
            _append(writer, clock, groups=size // _LARGE_GROUP + 1, size=_LARGE_GROUP)
        # What the filling left to write is not what appending costs.
        os.sync()
        for writer in logs.values():
            _append(writer, clock, groups=_WARM_UP, size=1)
        for number in range(1, _RUNS + 1):
            tell(f"appending, run {number} of {_RUNS}")
            for groups, of, how in ((_ALONE, 1, "alone"), (_GROUPS, _GROUP, f"{_GROUP} at a time")):
                for size, writer in logs.items():
                    cost = _append(writer, clock, groups=groups, size=of)
                    found.appended.setdefault(f"{how}, at {size:,}", []).append(cost)
        for size, log in ((_SHORT, short), (_LONG, long)):
            found.proofs_ms[size] = [_proof_ms(log.engine, size, seed) for seed in range(_RUNS)]
        for number in range(1, _RUNS + 1):
            tell(f"verifying, run {number} of {_RUNS}")
            found.verified.append(_verified(folder / _FILE, key.verifier, _LONG))
    tell("verifying entries that came one by one")
    found.verified_alone += _verified_one_by_one(key, clock)


def _proof_ms(engine: Engine, size: int, seed: int) -> float:
    """Return the median time of an inclusion proof."""
    places = random.Random(seed)  # noqa: S311 (which entries to prove)
    statements = TileStatements(engine.dialect)
    times: list[float] = []
    for _ in range(_PROOFS):
        begun = time.perf_counter()
        with snapshot(engine) as connection:
            Prover(StoredTiles(connection, statements), size).inclusion(places.randrange(size))
        times.append((time.perf_counter() - begun) * 1e3)
    return median(times)


def _verified_one_by_one(key: CheckpointKey, clock: Clock) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder:
        with _log(Path(folder), key) as log:
            _append(log.writer, clock, groups=_EACH_ALONE, size=1)
        return [_verified(Path(folder) / _FILE, key.verifier, _EACH_ALONE) for _ in range(_RUNS)]


def _verified(file: Path, key: VerifierKey, entries: int) -> float:
    begun = time.perf_counter()
    log = StoredLog(file)
    try:
        verification = log.verify(key, None, lambda _entries, _all: None)
    finally:
        log.close()
    rate = verification.size / (time.perf_counter() - begun)
    if verification.fault is not None or verification.size < entries:
        raise RuntimeError(f"the log that was just written does not verify: {verification}")
    return rate


def _use(place: Place) -> None:
    """Read a citizen's record through the gateway, and have it prove entries."""
    bank = SystemClient.of(members.BANK.subsystem, place.world, place.endpoints)
    try:
        citizen = bank.login("nguyen-thi-mai")
        citizen.consent(members.EKYC.code, ["identity.basic"])
        metadata = citizen.metadata(members.EKYC.code)
        population, log = PopulationServiceStub(bank.channel), ExchangeLogServiceStub(bank.channel)
        request = GetCitizenRequest(personal_number=citizen.personal_number)
        for _ in range(_READS):
            population.GetCitizen(request, metadata=metadata, timeout=_DEADLINE_S)
        for index in range(0, _LONG, _LONG // _PROOFS):
            log.GetInclusionProof(GetInclusionProofRequest(log_index=index), timeout=_DEADLINE_S)
    finally:
        bank.close()


def _resident_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1_000


@dataclass(frozen=True)
class _Log:
    engine: Engine
    writer: LogWriter


@contextmanager
def _log(folder: Path, key: CheckpointKey) -> Generator[_Log]:
    engine = open_database(sqlite_url(folder / _FILE), schema.metadata(), version=schema.VERSION)
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
    digests = Digests(number.to_bytes(14, "big"))
    digests.of_request()
    digests.answered(bytes(200))
    trace = Trace(
        exchange_id=str(uuid.uuid4()),
        method="/lienthong.api.population.v1.PopulationService/GetCitizen",
        consumer="VN-SANDBOX/COM/BANK01/ekyc",
        provider="VN-SANDBOX/GOV/G01/population",
        subject=f"{number % _SUBJECTS:012}",
        purpose="ekyc",
        legal_basis="consent",
        consent_id=str(uuid.uuid4()),
        digests=digests,
        step_us={"authenticate": 30, "decide": 600, "forward": 1_500, "minimise": 200},
    )
    fields = tuple(f"citizen.{name}" for name in ("full_name", "personal_number", "sex"))
    released = ("identity.basic",)
    return Entry(clock.now(), LogEvent.LOG_EVENT_EXCHANGE, trace, "OK", "", released, (), fields)
