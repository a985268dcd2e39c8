"""Vietnam's calendar: the date there, and the working days (ngày làm việc) in which offices must answer."""

from datetime import date, datetime, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam's time: UTC+7 all year round."""

SATURDAY = 5
ONE_DAY = timedelta(days=1)
_FIXED_HOLIDAYS = frozenset({(1, 1), (4, 30), (5, 1), (9, 2)})
"""Month and day of the holidays fixed in the solar calendar: new year, 30 April, 1 May, National Day (Labour Code
45/2019/QH14 Art. 112) [M]."""
_DATED_HOLIDAYS = frozenset(
    {
        # Tết Bính Ngọ: the new year is 17 February 2026; off from the day before it [M].
        *(date(2026, 2, day) for day in (16, 17, 18, 19, 20)),
        # Giỗ Tổ Hùng Vương, the 10th of the third lunar month: 26 April 2026, a Sunday, made up for on Monday [M].
        date(2026, 4, 27),
        date(2027, 4, 16),
        # National Day's second day, which is the one before or after: 1 September in 2026 [M].
        date(2026, 9, 1),
        # Tết Đinh Mùi: the new year is Saturday 6 February 2027. Whether five days are off from the day before it or
        # from two days before had to be decided by the government and was not known here: these are off either way,
        # the weekend made up for [M].
        *(date(2027, 2, day) for day in (5, 8, 9, 10)),
    }
)
"""Holidays whose days differ from year to year. Other days made up for or swapped by the government's decisions are
left out, and so is National Day's second day in 2027."""


def civil_date(time: datetime) -> date:
    """Return the date in Vietnam."""
    return time.astimezone(VIETNAM).date()


def is_working_day(day: date) -> bool:
    """Say whether offices work on `day`: Monday to Friday without public holidays."""
    return day.weekday() < SATURDAY and (day.month, day.day) not in _FIXED_HOLIDAYS and day not in _DATED_HOLIDAYS


def add_working_days(day: date, count: int) -> date:
    """Return the `count`-th working day after `day`; `day` itself for 0. The day it starts from never counts."""
    for _ in range(count):
        day += ONE_DAY
        while not is_working_day(day):
            day += ONE_DAY
    return day


def working_days_between(start: date, end: date) -> int:
    """Return how many working days come after `start`, up to and with `end`; 0 if `end` is not later."""
    return sum(is_working_day(start + n * ONE_DAY) for n in range(1, (end - start).days + 1))
