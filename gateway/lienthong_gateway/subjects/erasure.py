"""Erasing a citizen: what links the gateway's records to her is deleted, and the exchange log still verifies.

A leaf of the log holds a commitment to her, keyed with her salt. Without the salt nobody can tell whom it is about, not
even by trying every number; the leaves themselves stay as they were signed. If she is met again later, it is with a
new salt, so that nothing leads from the new entries to the old ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete

from lienthong_core.systems import SystemId
from lienthong_gateway.consents.erasure import erase_subject
from lienthong_gateway.log.store import SALTS
from lienthong_gateway.subjects.store import erase_requests


@dataclass(frozen=True)
class Erasure:
    """Erases citizens, within transactions of the log writer."""

    system: SystemId
    """The gateway's own, which ends her consents."""
    forget_commitment: Callable[[str], None]
    """Has whoever appends to the log forget the commitment to a citizen, which it keeps so as not to read her salt."""

    def erase(self, connection: Connection, personal_number: str, now: datetime) -> None:
        """Delete what links the gateway's records to a citizen."""
        erase_subject(connection, personal_number, now, str(self.system))
        connection.execute(delete(SALTS).where(SALTS.c.personal_number == personal_number))
        erase_requests(connection, personal_number)
        self.forget_commitment(personal_number)
