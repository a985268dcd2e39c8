"""The log's end: how long it is, and how often what decisions rest on has changed.

Whoever writes locks it first. So the replicas of a gateway write one after another, and each sees, before it records an
exchange, whether any replica has changed consents or registrations since the exchange was decided.
"""

from dataclasses import dataclass, replace
from enum import Flag, auto
from typing import cast

from sqlalchemy import Connection, Table, insert, select

from lienthong_gateway.log.model import LogHeadRow

HEAD = cast("Table", LogHeadRow.__table__)  # type: ignore[attr-defined]
_COLUMNS = select(HEAD.c.tree_size, HEAD.c.consent_epoch, HEAD.c.registration_epoch)
# SQLite has no such lock and needs none: a transaction that writes is alone from its start.
_LOCKED = _COLUMNS.with_for_update()


class Touches(Flag):
    """What a change of state can invalidate."""

    NOTHING = 0
    CONSENTS = auto()
    REGISTRATION = auto()


@dataclass(frozen=True)
class Head:
    """The log's end. An epoch counts the changes of one kind that were ever made."""

    tree_size: int
    consent_epoch: int
    registration_epoch: int

    def after(self, touches: Touches) -> "Head":
        """Return the head after a change of state."""
        return replace(
            self,
            consent_epoch=self.consent_epoch + (Touches.CONSENTS in touches),
            registration_epoch=self.registration_epoch + (Touches.REGISTRATION in touches),
        )

    def same_epochs(self, other: "Head") -> bool:
        """Return whether nothing that decisions rest on has changed between the two."""
        return (self.consent_epoch, self.registration_epoch) == (other.consent_epoch, other.registration_epoch)


def lock_head(connection: Connection) -> Head:
    """Return the head and keep everybody else from changing it until the transaction ends."""
    return Head(*connection.execute(_LOCKED).one())


def read_head(connection: Connection) -> Head:
    """Return the head as it is."""
    return Head(*connection.execute(_COLUMNS).one())


def create_head(connection: Connection) -> None:
    """Make the head of an empty log, unless it is there."""
    if connection.execute(_COLUMNS).one_or_none() is None:
        connection.execute(insert(HEAD).values(head_id=1))
