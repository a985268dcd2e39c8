"""What a container's environment says of the gateway's edge reaches it, or is refused."""

import pytest
from pydantic import ValidationError

from lienthong_gateway.edge.limits import Limits
from lienthong_sandbox import Sandbox
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


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:4318/v1/traces",
        "https://collector/",
        "http://[::1]:4318/v1/traces?tenant=1",
        "HTTP://key:secret@collector.example/otlp/v1/traces",
    ],
)
def test_where_traces_go_is_an_address_over_http(address: str) -> None:
    assert ServiceSettings(otlp_endpoint=address).otlp_endpoint == address


@pytest.mark.parametrize(
    "address",
    [
        "collector",
        "localhost:4318/v1/traces",
        "grpc://collector:4317/v1/traces",
        "http://",
        "http:///v1/traces",
        "http://:4318/v1/traces",
        "http://collector:many/v1/traces",
        "http://collector:99999/v1/traces",
        "http://collector:0/v1/traces",
        "http://[::1/v1/traces",
        "http://collector /v1/traces",
        "http://collector/v1/traces\n",
        "http://collector:4318",
    ],
)
def test_where_no_trace_can_go_is_refused_in_words_at_the_start(address: str) -> None:
    with pytest.raises(ValidationError, match="write the whole address"):
        ServiceSettings(otlp_endpoint=address)
    with pytest.raises(ValueError, match="write the whole address"):
        Sandbox(otlp_endpoint=address)
