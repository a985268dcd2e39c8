"""The base of the gateway's tables, which live beside what uses them: `log/model.py`, `consents/model.py` and so on."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class GatewayTable(SQLModel, registry=registry()):
    """Base of the gateway's tables: one metadata, its own."""
