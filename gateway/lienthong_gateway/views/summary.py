"""GetDailySummary: how much of what was shared, day by day."""

from datetime import date, timedelta

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.errors import invalid
from lienthong_gateway.local import LocalCall
from lienthong_gateway.log.summary import Group, read_summary
from lienthong_gateway.views.access_filter import filter_invalid
from lienthong_gateway.views.reading import LogReading

_MOST_DAYS = 92
_MOST_BYTES = 4 << 20
"""Of an answer: as much as gRPC's clients take unless told otherwise."""


class SummaryAnswers:
    """Answers GetDailySummary."""

    def __init__(self, reading: LogReading) -> None:
        self._reading = reading

    async def get_daily_summary(
        self, call: LocalCall, request: pb.GetDailySummaryRequest
    ) -> pb.GetDailySummaryResponse:
        """Answer the counts that the caller may see. Refused: LOG_FILTER_INVALID, SUMMARY_TOO_LARGE."""
        first, last = _day(request.first_day), _day(request.last_day)
        if not first <= last < first + timedelta(_MOST_DAYS):
            raise filter_invalid(f"last_day must be the first day or one of the {_MOST_DAYS - 1} after it.")
        consumer = self._consumer(call, request.consumer)
        await self._reading.record(call)
        counts, size = await self._reading.read(
            lambda connection: read_summary(connection, first.isoformat(), last.isoformat(), consumer)
        )
        answer = pb.GetDailySummaryResponse(counts=[_count(*count) for count in counts], tree_size=size)
        if answer.ByteSize() > _MOST_BYTES:
            message = "The counts of these days take more than 4 MiB; ask for fewer days at once, or for one consumer."
            raise invalid("SUMMARY_TOO_LARGE", message)
        return answer

    def _consumer(self, call: LocalCall, asked: str) -> str | None:
        if self._reading.is_auditor(call):
            return asked or None
        own = str(call.caller.system)
        if asked not in {"", own}:
            raise filter_invalid(f"Only an auditor sees what others asked for; leave consumer out, or name {own}.")
        return own


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or day > date.max - timedelta(_MOST_DAYS):
        raise filter_invalid("first_day and last_day are days of the form 2026-03-01.")
    return day


def _count(group: Group, entries: int) -> pb.DailyCount:
    return pb.DailyCount(
        day=group.day,
        consumer=group.consumer,
        provider=group.provider,
        dataset=group.dataset,
        outcome=pb.Outcome.Value(f"OUTCOME_{group.outcome}"),
        reason=group.reason,
        entries=entries,
    )
