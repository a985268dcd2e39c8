"""The log's tables: appending within a transaction, and reading."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, Engine, Table, insert, select, type_coerce
from sqlalchemy.types import NullType

from lienthong_core.database import writing
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, CheckpointKey, VerifierKey
from lienthong_gateway.log.growth import TILE_HEIGHT, TILE_WIDTH, Growth, Tile
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.merkle import leaf_hash
from lienthong_gateway.log.model import CheckpointRow, LogEntryRow, LogTileRow, SubjectSalt
from lienthong_gateway.log.summary import summarise

ENTRIES = cast("Table", LogEntryRow.__table__)  # type: ignore[attr-defined]
CHECKPOINTS = cast("Table", CheckpointRow.__table__)  # type: ignore[attr-defined]
TILES = cast("Table", LogTileRow.__table__)  # type: ignore[attr-defined]
SALTS = cast("Table", SubjectSalt.__table__)  # type: ignore[attr-defined]
_SALT_BYTES = 32
_CACHED_COMMITMENTS = 10_000
_PAGE = 1_000


def commitment(salt: bytes, personal_number: str) -> str:
    """Return the salted commitment to a citizen: HMAC-SHA256, hex."""
    return hmac.digest(salt, personal_number.encode(), hashlib.sha256).hex()


class Appender:
    """Appends batches. Used by one thread, with one transaction a batch."""

    def __init__(self, engine: Engine, key: CheckpointKey) -> None:
        """Go on from the last checkpoint; raises CheckpointFault if it was altered, or signed with another key."""
        self._key = key
        self._commitments: OrderedDict[str, str] = OrderedDict()
        with writing(engine) as connection:
            if not read_checkpoints(connection, 0, 1):
                self._save_checkpoint(connection, Growth.of_partial(()))
            self._tree: Growth | None = load_growth(connection, key.verifier)
        self._pending: Growth | None = None

    def append(self, connection: Connection, entries: Sequence[Entry]) -> range:
        """Append entries and the checkpoint that covers them; return their indexes.

        `committed` or `rolled_back` must follow, as the transaction ended.
        """
        before = self._tree or load_growth(connection, self._key.verifier)
        tree = before.copy()
        rows: list[dict[str, object]] = []
        tiles: list[Tile] = []
        for entry in entries:
            subject = self._commitment(connection, entry.trace.subject)
            leaf = entry.leaf(subject)
            hashed = leaf_hash(leaf)
            rows.append(
                {
                    "log_index": tree.size,
                    "leaf": leaf,
                    "leaf_hash": hashed,
                    "subject": subject,
                    "consumer": entry.trace.consumer,
                    "provider": entry.trace.provider,
                }
            )
            tiles += tree.append(hashed)
        connection.execute(insert(ENTRIES), rows)
        if tiles:
            connection.execute(insert(TILES), [tile_row(tile) for tile in tiles])
            summarise(connection, [tile.index for tile in tiles if tile.level == 0])
        self._save_checkpoint(connection, tree)
        self._pending = tree
        return range(before.size, tree.size)

    def committed(self) -> None:
        """Go on from the batch that was appended last: its transaction is durable."""
        self._tree = self._pending

    def rolled_back(self) -> None:
        """Forget what is known of the log: the batch that was appended last may be stored, or not."""
        self._tree = None
        self._commitments.clear()

    def _save_checkpoint(self, connection: Connection, tree: Growth) -> None:
        row = {"tree_size": tree.size, "note": self._key.sign(Checkpoint(tree.size, tree.root()))}
        connection.execute(insert(CHECKPOINTS), row)

    def _commitment(self, connection: Connection, personal_number: str) -> str:
        if not personal_number:
            return ""
        known = self._commitments.get(personal_number)
        if known is not None:
            return known
        salt = find_salt(connection, personal_number)
        if salt is None:
            salt = secrets.token_bytes(_SALT_BYTES)
            connection.execute(insert(SALTS), {"personal_number": personal_number, "salt": salt})
        value = commitment(salt, personal_number)
        self._commitments[personal_number] = value
        if len(self._commitments) > _CACHED_COMMITMENTS:
            self._commitments.popitem(last=False)
        return value


def tile_row(tile: Tile) -> dict[str, object]:
    """Return a tile as it is stored."""
    return {"level": tile.level, "tile_index": tile.index, "hashes": b"".join(tile.hashes), "root": tile.root}


def find_salt(connection: Connection, personal_number: str) -> bytes | None:
    """Return the salt of the commitments to a citizen, or None if there are no entries about her."""
    query = select(SALTS.c.salt).where(SALTS.c.personal_number == personal_number)
    return connection.execute(query).scalar_one_or_none()


class StoredEntry(NamedTuple):
    """An entry as it is stored."""

    log_index: int
    leaf: bytes
    leaf_hash: bytes
    subject: str
    """Commitment that the entry is looked up by."""
    consumer: str
    provider: str


def read_entries(connection: Connection, start: int, limit: int) -> list[StoredEntry]:
    """Return up to `limit` entries from index `start` on."""
    keys = (ENTRIES.c.subject, ENTRIES.c.consumer, ENTRIES.c.provider)
    columns = select(ENTRIES.c.log_index, _stored(ENTRIES.c.leaf), _stored(ENTRIES.c.leaf_hash), *keys)
    query = columns.where(ENTRIES.c.log_index >= start).order_by(ENTRIES.c.log_index).limit(limit)
    rows = connection.execute(query)
    return [StoredEntry(_number(row[0]), _bytes(row[1]), _bytes(row[2]), *map(str, row[3:])) for row in rows]


def read_checkpoints(connection: Connection, start_size: int, limit: int) -> list[tuple[int, str]]:
    """Return size and signed note of up to `limit` checkpoints from size `start_size` on."""
    columns = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note)
    query = columns.where(CHECKPOINTS.c.tree_size >= start_size).order_by(CHECKPOINTS.c.tree_size).limit(limit)
    return [(_number(row.tree_size), str(row.note)) for row in connection.execute(query)]


def all_entries(connection: Connection) -> Iterator[StoredEntry]:
    """Give every entry, a page at a time."""
    start = 0
    while page := read_entries(connection, start, _PAGE):
        yield from page
        start = page[-1].log_index + 1


def all_checkpoints(connection: Connection) -> Iterator[tuple[int, str]]:
    """Give every checkpoint, a page at a time."""
    start = 0
    while page := read_checkpoints(connection, start, _PAGE):
        yield from page
        start = page[-1][0] + 1


# SQLite lets anybody who edits the file by hand store values of other kinds than the columns'; a log that was tampered
# with must still be read to the end.


def _stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return type_coerce(column, NullType())


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def load_growth(connection: Connection, key: VerifierKey) -> Growth:
    """Return the tree's right edge as stored; raises CheckpointFault if it is not the one that was signed last."""
    columns = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note)
    row = connection.execute(columns.order_by(CHECKPOINTS.c.tree_size.desc()).limit(1)).one()
    signed = key.open(row.note)
    tree = Growth.of_partial(list(_partial_tiles(connection, signed.size)))
    if signed != Checkpoint(tree.size, tree.root()) or row.tree_size != tree.size:
        raise CheckpointFault(f"checkpoint {row.tree_size} is not the one that was signed for the stored tree")
    return tree


def _partial_tiles(connection: Connection, size: int) -> Iterator[list[bytes]]:
    """Give the hashes of each level's last tile, the one that is not full; level 0 first."""
    first = size - size % TILE_WIDTH
    hashes = select(ENTRIES.c.leaf_hash).where(ENTRIES.c.log_index >= first).order_by(ENTRIES.c.log_index)
    yield [bytes(value) for value in connection.execute(hashes).scalars()]
    level = 0
    while tiles := size >> TILE_HEIGHT * (level + 1):
        roots = select(TILES.c.root).where(TILES.c.level == level, TILES.c.tile_index >= tiles - tiles % TILE_WIDTH)
        yield [bytes(value) for value in connection.execute(roots.order_by(TILES.c.tile_index)).scalars()]
        level += 1
