"""Who writes the gateway's database: log entries, and the changes of state that they record (`log/batch.py`).

A durable commit and a signature cost the same for one entry as for many. So one thread writes batches, and a batch
waits, a moment at most, until a third of the exchanges that are under way are ready to be recorded; one alone does not
wait. An entry that is alone is not even handed to the thread, where that can hold nobody up (docs/adr/0005).
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Engine

from lienthong_core.database import Busy
from lienthong_core.errors import Refusal
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.batch import BatchWriter, Job, Outcome, unwritten
from lienthong_gateway.log.head import Head

_MAX_BATCH = 256
_GATHERED = 3
"""One of how many exchanges under way has to be ready before a batch is written."""
_GATHER_S = 0.01
_LONGEST_S = 10.0
"""How long is waited for an entry at most: a database that hangs gives no error."""
_QUICK_S = 0.002
"""How long the last write may have taken for the event loop to do the next one itself."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting:
    job: Job
    done: "Future[int] | asyncio.Future[int]"


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
        self,
        engine: Engine,
        appender: Appender,
        on_batch: Callable[[int], None] = lambda _entries: None,
        calls: Callable[[], int] = lambda: 0,
    ) -> None:
        """`on_batch` hears the size of each batch, once all have been told; `calls` counts those under way."""
        self._batches = BatchWriter(engine, appender)
        self._on_batch = on_batch
        self._calls = calls
        self._writing = threading.Lock()
        self._last_s = 0.0
        self._jobs: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._unsettled = 0
        self._counting = threading.Lock()
        self._expecting = _Expecting()
        self._enough = threading.Event()
        self._gathering = False
        self._thread = threading.Thread(target=self._run, name="exchange-log", daemon=True)

    def expecting(self) -> _Expecting:
        """Say that an exchange is under way which will hand in an entry before the block ends. For one event loop."""
        return self._expecting

    @property
    def head(self) -> Head:
        """The head as this replica saw it last."""
        return self._batches.head

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
        if self._is_alone(job) and (outcome := self._write_here(job)) is not None:
            if isinstance(outcome, Refusal):
                raise outcome
            loop.call_soon(self._on_batch, 1)
            return outcome
        done: asyncio.Future[int] = loop.create_future()
        over = loop.call_later(_LONGEST_S, _give_up, done)
        self._hand_in(_Waiting(job, done))
        try:
            return await done
        finally:
            over.cancel()

    def _is_alone(self, job: Job) -> bool:
        """Return whether nobody is held up if the event loop writes the entry itself (docs/adr/0005)."""
        return (
            self._calls() <= 1
            and not self._unsettled
            and job.change is None
            and self._last_s < _QUICK_S
            and self._batches.is_local
        )

    def _write_here(self, job: Job) -> Outcome | None:
        """Write an entry now and return what became of it; None, and nothing was done, if somebody else is writing."""
        if not self._writing.acquire(blocking=False):
            return None
        try:
            return self._write([job], wait=False)[0]
        except Busy:
            return None
        finally:
            self._writing.release()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            if batch:
                with self._writing:
                    outcomes = self._write([waiting.job for waiting in batch], wait=True)
                with self._counting:
                    self._unsettled -= len(batch)
                _deliver(batch, outcomes)
                if written := sum(isinstance(outcome, int) for outcome in outcomes):
                    self._on_batch(written)
        self._batches.close()

    def _write(self, jobs: Sequence[Job], *, wait: bool) -> Sequence[Outcome]:
        began = time.perf_counter()
        try:
            return self._batches.write(jobs, wait=wait)
        finally:
            self._last_s = time.perf_counter() - began

    def _hand_in(self, waiting: _Waiting) -> None:
        with self._counting:
            self._unsettled += 1
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


def _deliver(batch: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    """Tell everybody how it went; those of one event loop together, because waking it costs more than the telling."""
    by_loop: dict[asyncio.AbstractEventLoop, tuple[list[_Waiting], list[Outcome]]] = {}
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if isinstance(waiting.done, asyncio.Future):
            all_waiting, theirs = by_loop.setdefault(waiting.done.get_loop(), ([], []))
            all_waiting.append(waiting)
            theirs.append(outcome)
        else:
            _settle([waiting], [outcome])
    for loop, told in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, *told)
        except RuntimeError:
            # The loop has ended, and with it everybody who waited in it.
            _log.warning("nobody waited any more for a batch of the exchange log")


def _settle(batch: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if waiting.done.done():
            continue
        if isinstance(outcome, int):
            waiting.done.set_result(outcome)
        else:
            waiting.done.set_exception(outcome)


def _give_up(done: asyncio.Future[int]) -> None:
    if not done.done():
        done.set_exception(unwritten())
