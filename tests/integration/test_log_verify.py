"""Verification of a stored log: what it can tell apart, and that it only looks."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lienthong_core.database import SchemaMismatch, empty_write_ahead_log, open_database, sqlite_url, writing
from lienthong_core.read_only import DatabaseUnreadable, open_read_only
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import EMPTY, Checkpoint, CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.verdict import FaultKind, Verification
from lienthong_gateway.log.verify import verify_log
from lienthong_sandbox.stored_log import StoredLog
from tests.support.log import altered, entry, extend, filled, hidden

SIZE = 700
KEY = CheckpointKey.create()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed log of 700 entries: two full tiles, a partial one, a checkpoint for every 37 entries."""
    file = tmp_path_factory.mktemp("stored") / "gateway.sqlite"
    filled(sqlite_url(file), SIZE, KEY).dispose()
    return file


def verified(file: Path, seen: Checkpoint | None = None, key: CheckpointKey = KEY) -> Verification:
    engine = open_read_only(file, version=schema.VERSION)
    try:
        return verify_log(engine, key.verifier, seen=seen)
    finally:
        engine.dispose()


def found(verification: Verification) -> tuple[FaultKind, int, int]:
    assert verification.fault is not None
    return verification.fault.kind, verification.fault.first, verification.fault.last


def checkpoint_of(file: Path, size: int) -> Checkpoint:
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT leaf_hash FROM log_entry WHERE log_index < ? ORDER BY log_index", (size,))
        return Checkpoint(size, Tree.of(row[0] for row in rows).root())


def untyped(file: Path, folder: Path, table: str, statement: str) -> Path:
    """Return a copy of a closed log whose table takes any value, with what a statement does to it."""
    copy = altered(file, folder)
    with closing(sqlite3.connect(copy)) as database:
        database.executescript(
            f"CREATE TABLE other AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE other RENAME TO {table};"  # noqa: S608
        )
    (folder / "altered").mkdir()
    return altered(copy, folder / "altered", statement)


def test_a_log_with_full_and_partial_tiles_verifies_and_gives_its_last_checkpoint(stored: Path) -> None:
    verification = verified(stored)
    assert (verification.fault, verification.size) == (None, SIZE)
    assert verification.checkpoints == 1 + -(-SIZE // 37)
    assert KEY.verifier.open(verification.note) == Checkpoint(SIZE, verification.root)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512])
def test_a_log_of_any_size_verifies_on_every_database(database_url: str, size: int) -> None:
    engine = filled(database_url, size, KEY)
    verification = verify_log(engine, KEY.verifier)
    engine.dispose()
    assert (verification.fault, verification.size) == (None, size)


@pytest.mark.parametrize("size", [0, 1, 36, 37, 38, 256, 512, SIZE])
def test_a_log_that_continues_what_was_seen_verifies(stored: Path, size: int) -> None:
    seen = checkpoint_of(stored, size) if size else EMPTY
    assert verified(stored, seen).fault is None


@pytest.mark.parametrize("size", [1, 36, 37, 512, SIZE])
def test_another_history_signed_with_the_same_key_is_a_fork_and_not_an_alteration(
    stored: Path, tmp_path: Path, size: int
) -> None:
    def other(number: int) -> Entry:
        return entry(number + 1)

    file = tmp_path / "gateway.sqlite"
    filled(sqlite_url(file), SIZE, KEY, make=other).dispose()
    seen = checkpoint_of(stored, size)
    assert verified(file).fault is None
    assert found(verified(file, seen)) == (FaultKind.FORK, 0, size - 1)


def test_a_log_that_was_put_back_to_an_earlier_state_is_truncated_for_who_saw_it_later(
    stored: Path, tmp_path: Path
) -> None:
    seen = checkpoint_of(stored, SIZE)
    file = tmp_path / "gateway.sqlite"
    filled(sqlite_url(file), 370, KEY).dispose()
    assert verified(file).fault is None
    assert found(verified(file, seen)) == (FaultKind.LOG_TRUNCATED, 370, SIZE - 1)


def test_a_log_that_lacks_only_the_last_entry_that_was_seen_is_truncated(stored: Path, tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite"
    filled(sqlite_url(file), SIZE - 1, KEY).dispose()
    assert found(verified(file, checkpoint_of(stored, SIZE))) == (FaultKind.LOG_TRUNCATED, SIZE - 1, SIZE - 1)


@pytest.mark.parametrize(
    ("statement", "last"),
    [
        ("DELETE FROM log_entry WHERE log_index BETWEEN 666 AND 680", 681),
        ("UPDATE log_entry SET leaf = x'00' WHERE log_index = 666", 666),
    ],
    ids=["with a gap before it", "altered"],
)
def test_an_entry_that_nobody_signed_is_named_whatever_it_is_like(
    stored: Path, tmp_path: Path, statement: str, last: int
) -> None:
    file = altered(stored, tmp_path, "DELETE FROM checkpoint WHERE tree_size = 700", statement)
    assert found(verified(file)) == (FaultKind.ENTRIES_UNSIGNED, 666, last)


def test_an_end_that_was_cut_off_is_missed_though_the_tiles_above_it_were_left(stored: Path, tmp_path: Path) -> None:
    seen = checkpoint_of(stored, SIZE)
    cut = ("DELETE FROM log_entry WHERE log_index >= 370", "DELETE FROM checkpoint WHERE tree_size > 370")
    assert found(verified(altered(stored, tmp_path, *cut), seen)) == (FaultKind.LOG_TRUNCATED, 370, SIZE - 1)


def test_an_alteration_is_named_as_such_also_to_who_saw_the_log_before(stored: Path, tmp_path: Path) -> None:
    forged = "UPDATE log_entry SET leaf = replace(leaf, 'officer-1', 'officer-2') WHERE log_index = 400"
    file = altered(stored, tmp_path, forged)
    verification = verified(file, checkpoint_of(stored, SIZE))
    assert found(verification) == (FaultKind.ENTRY_ALTERED, 400, 400)
    assert verification.size == 370


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM log_entry WHERE log_index BETWEEN 300 AND 309", (FaultKind.ENTRY_MISSING, 300, 309)),
        ("DELETE FROM log_entry WHERE log_index >= 690", (FaultKind.LOG_TRUNCATED, 690, 699)),
        ("DELETE FROM log_entry", (FaultKind.LOG_TRUNCATED, 0, 36)),
        ("DELETE FROM checkpoint WHERE tree_size = 700", (FaultKind.ENTRIES_UNSIGNED, 666, 666)),
        ("DELETE FROM checkpoint WHERE tree_size > 370", (FaultKind.ENTRIES_UNSIGNED, 370, 370)),
        (
            "UPDATE checkpoint SET note = substr(note, 1, length(note) - 10) || 'AAAAAAA==\n' WHERE tree_size = 370",
            (FaultKind.CHECKPOINT_INVALID, 333, 369),
        ),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE tree_size = 37) WHERE tree_size = 370",
            (FaultKind.CHECKPOINT_INVALID, 333, 369),
        ),
        ("UPDATE log_tile SET hashes = zeroblob(8192) WHERE tile_index = 1", (FaultKind.TREE_ALTERED, 256, 511)),
        ("UPDATE log_tile SET hashes = 'text' WHERE tile_index = 0", (FaultKind.TREE_ALTERED, 0, 255)),
        ("UPDATE log_tile SET root = zeroblob(32) WHERE tile_index = 0", (FaultKind.TREE_ALTERED, 0, 255)),
        ("DELETE FROM log_tile WHERE tile_index = 0", (FaultKind.TREE_ALTERED, 0, 255)),
        ("DELETE FROM log_tile", (FaultKind.TREE_ALTERED, 0, 255)),
        (
            "INSERT INTO log_tile SELECT level, 2, root, hashes FROM log_tile WHERE tile_index = 1",
            (FaultKind.TREE_ALTERED, 512, 767),
        ),
        ("UPDATE log_entry SET consumer = '' WHERE log_index = 5", (FaultKind.ENTRY_ALTERED, 5, 5)),
        ("UPDATE log_entry SET provider = 7 WHERE log_index = 6", (FaultKind.ENTRY_ALTERED, 6, 6)),
        (
            'UPDATE log_entry SET subject = subject || \'","time":"\' WHERE log_index = 7',
            (FaultKind.ENTRY_ALTERED, 7, 7),
        ),
        ("UPDATE log_entry SET leaf = 3.5 WHERE log_index = 8", (FaultKind.ENTRY_ALTERED, 8, 8)),
        ("UPDATE log_entry SET leaf_hash = 'x' WHERE log_index = 9", (FaultKind.ENTRY_ALTERED, 9, 9)),
        (
            "INSERT INTO log_tile SELECT 2, 0, root, hashes FROM log_tile WHERE tile_index = 1",
            (FaultKind.TREE_ALTERED, 0, SIZE - 1),
        ),
        (
            "INSERT INTO log_tile SELECT 1, 0, root, hashes FROM log_tile WHERE tile_index = 1",
            (FaultKind.TREE_ALTERED, 0, 65_535),
        ),
        (
            "INSERT INTO log_tile SELECT -1, 7, root, hashes FROM log_tile WHERE tile_index = 1",
            (FaultKind.TREE_ALTERED, 0, SIZE - 1),
        ),
        (
            "INSERT INTO log_tile SELECT 'text', 0, root, hashes FROM log_tile WHERE tile_index = 1",
            (FaultKind.TREE_ALTERED, 0, SIZE - 1),
        ),
        (
            "INSERT INTO log_entry SELECT -1, leaf, leaf_hash, subject, consumer, provider FROM log_entry LIMIT 1",
            (FaultKind.ENTRY_MISSING, 0, 0),
        ),
        ("INSERT INTO checkpoint SELECT -1, note FROM checkpoint LIMIT 1", (FaultKind.CHECKPOINT_INVALID, 0, 0)),
        ("UPDATE log_entry SET subject = CAST(x'ff' AS TEXT) WHERE log_index = 10", (FaultKind.UNREADABLE, 0, 0)),
    ],
)
def test_whatever_is_done_to_a_stored_log_is_named(
    stored: Path, tmp_path: Path, statement: str, expected: tuple[FaultKind, int, int]
) -> None:
    assert found(verified(altered(stored, tmp_path, statement))) == expected


def test_a_column_cannot_reach_over_the_end_of_the_value_that_it_stands_for(stored: Path, tmp_path: Path) -> None:
    """With its neighbour's beginning in it, the column would still be a piece of the leaf."""
    with closing(sqlite3.connect(stored)) as database:
        (leaf,) = database.execute("SELECT leaf FROM log_entry WHERE log_index = 7").fetchone()
    for column in ("subject", "consumer", "provider"):
        folder = tmp_path / column
        folder.mkdir()
        rest = leaf.decode().partition(f'"{column}":"')[2]
        value, _, neighbour, *_ = rest.split('"')
        longer = f'{value}","{neighbour}'
        assert f'"{column}":"{longer}"' in leaf.decode()
        file = altered(stored, folder, f"UPDATE log_entry SET {column} = '{longer}' WHERE log_index = 7")  # noqa: S608
        assert found(verified(file)) == (FaultKind.ENTRY_ALTERED, 7, 7)


@pytest.mark.parametrize("index", ["log_entry_by_subject_in_stretch", "log_entry_by_consumer"])
def test_an_entry_that_was_taken_out_of_what_searches_go_by_is_missed(stored: Path, tmp_path: Path, index: str) -> None:
    file = altered(stored, tmp_path)
    hidden(file, index, 7)
    verification = verified(file)
    assert found(verification) == (FaultKind.INDEX_ALTERED, 0, SIZE - 1)
    assert verification.fault is not None
    assert f"missing from index {index}" in verification.fault.message


@pytest.mark.parametrize("column", ["subject", "consumer", "provider"])
def test_an_entry_is_not_taken_away_from_whom_it_is_about_by_storing_nothing(
    stored: Path, tmp_path: Path, column: str
) -> None:
    statement = f"UPDATE log_entry SET {column} = NULL WHERE log_index = 7"  # noqa: S608
    file = untyped(stored, tmp_path, "log_entry", statement)
    assert found(verified(file)) == (FaultKind.ENTRY_ALTERED, 7, 7)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("NULL", (FaultKind.ENTRY_ALTERED, 0, 0)),
        ("-0.5", (FaultKind.ENTRY_ALTERED, 0, 0)),
        ("511.5", (FaultKind.ENTRY_ALTERED, 512, 512)),
    ],
)
def test_an_entry_is_found_wherever_it_was_put_between_the_others(
    stored: Path, tmp_path: Path, index: str, expected: tuple[FaultKind, int, int]
) -> None:
    rest = "leaf, leaf_hash, subject, consumer, provider FROM log_entry LIMIT 1"
    file = untyped(stored, tmp_path, "log_entry", f"INSERT INTO log_entry SELECT {index}, {rest}")
    assert found(verified(file)) == expected


def test_every_entry_altered_with_its_hash_is_found_by_the_tree_before_the_tiles(stored: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(stored)) as database:
        (leaf,) = database.execute("SELECT leaf FROM log_entry WHERE log_index = 100").fetchone()
    forged = leaf.replace(b"ekyc", b"xkyc")
    copy = altered(
        stored,
        tmp_path,
        f"UPDATE log_entry SET leaf = x'{forged.hex()}', leaf_hash = x'{leaf_hash(forged).hex()}', "  # noqa: S608
        "consumer = replace(consumer, 'ekyc', 'xkyc') WHERE log_index = 100",
    )
    assert found(verified(copy)) == (FaultKind.ENTRIES_DISAGREE, 74, 110)


def test_a_log_signed_with_another_key_does_not_verify(stored: Path) -> None:
    assert found(verified(stored, key=CheckpointKey.create()))[0] == FaultKind.CHECKPOINT_INVALID


def test_verifying_changes_nothing_in_the_folder(stored: Path) -> None:
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in stored.parent.iterdir()}
    assert verified(stored).fault is None
    assert {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in stored.parent.iterdir()} == before


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, Engine]]:
    """Give a log that a gateway has open, with entries that are in the write-ahead log alone."""
    file = tmp_path / "gateway.sqlite"
    filled(sqlite_url(file), 300, KEY).dispose()
    engine = open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION)
    extend(engine, 300, 350, KEY)
    yield file, engine
    engine.dispose()


def test_the_log_of_a_running_gateway_verifies_up_to_its_last_entry(running: tuple[Path, Engine]) -> None:
    file, engine = running
    assert verified(file).size == 350
    extend(engine, 350, 360, KEY)
    assert verified(file, checkpoint_of(file, 350)).size == 360


def growing_once(file: Path, start: int) -> Callable[[int, int], None]:
    """Return what has a gateway start, record twenty entries and stop while a log is being verified."""
    starts = iter([start])

    def told(_checked: int, _total: int) -> None:
        for first in starts:
            engine = open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION)
            extend(engine, first, first + 20, KEY)
            empty_write_ahead_log(engine)
            engine.dispose()

    return told


def test_a_log_is_not_accused_of_what_a_gateway_wrote_while_it_was_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite"
    filled(sqlite_url(file), 6_000, KEY, batch=20).dispose()
    log = StoredLog(file)
    with pytest.raises(DatabaseUnreadable, match="wrote to it meanwhile; do it again"):
        log.verify(KEY.verifier, None, growing_once(file, 6_000))
    log.close()
    assert verified(file).size == 6_020


def test_what_is_wrong_with_a_running_gateways_log_is_told_though_it_goes_on_writing(
    running: tuple[Path, Engine],
) -> None:
    file, engine = running
    with writing(engine) as connection:
        connection.execute(text("UPDATE log_entry SET leaf = x'00' WHERE log_index = 340"))
    log = StoredLog(file)
    assert found(log.verify(KEY.verifier, None, growing_once(file, 350))) == (FaultKind.ENTRY_ALTERED, 340, 340)
    log.close()


def test_what_is_no_database_of_a_gateway_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_read_only(tmp_path / "gateway.sqlite", version=schema.VERSION)
    (tmp_path / "text").write_text("no database" * 100, encoding="utf-8")
    with pytest.raises(DatabaseUnreadable, match="copy it together with the -wal file"):
        open_read_only(tmp_path / "text", version=schema.VERSION)
    filled(sqlite_url(tmp_path / "gateway.sqlite"), 0).dispose()
    with pytest.raises(SchemaMismatch, match="this program reads version 999"):
        open_read_only(tmp_path / "gateway.sqlite", version=999)


@pytest.mark.parametrize("statement", ["DELETE FROM schema_version", "INSERT INTO schema_version VALUES (999)"])
def test_a_database_that_does_not_say_its_version_is_refused_in_words(
    stored: Path, tmp_path: Path, statement: str
) -> None:
    with pytest.raises(DatabaseUnreadable, match="does not say which version"):
        open_read_only(altered(stored, tmp_path, statement), version=schema.VERSION)


def test_a_database_that_sqlite_quotes_as_what_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite"
    filled(sqlite_url(file), 0).dispose()
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT), sql = CAST(x'ff' AS TEXT)")
        database.commit()
    with pytest.raises(DatabaseUnreadable, match="its schema is not UTF-8"):
        open_read_only(file, version=schema.VERSION)


def test_progress_is_told_with_the_total(stored: Path) -> None:
    told: list[tuple[int, int]] = []
    engine = open_read_only(stored, version=schema.VERSION)
    verify_log(engine, KEY.verifier, lambda checked, total: told.append((checked, total)))
    engine.dispose()
    assert told[-1] == (SIZE, SIZE)
    assert [checked for checked, _ in told] == sorted(checked for checked, _ in told)
