"""The log as C2SP `tlog-tiles`: tiles of 256 hashes and bundles of 256 entries, which any such monitor can follow.

https://c2sp.org/tlog-tiles. A tile or bundle at the log's right edge is partial; it stays available at every width that
it ever had, because a wider one begins with the narrower.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Dialect, Engine, bindparam, select

from lienthong_core.database import snapshot
from lienthong_core.errors import Refusal, not_found
from lienthong_gateway.log.growth import TILE_WIDTH
from lienthong_gateway.log.merkle import HASH_BYTES
from lienthong_gateway.log.notes import read_newest_note
from lienthong_gateway.log.statements import PreparedSelect
from lienthong_gateway.log.store import ENTRIES, TILES, minimum_index

_LENGTH_BYTES = 2
_MAX_ENTRY = (1 << 8 * _LENGTH_BYTES) - 1
_MAX_LEVEL = 63
_ENTRIES = "entries"
_DIGITS = 3
_PATH = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries)"
    r"/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)

_FULL_TILE = select(TILES.c.hashes).where(TILES.c.level == bindparam("of_level"), TILES.c.tile_index == bindparam("at"))
_LEAF_HASHES = (
    select(ENTRIES.c.leaf_hash)
    .where(ENTRIES.c.log_index >= bindparam("first"), ENTRIES.c.log_index < bindparam("beyond"))
    .order_by(ENTRIES.c.log_index)
)
_ROOTS = (
    select(TILES.c.root)
    .where(
        TILES.c.level == bindparam("of_level"),
        TILES.c.tile_index >= bindparam("first"),
        TILES.c.tile_index < bindparam("beyond"),
    )
    .order_by(TILES.c.tile_index)
)


class LogDamaged(Exception):  # noqa: N818 (names what is wrong)
    """What is stored cannot be a log: verify it."""


@dataclass(frozen=True)
class TilePath:
    """Where a tile or a bundle of entries is; `level` None: it is a bundle."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @classmethod
    def parse(cls, path: str) -> "TilePath | None":
        """Read a path such as `tile/0/x001/x234/067.p/13`; None if it is not written exactly as specified."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        level = None if match["level"] == _ENTRIES else int(match["level"])
        parsed = cls(level, int(re.sub(r"[x/]", "", match["index"])), int(match["width"] or TILE_WIDTH))
        return parsed if str(parsed) == path and (level or 0) <= _MAX_LEVEL else None

    def __str__(self) -> str:
        """Write the path."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // _DIGITS) * _DIGITS)
        *above, last = (digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS))
        level = _ENTRIES if self.level is None else self.level
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{''.join(f'x{part}/' for part in above)}{last}{partial}"


class TileStatements:
    """What a stored tree is asked, in the words of one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self.full_tile = PreparedSelect(dialect, _FULL_TILE)
        self.leaf_hashes = PreparedSelect(dialect, _LEAF_HASHES)
        self.roots = PreparedSelect(dialect, _ROOTS)


class StoredTiles:
    """The hashes of the stored tree, within one transaction."""

    def __init__(self, connection: Connection, statements: TileStatements) -> None:
        self._connection = connection
        self._statements = statements

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile, 32 bytes each.

        Raises IndexError if there are not so many yet, LogDamaged if something else than a hash is stored.
        """
        hashes = self._full(level, index) if width == TILE_WIDTH else self._partial(level, index, width)
        if hashes is None:
            raise IndexError(f"tile {index} of level {level} is not {width} hashes wide")
        if len(hashes) != width * HASH_BYTES:
            raise LogDamaged(f"tile {index} of level {level} does not hold hashes of {HASH_BYTES} bytes")
        return hashes

    def _full(self, level: int, index: int) -> bytes | None:
        found = self._statements.full_tile.all(self._connection, {"of_level": level, "at": index})
        return _stored(found[0]) if found else None

    def _partial(self, level: int, index: int, width: int) -> bytes | None:
        between: dict[str, int] = {"first": index * TILE_WIDTH, "beyond": index * TILE_WIDTH + width}
        if level == 0:
            found = self._statements.leaf_hashes.all(self._connection, between)
        else:
            found = self._statements.roots.all(self._connection, {**between, "of_level": level - 1})
        if level == 0 and len(found) < width:
            # They may have been pruned since the tile was so narrow; what became of it begins with them.
            full = self._full(level, index)
            return None if full is None else full[: width * HASH_BYTES]
        hashes = [_stored(row) for row in found]
        # What is no hash counts as none, so that hashes of wrong lengths cannot make up for one another.
        return b"".join(value for value in hashes if len(value) == HASH_BYTES) if len(hashes) == width else None


def _stored(row: Sequence[object]) -> bytes:
    """Return the row's one value; of another kind it can be if somebody edited the database's file, and is no hash."""
    return row[0] if isinstance(row[0], bytes) else b""


class TileSource:
    """The log's files, for whoever serves them. Every method reads the database and may be called in any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._statements = TileStatements(engine.dialect)

    def read(self, path: str) -> bytes:
        """Return the tile or the entries at a path without a leading slash: `tile/0/000`, `tile/entries/000.p/7`.

        Refused: TILE_UNKNOWN, also for a path that is not written as specified.
        """
        parsed = TilePath.parse(path)
        if parsed is None:
            message = "There is no such file: the log has checkpoint, tile/LEVEL/INDEX and tile/entries/INDEX."
            raise not_found("TILE_UNKNOWN", message)
        if parsed.level is None:
            return self.entries(parsed.index, parsed.width)
        return self.tile(parsed.level, parsed.index, parsed.width)

    def checkpoint(self) -> bytes:
        """Return the newest signed note, with the witnesses' cosignatures on it."""
        with snapshot(self._engine) as connection:
            return read_newest_note(connection).note.encode()

    def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """Return `width` hashes of 32 bytes each. Refused: TILE_UNKNOWN, for what lies beyond the log."""
        _check(level, index, width)
        try:
            with snapshot(self._engine) as connection:
                return StoredTiles(connection, self._statements).tile(level, index, width)
        except IndexError:
            raise _beyond() from None

    def entries(self, index: int, width: int = TILE_WIDTH) -> bytes:
        """Return `width` leaves, each behind its length (two bytes, big-endian).

        Refused: TILE_UNKNOWN, for what lies beyond the log, and for entries that no bundle can hold; ENTRY_PRUNED.
        """
        _check(0, index, width)
        first = index * TILE_WIDTH
        query = select(ENTRIES.c.leaf).where(ENTRIES.c.log_index >= first, ENTRIES.c.log_index < first + width)
        with snapshot(self._engine) as connection:
            check_not_pruned(connection, first)
            leaves = [bytes(leaf) for leaf in connection.execute(query.order_by(ENTRIES.c.log_index)).scalars()]
        if len(leaves) < width:
            raise _beyond()
        try:
            return bundle(leaves)
        except LogDamaged:
            message = "No bundle can hold these entries, as one is longer than 65,535 bytes; ListEntries gives them."
            raise not_found("TILE_UNKNOWN", message) from None


def check_not_pruned(connection: Connection, index: int) -> None:
    """Refuse, with ENTRY_PRUNED, an entry that the log has no more."""
    minimum = minimum_index(connection)
    if 0 <= index < minimum:
        message = (
            f"The log has entry {index} no more, nor any before {minimum}. If they were pruned, as they had been kept "
            "as long as they must be, an entry of the event PRUNING has the digest of the file that holds them; if "
            "there is none, they are missing, which `lienthong log verify` tells. Proofs of them are still given."
        )
        raise not_found("ENTRY_PRUNED", message)


def bundle(leaves: Sequence[bytes]) -> bytes:
    """Return leaves as an entry bundle; raises LogDamaged if one is longer than two bytes can say."""
    if any(len(leaf) > _MAX_ENTRY for leaf in leaves):
        raise LogDamaged(f"an entry is longer than the {_MAX_ENTRY} bytes that a bundle can hold")
    return b"".join(len(leaf).to_bytes(_LENGTH_BYTES, "big") + leaf for leaf in leaves)


def unbundle(data: bytes) -> list[bytes]:
    """Return the leaves of an entry bundle; raises ValueError if it is cut short."""
    leaves: list[bytes] = []
    at = 0
    while at < len(data):
        first = at + _LENGTH_BYTES
        at = first + int.from_bytes(data[first - _LENGTH_BYTES : first], "big")
        if first > len(data) or at > len(data):
            raise ValueError("an entry bundle is cut short")
        leaves.append(data[first:at])
    return leaves


def _check(level: int, index: int, width: int) -> None:
    if not (0 <= level <= _MAX_LEVEL and 0 <= index < 1 << 54 and 1 <= width <= TILE_WIDTH):
        raise _beyond()


def _beyond() -> Refusal:
    message = "The log does not reach that far yet; the checkpoint says how many entries it has."
    return not_found("TILE_UNKNOWN", message)
