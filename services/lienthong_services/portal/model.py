"""The tables of the portal. States of dossiers are the contract's numbers (`lienthong.api.portal.v1`). Text is NFC."""

from datetime import date, datetime

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lienthong_core.database import UtcDateTime

SCHEMA_VERSION = 2


class PortalTable(SQLModel, registry=registry()):
    """Base of this service's tables: one metadata, its own."""


class CitizenSession(PortalTable, table=True):
    """A citizen who has logged in.

    Whoever reads this table cannot act as her: the session token is not in it, and the access token works only
    together with the portal's own certificate (`cnf`).
    """

    token_sha256: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the session token, hex; the token has 256 random bits, so a slow hash would add nothing."""
    personal_number: str = Field(max_length=12)
    subject: str
    """`sub` of her account at the identity provider."""
    full_name: str
    account_level: int
    """1 or 2: the level she authenticated with last."""
    id_token: str
    """Shows the identity provider, when she logs out here, that it is she who does."""
    access_token: str
    access_token_expires_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class LoginAttempt(PortalTable, table=True):
    """A citizen on her way to the identity provider and back. Its row is deleted when she comes back: it works once."""

    state_sha256: str = Field(primary_key=True, max_length=64)
    browser_sha256: str = Field(max_length=64)
    """SHA-256 of the cookie that ties the attempt to the browser it began in."""
    nonce: str
    code_verifier: str
    expires_at: datetime = Field(sa_type=UtcDateTime)
    dossier_id: str = ""
    """The dossier that consent is being asked for; empty when she logs in."""
    session_sha256: str = ""
    """The session that consent is being asked in; empty when she logs in."""


class Dossier(PortalTable, table=True):
    """An application, from the draft on."""

    row_number: int | None = Field(default=None, primary_key=True)
    """Rises with each dossier, whatever the clock says: what "newest first" goes by."""
    dossier_id: str = Field(unique=True, max_length=36)
    code: str | None = Field(default=None, unique=True, max_length=40)
    procedure_code: str
    applicant_number: str = Field(index=True, max_length=12)
    state: int
    form: str
    """JSON: name of each filled field to `{"value": text, "source": number}`."""
    submitted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_date: date | None = None
    clock_stopped_on: date | None = None
    """Since when the dossier waits for the applicant (states 5 and 6); the due date moves when it goes on."""
    consent_request_id: str = ""
    consent_id: str = ""
    outcome_lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Set while the outcome is being carried out, and left when nobody knows whether it was: until this time no other
    attempt begins, and until an attempt ends with a clear answer the dossier can only be finished.
    """


class DossierEvent(PortalTable, table=True):
    """A dossier reached a state."""

    event_number: int | None = Field(default=None, primary_key=True)
    dossier_id: str = Field(foreign_key="dossier.dossier_id", index=True)
    state: int
    time: datetime = Field(sa_type=UtcDateTime)
    moved_by: str
    note: str = ""


class CodeSequence(PortalTable, table=True):
    """The last number given to a dossier of one agency on one day."""

    agency: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    last_number: int
