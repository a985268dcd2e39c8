"""Exports of the log: a file that proves itself, whichever range it holds, and nothing else does."""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from lienthong_core.database import snapshot, sqlite_url
from lienthong_core.read_only import DatabaseUnreadable
from lienthong_gateway.log.checkpoint import CheckpointFault, CheckpointKey
from lienthong_gateway.log.export import ExportFault, verify_export, write_export
from lienthong_gateway.log.stored_range import StoredRange
from lienthong_gateway.log.tiles import LogDamaged
from lienthong_sandbox.stored_log import StoredLog
from tests.support.log import altered, filled

SIZE = 300
KEY = CheckpointKey.create()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = filled(sqlite_url(tmp_path_factory.mktemp("export") / "log.sqlite"), SIZE, KEY)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


def exported(engine: Engine, first: int, end: int, file: Path) -> Path:
    with snapshot(engine) as connection:
        write_export(StoredRange(connection), first, end - 1, file, KEY.verifier)
    return file


RANGES = [(0, SIZE), (0, 1), (SIZE - 1, SIZE), (255, 257), (256, 257), (0, 256), (128, 192), (1, SIZE - 1), (299, 300)]


@pytest.mark.parametrize(("first", "end"), RANGES)
def test_any_range_proves_itself(engine: Engine, tmp_path: Path, first: int, end: int) -> None:
    file = exported(engine, first, end, tmp_path / "range.jsonl")
    export = verify_export(file, KEY.verifier)
    assert (export.first, export.end, export.checkpoint.size) == (first, end, SIZE)
    lines = file.read_bytes().splitlines()
    assert [json.loads(line)["exchange_id"] for line in lines[1:]] == [f"exchange-{n}" for n in range(first, end)]
    assert list(tmp_path.iterdir()) == [file]


@given(bounds=st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).filter(lambda pair: pair[0] < pair[1]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_every_range_proves_itself(engine: Engine, folder: Path, bounds: tuple[int, int]) -> None:
    file = exported(engine, *bounds, folder / "any.jsonl")
    assert verify_export(file, KEY.verifier).end == bounds[1]


@pytest.mark.parametrize(("first", "end"), [(0, 0), (5, 5), (5, 4), (-1, 4), (0, SIZE + 1)])
def test_a_range_that_the_log_does_not_have_is_refused_and_leaves_no_file(
    engine: Engine, tmp_path: Path, first: int, end: int
) -> None:
    with pytest.raises(IndexError, match=f"has {SIZE} entries"):
        exported(engine, first, end, tmp_path / "range.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_begun_over_an_older_one_unless_it_is_whole(engine: Engine, tmp_path: Path) -> None:
    file = exported(engine, 0, 10, tmp_path / "range.jsonl")
    before = file.read_bytes()
    with pytest.raises(IndexError):
        exported(engine, 0, SIZE + 1, file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM log_entry WHERE log_index = 5", "not what was signed"),
        ("DELETE FROM log_entry WHERE log_index < 10", "not what was signed"),
        ("UPDATE log_entry SET leaf = x'00' WHERE log_index = 5", "not what was signed"),
        ("UPDATE log_entry SET leaf = 'text' WHERE log_index = 5", "not what was signed"),
        ("UPDATE log_tile SET hashes = x'00'", "does not hold hashes"),
        ("INSERT INTO checkpoint VALUES (9223372036854775807, 'x')", "no valid signature"),
        ("DELETE FROM checkpoint", "no checkpoint"),
    ],
)
def test_what_is_not_as_it_was_signed_is_not_exported(tmp_path: Path, statement: str, said: str) -> None:
    filled(sqlite_url(tmp_path / "log.sqlite"), SIZE, KEY).dispose()
    out = tmp_path / "exports"
    out.mkdir()
    log = StoredLog(altered(tmp_path / "log.sqlite", tmp_path, statement))
    with pytest.raises((ExportFault, LogDamaged, CheckpointFault), match=said):
        log.export(0, 9, out / "range.jsonl", KEY.verifier)
    log.close()
    assert list(out.iterdir()) == []


def test_a_log_whose_file_is_damaged_is_not_exported(tmp_path: Path) -> None:
    file = tmp_path / "log.sqlite"
    filled(sqlite_url(file), SIZE, KEY).dispose()
    with closing(sqlite3.connect(file)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'checkpoint'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\x99" * 16)
    log = StoredLog(file)
    with pytest.raises(DatabaseUnreadable, match="The log cannot be read: database disk image is malformed"):
        log.export(0, 9, tmp_path / "range.jsonl", KEY.verifier)
    log.close()


def test_what_may_have_been_written_while_it_was_exported_is_not_called_damage(tmp_path: Path) -> None:
    file = tmp_path / "log.sqlite"
    filled(sqlite_url(file), SIZE, KEY).dispose()
    log = StoredLog(file)
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM log_entry WHERE log_index = 5")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(DatabaseUnreadable, match="wrote to it meanwhile; do it again"):
        log.export(0, 9, tmp_path / "range.jsonl", KEY.verifier)
    log.close()


def with_header(**changes: object) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        header: dict[str, Any] = json.loads(lines[0])
        return [json.dumps(header | changes).encode(), *lines[1:]]

    return change


HASH = base64.b64encode(bytes(32)).decode()
FORGERIES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a leaf altered": lambda lines: [*lines[:4], lines[4].replace(b"officer", b"0fficer"), *lines[5:]],
    "a leaf left out": lambda lines: [*lines[:4], *lines[5:]],
    "a leaf twice": lambda lines: [*lines[:4], lines[4], *lines[4:]],
    "two leaves exchanged": lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    "an empty line more": lambda lines: [*lines, b""],
    "cut": lambda lines: lines[:-1],
    "header alone": lambda lines: lines[:1],
    "nothing": lambda _: [],
    "no header": lambda lines: lines[1:],
    "another range": with_header(first=41, end=61),
    "a longer range": with_header(end=61),
    "a range that cannot be": with_header(first=-1),
    "a range that is none": with_header(first="40"),
    "other peaks": with_header(before=[HASH, HASH]),
    "too few peaks": with_header(before=[]),
    "short peaks": with_header(before=["AAAA", "AAAA"]),
    "another proof": with_header(after=[HASH]),
    "no proof": with_header(after=[]),
    "a proof of numbers": with_header(after=[1]),
    "another format": with_header(format="other/1"),
    "a later format": with_header(format="lienthong-log-export/2"),
    "no note": with_header(checkpoint=None),
    "a list": lambda lines: [b"[]", *lines[1:]],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_file_that_was_changed_does_not_verify(engine: Engine, tmp_path: Path, forgery: str) -> None:
    file = exported(engine, 40, 60, tmp_path / "range.jsonl")
    lines = FORGERIES[forgery](file.read_bytes().splitlines())
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(ExportFault):
        verify_export(file, KEY.verifier)


def test_a_file_of_another_log_does_not_verify(engine: Engine, tmp_path: Path) -> None:
    file = exported(engine, 40, 60, tmp_path / "range.jsonl")
    with pytest.raises(CheckpointFault, match="no valid signature"):
        verify_export(file, CheckpointKey.create().verifier)


@given(position=st.integers(0), byte=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_byte_changed_anywhere_is_noticed_or_changes_nothing(
    engine: Engine, folder: Path, position: int, byte: int
) -> None:
    file = exported(engine, 3, 8, folder / "byte.jsonl")
    data = bytearray(file.read_bytes())
    data[position % len(data)] = byte
    file.write_bytes(data)
    try:
        export = verify_export(file, KEY.verifier)
    except (ExportFault, CheckpointFault):
        return
    assert (export.first, export.end) == (3, 8)
    entries = exported(engine, 3, 8, folder / "b.jsonl").read_bytes().split(b"\n")[1:]
    assert file.read_bytes().split(b"\n")[1:] == entries
