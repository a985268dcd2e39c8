"""Helpers: processes that look at a long stored log ahead of the walk that verifies it, so that all processors work.

A helper only says how far what it looked at is sound. What none of them vouches for, the walk looks at itself, and
judges: neither the verdict nor what is told of a fault depends on helpers.
"""

import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Self, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

from lienthong_core.database import snapshot
from lienthong_core.failures import log_failure
from lienthong_gateway.log.rows import Page, RowFault
from lienthong_gateway.log.sources import DatabaseSource

OpenLog = Callable[[], Engine]
"""Opens the log in another process: a function that can be sent there."""

_Stretch: TypeAlias = tuple[int, int]
"""The index of its first entry, and that after its last."""

_Found = TypeVar("_Found")

_STRETCH = 4_096
_AHEAD = 2
"""How many stretches are given out for each helper, beyond the one that is waited for."""
_MOST = 8

_log = logging.getLogger(__name__)


class Helpers:
    """Processes that look at one log, until the block ends. If one fails, none is asked any more."""

    def __init__(self, open_log: OpenLog) -> None:
        self._open_log = open_log
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

    def entries(self, start: int, end: int) -> Iterator[Page]:
        """Give the entries from `start` on, up to `end` or the first that is not known to be sound."""
        stretches = ((first, min(first + _STRETCH, end)) for first in range(start, end, _STRETCH))
        for (first, beyond), page in self._ahead(stretches):
            if page.hashes:
                yield page
            if len(page.hashes) < beyond - first:
                return

    def index(self) -> "Future[bool] | None":
        """Begin to look at what searches go by; `is_sound` tells what came of it."""
        return self._given_out(_has_sound_index, self._open_log)

    def is_sound(self, looked: "Future[bool] | None") -> bool:
        """Return whether what was begun is known to be sound."""
        return self._told(looked) or False

    def _ahead(self, stretches: Iterable[_Stretch]) -> Iterator[tuple[_Stretch, Page]]:
        """Give each stretch with what was found sound in it, in order, while helpers look at those after it."""
        waiting: deque[tuple[_Stretch, Future[Page] | None]] = deque()
        for stretch in stretches:
            waiting.append((stretch, self._given_out(_sound, self._open_log, stretch)))
            if len(waiting) > _AHEAD * self._count:
                ready, looked = waiting.popleft()
                yield ready, self._told(looked) or Page()
        for stretch, looked in waiting:
            yield stretch, self._told(looked) or Page()

    def _given_out(self, look: Callable[..., _Found], *about: object) -> "Future[_Found] | None":
        try:
            return None if self._failed else self._pool.submit(look, *about)
        except Exception as error:  # noqa: BLE001 (whatever keeps a helper from being started, the walk does without)
            self._fail(error)
            return None

    def _told(self, looked: "Future[_Found] | None") -> _Found | None:
        try:
            return None if looked is None else looked.result()
        except Exception as error:  # noqa: BLE001 (whatever became of a helper, the walk does without)
            self._fail(error)
            return None

    def _fail(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            log_failure(_log, "verifying a log with several processes (one goes on alone)", error)


class HelpedSource(DatabaseSource):
    """A stored log, much of which helpers have looked at before."""

    def __init__(self, connection: Connection, helpers: Helpers) -> None:
        super().__init__(connection)
        self._helpers = helpers
        self._index = helpers.index()

    def index_fault(self) -> str | None:
        """Return why a search would not find every entry."""
        return None if self._helpers.is_sound(self._index) else super().index_fault()

    def entries(self, start: int) -> Iterator[Page]:
        """Give the entries."""
        for page in self._helpers.entries(start, self.size()):
            yield page
            start += len(page.hashes)
        yield from super().entries(start)


def _belong_to_the_walk() -> None:
    """Have a helper leave interrupts to the process that started it, and end with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_walk, daemon=True).start()


def _end_with_the_walk() -> None:
    walk = parent_process()
    if walk is not None:
        walk.join()
        os._exit(1)


def _sound(open_log: OpenLog, stretch: _Stretch) -> Page:
    """Return the entries of a stretch up to the first that is not sound."""
    first, beyond = stretch
    hashes: list[bytes] = []
    after: list[bytes] = []
    pruned = minimum = 0
    engine = open_log()
    try:
        with snapshot(engine) as connection:
            for page in DatabaseSource(connection).entries(first):
                hashes += page.hashes
                after += page.after
                pruned, minimum = max(pruned, page.pruned), max(minimum, page.minimum)
                if len(hashes) >= beyond - first:
                    break
    except RowFault:
        pass
    finally:
        engine.dispose()
    return Page(hashes[: beyond - first], after[: beyond - first], min(pruned, beyond), minimum)


def _has_sound_index(open_log: OpenLog) -> bool:
    engine = open_log()
    try:
        with snapshot(engine) as connection:
            return DatabaseSource(connection).index_fault() is None
    finally:
        engine.dispose()
