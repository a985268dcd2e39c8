"""Looking through the log, newest first, a bounded number of entries at a time."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, select, true, union

from lienthong_gateway.log.model import STRETCH, STRETCH_BITS
from lienthong_gateway.log.store import ENTRIES
from lienthong_gateway.paging import ENOUGH_BYTES

MOST_LOOKED_AT = 10_000
_CHUNK = 1_000
_STRETCHES = 16
"""In how many stretches a citizen's entries are looked for at once: each is a place of its own in the index."""

_SUBJECT = "subject"

Leaf = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A column that entries are looked up by, and its value."""

    column: str
    """`subject`, `consumer` or `provider`."""
    value: str

    def condition(self, window: range) -> ColumnElement[bool]:
        """Return the condition on the stored entry, if those of some indexes are looked through."""
        found = ENTRIES.c[self.column] == self.value
        if self.column != _SUBJECT or not window:
            return found
        stretches = range(window.start >> STRETCH_BITS, (window.stop - 1 >> STRETCH_BITS) + 1)
        return and_(literal_column(STRETCH).in_(stretches), found)


@dataclass(frozen=True)
class Found:
    """Entries by index, newest first; `cursor` is where to go on, None if that was all."""

    entries: list[tuple[int, Leaf]]
    cursor: int | None


def search(
    connection: Connection, keys: tuple[Key, ...], fits: Callable[[Leaf], bool], before: int | None, limit: int
) -> Found:
    """Return up to `limit` entries that have any of the keys (no keys: all entries) and fit, those before an index.

    No more than MOST_LOOKED_AT entries are looked at, and none once there are ENOUGH_BYTES; the cursor says where to
    go on.
    """
    found: list[tuple[int, Leaf]] = []
    last, total = before, 0
    for looked_at, (index, leaf) in enumerate(_newest_first(connection, keys, before, limit + 1)):
        if looked_at == MOST_LOOKED_AT or total > ENOUGH_BYTES:
            return Found(found, last)
        said: Leaf = json.loads(leaf)
        if fits(said):
            if len(found) == limit:
                return Found(found, found[-1][0])
            found.append((index, said))
            total += len(leaf)
        last = index
    return Found(found, None)


def _newest_first(
    connection: Connection, keys: tuple[Key, ...], before: int | None, first_chunk: int
) -> Iterator[tuple[int, bytes]]:
    limit = first_chunk
    size = _size(connection)
    # A caller may name any index, and whatever lies between it and the log's end would be looked through for nothing.
    for whole in _windows(keys, size if before is None else min(before, size)):
        window = whole
        while len(chunk := _chunk(connection, keys, window, limit)) == limit:
            yield from chunk
            window, limit = range(whole.start, chunk[-1][0]), _CHUNK
        yield from chunk


def _size(connection: Connection) -> int:
    newest: int | None = connection.execute(select(func.max(ENTRIES.c.log_index))).scalar()
    return 0 if newest is None else newest + 1


def _windows(keys: tuple[Key, ...], end: int) -> Iterator[range]:
    """Give the indexes below `end` that are looked through at once, newest first."""
    if not any(key.column == _SUBJECT for key in keys):
        yield range(end)
        return
    while end > 0:
        newest = end - 1 >> STRETCH_BITS
        start = max(0, newest + 1 - _STRETCHES) << STRETCH_BITS
        yield range(start, end)
        end = start


def _chunk(connection: Connection, keys: tuple[Key, ...], window: range, limit: int) -> list[tuple[int, bytes]]:
    conditions = [key.condition(window) for key in keys] or [true()]
    # One bounded walk along each key's index: a condition with OR would sort all that it finds.
    parts = [_bounded(condition, window, limit) for condition in conditions]
    indexes = union(*(select(part.c.log_index) for part in parts)).subquery()
    newest = select(indexes.c.log_index).order_by(indexes.c.log_index.desc()).limit(limit)
    query = select(ENTRIES.c.log_index, ENTRIES.c.leaf).where(ENTRIES.c.log_index.in_(newest.scalar_subquery()))
    rows = connection.execute(query.order_by(ENTRIES.c.log_index.desc()))
    return [(row.log_index, bytes(row.leaf)) for row in rows]


def _bounded(condition: ColumnElement[bool], window: range, limit: int) -> Any:  # noqa: ANN401 (a subquery)
    index = ENTRIES.c.log_index
    query = select(index).where(condition, index >= window.start, index < window.stop)
    return query.order_by(index.desc()).limit(limit).subquery()
