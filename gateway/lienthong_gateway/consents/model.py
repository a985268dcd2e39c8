"""The tables of consents and of the requests for them."""

from datetime import datetime

from sqlalchemy import DateTime, Index
from sqlmodel import Field

from lienthong_gateway.model import GatewayTable


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
