"""The tables of the identity provider. Enumerations are the contract's numbers (`lienthong.api.identity.v1`)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 3


class IdentityTable(SQLModel, registry=registry()):
    """Base of this service's tables: one metadata, its own."""


class Account(IdentityTable, table=True):
    """An e-identity account (tài khoản định danh điện tử)."""

    personal_number: str = Field(primary_key=True, max_length=12)
    subject: str = Field(unique=True, max_length=36)
    """The `sub` of its tokens: a UUID that says nothing about the holder."""
    kind: int
    level: int
    state: int
    state_changed_at: datetime = Field(sa_type=DateTime(timezone=True))
    state_reason: str = ""
    state_before_lock: int = 0
    """What unlocking goes back to, so that it activates nobody; 0 unless locked, and locked itself on a death."""
    full_name: str
    birth_date: str = Field(max_length=10)
    passcode_hash: str
    """`scrypt$n$r$p$salt$hash`, base64; the synthetic passcode is documented, its storage is still not plain."""


class Client(IdentityTable, table=True):
    """An OpenID Connect client: one system of the exchange."""

    client_id: str = Field(primary_key=True)
    system_id: str
    name_vi: str
    name_en: str
    secret_hash: str
    """SHA-256 of the client secret, hex; the secret has 256 random bits, so a slow hash would add nothing."""
    certificate_thumbprint: str
    """`x5t#S256` of the system's certificate; tokens issued to this client are bound to it."""
    redirect_uris: str
    """Space-separated; compared exactly."""
    post_logout_redirect_uris: str = ""
    """As `redirect_uris`: where a browser may be sent that the client had logged out."""


class BrowserSession(IdentityTable, table=True):
    """A browser that has been here; a citizen's once she has logged in. Times are seconds since 1970."""

    session_digest: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the cookie, hex: whoever reads the table cannot use the session."""
    csrf_token: str
    personal_number: str = Field(default="", max_length=12, index=True)
    """Empty until somebody has logged in."""
    level: int = 0
    """Account level at login."""
    auth_time: int = 0
    expires_at: int = Field(index=True)


class Interaction(IdentityTable, table=True):
    """A citizen's way through the pages: from `/authorize`, or from `/account`, to where it ends."""

    interaction_id: str = Field(primary_key=True)
    session_digest: str = Field(foreign_key="browsersession.session_digest", ondelete="CASCADE", index=True)
    request: dict[str, Any] = Field(sa_type=JSON)
    """The authorization request; empty for a login to the account page."""
    must_log_in: bool
    """Whether the login of the session is not good enough for this request."""
    consent_terms: bytes = b""
    """The `ConsentTerms` that the citizen is shown, once they are."""
    consent_part: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """In which capacity she decides about them (`representation.Part`)."""
    expires_at: int = Field(index=True)


class ScopeApproval(IdentityTable, table=True):
    """That the citizen has approved a client for a scope within a session; it is not asked again there."""

    session_digest: str = Field(primary_key=True, foreign_key="browsersession.session_digest", ondelete="CASCADE")
    client_id: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)


class AuthorizationCode(IdentityTable, table=True):
    """A code and all that the tokens it is exchanged for will say. Kept until those tokens are over."""

    code_digest: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the code, hex."""
    client_id: str
    redirect_uri: str
    code_challenge: str
    scope: str
    nonce: str | None
    personal_number: str = Field(max_length=12)
    level: int
    auth_time: int
    authorization_details: list[dict[str, Any]] = Field(sa_type=JSON)
    """Consents approved on the way (RFC 9396)."""
    expires_at: int = Field(index=True)
    token_id: str | None = Field(default=None, index=True)
    """`jti` of the access token; set once the code has been exchanged, which works once."""
    replayed: bool = False
    """Whether the code came a second time, which ends its tokens here (RFC 6749 §4.1.2)."""


class LoginAttempts(IdentityTable, table=True):
    """Failed logins in a row for a number, which need not be anybody's; kept as long as they count."""

    personal_number: str = Field(primary_key=True, max_length=12)
    failures: int
    last_attempt_at: int
