"""Dates, of which the month or the day may be unknown, and times, as contract messages."""

import re
from datetime import date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from lienthong.api.types.v1.types_pb2 import PartialDate

_TEXT = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def partial_date(text: str) -> PartialDate:
    """Return the message for `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; raises ValueError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None:
        message = f"{text!r} is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD"
        raise ValueError(message)
    year, month, day = (int(part or 0) for part in match.groups())
    return PartialDate(year=year, month=month, day=day)


def partial_date_text(value: PartialDate) -> str:
    """Return `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; raises ValueError if the message is no possible date."""
    if value.day and not value.month:
        message = "a date with a day must have a month"
        raise ValueError(message)
    possible = date(value.year, value.month or 1, value.day or 1)
    return possible.isoformat()[: 10 if value.day else 7 if value.month else 4]


def whole_date(day: date) -> PartialDate:
    """Return the message for a day."""
    return PartialDate(year=day.year, month=day.month, day=day.day)


def timestamp(time: datetime) -> Timestamp:
    """Return the message for a time; one without a zone, as SQLite may give it back, is in UTC."""
    message = Timestamp()
    message.FromDatetime(time)
    return message
