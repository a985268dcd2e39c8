"""What every view of the log has in common: who may see it, that it is recorded, and reading off the event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock
from lienthong_core.database import snapshot
from lienthong_core.errors import Refusal, not_found
from lienthong_gateway.local import LocalCall
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.notes import PublishedNote, find_note, newest_size
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registry.current import CurrentRegistration

T = TypeVar("T")


@dataclass(frozen=True)
class LogReading:
    """The log as the views read it."""

    registration: CurrentRegistration
    engine: Engine
    writer: LogWriter
    clock: Clock

    def is_auditor(self, call: LocalCall) -> bool:
        """Return whether the caller may see everything."""
        return call.caller.system in self.registration.value.auditors

    def check_auditor(self, call: LocalCall) -> None:
        """Refuse, with CALLER_NOT_ALLOWED, a caller that is no auditor."""
        self.registration.value.check_auditor(call.caller.system)

    async def record(
        self,
        call: LocalCall,
        what: str = "",
        event: LogEvent.ValueType = LogEvent.LOG_EVENT_LOG_READ,
        change: Callable[[Connection], None] | None = None,
    ) -> None:
        """Record that the log is read, or changed; return once that is durable. `what` becomes the entry's reason.

        Refused: EXCHANGE_LOG_UNAVAILABLE.
        """
        entry = Entry(self.clock.now(), event, call.trace, "OK", what)
        await self.writer.write(Job(entry, change))

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what a query gives, all of it from one state of the database."""
        return await asyncio.to_thread(self._read, query)

    def _read(self, query: Callable[[Connection], T]) -> T:
        with snapshot(self.engine) as connection:
            return query(connection)


def published_note(connection: Connection, tree_size: int, *, cosigned: bool = False) -> PublishedNote:
    """Return the checkpoint of a size, or the newest for 0. Refused: TREE_SIZE_UNKNOWN."""
    size = tree_size or newest_size(connection, cosigned=cosigned)
    if size is None:
        raise _no_checkpoint("which a witness has cosigned")
    return note_of(connection, size)


def note_of(connection: Connection, size: int) -> PublishedNote:
    """Return the checkpoint of exactly a size, also of 0. Refused: TREE_SIZE_UNKNOWN."""
    note = find_note(connection, size) if size >= 0 else None
    if note is None:
        raise _no_checkpoint(f"of {size} entries")
    return note


def _no_checkpoint(which: str) -> Refusal:
    return not_found("TREE_SIZE_UNKNOWN", f"There is no checkpoint {which}; GetCheckpoint gives the newest.")
