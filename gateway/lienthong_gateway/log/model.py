"""The tables of the exchange log."""

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, SmallInteger, text
from sqlmodel import Field

from lienthong_gateway.model import GatewayTable

# SQLite finds rows by a key of exactly this type without an index beside the table, which each commit would write too.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

STRETCH_BITS = 12
STRETCH = f"(log_index >> {STRETCH_BITS})"
"""Which 4,096 entries one is among, in SQL.

What a citizen's entries are looked up by begins with it. By the citizen alone, whose commitment is random, every entry
would change a page of its own in a long log, and appending would cost half as much again as in a short one.
"""


class LogHeadRow(GatewayTable, table=True):
    """One row, which whoever writes locks first, so that replicas of the gateway write one after another.

    An epoch counts the changes of one kind that were ever made. A decision that was made in an epoch still holds
    while the number is the same; see `log/batch.py`.
    """

    __tablename__ = "log_head"  # pyright: ignore[reportAssignmentType]

    head_id: int = Field(default=1, primary_key=True)
    consent_epoch: int = Field(default=0, sa_type=BigInteger)
    registration_epoch: int = Field(default=0, sa_type=BigInteger)


class LogEntryRow(GatewayTable, table=True):
    """One entry of the exchange log: the leaf as hashed, its RFC 6962 hash, and what it is looked up by."""

    __tablename__ = "log_entry"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index("log_entry_by_subject_in_stretch", text(STRETCH), "subject", "log_index"),
        Index("log_entry_by_consumer", "consumer", "log_index"),
    )

    log_index: int = Field(primary_key=True, sa_type=_NUMBER)
    leaf: bytes = Field(sa_type=LargeBinary)
    leaf_hash: bytes = Field(sa_type=LargeBinary)
    subject: str = ""
    """Salted commitment to the citizen it is about; empty if it is about nobody in particular."""
    consumer: str = ""
    provider: str = ""


class LogTileRow(GatewayTable, table=True):
    """A full tile of the tree: 256 hashes of one level, as C2SP `tlog-tiles` cuts it. Partial tiles are not stored.

    Level 0 holds leaf hashes; level L holds the roots of the full tiles of level L - 1.
    """

    __tablename__ = "log_tile"  # pyright: ignore[reportAssignmentType]

    level: int = Field(primary_key=True, sa_type=SmallInteger)
    tile_index: int = Field(primary_key=True, sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    """Stored before the hashes: a partial tile of the next level is read from the roots alone."""
    hashes: bytes = Field(sa_type=LargeBinary)


class CheckpointRow(GatewayTable, table=True):
    """The log's state after one batch, signed."""

    __tablename__ = "checkpoint"  # pyright: ignore[reportAssignmentType]

    tree_size: int = Field(primary_key=True, sa_type=_NUMBER)
    note: str


class SubjectSalt(GatewayTable, table=True):
    """The salt of the commitments to one citizen; deleting it makes her entries unlinkable."""

    __tablename__ = "subject_salt"  # pyright: ignore[reportAssignmentType]

    personal_number: str = Field(primary_key=True, max_length=12)
    salt: bytes = Field(sa_type=LargeBinary)


class CosignatureRow(GatewayTable, table=True):
    """A witness's cosignature on a checkpoint: the signature line of its note."""

    __tablename__ = "checkpoint_cosignature"  # pyright: ignore[reportAssignmentType]

    tree_size: int = Field(primary_key=True, sa_type=BigInteger)
    witness: str = Field(primary_key=True)
    line: str


class DailySummaryRow(GatewayTable, table=True):
    """How many entries of full level-0 tiles are alike; those after the last one are counted when somebody asks."""

    __tablename__ = "log_daily_summary"  # pyright: ignore[reportAssignmentType]

    day: str = Field(primary_key=True, max_length=10)
    """Of the entry's time, in Vietnam: `2026-03-01`."""
    consumer: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    dataset: str = Field(primary_key=True)
    """Empty for a refusal."""
    outcome: str = Field(primary_key=True)
    """`RELEASED`, `WITHHELD` or `REFUSED`."""
    reason: str = Field(primary_key=True)
    """Of a refusal."""
    entries: int = Field(sa_type=BigInteger)
