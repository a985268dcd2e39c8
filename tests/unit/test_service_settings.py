"""What a container's environment says of the gateway's edge reaches it."""

import pytest
from pydantic import ValidationError

from lienthong_gateway.edge.limits import Limits
from lienthong_sandbox.settings import ServiceSettings


def test_without_variables_the_limits_are_the_usual_ones() -> None:
    assert ServiceSettings().limits() == Limits()


def test_the_environment_sets_capacity_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIENTHONG_CALLS_IN_FLIGHT", "7")
    monkeypatch.setenv("LIENTHONG_RATE_PER_SECOND", "2.5")
    limits = ServiceSettings().limits()
    assert (limits.calls_in_flight, limits.rate.per_second, limits.rate.burst) == (7, 2.5, 5)


@pytest.mark.parametrize("variable", ["LIENTHONG_CALLS_IN_FLIGHT", "LIENTHONG_RATE_PER_SECOND"])
def test_a_limit_that_lets_nobody_in_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "0")
    with pytest.raises(ValidationError):
        ServiceSettings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LIENTHONG_CITIZENS", "0"), ("LIENTHONG_CITIZENS", "1000001"), ("LIENTHONG_RATE_PER_SECOND", "inf")],
)
def test_what_cannot_be_made_or_counted_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError):
        ServiceSettings()


def test_the_gateways_pages_have_their_usual_address() -> None:
    assert ServiceSettings().endpoints().gateway_url == "https://localhost:7446"
