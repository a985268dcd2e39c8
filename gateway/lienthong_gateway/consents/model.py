"""The tables of consents and of the requests for them.

`consent_revision` and `consent_use` only ever grow. The others are indexes of it, and hold what can be erased: personal
numbers and signed statements.
"""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field

from lienthong_core.database import UtcDateTime
from lienthong_gateway.model import GatewayTable


class ConsentRequestRow(GatewayTable, table=True):
    """A request for consent as it is now. States are the contract's numbers."""

    __tablename__ = "consent_request"  # pyright: ignore[reportAssignmentType]

    consent_request_id: str = Field(primary_key=True, max_length=36)
    state: int
    revision: int
    digest: str
    subject_number: str = Field(max_length=12, index=True)
    """Empty once it was erased."""
    terms: str
    """JSON of `Terms.claims`."""
    requested_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    consent_id: str = ""


class ConsentRow(GatewayTable, table=True):
    """A consent as it is now: what it is looked up by, and what decisions need."""

    __tablename__ = "consent"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("consent_by_parties", "subject_number", "consumer", "provider"),)

    consent_id: str = Field(primary_key=True, max_length=36)
    consent_request_id: str = Field(max_length=36, index=True)
    state: int
    revision: int
    digest: str
    subject_number: str = Field(max_length=12)
    """Empty once it was erased."""
    consumer: str
    provider: str
    terms: str
    """JSON of `Terms.claims`."""
    approved_at: datetime = Field(sa_type=UtcDateTime)
    valid_until: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    account_level: int


class ConsentRevisionRow(GatewayTable, table=True):
    """One change of a request or a consent. Nothing of it is ever changed, and nothing in it names a citizen."""

    __tablename__ = "consent_revision"  # pyright: ignore[reportAssignmentType]

    record_id: str = Field(primary_key=True, max_length=36)
    """The consent's identifier, or the request's."""
    revision: int = Field(primary_key=True)
    digest_before: str
    """Digest of the revision before; empty in the first."""
    digest: str
    """SHA-256 of the document, hex."""
    change: str
    changed_at: datetime = Field(sa_type=UtcDateTime)
    changed_by: str
    """The system whose call made the change."""
    document: bytes = Field(sa_type=LargeBinary)
    """Canonical JSON (RFC 8785)."""


class ConsentApprovalRow(GatewayTable, table=True):
    """A signed approval of a request. Erasing empties number and statement; the digest of that is in the revisions."""

    __tablename__ = "consent_approval"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (UniqueConstraint("statement_id", name="consent_approval_once"),)

    consent_request_id: str = Field(primary_key=True, max_length=36)
    capacity: int = Field(primary_key=True)
    statement_id: str
    """The statement's `jti`."""
    subject_age: str
    approved_by: str = Field(max_length=12, index=True)
    account_level: int
    authenticated_at: datetime = Field(sa_type=UtcDateTime)
    approved_at: datetime = Field(sa_type=UtcDateTime)
    statement: str
    statement_digest: str


class ConsentUseRow(GatewayTable, table=True):
    """One exchange that used a consent which may be used a number of times only."""

    __tablename__ = "consent_use"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("consent_use_by_consent", "consent_id", "used_at"),)

    exchange_id: str = Field(primary_key=True, max_length=36)
    consent_id: str = Field(max_length=36)
    used_at: datetime = Field(sa_type=UtcDateTime)
