"""The tables of what is registered. Sets are comma-separated and sorted; nothing in them can hold a comma."""

from datetime import date, datetime

from sqlmodel import Field

from lienthong_core.database import UtcDateTime
from lienthong_gateway.model import GatewayTable


class SystemRow(GatewayTable, table=True):
    """A system of a member."""

    __tablename__ = "registered_system"  # pyright: ignore[reportAssignmentType]

    system_id: str = Field(primary_key=True)
    name_vi: str
    name_en: str
    services: str
    is_auditor: bool
    is_administrator: bool


class PurposeRow(GatewayTable, table=True):
    """A purpose, with the datasets that it needs."""

    __tablename__ = "purpose"  # pyright: ignore[reportAssignmentType]

    code: str = Field(primary_key=True)
    title_vi: str
    title_en: str
    datasets: str


class LegalGroundRow(GatewayTable, table=True):
    """A ground of Law 91/2025 Art. 19(1) as somebody may rely on it."""

    __tablename__ = "legal_ground"  # pyright: ignore[reportAssignmentType]

    code: str = Field(primary_key=True)
    basis: str
    """As in the `lienthong-legal-basis` header."""
    law_vi: str
    law_en: str
    reference_forms: str
    methods: str
    purposes: str
    effective_from: date
    effective_until: date | None = None


class AccessRightRow(GatewayTable, table=True):
    """That one system may call one method for one purpose, as it is now; the exchange log has how it came to be so."""

    __tablename__ = "access_right"  # pyright: ignore[reportAssignmentType]

    consumer: str = Field(primary_key=True)
    method: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    legal_bases: str
    """As in the `lienthong-legal-basis` header."""
    datasets: str
    valid_from: date
    valid_until: date | None = None
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OfficerRow(GatewayTable, table=True):
    """That an officer may act for a system."""

    __tablename__ = "officer"  # pyright: ignore[reportAssignmentType]

    system_id: str = Field(primary_key=True)
    officer_id: str = Field(primary_key=True)
