"""`lienthong log prune`, against a running sandbox."""

import json
import sqlite3
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from lienthong_core.database import open_database, sqlite_url
from lienthong_core.working_days import VIETNAM
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_sandbox import Sandbox
from tests.support.log import entry, extend

DEADLINE_S = 60.0
OLD = 5_300
"""Entries of June, after those that a world begins with: more than are pruned at once, and no whole number of tiles."""
FIRST = 1_000
"""How many of them are of the 1st; the next are of the first moment of the 5th in Vietnam, still the 4th in UTC."""
LATE = 4_500
"""From which on they are of the 6th."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Give a sandbox whose log has old entries, in December."""
    with Sandbox(citizens=100, data=tmp_path / "world") as sandbox:
        folder = tmp_path / "world" / "gateway"
        engine = open_database(sqlite_url(folder / "gateway.sqlite"), schema.metadata(), version=schema.VERSION)
        extend(engine, 0, OLD, CheckpointKey.load(folder / "checkpoint.pem"), 500, made)
        engine.dispose()
        sandbox.endpoints.save(tmp_path / "world")
        sandbox.clock.set(datetime(2026, 12, 20, tzinfo=UTC))
        yield sandbox


def made(number: int) -> Entry:
    day = 1 if number < FIRST else 5 if number < LATE else 6
    return replace(entry(number), time=datetime(2026, 6, day, tzinfo=VIETNAM))


def ran(lienthong: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [lienthong, "log", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, cwd=folder)


def test_old_entries_move_to_a_file_and_both_verify(lienthong: str, sandbox: Sandbox, tmp_path: Path) -> None:
    prune = ("prune", "--data", "world", "--before")
    first = ran(lienthong, tmp_path, *prune, "2026-06-05", "--out", "june-1.jsonl")
    assert first.returncode == 0, first.stderr
    assert "Entries 0 to 767 are in june-1.jsonl" in first.stdout
    again = ran(lienthong, tmp_path, *prune, "2026-06-15", "--out", "june.jsonl")
    assert again.returncode == 0, again.stderr
    assert "Entries 768 to 5119 are in june.jsonl" in again.stdout
    assert "The log has entries 768 to 5119 no more" in again.stdout
    for file, said in (("june-1.jsonl", "768 entries verified, 0 to 767"), ("june.jsonl", "4352 entries verified")):
        checked = ran(lienthong, tmp_path, "verify", "--export", file, "--key", "world/gateway/log.vkey")
        assert (checked.returncode, said in checked.stdout) == (0, True), checked.stdout
    stored = ran(lienthong, tmp_path, "verify", "--data", "world")
    assert (stored.returncode, "before entry 5120 were pruned" in stored.stdout) == (0, True), stored.stdout
    auditor = ("--gateway", sandbox.endpoints.gateway, "--certificate", "world/clients/auditor")
    running = ran(lienthong, tmp_path, "verify", *auditor, "--key", "world/gateway/log.vkey")
    assert (running.returncode, "before entry 5120 were pruned" in running.stdout) == (0, True), running.stdout
    prunings = [json.loads(entry["registered"]) for entry in sandbox.log() if entry["event"] == "PRUNING"]
    files = [sha256((tmp_path / file).read_bytes()).digest() for file in ("june-1.jsonl", "june.jsonl", "june.jsonl")]
    assert [b64decode(pruned["archive_digest"]) for pruned in prunings] == files


def test_a_gateway_elsewhere_has_its_old_entries_moved_by_its_administrator_as_its_auditor_reads_them(
    lienthong: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    elsewhere = ("--gateway", sandbox.endpoints.gateway, "--certificate", "world/clients/administration")
    prune = ("prune", *elsewhere, "--auditor", "world/clients/auditor", "--key", "world/gateway/log.vkey")
    done = ran(lienthong, tmp_path, *prune, "--before", "2026-06-05", "--out", "june.jsonl")
    assert done.returncode == 0, done.stderr
    assert "Entries 0 to 767 are in june.jsonl" in done.stdout
    assert "The log has entries 0 to 767 no more" in done.stdout
    checked = ran(lienthong, tmp_path, "verify", "--export", "june.jsonl", "--key", "world/gateway/log.vkey")
    assert (checked.returncode, "768 entries verified, 0 to 767" in checked.stdout) == (0, True), checked.stdout
    unread = ran(lienthong, tmp_path, "prune", *elsewhere, "--auditor", "world/clients/ekyc",
                 "--before", "2026-06-06", "--out", "more.jsonl")  # fmt: skip
    assert (unread.returncode, unread.stderr.startswith("CALLER_NOT_ALLOWED:")) == (1, True), unread.stderr
    assert not (tmp_path / "more.jsonl").exists()
    stored = ran(lienthong, tmp_path, "verify", "--data", "world")
    assert (stored.returncode, "before entry 768 were pruned" in stored.stdout) == (0, True), stored.stdout


def test_what_cannot_be_pruned_stays_and_it_is_said_why(lienthong: str, sandbox: Sandbox, tmp_path: Path) -> None:
    prune = ("prune", "--data", "world")
    nothing = ran(lienthong, tmp_path, *prune, "--before", "2026-05-01", "--out", "a.jsonl")
    assert (nothing.returncode, "Nothing is pruned" in nothing.stdout) == (0, True), nothing.stderr
    assert not (tmp_path / "a.jsonl").exists()
    (tmp_path / "kept.jsonl").write_text("all that is left of other entries", encoding="utf-8")
    there = ran(lienthong, tmp_path, *prune, "--before", "2026-06-10", "--out", "kept.jsonl")
    assert (there.returncode, "kept.jsonl exists already" in there.stderr) == (1, True)
    nobody = ran(lienthong, tmp_path, *prune, "--before", "2026-06-10", "--out", "b.jsonl", "--officer", "nobody")
    assert (nobody.returncode, nobody.stderr.startswith("OFFICER_NOT_ALLOWED:")) == (1, True), nobody.stderr
    name = ran(lienthong, tmp_path, *prune, "--before", "2026-06-10", "--out", "d.jsonl", "--officer", "Trần Thị Lan")
    assert (name.returncode, "is no id of an officer" in name.stderr, (tmp_path / "d.jsonl").exists()) == (
        2,
        True,
        False,
    )
    sandbox.clock.set(datetime(2026, 11, 20, tzinfo=UTC))
    young = ran(lienthong, tmp_path, *prune, "--before", "2026-06-10", "--out", "c.jsonl")
    assert (young.returncode, young.stderr.startswith("ENTRY_STILL_KEPT:")) == (1, True), young.stderr
    assert json.loads((tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()[0])["first"] == 0
    assert (tmp_path / "kept.jsonl").read_text(encoding="utf-8") == "all that is left of other entries"
    stored = ran(lienthong, tmp_path, "verify", "--data", "world")
    assert (stored.returncode, "pruned" in stored.stdout) == (0, False), stored.stdout


def test_a_log_that_does_not_verify_is_not_pruned_as_nobody_could_tell_any_more(
    lienthong: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "world" / "gateway" / "gateway.sqlite")) as database:
        database.execute("DELETE FROM log_entry WHERE log_index < 256")
        database.commit()
    done = ran(lienthong, tmp_path, "prune", "--data", "world", "--before", "2026-06-15", "--out", "a.jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith("Not pruned: entry missing: Entries 0 to 255 are missing")
    assert not (tmp_path / "a.jsonl").exists()
    assert not [entry for entry in sandbox.log() if entry["event"] == "PRUNING"]


def test_what_was_deleted_before_a_refusal_is_told_as_the_file_is_all_there_is_of_it(
    lienthong: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.clock.set(datetime(2026, 12, 6, tzinfo=UTC))
    done = ran(lienthong, tmp_path, "prune", "--data", "world", "--before", "2026-06-15", "--out", "a.jsonl")
    assert (done.returncode, done.stderr.startswith("ENTRY_STILL_KEPT:")) == (1, True), done.stderr
    assert "are in a.jsonl" in done.stdout
    assert "Keep it: nothing else has what is deleted" in done.stdout
    assert "The log has entries 0 to 4095 no more" in done.stdout


def test_no_file_is_written_where_no_gateway_answers(lienthong: str, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.stop()
    done = ran(lienthong, tmp_path, "prune", "--data", "world", "--before", "2026-06-10", "--out", "a.jsonl")
    assert (done.returncode, done.stderr.startswith("CONNECTION_FAILED:")) == (1, True), done.stderr
    assert not (tmp_path / "a.jsonl").exists()
