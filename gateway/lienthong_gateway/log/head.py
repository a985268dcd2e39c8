"""The log's head: how often what decisions rest on has changed.

Whoever writes locks it first. So the replicas of a gateway write one after another, and each sees, before it records an
exchange, whether any replica has changed consents or registrations since the exchange was decided.
"""

from enum import Flag, auto
from typing import NamedTuple, cast

from sqlalchemy import Connection, Engine, Table, select, text, update

from lienthong_gateway.log.model import LogHeadRow
from lienthong_gateway.log.statements import PreparedSelect

HEAD = cast("Table", LogHeadRow.__table__)  # type: ignore[attr-defined]
_COLUMNS = select(HEAD.c.consent_epoch, HEAD.c.registration_epoch)
# Another replica that starts at the same moment may be making it: the insert waits for that, and does nothing then.
_CREATE = text(
    "INSERT INTO log_head (head_id, consent_epoch, registration_epoch) VALUES (1, 0, 0) ON CONFLICT DO NOTHING"
)


class Touches(Flag):
    """What a change of state can invalidate."""

    NOTHING = 0
    CONSENTS = auto()
    REGISTRATION = auto()


class Head(NamedTuple):
    """What decisions rest on. An epoch counts the changes of one kind that were ever made."""

    consent_epoch: int
    registration_epoch: int

    def after(self, touches: Touches) -> "Head":
        """Return the head after a change of state."""
        return self._replace(
            consent_epoch=self.consent_epoch + (Touches.CONSENTS in touches),
            registration_epoch=self.registration_epoch + (Touches.REGISTRATION in touches),
        )


class HeadLock:
    """Locks the head."""

    def __init__(self, engine: Engine) -> None:
        # SQLite has no such lock and needs none: a transaction that writes is alone from its start.
        self._locked = PreparedSelect(engine.dialect, _COLUMNS.with_for_update())

    def take(self, connection: Connection) -> Head:
        """Return the head and keep everybody else from changing it until the transaction ends."""
        return Head(*self._locked.one(connection))


def read_head(connection: Connection) -> Head:
    """Return the head as it is."""
    return Head(*connection.execute(_COLUMNS).one())


def save_head(connection: Connection, head: Head) -> None:
    """Store the head that `HeadLock.take` gave, with what has been changed since."""
    values = {"consent_epoch": head.consent_epoch, "registration_epoch": head.registration_epoch}
    connection.execute(update(HEAD).values(values))


def create_head(connection: Connection) -> None:
    """Make the head of a log that has none yet."""
    connection.execute(_CREATE)
