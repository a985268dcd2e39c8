"""Helpers: processes that look at a long stored log ahead of the walk that verifies it, so that all processors work.

A helper only says how far what it looked at is sound. What none of them vouches for, the walk looks at itself, and
judges: neither the verdict nor what is told of a fault depends on helpers.
"""

import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice, repeat
from multiprocessing import get_context, parent_process
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine

from lienthong_core.database import snapshot
from lienthong_core.failures import log_failure
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, VerifierKey
from lienthong_gateway.log.rows import RowFault, hashes_of
from lienthong_gateway.log.sources import DatabaseSource

OpenLog = Callable[[], Engine]
"""Opens the log in another process: a function that can be sent there."""

_Part = TypeVar("_Part")
_Sound = TypeVar("_Sound")

_STRETCH = 4_096
_NOTES = 256
_AHEAD = 2
"""How many parts are given out for each helper, beyond the one that is waited for."""
_MOST = 8

_log = logging.getLogger(__name__)


class Helpers:
    """Processes that look at one log, until the block ends. If one fails, none is asked any more."""

    def __init__(self, open_log: OpenLog, key: VerifierKey) -> None:
        self._open_log = open_log
        self._key = str(key)
        self._count = min(os.cpu_count() or 1, _MOST)
        self._failed = False
        # Forking would copy threads' locks in whatever state they are.
        self._pool = ProcessPoolExecutor(self._count, get_context("spawn"), initializer=_belong_to_the_walk)

    def __enter__(self) -> Self:
        """Begin; the processes are started when there is something to do."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def hashes(self, start: int, end: int) -> Iterator[list[bytes]]:
        """Give the hashes of entries from `start` on, up to `end` or the first that is not known to be sound."""
        stretches = ((first, min(first + _STRETCH, end)) for first in range(start, end, _STRETCH))
        for (first, beyond), hashes in self._ahead(partial(_sound_hashes, self._open_log), stretches):
            if hashes:
                yield hashes
            if len(hashes) < beyond - first:
                return

    def opened(self, stored: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, Checkpoint | None]]:
        """Give checkpoints (size and note) with what each says; None: it is not known to be signed."""
        pages = iter(stored)
        parts = iter(lambda: tuple(islice(pages, _NOTES)), ())
        for part, opened in self._ahead(partial(_signed, self._key), parts):
            for (size, note), checkpoint in zip(part, chain(opened, repeat(None)), strict=False):
                yield size, note, checkpoint

    def _ahead(
        self, look: Callable[[_Part], list[_Sound]], parts: Iterable[_Part]
    ) -> Iterator[tuple[_Part, list[_Sound]]]:
        """Give each part with what was found sound in it, in order, while helpers look at those after it."""
        waiting: deque[tuple[_Part, Future[list[_Sound]] | None]] = deque()
        for part in parts:
            waiting.append((part, self._given_out(look, part)))
            if len(waiting) > _AHEAD * self._count:
                yield self._told(*waiting.popleft())
        while waiting:
            yield self._told(*waiting.popleft())

    def _given_out(self, look: Callable[[_Part], list[_Sound]], part: _Part) -> "Future[list[_Sound]] | None":
        try:
            return None if self._failed else self._pool.submit(look, part)
        except BrokenProcessPool as error:
            self._fail(error)
            return None

    def _told(self, part: _Part, looked: "Future[list[_Sound]] | None") -> tuple[_Part, list[_Sound]]:
        try:
            return part, [] if looked is None else looked.result()
        except Exception as error:  # noqa: BLE001 (whatever became of a helper, the walk does without)
            self._fail(error)
            return part, []

    def _fail(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            log_failure(_log, "verifying a log with several processes (one goes on alone)", error)


class HelpedSource(DatabaseSource):
    """A stored log, much of which helpers have looked at before."""

    def __init__(self, connection: Connection, helpers: Helpers) -> None:
        super().__init__(connection)
        self._helpers = helpers

    def hashes(self, start: int) -> Iterator[Sequence[bytes]]:
        """Give the hashes of the entries."""
        for hashes in self._helpers.hashes(start, self.size()):
            yield hashes
            start += len(hashes)
        yield from super().hashes(start)

    def checkpoints(self, start_size: int) -> Iterator[tuple[int, str, Checkpoint | None]]:
        """Give the checkpoints."""
        stored = super().checkpoints(start_size)
        return self._helpers.opened((size, note) for size, note, _ in stored)


def _belong_to_the_walk() -> None:
    """Have a helper leave interrupts to the process that started it, and end with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_walk, daemon=True).start()


def _end_with_the_walk() -> None:
    walk = parent_process()
    if walk is not None:
        walk.join()
        os._exit(1)


def _sound_hashes(open_log: OpenLog, stretch: tuple[int, int]) -> list[bytes]:
    """Return the hashes of a stretch of entries, first and beyond, up to the first that is not sound."""
    first, beyond = stretch
    found: list[bytes] = []
    engine = open_log()
    try:
        with snapshot(engine) as connection:
            for hashes in hashes_of(DatabaseSource(connection).entries(first), first):
                found += hashes
                if len(found) >= beyond - first:
                    break
    except RowFault:
        pass
    finally:
        engine.dispose()
    return found[: beyond - first]


def _signed(key: str, stored: Sequence[tuple[int, str]]) -> list[Checkpoint]:
    """Return what notes say, up to the first that is not signed with the key."""
    verifier = VerifierKey.parse(key)
    found: list[Checkpoint] = []
    try:
        for _, note in stored:
            found.append(verifier.open(note))
    except CheckpointFault:
        pass
    return found
