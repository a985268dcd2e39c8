"""Erasing a citizen: what links the gateway's records to her is deleted, and the exchange log still verifies.

A leaf of the log holds a commitment to her, keyed with her salt. Without the salt nobody can tell whom it is about, not
even by trying every number; the leaves themselves stay as they were signed. If she is met again later, it is with a
new salt, so that nothing leads from the new entries to the old ones.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete
from sqlalchemy.exc import SQLAlchemyError

from lienthong_core.database import empty_write_ahead_log
from lienthong_core.failures import log_failure
from lienthong_core.systems import SystemId
from lienthong_gateway.consents.erasure import erase_subject
from lienthong_gateway.log.store import SALTS
from lienthong_gateway.subjects.store import erase_requests

_ATTEMPTS, _PAUSE_S = 20, 0.05
"""How often the database's file is asked to forget her, and how long is waited in between: others are not held up."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Erasure:
    """Erases citizens, within transactions of the log writer."""

    system: SystemId
    """The gateway's own, which ends her consents."""
    forget_commitment: Callable[[str], None]
    """Has whoever appends to the log forget the commitment to a citizen, which it keeps so as not to read her salt."""
    forget_in_files: Callable[[], None]
    """To be called once an erasure is durable."""

    def erase(self, connection: Connection, personal_numbers: Collection[str], now: datetime) -> None:
        """Delete what links the gateway's records to a citizen: under every number that she has or had."""
        for number in personal_numbers:
            erase_subject(connection, number, now, str(self.system))
            connection.execute(delete(SALTS).where(SALTS.c.personal_number == number))
            erase_requests(connection, number)
            self.forget_commitment(number)


class Forgetting:
    """Takes what erasures deleted out of the files beside the database, in a thread of its own.

    No call waits for it. While others read or write without a pause it is left to the next erasure, or to the gateway's
    end.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ending = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="forgetting")

    def begin(self) -> None:
        """Begin, from any thread, once an erasure is durable; raises nothing."""
        self._worker.submit(self._forget)

    def end(self) -> None:
        """Try no more. Nothing may be begun afterwards."""
        self._ending.set()
        self._worker.shutdown()

    def _forget(self) -> None:
        try:
            for _ in range(_ATTEMPTS):
                if empty_write_ahead_log(self._engine) or self._ending.wait(_PAUSE_S):
                    return
        except (SQLAlchemyError, sqlite3.Error) as error:
            log_failure(_log, "emptying the write-ahead log after an erasure", error)
        else:
            _log.warning("the write-ahead log was in use after an erasure, and is emptied with the next or at the end")
