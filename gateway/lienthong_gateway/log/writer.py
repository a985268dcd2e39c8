"""The one thread that writes the gateway's database: log entries, and the changes of state that they record.

Calls that arrive while a batch is being committed form the next batch, so one durable commit and one signature serve
all of them. A change of state (a consent given or revoked) is made in the same transaction as the entry about it.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from lienthong_core.database import writing
from lienthong_core.errors import Refusal, unavailable
from lienthong_core.failures import log_failure
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.store import Appender

LOG_UNAVAILABLE = "EXCHANGE_LOG_UNAVAILABLE"
_MAX_BATCH = 256

_log = logging.getLogger(__name__)


@dataclass
class _Job:
    entry: Entry
    change: Callable[[Connection], None] | None
    done: "Future[int]" = field(default_factory=Future[int])


class LogWriter:
    """Appends entries durably, in the order they were handed in."""

    def __init__(
        self, engine: Engine, appender: Appender, on_batch: Callable[[int], None] = lambda _entries: None
    ) -> None:
        """`on_batch` hears the size of each batch, in the thread that writes."""
        self._engine = engine
        self._on_batch = on_batch
        self._appender = appender
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="exchange-log", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many entries wait to be written."""
        return self._jobs.qsize()

    def stop(self) -> None:
        """Write what was handed in, then end. Nothing may be handed in afterwards."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def append(self, entry: Entry, change: Callable[[Connection], None] | None = None) -> "Future[int]":
        """Hand in an entry; the future gives its index once it is durable.

        `change` runs in the same transaction before the entry is appended; if it raises a refusal, that is what the
        future raises and nothing of it is stored. If the log cannot be written, the future raises a refusal with
        reason EXCHANGE_LOG_UNAVAILABLE.
        """
        job = _Job(entry, change)
        # Running: whoever waits for it may go away, but it cannot be cancelled any more.
        job.done.set_running_or_notify_cancel()
        self._jobs.put(job)
        return job.done

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            if batch:
                self._on_batch(len(batch))
                self._write(batch)

    def _next_batch(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == _MAX_BATCH:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _write(self, batch: Sequence[_Job]) -> None:
        accepted: list[_Job] = []
        try:
            with writing(self._engine) as connection:
                accepted = [job for job in batch if _changed(connection, job)]
                indexes = self._appender.append(connection, [job.entry for job in accepted]) if accepted else range(0)
        except Exception as error:  # noqa: BLE001 (no failure may end this thread or leave a caller waiting)
            # The database may be full, locked or gone; whatever it is, the answers that wait for it are withheld.
            log_failure(_log, "writing a batch of the exchange log", error)
            self._appender.rolled_back()
            _fail([job for job in batch if not job.done.done()])
            return
        self._appender.committed()
        for job, index in zip(accepted, indexes, strict=True):
            job.done.set_result(index)


def _changed(connection: Connection, job: _Job) -> bool:
    """Make the job's change of state; a refusal ends that job alone."""
    if job.change is None:
        return True
    try:
        with connection.begin_nested():
            job.change(connection)
    except Refusal as refusal:
        job.done.set_exception(refusal)
        return False
    return True


def _fail(jobs: Sequence[_Job]) -> None:
    message = "The exchange could not be recorded, so nothing is released; try again."
    for job in jobs:
        job.done.set_exception(unavailable("EXCHANGE_LOG_UNAVAILABLE", message))
