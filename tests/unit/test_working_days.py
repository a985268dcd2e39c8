"""Vietnam's calendar: which days offices work, and how deadlines in working days are counted."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.working_days import add_working_days, civil_date, is_working_day, working_days_between

DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
COUNTS = st.integers(0, 60)


@given(DAYS, COUNTS)
def test_a_deadline_falls_on_a_working_day(day: date, count: int) -> None:
    due = add_working_days(day, count)
    assert due == day if count == 0 else is_working_day(due)
    assert not is_working_day(due) or due.weekday() < 5 or count == 0


@given(DAYS, COUNTS, COUNTS)
def test_more_working_days_are_later_and_add_up(day: date, first: int, second: int) -> None:
    due = add_working_days(day, first)
    assert due >= day + timedelta(days=first)
    assert add_working_days(due, second) == add_working_days(day, first + second)
    assert (add_working_days(due, second) > due) == (second > 0)


@given(DAYS, DAYS, COUNTS)
def test_a_later_receipt_is_never_due_earlier(one: date, other: date, count: int) -> None:
    earlier, later = sorted((one, other))
    assert add_working_days(earlier, count) <= add_working_days(later, count)


@given(DAYS, COUNTS)
def test_as_many_working_days_pass_as_were_added(day: date, count: int) -> None:
    assert working_days_between(day, add_working_days(day, count)) == count
    assert working_days_between(add_working_days(day, count), day) == 0


@pytest.mark.parametrize(
    ("received", "days", "due"),
    [
        (date(2026, 11, 20), 3, date(2026, 11, 25)),  # Friday: over the weekend
        (date(2026, 11, 21), 7, date(2026, 12, 1)),  # Saturday
        (date(2026, 2, 13), 3, date(2026, 2, 25)),  # over Tết
        (date(2026, 4, 24), 3, date(2026, 5, 4)),  # over Hùng Kings' day made up for, 30 April and 1 May
        (date(2026, 12, 31), 1, date(2027, 1, 4)),  # over new year's day, a Friday
        (date(2026, 8, 31), 1, date(2026, 9, 3)),  # over both days of National Day
        (date(2027, 2, 4), 1, date(2027, 2, 11)),  # over what is off at Tết however the government decides
        (date(2027, 4, 15), 1, date(2027, 4, 19)),  # over Hùng Kings' day, a Friday
    ],
)
def test_weekends_and_holidays_do_not_count(received: date, days: int, due: date) -> None:
    assert add_working_days(received, days) == due


@pytest.mark.parametrize(
    ("time", "day"),
    [
        (datetime(2026, 11, 20, 16, 59, 59, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 11, 20, 17, tzinfo=UTC), date(2026, 11, 21)),
    ],
)
def test_days_begin_at_midnight_in_vietnam(time: datetime, day: date) -> None:
    assert civil_date(time) == day
