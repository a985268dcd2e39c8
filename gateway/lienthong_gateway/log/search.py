"""Looking through the log, newest first, a bounded number of entries at a time."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, true, union

from lienthong_gateway.log.store import ENTRIES

MOST_LOOKED_AT = 10_000
_CHUNK = 1_000

Leaf = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A column that entries are looked up by, and its value."""

    column: str
    """`subject`, `consumer` or `provider`."""
    value: str

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on the stored entry."""
        return ENTRIES.c[self.column] == self.value


@dataclass(frozen=True)
class Found:
    """Entries by index, newest first; `cursor` is where to go on, None if that was all."""

    entries: list[tuple[int, Leaf]]
    cursor: int | None


def search(
    connection: Connection, keys: tuple[Key, ...], fits: Callable[[Leaf], bool], before: int | None, limit: int
) -> Found:
    """Return up to `limit` entries that have any of the keys (no keys: all entries) and fit, those before an index.

    No more than MOST_LOOKED_AT entries are looked at; the cursor says where to go on.
    """
    found: list[tuple[int, Leaf]] = []
    last = before
    for looked_at, (index, leaf) in enumerate(_newest_first(connection, keys, before, limit + 1)):
        if looked_at == MOST_LOOKED_AT:
            return Found(found, last)
        said: Leaf = json.loads(leaf)
        if fits(said):
            if len(found) == limit:
                return Found(found, found[-1][0])
            found.append((index, said))
        last = index
    return Found(found, None)


def _newest_first(
    connection: Connection, keys: tuple[Key, ...], before: int | None, first_chunk: int
) -> Iterator[tuple[int, bytes]]:
    limit = first_chunk
    while True:
        chunk = _chunk(connection, keys, before, limit)
        yield from chunk
        if len(chunk) < limit:
            return
        before, limit = chunk[-1][0], _CHUNK


def _chunk(connection: Connection, keys: tuple[Key, ...], before: int | None, limit: int) -> list[tuple[int, bytes]]:
    conditions = [key.condition() for key in keys] or [true()]
    # One bounded walk along each key's index: a condition with OR would sort all that it finds.
    parts = [_bounded(condition, before, limit) for condition in conditions]
    indexes = union(*(select(part.c.log_index) for part in parts)).subquery()
    newest = select(indexes.c.log_index).order_by(indexes.c.log_index.desc()).limit(limit)
    query = select(ENTRIES.c.log_index, ENTRIES.c.leaf).where(ENTRIES.c.log_index.in_(newest.scalar_subquery()))
    rows = connection.execute(query.order_by(ENTRIES.c.log_index.desc()))
    return [(row.log_index, bytes(row.leaf)) for row in rows]


def _bounded(condition: ColumnElement[bool], before: int | None, limit: int) -> Any:  # noqa: ANN401 (a subquery)
    query = select(ENTRIES.c.log_index).where(condition)
    if before is not None:
        query = query.where(ENTRIES.c.log_index < before)
    return query.order_by(ENTRIES.c.log_index.desc()).limit(limit).subquery()
