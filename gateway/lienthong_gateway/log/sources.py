"""Where verification reads a log: a database, or whatever else can say the same."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from sqlalchemy import Connection, bindparam, select, true, type_coerce
from sqlalchemy.types import NullType

from lienthong_gateway.log.growth import TILE_HEIGHT
from lienthong_gateway.log.pruning import pruned_entries
from lienthong_gateway.log.rows import NO_COLUMN, PRUNED, Page, StoredRow, checked
from lienthong_gateway.log.statements import PreparedSelect
from lienthong_gateway.log.store import ENTRIES, LAST_SIZE, TILES, read_checkpoints

_PAGE = 512
_CHECKPOINTS, _TILES = 1_000, 256


class LogSource(Protocol):
    """A log to verify; everything comes in order, and from one state of the log."""

    def size(self) -> int:
        """Return how many entries are to be verified, as far as is known before they are."""
        ...

    def entries(self, start: int) -> Iterator[Page]:
        """Give the entries from an index on, in pages of any size, also those that nobody has signed.

        Raises RowFault after the last sound one, if there is one that is not.
        """
        ...

    def checkpoints(self, start_size: int) -> Iterator[tuple[int, str]]:
        """Give size and note of the checkpoints from a size on."""
        ...

    def tiles(self, level: int) -> "Iterator[Sequence[object]] | None":
        """Give index, hashes and root of the stored tiles of a level; None: there are none to check."""
        ...


class DatabaseSource:
    """A stored log, read within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def size(self) -> int:
        """Return the size that the newest checkpoint is stored for."""
        size = self._connection.execute(LAST_SIZE).scalar_one()
        return size if isinstance(size, int) else 0

    def entries(self, start: int) -> Iterator[Page]:
        """Give the entries."""
        return checked(self._rows(start), start)

    def _rows(self, start: int) -> Iterator[Sequence[StoredRow]]:
        # As stored: values of another type than the column's must be read and judged, not converted.
        columns = (ENTRIES.c[name] for name in ("log_index", "leaf", "leaf_hash", "subject", "consumer", "provider"))
        query = select(*columns).order_by(ENTRIES.c.log_index).limit(_PAGE)
        after = PreparedSelect(self._connection.dialect, query.where(ENTRIES.c.log_index > bindparam("last")))
        for tile in pruned_entries(self._connection, start):
            yield [(index, PRUNED, hashed, NO_COLUMN, NO_COLUMN, NO_COLUMN) for index, hashed in tile]
            start = tile[-1][0] + 1
        if start == 0:
            # Nothing belongs before entry 0; what is stored there is to be found.
            page = PreparedSelect(self._connection.dialect, query).all(self._connection, {})
        else:
            page = after.all(self._connection, {"last": start - 1})
        while page:
            yield page
            page = after.all(self._connection, {"last": page[-1][0]})

    def checkpoints(self, start_size: int) -> Iterator[tuple[int, str]]:
        """Give the checkpoints."""
        # Nothing belongs before the empty log's; what is stored there is to be found.
        first = start_size or None
        while page := read_checkpoints(self._connection, first, _CHECKPOINTS):
            yield from page
            if len(page) < _CHECKPOINTS:
                # The last size may be any that a database can hold, and one more may be none.
                return
            first = page[-1][0] + 1

    def tiles(self, level: int) -> Iterator[Sequence[object]]:
        """Give the tiles of a level."""
        columns = (type_coerce(TILES.c[name], NullType()) for name in ("hashes", "root"))
        query = select(TILES.c.tile_index, *columns).where(TILES.c.level == level)
        query = query.order_by(TILES.c.tile_index).limit(_TILES)
        page = self._connection.execute(query).all()
        while page:
            yield from page
            page = self._connection.execute(query.where(TILES.c.tile_index > page[-1][0])).all()

    def misplaced_tile(self, size: int) -> Sequence[object] | None:
        """Return level and index of a tile at a level of which a log of this size fills none; None: there is none."""
        filled = range((size.bit_length() - 1) // TILE_HEIGHT)
        query = select(type_coerce(TILES.c.level, NullType()), type_coerce(TILES.c.tile_index, NullType()))
        return self._connection.execute(query.where(TILES.c.level.in_(filled).is_not(true())).limit(1)).first()

    def index_fault(self) -> str | None:
        """Return, in the database's words, why a search would not find every entry where it belongs; None: it would.

        Only SQLite is asked, whose file anybody can edit.
        """
        if self._connection.dialect.name != "sqlite":
            return None
        said = self._connection.exec_driver_sql(f"PRAGMA integrity_check('{ENTRIES.name}')").scalars().first()
        return None if said == "ok" else str(said)
