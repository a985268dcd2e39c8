"""The log's tables: appending within a transaction, and reading."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import cast

from sqlalchemy import Connection, Engine, Table, insert, select

from lienthong_core.database import writing
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.model import CheckpointRow, LogEntryRow, SubjectSalt

ENTRIES = cast("Table", LogEntryRow.__table__)  # type: ignore[attr-defined]
CHECKPOINTS = cast("Table", CheckpointRow.__table__)  # type: ignore[attr-defined]
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
        self._key = key
        self._commitments: OrderedDict[str, str] = OrderedDict()
        with writing(engine) as connection:
            last = _last_tree(connection)
            if last is None:
                self._save_checkpoint(connection, Tree())
        self._tree = self._pending = last or Tree()

    def append(self, connection: Connection, entries: Sequence[Entry]) -> range:
        """Append entries and the checkpoint that covers them; return their indexes.

        `committed` or `rolled_back` must follow, as the transaction ended.
        """
        tree = Tree.unpack(self._tree.size, self._tree.packed_peaks())
        rows: list[dict[str, object]] = []
        for entry in entries:
            subject = self._commitment(connection, entry.trace.subject)
            leaf = entry.leaf(subject)
            hashed = leaf_hash(leaf)
            rows.append({"log_index": tree.size, "leaf": leaf, "leaf_hash": hashed, "subject": subject})
            tree.append(hashed)
        connection.execute(insert(ENTRIES), rows)
        self._save_checkpoint(connection, tree)
        self._pending = tree
        return range(self._tree.size, tree.size)

    def committed(self) -> None:
        """Go on from the batch that was appended last: its transaction is durable."""
        self._tree = self._pending

    def rolled_back(self) -> None:
        """Forget what the batch that was appended last brought: none of it is stored."""
        self._pending = self._tree
        self._commitments.clear()

    def _save_checkpoint(self, connection: Connection, tree: Tree) -> None:
        note = self._key.sign(Checkpoint(tree.size, tree.root()))
        row = {"tree_size": tree.size, "note": note, "peaks": tree.packed_peaks()}
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


def find_salt(connection: Connection, personal_number: str) -> bytes | None:
    """Return the salt of the commitments to a citizen, or None if there are no entries about her."""
    query = select(SALTS.c.salt).where(SALTS.c.personal_number == personal_number)
    return connection.execute(query).scalar_one_or_none()


def read_entries(connection: Connection, start: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """Return index, leaf and stored hash of up to `limit` entries from index `start` on."""
    columns = select(ENTRIES.c.log_index, ENTRIES.c.leaf, ENTRIES.c.leaf_hash)
    query = columns.where(ENTRIES.c.log_index >= start).order_by(ENTRIES.c.log_index).limit(limit)
    return [(row.log_index, _raw(row.leaf), _raw(row.leaf_hash)) for row in connection.execute(query)]


def read_checkpoints(connection: Connection, start_size: int, limit: int) -> list[tuple[int, str]]:
    """Return size and signed note of up to `limit` checkpoints from size `start_size` on."""
    columns = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note)
    query = columns.where(CHECKPOINTS.c.tree_size >= start_size).order_by(CHECKPOINTS.c.tree_size).limit(limit)
    return [(row.tree_size, row.note) for row in connection.execute(query)]


def read_entries_about(connection: Connection, subject: str, before: int | None, limit: int) -> list[tuple[int, bytes]]:
    """Return index and leaf of the newest entries with a commitment, those before index `before` if given."""
    query = select(ENTRIES.c.log_index, ENTRIES.c.leaf).where(ENTRIES.c.subject == subject)
    if before is not None:
        query = query.where(ENTRIES.c.log_index < before)
    query = query.order_by(ENTRIES.c.log_index.desc()).limit(limit)
    return [(row.log_index, bytes(row.leaf)) for row in connection.execute(query)]


def all_entries(connection: Connection) -> Iterator[tuple[int, bytes, bytes]]:
    """Give every entry, a page at a time."""
    start = 0
    while page := read_entries(connection, start, _PAGE):
        yield from page
        start = page[-1][0] + 1


def all_checkpoints(connection: Connection) -> Iterator[tuple[int, str]]:
    """Give every checkpoint, a page at a time."""
    start = 0
    while page := read_checkpoints(connection, start, _PAGE):
        yield from page
        start = page[-1][0] + 1


def _raw(value: object) -> bytes:
    # SQLite lets anybody who edits the file by hand store text, or nothing, where bytes were.
    return bytes(value) if isinstance(value, bytes) else str(value).encode()


def _last_tree(connection: Connection) -> Tree | None:
    query = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.peaks).order_by(CHECKPOINTS.c.tree_size.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Tree.unpack(row.tree_size, bytes(row.peaks))
