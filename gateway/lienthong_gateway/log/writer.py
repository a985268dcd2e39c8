"""The one thread that writes the gateway's database: log entries, and the changes of state that they record.

A durable commit and a signature cost the same for one entry as for many. So a batch waits, a moment at most, until a
third of the exchanges that are under way are ready to be recorded; one alone does not wait. A change of state (a
consent given or revoked) is made in the same transaction as the entry about it.

The order of the log is the order of decisions, on every replica. A batch begins by locking the log's end, which counts
the changes of consents and registrations. An exchange is recorded, and so released, only if what it was decided on has
not changed by then, or still allows the same: so none is released after the entry that revoked its consent.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from lienthong_core.database import WritingConnection
from lienthong_core.errors import Refusal, unavailable
from lienthong_core.failures import log_failure
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.head import Head, Touches
from lienthong_gateway.log.leaf import Entry

LOG_UNAVAILABLE = "EXCHANGE_LOG_UNAVAILABLE"
_MAX_BATCH = 256
_GATHERED = 3
"""One of how many exchanges under way has to be ready before a batch is written."""
_GATHER_S = 0.01
_LONGEST_S = 10.0
"""How long is waited for an entry at most: a database that hangs gives no error."""

_log = logging.getLogger(__name__)

Change: TypeAlias = Callable[[Connection], None]
Check: TypeAlias = Callable[[Connection, Head], None]
_Outcome: TypeAlias = int | Refusal


@dataclass(frozen=True)
class Job:
    """An entry to be written, and what belongs into its transaction."""

    entry: Entry
    change: Change | None = None
    """Makes the change of state that the entry is about; a refusal undoes it, and the entry is not written."""
    touches: Touches = Touches.NOTHING
    """What the change can invalidate."""
    check: Check | None = None
    """Refuses what no longer holds at this place of the log; then the entry is not written."""


@dataclass
class _Waiting:
    job: Job
    done: "Future[int] | asyncio.Future[int]"
    outcome: _Outcome | None = field(default=None)


class _Expecting:
    """Counts the exchanges under way, each for a block. A class: every exchange passes here (edge/turns.py)."""

    def __init__(self) -> None:
        self.under_way = 0

    def __enter__(self) -> None:
        self.under_way += 1

    def __exit__(self, *_error: object) -> None:
        self.under_way -= 1


class LogWriter:
    """Appends entries durably, in the order they were handed in."""

    def __init__(
        self, engine: Engine, appender: Appender, on_batch: Callable[[int], None] = lambda _entries: None
    ) -> None:
        """`on_batch` hears the size of each batch, in the thread that writes."""
        self._database = WritingConnection(engine)
        self._on_batch = on_batch
        self._appender = appender
        self._jobs: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._expecting = _Expecting()
        self._enough = threading.Event()
        self._gathering = False
        self._thread = threading.Thread(target=self._run, name="exchange-log", daemon=True)

    def expecting(self) -> "_Expecting":
        """Say that an exchange is under way which will hand in an entry before the block ends. For one event loop."""
        return self._expecting

    @property
    def head(self) -> Head:
        """The head as this replica saw it last."""
        return self._appender.head

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
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join()

    def append(self, job: Job) -> "Future[int]":
        """Hand in an entry from any thread; the future gives its index once it is durable, or raises like `write`."""
        done: Future[int] = Future()
        # Running: whoever waits for it may go away, but it cannot be cancelled any more.
        done.set_running_or_notify_cancel()
        self._hand_in(_Waiting(job, done))
        return done

    async def write(self, job: Job) -> int:
        """Write an entry and return its index once it is durable. A caller that goes away does not undo it.

        Refused: what the job's change or check refuses, and then nothing of it is stored; EXCHANGE_LOG_UNAVAILABLE, if
        the log cannot be written, or not in time; in that case the entry may still be written later.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        over = loop.call_later(_LONGEST_S, _give_up, done)
        self._hand_in(_Waiting(job, done))
        try:
            return await done
        finally:
            over.cancel()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            if batch:
                self._on_batch(len(batch))
                self._write(batch)
                _deliver(batch)
        self._database.close()

    def _hand_in(self, waiting: _Waiting) -> None:
        self._jobs.put(waiting)
        if self._gathering and self._are_enough():
            self._enough.set()

    def _are_enough(self) -> bool:
        # One has been taken from the queue already by whoever waits for more.
        return (self._jobs.qsize() + 1) * _GATHERED >= self._expecting.under_way

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        batch: list[_Waiting] = []
        waiting = self._jobs.get()
        if not self._are_enough():
            self._gather()
        while waiting is not None:
            batch.append(waiting)
            if len(batch) == _MAX_BATCH:
                return batch, False
            try:
                waiting = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _gather(self) -> None:
        self._enough.clear()
        self._gathering = True
        # Whoever has handed in before it could see that is counted here.
        if not self._are_enough():
            self._enough.wait(_GATHER_S)
        self._gathering = False

    def _write(self, batch: Sequence[_Waiting]) -> None:
        try:
            with self._database.transaction() as connection:
                accepted = self._append(connection, batch)
        except Exception as error:  # noqa: BLE001 (no failure may end this thread or leave a caller waiting)
            # The database may be full, locked or gone; whatever it is, the answers that wait for it are withheld.
            log_failure(_log, "writing a batch of the exchange log", error)
            self._appender.rolled_back()
            for waiting in batch:
                waiting.outcome = _unwritten()
            return
        if accepted:
            self._appender.committed()

    def _append(self, connection: Connection, batch: Sequence[_Waiting]) -> bool:
        """Write what is not refused; return whether anything was."""
        head = self._appender.begin(connection)
        accepted: list[_Waiting] = []
        entries: list[tuple[Entry, str]] = []
        for waiting in batch:
            entry = waiting.job.entry
            try:
                # First: an entry about an erasure, or before it, is under the commitment that the erasure ends.
                subject = self._appender.commitment(connection, entry.trace.subject)
                head = _changed(connection, waiting.job, head)
            except Refusal as refusal:
                waiting.outcome = refusal
            else:
                accepted.append(waiting)
                entries.append((entry, subject))
        if accepted:
            for waiting, index in zip(accepted, self._appender.append(connection, entries, head), strict=True):
                waiting.outcome = index
        return bool(accepted)


def _changed(connection: Connection, job: Job, head: Head) -> Head:
    """Make the job's checks and its change of state; a refusal ends that job alone. Return the head afterwards."""
    if job.check is not None:
        job.check(connection, head)
    if job.change is None:
        return head
    try:
        with connection.begin_nested():
            job.change(connection)
    except IntegrityError as error:
        # What contradicts the stored data is that job's fault, and no reason to withhold the answers beside it.
        log_failure(_log, "a change of state", error)
        raise _unwritten() from error
    return head.after(job.touches)


def _deliver(batch: Sequence[_Waiting]) -> None:
    """Tell everybody how it went; those of one event loop together, because waking it costs more than the telling."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in batch:
        if isinstance(waiting.done, asyncio.Future):
            by_loop.setdefault(waiting.done.get_loop(), []).append(waiting)
        else:
            _settle([waiting])
    for loop, all_waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, all_waiting)
        except RuntimeError:
            # The loop has ended, and with it everybody who waited in it.
            _log.warning("nobody waited any more for a batch of the exchange log")


def _settle(batch: Sequence[_Waiting]) -> None:
    for waiting in batch:
        if waiting.done.done():
            continue
        if isinstance(waiting.outcome, int):
            waiting.done.set_result(waiting.outcome)
        else:
            waiting.done.set_exception(waiting.outcome or _unwritten())


def _give_up(done: asyncio.Future[int]) -> None:
    # Whatever the outcome seems to be by now, it is not known to be durable.
    if not done.done():
        done.set_exception(_unwritten())


def _unwritten() -> Refusal:
    message = "The exchange could not be recorded, so nothing is released; try again."
    return unavailable("EXCHANGE_LOG_UNAVAILABLE", message)
