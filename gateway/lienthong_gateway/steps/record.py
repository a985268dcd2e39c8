"""Step 6, record: append to the exchange log and wait until it is durable. No record, no release."""

import asyncio
from functools import partial

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal
from lienthong_gateway.consents.store import Change, take_use
from lienthong_gateway.exchange import Released, Trace
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter


class Recorder:
    """Records how exchanges ended."""

    def __init__(self, writer: LogWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def exchange(self, trace: Trace, released: Released) -> int:
        """Record an exchange that is about to be released; return its log index once it is durable.

        Refused: EXCHANGE_LOG_UNAVAILABLE, CONSENT_USED_UP.
        """
        now, limit = self._clock.now(), trace.consent_limit
        entry = Entry(
            time=now,
            event=LogEvent.LOG_EVENT_EXCHANGE,
            trace=trace,
            status="OK",
            datasets_released=released.datasets,
            datasets_withheld=released.withheld,
            fields_released=released.fields,
        )
        if limit is None:
            return await self._append(entry)
        return await self._append(entry, partial(take_use, limit=limit, exchange_id=trace.exchange_id, now=now))

    async def refusal(self, trace: Trace, refusal: Refusal) -> int:
        """Record a refusal; return its log index once it is durable.

        Refused: EXCHANGE_LOG_UNAVAILABLE.
        """
        return await self._append(self._refusal(trace, refusal))

    def note(self, trace: Trace, refusal: Refusal) -> None:
        """Hand a refusal in without waiting for it to be durable: nobody waits for it, or the log has just failed."""
        self._writer.append(self._refusal(trace, refusal))

    def _refusal(self, trace: Trace, refusal: Refusal) -> Entry:
        return Entry(self._clock.now(), LogEvent.LOG_EVENT_REFUSAL, trace, refusal.status.name, refusal.reason)

    async def _append(self, entry: Entry, change: Change | None = None) -> int:
        # Shielded: a caller that goes away does not undo what happened.
        return await asyncio.shield(asyncio.wrap_future(self._writer.append(entry, change)))
