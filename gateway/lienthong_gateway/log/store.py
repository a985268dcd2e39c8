"""The log's tables: reading them, whatever somebody has stored there, and the salts of commitments to citizens."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, Table, func, insert, select, type_coerce
from sqlalchemy.types import NullType

from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, VerifierKey
from lienthong_gateway.log.growth import TILE_HEIGHT, TILE_WIDTH, Growth, Tile
from lienthong_gateway.log.merkle import HASH_BYTES
from lienthong_gateway.log.model import CheckpointRow, LogEntryRow, LogTileRow, SubjectSalt

ENTRIES = cast("Table", LogEntryRow.__table__)  # type: ignore[attr-defined]
CHECKPOINTS = cast("Table", CheckpointRow.__table__)  # type: ignore[attr-defined]
TILES = cast("Table", LogTileRow.__table__)  # type: ignore[attr-defined]
SALTS = cast("Table", SubjectSalt.__table__)  # type: ignore[attr-defined]
_SALT_BYTES = 32
_PAGE = 1_000
LAST_SIZE = select(func.max(CHECKPOINTS.c.tree_size))
"""The size of the newest checkpoint."""


def commitment(salt: bytes, personal_number: str) -> str:
    """Return the salted commitment to a citizen: HMAC-SHA256, hex."""
    return hmac.digest(salt, personal_number.encode(), hashlib.sha256).hex()


def find_salt(connection: Connection, personal_number: str) -> bytes | None:
    """Return the salt of the commitments to a citizen, or None if there are no entries about her."""
    query = select(SALTS.c.salt).where(SALTS.c.personal_number == personal_number)
    return connection.execute(query).scalar_one_or_none()


def commitment_to(connection: Connection, personal_number: str) -> str:
    """Return the salted commitment to a citizen, making her salt if there is none; empty for nobody."""
    if not personal_number:
        return ""
    salt = find_salt(connection, personal_number)
    if salt is None:
        salt = secrets.token_bytes(_SALT_BYTES)
        connection.execute(insert(SALTS), {"personal_number": personal_number, "salt": salt})
    return commitment(salt, personal_number)


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


def read_checkpoints(connection: Connection, start_size: int | None, limit: int) -> list[tuple[int, str]]:
    """Return size and signed note of up to `limit` checkpoints from a size on; None: from the first that is stored."""
    query = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.tree_size).limit(limit)
    if start_size is not None:
        query = query.where(CHECKPOINTS.c.tree_size >= start_size)
    return [(_number(row.tree_size), str(row.note)) for row in connection.execute(query)]


def minimum_index(connection: Connection) -> int:
    """Return the index of the first entry that is stored whole, as C2SP `tlog-tiles` calls it; 0: none was pruned.

    Pruning takes whole tiles. An entry that is missing for another reason is not taken for one that was pruned.
    """
    first = connection.execute(select(_stored(func.min(ENTRIES.c.log_index)))).scalar_one()
    return max(_number(first), 0) // TILE_WIDTH * TILE_WIDTH


def all_entries(connection: Connection) -> Iterator[StoredEntry]:
    """Give every entry, a page at a time."""
    start = 0
    while page := read_entries(connection, start, _PAGE):
        yield from page
        start = page[-1].log_index + 1


# SQLite lets anybody who edits the file by hand store values of other kinds than the columns'; a log that was tampered
# with must still be read to the end.


def _stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return type_coerce(column, NullType())


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _hash(value: object) -> bytes:
    if not isinstance(value, bytes) or len(value) != HASH_BYTES:
        raise CheckpointFault("something else than a hash is stored in the place of one: verify the log")
    return value


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def tile_row(tile: Tile) -> dict[str, object]:
    """Return a tile as it is stored."""
    return {"level": tile.level, "tile_index": tile.index, "hashes": b"".join(tile.hashes), "root": tile.root}


def load_growth(connection: Connection, key: VerifierKey) -> Growth:
    """Return the tree's right edge as stored; raises CheckpointFault if it is not the one that was signed last."""
    size = _last_checkpoint(connection, key).size
    try:
        tree = Growth.of_partial(list(_partial_tiles(connection, size)))
    except ValueError as error:
        message = f"the last checkpoint is of {size} entries, and more are stored: verify the log"
        raise CheckpointFault(message) from error
    _check_end(connection, key, tree)
    return tree


def go_on(connection: Connection, key: VerifierKey, tree: Growth) -> None:
    """Add to a tree the entries that somebody else has appended since; raises as `load_growth` does."""
    hashes = select(_stored(ENTRIES.c.leaf_hash)).where(ENTRIES.c.log_index >= tree.size).order_by(ENTRIES.c.log_index)
    for hashed in connection.execute(hashes).scalars():
        tree.append(_hash(hashed))
    _check_end(connection, key, tree)


def _check_end(connection: Connection, key: VerifierKey, tree: Growth) -> None:
    if _last_checkpoint(connection, key) != Checkpoint(tree.size, tree.root()):
        raise CheckpointFault(f"the last checkpoint is not one of the stored tree of {tree.size} entries")


class StoredNote(NamedTuple):
    """A checkpoint as it is stored, without cosignatures."""

    tree_size: int
    note: str


def newest_note(connection: Connection) -> StoredNote:
    """Return the newest checkpoint."""
    columns = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note)
    row = connection.execute(columns.order_by(CHECKPOINTS.c.tree_size.desc()).limit(1)).one()
    return StoredNote(row.tree_size, row.note)


def _last_checkpoint(connection: Connection, key: VerifierKey) -> Checkpoint:
    size, note = newest_note(connection)
    signed = key.open(note)
    if signed.size != size:
        raise CheckpointFault(f"the checkpoint stored for size {size} is signed for size {signed.size}")
    return signed


def _partial_tiles(connection: Connection, size: int) -> Iterator[list[bytes]]:
    """Give the hashes of each level's last tile, the one that is not full; level 0 first."""
    first = size - size % TILE_WIDTH
    hashes = select(_stored(ENTRIES.c.leaf_hash)).where(ENTRIES.c.log_index >= first).order_by(ENTRIES.c.log_index)
    yield [_hash(value) for value in connection.execute(hashes).scalars()]
    level = 0
    while tiles := size >> TILE_HEIGHT * (level + 1):
        roots = select(_stored(TILES.c.root)).where(
            TILES.c.level == level, TILES.c.tile_index >= tiles - tiles % TILE_WIDTH
        )
        yield [_hash(value) for value in connection.execute(roots.order_by(TILES.c.tile_index)).scalars()]
        level += 1
