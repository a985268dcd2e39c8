"""Step 6, record: append to the exchange log and wait until it is durable. No record, no release.

What changes a register is recorded before it is forwarded as well. No record, no change.
"""

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from lienthong.api.exchange.v1.log_pb2 import LOG_EVENT_CHANGE_ALLOWED, LOG_EVENT_EXCHANGE, LOG_EVENT_REFUSAL
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal
from lienthong_gateway.consents.store import is_consent_of, take_use
from lienthong_gateway.exchange import Released, Trace, UseLimit
from lienthong_gateway.log.batch import Change, Check, Job
from lienthong_gateway.log.head import Head
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter


class Recorder:
    """Records how exchanges ended."""

    def __init__(self, writer: LogWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def expecting(self) -> AbstractContextManager[None]:
        """Say that an exchange is under way, so that those that are can be written together."""
        return self._writer.expecting()

    async def change_allowed(self, trace: Trace, confirm: Check) -> None:
        """Record that a change of a register is about to be forwarded; refused as `exchange` is, and then it is not."""
        entry = Entry(self._clock.now(), LOG_EVENT_CHANGE_ALLOWED, trace, "OK")
        await self._writer.write(Job(entry, check=confirm))

    async def exchange(
        self, trace: Trace, released: Released, confirm: Check | None, limit: UseLimit | None = None
    ) -> int:
        """Record an exchange that is about to be released; return its log index once it is durable.

        If the consent has a `limit`, the exchange is counted; a stream of answers counts once. Refused:
        EXCHANGE_LOG_UNAVAILABLE, CONSENT_USED_UP, and what `confirm` refuses at the exchange's place in the log; None:
        it has been confirmed already.
        """
        entry = Entry(
            time=self._clock.now(),
            event=LOG_EVENT_EXCHANGE,
            trace=trace,
            status="OK",
            datasets_released=released.datasets,
            datasets_withheld=released.withheld,
            fields_released=released.fields,
        )
        return await self._writer.write(Job(entry, change=_counted(entry, limit), check=confirm))

    async def refusal(self, trace: Trace, refusal: Refusal) -> int:
        """Record a refusal; return its log index once it is durable.

        Refused: EXCHANGE_LOG_UNAVAILABLE.
        """
        return await self._writer.write(self._job_of(trace, refusal))

    def note(self, trace: Trace, refusal: Refusal) -> None:
        """Hand a refusal in without waiting for it to be durable: nobody waits for it, or the log has just failed."""
        self._writer.append(self._job_of(trace, refusal))

    def turned_away(self, trace: Trace, refusal: Refusal, calls: int) -> None:
        """Hand in one entry for so many calls that were not taken on, without waiting for it to be durable."""
        self._writer.append(Job(replace(self._entry_of(trace, refusal), calls=calls)))

    def _job_of(self, trace: Trace, refusal: Refusal) -> Job:
        # A refusal is not confirmed: the consent that was relied on may have been erased since.
        check = partial(_forget_erased, trace) if trace.consent_id else None
        return Job(self._entry_of(trace, refusal), check=check)

    def _entry_of(self, trace: Trace, refusal: Refusal) -> Entry:
        return Entry(self._clock.now(), LOG_EVENT_REFUSAL, trace, refusal.status.name, refusal.reason)


def _counted(entry: Entry, limit: UseLimit | None) -> Change | None:
    """Return the change of state that counts an exchange as one use of its consent, if its uses are limited."""
    if limit is None or entry.trace.sequence:
        return None
    return partial(take_use, limit=limit, exchange_id=entry.trace.exchange_id, now=entry.time)


def _forget_erased(trace: Trace, connection: Connection, _head: Head) -> None:
    """Have the entry name no consent that is hers no more: it would lead from her new commitment to the old one."""
    if not is_consent_of(connection, trace.consent_id, trace.subject):
        trace.consent_id = trace.consent_digest = ""
