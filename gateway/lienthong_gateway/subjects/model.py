"""The tables of citizens' requests about their own data."""

from datetime import date, datetime

from sqlalchemy import Index
from sqlmodel import Field

from lienthong_core.database import UtcDateTime
from lienthong_gateway.model import GatewayTable


class RightsRequestRow(GatewayTable, table=True):
    """A request as it stands. Kind and state are the contract's numbers; the log has how it came to be so."""

    __tablename__ = "rights_request"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index("rights_request_by_subject", "subject_number", "number"),
        Index("rights_request_by_member", "member", "number"),
    )

    number: int | None = Field(default=None, primary_key=True)
    """Order of submission, from 1; of what outlived an erasure a random one that is not above 0."""
    request_id: str = Field(unique=True, max_length=36)
    kind: int
    state: int
    controller: str
    member: str
    """The member that the controller belongs to, and whose systems answer."""
    subject_number: str = Field(max_length=12)
    """Empty once she has been erased."""
    detail: str
    submitted_at: datetime = Field(sa_type=UtcDateTime)
    acknowledge_by: date
    due: date
    answer: str
    legal_ground: str
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class KeptRequestRow(GatewayTable, table=True):
    """A request that outlived the erasure of the citizen it is about, by its new id, until it is over."""

    __tablename__ = "rights_request_kept"  # pyright: ignore[reportAssignmentType]
    # SQLite's own row numbers would say in which order they were kept.
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 (as SQLModel has it)

    request_id: str = Field(primary_key=True, max_length=36)
