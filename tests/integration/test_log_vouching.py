"""Entries name the checkpoint before them, so that the newest signature stands for all before it."""

import json
from dataclasses import dataclass
from pathlib import Path

import rfc8785
from sqlalchemy import Engine

from lienthong_core.database import open_database, snapshot, sqlite_url, writing
from lienthong_gateway import schema
from lienthong_gateway.log.append import Appender, Line
from lienthong_gateway.log.checkpoint import CheckpointKey, note_digest
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.store import all_entries, read_checkpoints
from lienthong_gateway.log.verdict import FaultKind
from lienthong_gateway.log.verify import verify_log
from tests.support.log import CountingKey, entry, extend, filled

KEY = CheckpointKey.create()


def named_and_signed(engine: Engine) -> tuple[list[str], list[str]]:
    """Return the checkpoint that each entry names, and the one that was the newest when it was written."""
    with snapshot(engine) as connection:
        notes = read_checkpoints(connection, 0, 1_000)
        named = [json.loads(stored.leaf)["after_checkpoint"] for stored in all_entries(connection)]
    before = [max(size for size, _ in notes if size <= index) for index in range(len(named))]
    return named, [note_digest(dict(notes)[size]) for size in before]


def test_every_entry_names_the_newest_checkpoint_before_its_batch_whoever_wrote_that(database_url: str) -> None:
    engine = open_database(database_url, schema.metadata(), version=schema.VERSION)
    replicas = [Appender(engine, KEY), Appender(engine, KEY)]
    for number in range(60):
        replica = replicas[number % 3 % 2]
        with writing(engine) as connection:
            head = replica.begin(connection)
            lines = [Line.of(entry(number), "", replica.after) for _ in range(1 + number % 4)]
            replica.append(connection, lines, head)
            if number % 10 == 9:
                connection.rollback()
        if number % 10 == 9:
            replica.rolled_back()
        else:
            replica.committed()
    named, signed = named_and_signed(engine)
    assert len(named) > 100
    assert named == signed
    assert verify_log(engine, KEY.verifier).fault is None
    engine.dispose()


def test_a_history_that_is_consistent_up_to_its_end_is_found_where_somebody_without_the_key_began_it(
    tmp_path: Path,
) -> None:
    """Every entry names the forged checkpoint before it, so that only the newest would have had to be signed."""

    def other(number: int) -> Entry:
        return entry(number + 1)

    forger = CheckpointKey.create()
    forger.verifier = KEY.verifier
    engine = filled(sqlite_url(tmp_path / "gateway.sqlite"), 370, KEY)
    kept = verify_log(engine, KEY.verifier)
    extend(engine, 370, 700, forger, batch=10, make=other)
    verification = verify_log(engine, KEY.verifier)
    assert verification.fault is not None
    assert (verification.fault.kind, verification.fault.first) == (FaultKind.CHECKPOINT_INVALID, 370)
    assert (verification.size, verification.root, verification.note) == (370, kept.root, kept.note)
    engine.dispose()


@dataclass(frozen=True)
class Older(Entry):
    """An entry of version 3, which names no checkpoint."""

    def leaf(self, commitment: str, after: str) -> bytes:
        said = json.loads(super().leaf(commitment, after))
        del said["after_checkpoint"]
        return rfc8785.dumps({**said, "version": 3})


def older(number: int) -> Entry:
    return Older(**vars(entry(number)))


def test_the_newest_signature_stands_for_those_of_all_checkpoints_that_entries_name(database_url: str) -> None:
    engine = filled(database_url, 300, KEY, batch=1)
    key = CountingKey(KEY)
    verification = verify_log(engine, key)
    assert (verification.fault, verification.size, verification.checkpoints) == (None, 300, 301)
    assert key.checked == 2  # and the first, with which another log's key is told from this one's
    engine.dispose()


def test_each_signature_is_checked_of_a_log_whose_entries_name_none(tmp_path: Path) -> None:
    engine = filled(sqlite_url(tmp_path / "gateway.sqlite"), 30, KEY, batch=1, make=older)
    extend(engine, 30, 50, KEY, batch=1)
    key = CountingKey(KEY)
    verification = verify_log(engine, key)
    assert (verification.fault, verification.size) == (None, 50)
    assert key.checked == 31
    engine.dispose()
