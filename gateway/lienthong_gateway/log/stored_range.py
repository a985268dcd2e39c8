"""What an export is made of, from a log's own database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from lienthong_gateway.log.export import ALTERED, ExportFault
from lienthong_gateway.log.notes import read_newest_note
from lienthong_gateway.log.proofs import Prover
from lienthong_gateway.log.store import ENTRIES, minimum_index
from lienthong_gateway.log.tiles import StoredTiles, TileStatements

_PAGE = 512


class StoredRange:
    """Entries of a log as it was when `connection` first read it."""

    def __init__(self, connection: Connection) -> None:
        """Raises CheckpointFault if there is no checkpoint."""
        self._connection = connection
        self._tiles = StoredTiles(connection, TileStatements(connection.dialect))
        self.note = read_newest_note(connection).note
        self.minimum = minimum_index(connection)

    def peaks(self, size: int) -> Sequence[bytes]:
        """Return the roots of the full subtrees of the first `size` entries; raises LogDamaged."""
        return Prover(self._tiles, size).peaks()

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """Return the proof that the tree of `second` entries begins with the one of `first`; raises LogDamaged."""
        return Prover(self._tiles, second).consistency(first)

    def leaves(self, first: int, end: int) -> Iterator[bytes]:
        """Give entries `first` up to `end`; raises ExportFault."""
        # As stored: somebody who edits the file by hand can put anything there.
        query = select(type_coerce(ENTRIES.c.leaf, NullType())).order_by(ENTRIES.c.log_index)
        for start in range(first, end, _PAGE):
            page = query.where(ENTRIES.c.log_index >= start, ENTRIES.c.log_index < min(end, start + _PAGE))
            yield from map(_bytes, self._connection.execute(page).scalars())


def _bytes(leaf: object) -> bytes:
    if not isinstance(leaf, bytes):
        raise ExportFault(ALTERED)
    return leaf
