"""Several processes verify a long log: they come to the verdict of one, whatever is wrong with it or with them."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lienthong_core.database import sqlite_url
from lienthong_core.read_only import open_read_only
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey
from lienthong_gateway.log.helpers import Helpers
from lienthong_gateway.log.verdict import FaultKind, Verification
from lienthong_gateway.log.verify import verify_log
from tests.support.log import CountingKey, altered, filled, hidden
from tests.support.waiting import wait_until

SIZE = 9_000
"""More than two of the stretches of 4,096 entries that helpers are given."""
KEY = CheckpointKey.create()
FORGED = "UPDATE log_entry SET leaf = replace(leaf, 'officer-1', 'officer-2') WHERE log_index = {}"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed log that ends within a stretch, with several hundred checkpoints."""
    file = tmp_path_factory.mktemp("stored") / "gateway.sqlite"
    filled(sqlite_url(file), SIZE, KEY, batch=20).dispose()
    return file


def opening(file: Path) -> Callable[[], Engine]:
    return partial(open_read_only, file, version=schema.VERSION)


def alone(file: Path, seen: Checkpoint | None = None) -> Verification:
    engine = opening(file)()
    try:
        return verify_log(engine, KEY.verifier, seen=seen)
    finally:
        engine.dispose()


def together(file: Path, seen: Checkpoint | None = None, open_log: Callable[[], Engine] | None = None) -> Verification:
    engine = opening(file)()
    try:
        return verify_log(engine, KEY.verifier, seen=seen, open_log=open_log or opening(file))
    finally:
        engine.dispose()


def test_they_find_nothing_in_a_log_that_is_whole(stored: Path, caplog: pytest.LogCaptureFixture) -> None:
    verification = together(stored)
    assert (verification.fault, verification.size, verification.checkpoints) == (None, SIZE, 1 + SIZE // 20)
    assert verification == alone(stored)
    assert caplog.records == []


def test_they_say_which_checkpoints_entries_name_so_that_no_signature_is_checked_for_them(stored: Path) -> None:
    key = CountingKey(KEY)
    engine = opening(stored)()
    assert verify_log(engine, key, open_log=opening(stored)).fault is None
    engine.dispose()
    assert key.checked == 2


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (FORGED.format(400), FaultKind.ENTRY_ALTERED),
        (FORGED.format(8_193), FaultKind.ENTRY_ALTERED),
        ("DELETE FROM log_entry WHERE log_index BETWEEN 4090 AND 4099", FaultKind.ENTRY_MISSING),
        ("DELETE FROM log_entry WHERE log_index BETWEEN 4000 AND 8500", FaultKind.ENTRY_MISSING),
        ("DELETE FROM log_entry WHERE log_index >= 4096", FaultKind.LOG_TRUNCATED),
        ("DELETE FROM checkpoint WHERE tree_size > 8980", FaultKind.ENTRIES_UNSIGNED),
        (
            "UPDATE checkpoint SET note = replace(note, '— lien', '— lieu') WHERE tree_size = 6000",
            FaultKind.CHECKPOINT_INVALID,
        ),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE tree_size = 20) WHERE tree_size = 7000",
            FaultKind.CHECKPOINT_INVALID,
        ),
        ("DELETE FROM checkpoint", FaultKind.CHECKPOINT_INVALID),
        ("INSERT INTO checkpoint VALUES (9223372036854775807, 'nothing')", FaultKind.CHECKPOINT_INVALID),
        ("UPDATE log_tile SET root = zeroblob(32) WHERE tile_index = 20", FaultKind.TREE_ALTERED),
        ("UPDATE log_entry SET subject = CAST(x'ff' AS TEXT) WHERE log_index = 5000", FaultKind.UNREADABLE),
    ],
)
def test_they_come_to_the_verdict_of_one(stored: Path, tmp_path: Path, statement: str, kind: FaultKind) -> None:
    file = altered(stored, tmp_path, statement)
    verification = together(file)
    assert verification.fault is not None
    assert verification.fault.kind == kind
    assert verification == alone(file)


def test_they_miss_an_entry_that_was_taken_out_of_what_searches_go_by(stored: Path, tmp_path: Path) -> None:
    file = altered(stored, tmp_path)
    hidden(file, "log_entry_by_consumer", 8_193)
    verification = together(file)
    assert verification.fault is not None
    assert verification.fault.kind == FaultKind.INDEX_ALTERED
    assert verification == alone(file)


def test_they_tell_a_fork_from_a_log_that_continues_what_was_seen(stored: Path) -> None:
    continued = Checkpoint(SIZE, alone(stored).root)
    other = Checkpoint(5_000, bytes(32))
    assert together(stored, continued).fault is None
    assert together(stored, other) == alone(stored, other)
    assert (fault := alone(stored, other).fault) is not None
    assert fault.kind == FaultKind.FORK


def _unreadable() -> Engine:
    raise OSError("no log can be read here")


@pytest.mark.parametrize("open_log", [_unreadable, partial(os._exit, 3)], ids=["they cannot read it", "they die"])
def test_one_goes_on_alone_where_they_fail_and_says_so_once(
    stored: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, open_log: Callable[[], Engine]
) -> None:
    assert together(stored, open_log=open_log) == alone(stored)
    assert len(caplog.records) == 1
    file = altered(stored, tmp_path, FORGED.format(5_000))
    assert together(file, open_log=open_log) == alone(file)


def test_one_goes_on_alone_where_no_process_can_be_started(
    stored: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_process: SpawnProcess) -> None:
        raise BlockingIOError("there are as many processes as there may be")

    monkeypatch.setattr(SpawnProcess, "start", start)
    assert together(stored) == alone(stored)
    assert len(caplog.records) == 1


def _stays(said: Path) -> Engine:
    said.write_text(str(os.getpid()), encoding="ascii")
    threading.Event().wait()
    raise AssertionError("nobody sets it")


def _is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text(encoding="ascii").rpartition(") ")[2][0] != "Z"


def ask_one_that_stays(said: Path) -> None:
    with Helpers(partial(_stays, said)) as helpers:
        next(helpers.entries(0, 1))


def test_they_end_with_whoever_verifies_however_that_ends(tmp_path: Path) -> None:
    said = tmp_path / "process"
    program = (
        "import pathlib, tests.integration.test_log_helpers as here\n"
        f"here.ask_one_that_stays(pathlib.Path({str(said)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as asking:
        wait_until(lambda: said.exists() and said.read_text(encoding="ascii"))
        helper = int(said.read_text(encoding="ascii"))
        assert _is_running(helper)
        asking.kill()
    wait_until(lambda: not _is_running(helper))
