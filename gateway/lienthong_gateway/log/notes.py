"""Checkpoints as they are published: the signed note, with a line for each cosignature."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, Table, delete, func, insert, select

from lienthong_gateway.log.checkpoint import CheckpointFault, note_text
from lienthong_gateway.log.model import CosignatureRow
from lienthong_gateway.log.store import CHECKPOINTS, LAST_SIZE

COSIGNATURES = cast("Table", CosignatureRow.__table__)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class PublishedNote:
    """A checkpoint's size and its note with the cosignatures."""

    tree_size: int
    note: str

    @property
    def text(self) -> str:
        """What is signed: origin, size and root."""
        return note_text(self.note)


def newest_size(connection: Connection, *, cosigned: bool = False) -> int | None:
    """Return the size of the newest checkpoint, or of the newest that was cosigned; None if there is none."""
    newest = select(func.max(COSIGNATURES.c.tree_size)) if cosigned else LAST_SIZE
    size: int | None = connection.execute(newest).scalar_one()
    return size


def find_note(connection: Connection, tree_size: int) -> PublishedNote | None:
    """Return the checkpoint of a size; None if no batch ended there."""
    query = select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.tree_size == tree_size)
    note = connection.execute(query).scalar_one_or_none()
    if note is None:
        return None
    lines = select(COSIGNATURES.c.line).where(COSIGNATURES.c.tree_size == tree_size).order_by(COSIGNATURES.c.witness)
    return PublishedNote(tree_size, note + "".join(f"{line}\n" for line in connection.execute(lines).scalars()))


def read_newest_note(connection: Connection) -> PublishedNote:
    """Return the newest checkpoint; raises CheckpointFault if there is none, which no log that is sound is without."""
    size = newest_size(connection)
    note = None if size is None else find_note(connection, size)
    if note is None:
        raise CheckpointFault("the log has no checkpoint: verify it")
    return note


def save_cosignature(connection: Connection, tree_size: int, witness: str, line: str) -> None:
    """Keep a witness's cosignature in place of an earlier one on the same checkpoint."""
    same = (COSIGNATURES.c.tree_size == tree_size, COSIGNATURES.c.witness == witness)
    connection.execute(delete(COSIGNATURES).where(*same))
    connection.execute(insert(COSIGNATURES), {"tree_size": tree_size, "witness": witness, "line": line})
