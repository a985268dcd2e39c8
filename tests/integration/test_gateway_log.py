"""The exchange log: nothing leaves without its entry, and whatever is done to the stored log, verification names it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.client import CallContext
from lienthong_core.database import open_database, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import CheckpointKey, VerifierKey
from lienthong_gateway.log.merkle import leaf_hash
from lienthong_gateway.log.verdict import Fault, FaultKind, Verification
from lienthong_gateway.log.verify import verify_log
from lienthong_seeds import members
from tests.support.gateway_world import gateway_world, refusal_of

ENTRIES = 10


@dataclass(frozen=True)
class StoredLog:
    """The database of a gateway that has stopped."""

    file: Path
    key: VerifierKey

    def altered(self, folder: Path, *statements: tuple[str, tuple[object, ...]]) -> Verification:
        """Verify a copy in which somebody has run SQL statements."""
        copy = folder / "copy.sqlite"
        copyfile(self.file, copy)
        with closing(sqlite3.connect(copy)) as database, database:
            for statement, values in statements:
                assert database.execute(statement, values).rowcount > 0
        return verified(copy, self.key)

    def entry(self, index: int) -> tuple[bytes, bytes]:
        with closing(sqlite3.connect(self.file)) as database:
            row: tuple[bytes, bytes] = database.execute(
                "SELECT leaf, leaf_hash FROM log_entry WHERE log_index = ?", (index,)
            ).fetchone()
        return row


def verified(file: Path, key: VerifierKey) -> Verification:
    engine = open_database(sqlite_url(file), schema.metadata(), version=schema.VERSION)
    try:
        return verify_log(engine, key)
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    """Make a log of ten entries, one a checkpoint, and stop its gateway."""
    folder = tmp_path_factory.mktemp("log")
    with gateway_world(sqlite_url(folder / "live.sqlite")) as world:
        world.consent()
        for _ in range(6):
            world.read()
        refusal_of(lambda: world.get_citizen(CallContext("ekyc"), members.BANK))
        world.accesses()
        key = world.config.checkpoint_key.verifier
    with closing(sqlite3.connect(folder / "live.sqlite")) as live:
        live.execute("VACUUM INTO ?", (str(folder / "stored.sqlite"),))
    return StoredLog(folder / "stored.sqlite", key)


@pytest.fixture(scope="module")
def loose(stored: StoredLog, tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    """Give the log in tables that somebody has replaced by ones in which a column takes any value."""
    file = tmp_path_factory.mktemp("loose") / "loose.sqlite"
    copyfile(stored.file, file)
    with closing(sqlite3.connect(file)) as database:
        for table in ("log_entry", "checkpoint"):
            columns = ", ".join(row[1] for row in database.execute(f"PRAGMA table_info({table})"))
            database.execute(f"ALTER TABLE {table} RENAME TO strict")
            database.execute(f"CREATE TABLE {table} ({columns})")
            database.execute(f"INSERT INTO {table} SELECT * FROM strict")  # noqa: S608 (our own names)
            database.execute("DROP TABLE strict")
        database.commit()
    return StoredLog(file, stored.key)


def rows(file: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as database:
        entries = database.execute("SELECT * FROM log_entry ORDER BY log_index").fetchall()
        checkpoints = database.execute("SELECT tree_size, note FROM checkpoint ORDER BY 1").fetchall()
    return [*entries, *checkpoints]


def fault_of(verification: Verification) -> Fault:
    assert verification.fault is not None
    return verification.fault


def test_a_log_that_nobody_touched_verifies(stored: StoredLog) -> None:
    verification = verified(stored.file, stored.key)

    assert (verification.fault, verification.size) == (None, ENTRIES)
    assert verification.checkpoints == ENTRIES + 1


def test_a_log_does_not_verify_under_another_key(stored: StoredLog) -> None:
    fault = fault_of(verified(stored.file, CheckpointKey.create().verifier))

    assert fault.kind == FaultKind.CHECKPOINT_INVALID


@pytest.mark.parametrize("index", range(ENTRIES))
def test_an_altered_leaf_is_named(stored: StoredLog, tmp_path: Path, index: int) -> None:
    leaf, _ = stored.entry(index)
    forged = leaf.replace(b'"status":"OK"', b'"status":"KO"').replace(b"PERMISSION_DENIED", b"OK")
    assert forged != leaf

    fault = fault_of(stored.altered(tmp_path, ("UPDATE log_entry SET leaf = ? WHERE log_index = ?", (forged, index))))

    assert (fault.kind, fault.first, fault.last) == (FaultKind.ENTRY_ALTERED, index, index)
    assert str(index) in fault.message


@pytest.mark.parametrize("index", range(ENTRIES))
def test_an_altered_leaf_with_the_hash_to_match_is_named_by_the_tree(
    stored: StoredLog, tmp_path: Path, index: int
) -> None:
    forged = stored.entry(index)[0].replace(b'"version":5', b'"version":6')
    statement = "UPDATE log_entry SET leaf = ?, leaf_hash = ? WHERE log_index = ?"

    fault = fault_of(stored.altered(tmp_path, (statement, (forged, leaf_hash(forged), index))))

    assert (fault.kind, fault.first, fault.last) == (FaultKind.ENTRIES_DISAGREE, index, index)


def test_an_entry_hidden_from_the_citizen_it_is_about_is_named(stored: StoredLog, tmp_path: Path) -> None:
    statement = "UPDATE log_entry SET subject = '' WHERE log_index = 4"

    fault = fault_of(stored.altered(tmp_path, (statement, ())))

    assert (fault.kind, fault.first, fault.last) == (FaultKind.ENTRY_ALTERED, 4, 4)


@pytest.mark.parametrize("index", range(ENTRIES - 1))
def test_a_deleted_entry_is_named(stored: StoredLog, tmp_path: Path, index: int) -> None:
    fault = fault_of(stored.altered(tmp_path, ("DELETE FROM log_entry WHERE log_index = ?", (index,))))

    assert (fault.kind, fault.first, fault.last) == (FaultKind.ENTRY_MISSING, index, index)


def test_entries_deleted_and_the_others_moved_up_are_named(stored: StoredLog, tmp_path: Path) -> None:
    fault = fault_of(
        stored.altered(
            tmp_path,
            ("DELETE FROM log_entry WHERE log_index = 3", ()),
            ("UPDATE log_entry SET log_index = log_index - 1 WHERE log_index > 3", ()),
        )
    )

    assert (fault.kind, fault.first) == (FaultKind.ENTRIES_DISAGREE, 3)


def test_a_log_cut_off_is_named_with_what_is_gone(stored: StoredLog, tmp_path: Path) -> None:
    fault = fault_of(stored.altered(tmp_path, ("DELETE FROM log_entry WHERE log_index >= 7", ())))

    assert (fault.kind, fault.first, fault.last) == (FaultKind.LOG_TRUNCATED, 7, 7)


def test_entries_exchanged_for_one_another_are_named(stored: StoredLog, tmp_path: Path) -> None:
    swap = "UPDATE log_entry SET log_index = CASE log_index WHEN 4 THEN -5 ELSE -4 END WHERE log_index IN (4, 5)"
    back = "UPDATE log_entry SET log_index = -log_index WHERE log_index < 0"

    fault = fault_of(stored.altered(tmp_path, (swap, ()), (back, ())))

    assert (fault.kind, fault.first) == (FaultKind.ENTRIES_DISAGREE, 4)


def test_an_entry_slipped_in_at_the_end_is_named(stored: StoredLog, tmp_path: Path) -> None:
    statement = (
        "INSERT INTO log_entry SELECT 10, leaf, leaf_hash, subject, consumer, provider "
        "FROM log_entry WHERE log_index = 9"
    )

    fault = fault_of(stored.altered(tmp_path, (statement, ())))

    assert (fault.kind, fault.first, fault.last) == (FaultKind.ENTRIES_UNSIGNED, 10, 10)


def test_an_altered_checkpoint_is_named(stored: StoredLog, tmp_path: Path) -> None:
    statement = "UPDATE checkpoint SET note = replace(note, char(10) || '5' || char(10), char(10) || '6' || char(10))"

    fault = fault_of(stored.altered(tmp_path, (statement + " WHERE tree_size = 5", ())))

    assert (fault.kind, fault.last) == (FaultKind.CHECKPOINT_INVALID, 4)


def test_a_checkpoint_put_in_place_of_another_is_named(stored: StoredLog, tmp_path: Path) -> None:
    statement = "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE tree_size = 6) WHERE tree_size = 5"

    fault = fault_of(stored.altered(tmp_path, (statement, ())))

    assert fault.kind == FaultKind.CHECKPOINT_INVALID
    assert "signed for size 6" in fault.message


def test_a_log_without_any_checkpoint_does_not_verify(stored: StoredLog, tmp_path: Path) -> None:
    fault = fault_of(stored.altered(tmp_path, ("DELETE FROM checkpoint", ())))

    assert fault.kind == FaultKind.CHECKPOINT_INVALID


COLUMNS = [
    ("log_entry", "log_index", column)
    for column in ("log_index", "leaf", "leaf_hash", "subject", "consumer", "provider")
] + [("checkpoint", "tree_size", column) for column in ("tree_size", "note")]
values = (
    st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text(max_size=8) | st.binary(max_size=8)
)


@given(column=st.sampled_from(COLUMNS), row=st.integers(0, ENTRIES - 1), value=values)
def test_any_value_written_anywhere_in_the_log_is_a_fault_and_never_a_crash(
    loose: StoredLog, tmp_path_factory: pytest.TempPathFactory, column: tuple[str, str, str], row: int, value: object
) -> None:
    table, key, name = column
    statement = f"UPDATE {table} SET {name} = ? WHERE {key} = ?"  # noqa: S608 (our own names)

    folder = tmp_path_factory.mktemp("altered")

    verification = loose.altered(folder, (statement, (value, row)))

    unchanged = rows(folder / "copy.sqlite") == rows(loose.file)
    # A checkpoint moved out of sight is one less, and the next one covers the same entries.
    assert (verification.fault is None) == unchanged or name == "tree_size"
