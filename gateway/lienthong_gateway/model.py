"""The tables of the gateway: requests for consent, consents, the exchange log."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 1


class GatewayTable(SQLModel, registry=registry()):
    """Base of the gateway's tables: one metadata, its own."""


class ConsentRequestRow(GatewayTable, table=True):
    """A request for consent. States are the contract's numbers; `datasets` are comma-separated names."""

    __tablename__ = "consent_request"  # pyright: ignore[reportAssignmentType]

    consent_request_id: str = Field(primary_key=True, max_length=36)
    state: int
    subject_number: str = Field(max_length=12)
    consumer: str
    provider: str
    datasets: str
    purpose: str
    valid_for_s: int
    legal_text_version: str
    requested_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    consent_id: str = ""


class ConsentRow(GatewayTable, table=True):
    """A consent as it is now; how it came to be so is in the exchange log."""

    __tablename__ = "consent"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("consent_by_parties", "subject_number", "consumer", "provider"),)

    consent_id: str = Field(primary_key=True, max_length=36)
    revision: int
    subject_number: str = Field(max_length=12)
    consumer: str
    provider: str
    datasets: str
    purpose: str
    valid_for_s: int
    legal_text_version: str
    approved_at: datetime = Field(sa_type=DateTime(timezone=True))
    valid_until: datetime = Field(sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    account_level: int
    approval: str
    """The identity provider's signed statement of the approval, compact JWS."""


class SubjectSalt(GatewayTable, table=True):
    """The salt of the commitments to one citizen; deleting it makes her entries unlinkable."""

    __tablename__ = "subject_salt"  # pyright: ignore[reportAssignmentType]

    personal_number: str = Field(primary_key=True, max_length=12)
    salt: bytes = Field(sa_type=LargeBinary)


class LogEntryRow(GatewayTable, table=True):
    """One entry of the exchange log: the leaf as hashed, its RFC 6962 hash, and what it is looked up by."""

    __tablename__ = "log_entry"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("log_entry_by_subject", "subject", "log_index"),)

    log_index: int = Field(primary_key=True, sa_type=BigInteger)
    leaf: bytes = Field(sa_type=LargeBinary)
    leaf_hash: bytes = Field(sa_type=LargeBinary)
    subject: str = ""
    """Salted commitment to the citizen it is about; empty if it is about nobody in particular."""


class CheckpointRow(GatewayTable, table=True):
    """The log's state after one batch, signed; `peaks` are the roots of its full subtrees, largest first."""

    __tablename__ = "checkpoint"  # pyright: ignore[reportAssignmentType]

    tree_size: int = Field(primary_key=True, sa_type=BigInteger)
    note: str
    peaks: bytes = Field(sa_type=LargeBinary)
