"""One batch of the log: entries, and the changes of state that they record, in one transaction.

The order of the log is the order of decisions, on every replica. A batch begins by locking the log's end, which counts
the changes of consents and registrations. An exchange is recorded, and so released, only if what it was decided on has
not changed by then, or still allows the same: so none is released after the entry that revoked its consent.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection

from lienthong_core.database import Busy, WritingConnection
from lienthong_core.errors import Refusal, unavailable
from lienthong_core.failures import log_failure
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.append import Appender, Line
from lienthong_gateway.log.head import Head, Touches
from lienthong_gateway.log.leaf import Entry

LOG_UNAVAILABLE = "EXCHANGE_LOG_UNAVAILABLE"
_LONGEST_LEAF = 32 << 10
"""Bytes. A bundle of entries can hold twice as much; an entry has a tenth of it, unless something is wrong with it."""

_log = logging.getLogger(__name__)

Change: TypeAlias = Callable[[Connection], None]
Check: TypeAlias = Callable[[Connection, Head], None]
Outcome: TypeAlias = int | Refusal
"""The index of an entry that is durable, or why it was not written."""


class Job(NamedTuple):
    """An entry to be written, and what belongs into its transaction."""

    entry: Entry
    change: Change | None = None
    """Makes the change of state that the entry is about; a refusal undoes it, and the entry is not written."""
    touches: Touches = Touches.NOTHING
    """What the change can invalidate."""
    check: Check | None = None
    """Refuses what no longer holds at this place of the log: nothing is written then. Or has the entry not say so."""
    then: Callable[[], None] | None = None
    """Called once it is durable, whoever waits for that, by the thread that wrote it: for what takes no time."""


class BatchWriter:
    """Writes batches, one at a time: whoever calls it sees to that."""

    def __init__(self, engine: Engine, appender: Appender) -> None:
        self._database = WritingConnection(engine)
        self._driver = engine.dialect.loaded_dbapi
        self._appender = appender
        self._named: list[tuple[Trace, str]] = []
        """Exchanges whose first entry about a citizen is in the batch, each with the commitment to her."""

    @property
    def head(self) -> Head:
        """The head as this replica saw it last."""
        return self._appender.head

    @property
    def is_local(self) -> bool:
        """Whether the database is a file beside the gateway, and not behind a network."""
        return self._database.is_local

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    def write(self, jobs: Sequence[Job], *, wait: bool = True) -> Sequence[Outcome]:
        """Write jobs and return what became of each, once it is durable.

        Not `wait`: raises Busy, and nothing is written, if somebody else is writing the database just now.
        """
        self._named = []
        try:
            connection = self._database.begin(wait=wait)
            outcomes = self._append(connection, jobs)
            self._database.commit(connection)
        except Busy:
            raise
        except Exception as error:  # noqa: BLE001 (no failure may leave a caller waiting)
            # The database may be full, locked or gone; whatever it is, the answers that wait for it are withheld.
            log_failure(_log, "writing a batch of the exchange log", error)
            self._database.close()
            self._appender.rolled_back()
            for trace, subject in self._named:
                trace.commitments.discard(subject)
            if len(jobs) > 1 and not self._is_database_failing(error):
                # One of them is at fault, whichever it is: nobody else's answer is withheld for it.
                return [outcome for job in jobs for outcome in self.write([job])]
            return [unwritten()] * len(jobs)
        written = [job for job, outcome in zip(jobs, outcomes, strict=True) if isinstance(outcome, int)]
        if written:
            self._appender.committed()
        for job in written:
            if job.then is not None:
                job.then()
        return outcomes

    def _is_database_failing(self, error: Exception) -> bool:
        """Return whether an error says something of the database, and not of what was to be written."""
        driver = self._driver
        of_what_was_written = (DataError, IntegrityError, driver.DataError, driver.IntegrityError)
        return isinstance(error, DBAPIError | driver.Error | NoConnection) and not isinstance(
            error, of_what_was_written
        )

    def _append(self, connection: Connection, jobs: Sequence[Job]) -> list[Outcome]:
        """Write what is not refused, and return what will have become of each job once that is committed."""
        head = self._appender.begin(connection)
        outcomes: list[Outcome] = [0] * len(jobs)
        accepted: list[int] = []
        lines: list[Line] = []
        for place, job in enumerate(jobs):
            try:
                # First: an entry about an erasure, or before it, is under the commitment that the erasure ends.
                subject = self._commitment(connection, job.entry.trace)
                line, head = self._changed(connection, job, subject, head)
            except Refusal as refusal:
                outcomes[place] = refusal
            else:
                if subject and not job.entry.trace.commitments:
                    job.entry.trace.commitments.add(subject)
                    self._named.append((job.entry.trace, subject))
                accepted.append(place)
                lines.append(line)
        if lines:
            for place, index in zip(accepted, self._appender.append(connection, lines, head), strict=True):
                outcomes[place] = index
        return outcomes

    def _commitment(self, connection: Connection, trace: Trace) -> str:
        """Return the commitment to the subject of an entry; empty for nobody.

        Empty also if she was erased after an earlier entry of the exchange: the two have its id in common, and her new
        commitment would lead to the old one.
        """
        if not trace.commitments:
            return self._appender.commitment(connection, trace.subject)
        subject = self._appender.known_commitment(connection, trace.subject)
        return subject if subject in trace.commitments else ""

    def _changed(self, connection: Connection, job: Job, subject: str, head: Head) -> tuple[Line, Head]:
        """Make the job's checks and its change of state, and return its entry and the head; a refusal ends it alone."""
        if job.check is not None:
            job.check(connection, head)
        if job.change is None:
            return self._line(job.entry, subject), head
        try:
            with connection.begin_nested():
                job.change(connection)
                # In here, because a change whose entry is refused is undone; after it, because the entry tells of it.
                line = self._line(job.entry, subject)
        except (IntegrityError, DataError) as error:
            # What contradicts the stored data, or cannot be stored, is that job's fault, and no reason to withhold the
            # answers beside it.
            log_failure(_log, "a change of state", error)
            raise unwritten() from error
        return line, head.after(job.touches)

    def _line(self, entry: Entry, subject: str) -> Line:
        line = Line.of(entry, subject, self._appender.after)
        if len(line.leaf) > _LONGEST_LEAF:
            message = "What would be recorded is too long for an entry of the log, so the answer is withheld; say less."
            raise unavailable("EXCHANGE_LOG_UNAVAILABLE", message)
        return line


def unwritten() -> Refusal:
    """Return the refusal of an answer whose entry is not known to be durable."""
    message = "The exchange could not be recorded, so its answer is withheld; try again."
    return unavailable("EXCHANGE_LOG_UNAVAILABLE", message)
