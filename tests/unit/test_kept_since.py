"""From which day on entries of the log have to be kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.working_days import VIETNAM
from lienthong_gateway.log.pruning import kept_since


@pytest.mark.parametrize(
    ("today", "since"),
    [
        ("2026-11-30", "2026-05-30"),
        ("2026-08-31", "2026-02-28"),
        ("2028-08-31", "2028-02-29"),
        ("2026-03-31", "2025-09-30"),
        ("2026-06-15", "2025-12-15"),
        ("2026-07-01", "2026-01-01"),
    ],
)
def test_it_is_the_same_day_six_months_before_or_that_months_last(today: str, since: str) -> None:
    noon = datetime.fromisoformat(f"{today}T12:00:00+07:00")
    assert kept_since(noon) == datetime.fromisoformat(f"{since}T00:00:00+07:00")


def test_the_day_is_vietnams() -> None:
    assert kept_since(datetime(2026, 11, 29, 17, tzinfo=UTC)) == datetime(2026, 5, 30, tzinfo=VIETNAM)


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda now: 1 < now.year < 9999))
def test_it_never_goes_back_and_is_never_less_than_181_days_before(now: datetime) -> None:
    assert kept_since(now) <= kept_since(now + timedelta(days=1))
    assert now - kept_since(now) >= timedelta(days=181)
