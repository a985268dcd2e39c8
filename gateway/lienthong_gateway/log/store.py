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
        """Go on from the last checkpoint; raises CheckpointFault if it was altered, or signed with another key."""
        self._key = key
        self._commitments: OrderedDict[str, str] = OrderedDict()
        with writing(engine) as connection:
            if not read_checkpoints(connection, 0, 1):
                self._save_checkpoint(connection, Tree())
            self._tree: Tree | None = _last_tree(connection, key.verifier)
        self._pending: Tree | None = None

    def append(self, connection: Connection, entries: Sequence[Entry]) -> range:
        """Append entries and the checkpoint that covers them; return their indexes.

        `committed` or `rolled_back` must follow, as the transaction ended.
        """
        before = self._tree or _last_tree(connection, self._key.verifier)
        tree = Tree.unpack(before.size, before.packed_peaks())
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
        return range(before.size, tree.size)

    def committed(self) -> None:
        """Go on from the batch that was appended last: its transaction is durable."""
        self._tree = self._pending

    def rolled_back(self) -> None:
        """Forget what is known of the log: the batch that was appended last may be stored, or not."""
        self._tree = None
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


class StoredEntry(NamedTuple):
    """An entry as it is stored."""

    log_index: int
    leaf: bytes
    leaf_hash: bytes
    subject: str
    """Commitment that the entry is looked up by."""


def read_entries(connection: Connection, start: int, limit: int) -> list[StoredEntry]:
    """Return up to `limit` entries from index `start` on."""
    columns = select(ENTRIES.c.log_index, _stored(ENTRIES.c.leaf), _stored(ENTRIES.c.leaf_hash), ENTRIES.c.subject)
    query = columns.where(ENTRIES.c.log_index >= start).order_by(ENTRIES.c.log_index).limit(limit)
    rows = connection.execute(query)
    return [StoredEntry(_number(row[0]), _bytes(row[1]), _bytes(row[2]), str(row[3])) for row in rows]


def read_checkpoints(connection: Connection, start_size: int, limit: int) -> list[tuple[int, str]]:
    """Return size and signed note of up to `limit` checkpoints from size `start_size` on."""
    columns = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note)
    query = columns.where(CHECKPOINTS.c.tree_size >= start_size).order_by(CHECKPOINTS.c.tree_size).limit(limit)
    return [(_number(row.tree_size), str(row.note)) for row in connection.execute(query)]


def read_entries_about(connection: Connection, subject: str, before: int | None, limit: int) -> list[tuple[int, bytes]]:
    """Return index and leaf of the newest entries with a commitment, those before index `before` if given."""
    query = select(ENTRIES.c.log_index, ENTRIES.c.leaf).where(ENTRIES.c.subject == subject)
    if before is not None:
        query = query.where(ENTRIES.c.log_index < before)
    query = query.order_by(ENTRIES.c.log_index.desc()).limit(limit)
    return [(row.log_index, bytes(row.leaf)) for row in connection.execute(query)]


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


def _last_tree(connection: Connection, key: VerifierKey) -> Tree:
    columns = select(CHECKPOINTS.c.tree_size, CHECKPOINTS.c.note, CHECKPOINTS.c.peaks)
    row = connection.execute(columns.order_by(CHECKPOINTS.c.tree_size.desc()).limit(1)).one()
    signed = key.open(row.note)
    try:
        tree = Tree.unpack(row.tree_size, bytes(row.peaks))
    except ValueError as error:
        raise CheckpointFault(f"the peaks stored with checkpoint {row.tree_size} are not those of a tree") from error
    if signed != Checkpoint(tree.size, tree.root()):
        raise CheckpointFault(f"checkpoint {row.tree_size} is not the one that was signed for the stored tree")
    return tree
