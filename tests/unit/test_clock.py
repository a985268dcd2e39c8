"""The sandbox's clock runs on from wherever it is set."""

from datetime import UTC, datetime, timedelta

import pytest

from lienthong_core.clock import SandboxClock

SOON = timedelta(minutes=1)


def test_it_runs_on_from_where_it_was_set_and_advanced_to() -> None:
    clock = SandboxClock()
    begin = datetime(2030, 1, 1, tzinfo=UTC)
    clock.set(begin)
    assert begin <= clock.now() < begin + SOON
    clock.advance(timedelta(days=-400))
    assert begin <= clock.now() + timedelta(days=400) < begin + SOON


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        SandboxClock().set(datetime(2030, 1, 1))  # noqa: DTZ001 (that is the mistake)


@pytest.mark.parametrize("by", [timedelta(days=365 * 9_000), timedelta.max, timedelta.min])
def test_it_goes_on_as_before_where_there_is_no_such_time(by: timedelta) -> None:
    clock = SandboxClock()
    before = clock.now()
    with pytest.raises(ValueError, match="year 9999"):
        clock.advance(by)
    assert before <= clock.now() < before + SOON
