"""By when a citizen must have her answer: Decree 356/2025 Art. 5 [R2], read in a secondary text.

Days are counted from the day after (Civil Code 91/2015 Art. 147 [M]), and a deadline that ends on a day without offices
ends with the next working day (Art. 148 [M]). The first reply is counted in working days, the rest in calendar days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind
from lienthong_core.working_days import ONE_DAY, add_working_days, is_working_day

REPLY_WORKING_DAYS = 2
"""Working days within which the controller tells the citizen that her request has arrived."""


@dataclass(frozen=True)
class Term:
    """How long the controller has, in days: by itself, with others who process the data for it, and once more."""

    alone: int
    through_third_party: int
    extension: int


TERMS: Mapping[RightsRequestKind.ValueType, Term] = MappingProxyType(
    {
        RightsRequestKind.RIGHTS_REQUEST_KIND_VIEW: Term(10, 15, 10),
        RightsRequestKind.RIGHTS_REQUEST_KIND_CORRECT: Term(10, 15, 10),
        RightsRequestKind.RIGHTS_REQUEST_KIND_COPY: Term(10, 15, 10),
        RightsRequestKind.RIGHTS_REQUEST_KIND_RESTRICT: Term(15, 20, 15),
        RightsRequestKind.RIGHTS_REQUEST_KIND_OBJECT: Term(15, 20, 15),
        RightsRequestKind.RIGHTS_REQUEST_KIND_DELETE: Term(20, 30, 20),
    }
)


def reply_by(submitted: date) -> date:
    """Return the last day for the first reply to a request that was submitted on a day."""
    return add_working_days(submitted, REPLY_WORKING_DAYS)


def due_on(kind: RightsRequestKind.ValueType, submitted: date, *, through_third_party: bool) -> date:
    """Return the last day for the outcome of a request."""
    term = TERMS[kind]
    return _last_day(submitted, term.through_third_party if through_third_party else term.alone)


def extended(kind: RightsRequestKind.ValueType, due: date) -> date:
    """Return the last day after the one extension that there is."""
    return _last_day(due, TERMS[kind].extension)


def _last_day(start: date, days: int) -> date:
    day = start + timedelta(days=days)
    while not is_working_day(day):
        day += ONE_DAY
    return day
