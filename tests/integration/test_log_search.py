"""Looking through the stored log: bounded, in order, each entry once, on every database."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from lienthong_core.database import snapshot, writing
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.notes import find_note, newest_size, read_newest_note, save_cosignature
from lienthong_gateway.log.search import MOST_LOOKED_AT, Found, Key, Leaf, search
from lienthong_gateway.log.store import commitment, find_salt
from tests.support.log import CONSUMERS, PROVIDER, entry, filled

SIZE = 90


def every(_leaf: Leaf) -> bool:
    return True


def pages(engine: Engine, keys: tuple[Key, ...], fits: Callable[[Leaf], bool], limit: int) -> list[Found]:
    """Search page by page to the end."""
    found: list[Found] = []
    before: int | None = None
    with snapshot(engine) as connection:
        while not found or before is not None:
            found.append(search(connection, keys, fits, before, limit))
            before = found[-1].cursor
    return found


def indexes(found: list[Found]) -> list[int]:
    return [index for page in found for index, _ in page.entries]


def test_entries_are_found_by_any_of_their_keys_on_every_database(database_url: str) -> None:
    engine = filled(database_url, SIZE)
    newest_first = list(range(SIZE - 1, -1, -1))
    bank, provider = Key("consumer", CONSUMERS[0]), Key("provider", PROVIDER)
    expected: list[tuple[tuple[Key, ...], list[int]]] = [
        ((), newest_first),
        ((bank,), [n for n in newest_first if n % 2 == 0]),
        ((bank, provider), newest_first),
        ((bank, Key("provider", "nobody")), [n for n in newest_first if n % 2 == 0]),
        ((Key("consumer", "nobody"),), []),
        ((subject_key(engine, f"{3:012}"),), [n for n in newest_first if n % 5 == 3]),
    ]
    for keys, wanted in expected:
        for limit in (1, 7, SIZE, SIZE + 1):
            assert indexes(pages(engine, keys, every, limit)) == wanted
    engine.dispose()


def subject_key(engine: Engine, number: str) -> Key:
    with engine.connect() as connection:
        salt = find_salt(connection, number)
    assert salt is not None
    return Key("subject", commitment(salt, number))


def test_a_citizens_few_entries_are_found_in_a_long_log(tmp_path: Path) -> None:
    # More than one look at the index takes in, and more than one stretch of it in each.
    size, hers = 80_000, [0, 4_095, 4_096, 65_535, 65_536, 79_999]

    def make(number: int) -> Entry:
        made = entry(number)
        return replace(made, trace=replace(made.trace, subject="099190000001" if number in hers else "099190000002"))

    engine = filled(f"sqlite:///{tmp_path}/log.sqlite", size, batch=256, make=make)
    key = (subject_key(engine, "099190000001"),)
    for limit in (1, 2, len(hers), len(hers) + 1):
        assert indexes(pages(engine, key, every, limit)) == hers[::-1]
    engine.dispose()


@pytest.mark.timeout(20)
def test_an_index_far_beyond_the_logs_end_is_its_end(tmp_path: Path) -> None:
    engine = filled(f"sqlite:///{tmp_path}/log.sqlite", SIZE)
    keys = (subject_key(engine, f"{3:012}"),)
    with snapshot(engine) as connection:
        found = search(connection, keys, every, None, SIZE)
        assert search(connection, keys, every, 1 << 60, SIZE) == found
    assert found.entries
    engine.dispose()


@pytest.mark.parametrize("limit", [1, 5, 12, 13])
def test_only_what_fits_is_found_and_the_last_page_has_no_cursor(database_url: str, limit: int) -> None:
    engine = filled(database_url, SIZE)

    def refused(leaf: Leaf) -> bool:
        return str(leaf["event"]) == "REFUSAL"

    found = pages(engine, (), refused, limit)
    engine.dispose()
    assert indexes(found) == [n for n in range(SIZE - 1, -1, -1) if n % 7 == 6]
    assert [len(page.entries) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1].entries


def test_no_more_than_a_bounded_number_of_entries_is_looked_at(tmp_path: Path) -> None:
    engine = filled(f"sqlite:///{tmp_path}/log.sqlite", MOST_LOOKED_AT + 500, batch=256)
    looked_at: list[Leaf] = []

    def never(leaf: Leaf) -> bool:
        looked_at.append(leaf)
        return False

    with snapshot(engine) as connection:
        first = search(connection, (), never, None, 50)
        assert (first.entries, first.cursor, len(looked_at)) == ([], 500, MOST_LOOKED_AT)
        assert search(connection, (), never, first.cursor, 50) == Found([], None)
    engine.dispose()
    assert len(looked_at) == MOST_LOOKED_AT + 500


def test_a_cosignature_is_kept_beside_its_checkpoint_on_every_database(database_url: str) -> None:
    engine = filled(database_url, SIZE, CheckpointKey.create())

    def state(connection: Connection) -> tuple[int | None, int | None, list[str]]:
        note = find_note(connection, 37)
        assert note is not None
        signatures = note.note.partition("\n\n")[2].splitlines()[1:]
        return newest_size(connection), newest_size(connection, cosigned=True), signatures

    with writing(engine) as connection:
        assert state(connection) == (SIZE, None, [])
        save_cosignature(connection, 37, "w2", "— w2 AAAA")
        save_cosignature(connection, 37, "w1", "— w1 AAAA")
        save_cosignature(connection, 37, "w2", "— w2 BBBB")
        assert state(connection) == (SIZE, 37, ["— w1 AAAA", "— w2 BBBB"])
        assert find_note(connection, 36) is None
        assert read_newest_note(connection).tree_size == SIZE
    engine.dispose()
