"""Appending to the log within a transaction: entries, the tiles they fill, and the checkpoint that covers them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, insert

from lienthong_core.database import writing
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointKey, note_digest
from lienthong_gateway.log.growth import Growth, Tile
from lienthong_gateway.log.head import Head, HeadLock, create_head, save_head
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.merkle import leaf_hash
from lienthong_gateway.log.statements import PreparedInsert, PreparedSelect
from lienthong_gateway.log.store import (
    CHECKPOINTS,
    ENTRIES,
    LAST_SIZE,
    TILES,
    commitment_to,
    find_salt,
    go_on,
    load_growth,
    minimum_index,
    newest_note,
    read_checkpoints,
    tile_row,
)
from lienthong_gateway.log.summary import summarise

_CACHED_COMMITMENTS = 10_000


class Line(NamedTuple):
    """An entry as it is stored, but for its place."""

    leaf: bytes
    subject: str
    consumer: str
    provider: str

    @classmethod
    def of(cls, entry: Entry, commitment: str, after: str) -> "Line":
        """Return the line of an entry; `commitment` and `after` are what `Appender.commitment` and `.after` gave."""
        return cls(entry.leaf(commitment, after), commitment, entry.trace.consumer, entry.trace.provider)


class Appender:
    """Appends batches. Used by one thread, with one transaction a batch: `begin`, `append`, then `committed`."""

    def __init__(self, engine: Engine, key: CheckpointKey) -> None:
        """Go on from the last checkpoint; raises CheckpointFault if it was altered, or signed with another key."""
        self._key = key
        self._add_entry = PreparedInsert(
            engine.dialect, insert(ENTRIES), ("log_index", "leaf", "leaf_hash", "subject", "consumer", "provider")
        )
        self._add_checkpoint = PreparedInsert(engine.dialect, insert(CHECKPOINTS), ("tree_size", "note"))
        self._lock = HeadLock(engine)
        self._last_size = PreparedSelect(engine.dialect, LAST_SIZE)
        self._commitments: OrderedDict[str, str] = OrderedDict()
        self._commitments_epoch = -1
        with writing(engine) as connection:
            create_head(connection)
            # Before anything is read: in between two reads another replica could write.
            self.head: Head = self._lock.take(connection)
            """The head as this replica saw it last."""
            if not read_checkpoints(connection, 0, 1):
                self._save_checkpoint(connection, Growth.of_partial(()))
            self._tree: Growth | None = load_growth(connection, key.verifier)
            self.after = note_digest(newest_note(connection).note)
            """Digest of the newest checkpoint, which the entries of the next batch name."""
        self._pending = self.head

    def begin(self, connection: Connection) -> Head:
        """Lock the log for the transaction, go on from what other replicas have written, and return the head."""
        head = self._lock.take(connection)
        if self._tree is None or self._tree.size != self._last_size.one(connection)[0]:
            self._catch_up(connection)
        if head.registration_epoch != self._commitments_epoch:
            # A citizen may have been erased: her old commitment must not be used again.
            self._commitments.clear()
            self._commitments_epoch = head.registration_epoch
        return head

    def commitment(self, connection: Connection, personal_number: str) -> str:
        """Return the salted commitment to a citizen as it is at this place of the batch; empty for nobody."""
        if not personal_number:
            return ""
        known = self._commitments.get(personal_number)
        if known is None:
            known = self._commitments[personal_number] = commitment_to(connection, personal_number)
            if len(self._commitments) > _CACHED_COMMITMENTS:
                self._commitments.popitem(last=False)
        return known

    def known_commitment(self, connection: Connection, personal_number: str) -> str:
        """Return the commitment as `commitment` does, but make no salt; empty if there is none."""
        has_salt = personal_number in self._commitments or find_salt(connection, personal_number) is not None
        return self.commitment(connection, personal_number) if has_salt else ""

    def append(self, connection: Connection, lines: Sequence[Line], head: Head) -> range:
        """Append entries, and the checkpoint that covers them; return their indexes.

        `head` is what `begin` gave, with the changes that the batch made. `committed` or `rolled_back` must follow.
        """
        tree = self._tree
        if tree is None:
            raise RuntimeError("begin comes before append")
        first = tree.size
        rows: list[Mapping[str, object]] = []
        tiles: list[Tile] = []
        for leaf, subject, consumer, provider in lines:
            hashed = leaf_hash(leaf)
            found_by = {"subject": subject, "consumer": consumer, "provider": provider}
            rows.append({"log_index": tree.size, "leaf": leaf, "leaf_hash": hashed, **found_by})
            tiles += tree.append(hashed)
        self._add_entry.run(connection, rows)
        if tiles:
            connection.execute(insert(TILES), [tile_row(tile) for tile in tiles])
            summarise(connection, [tile.index for tile in tiles if tile.level == 0])
        self._save_checkpoint(connection, tree)
        if head != self.head:
            save_head(connection, head)
        self._pending = head
        return range(first, tree.size)

    def committed(self) -> None:
        """Go on from the batch that was appended last: its transaction is durable."""
        self.head = self._pending

    def rolled_back(self) -> None:
        """Forget what is known of the log: the batch that was appended last may be stored, or not."""
        self._tree = None
        self._commitments.clear()

    def forget(self, personal_number: str) -> None:
        """Forget the commitment to a citizen; called in the transaction that deletes her salt."""
        self._commitments.pop(personal_number, None)

    def _catch_up(self, connection: Connection) -> None:
        if self._tree is None or self._tree.size < minimum_index(connection):
            self._tree = load_growth(connection, self._key.verifier)
        else:
            go_on(connection, self._key.verifier, self._tree)
        self.after = note_digest(newest_note(connection).note)

    def _save_checkpoint(self, connection: Connection, tree: Growth) -> None:
        note = self._key.sign(Checkpoint(tree.size, tree.root()))
        self._add_checkpoint.run(connection, [{"tree_size": tree.size, "note": note}])
        self.after = note_digest(note)
