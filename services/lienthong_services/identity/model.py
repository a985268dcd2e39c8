"""The tables of the identity provider. Enumerations are the contract's numbers (`lienthong.api.identity.v1`)."""

from datetime import datetime

from sqlalchemy import DateTime
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 1


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
