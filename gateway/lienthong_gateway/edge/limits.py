"""How much the gateway takes on, and how often one system may call. docs/limits.md gives the reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lienthong_core.errors import Refusal, exhausted
from lienthong_core.systems import SystemId
from lienthong_gateway.call import Metadata


@dataclass(frozen=True)
class Rate:
    """How often: `per_second` in the long run, `burst` calls at once after a pause."""

    per_second: float
    burst: int


@dataclass(frozen=True)
class Returns:
    """When refused callers are asked to come back: one after the other, so that they do not come as a crowd."""

    per_second: float = 100.0
    soonest_s: float = 1.0
    latest_s: float = 10.0
    """Nobody is asked to wait longer, however many were refused."""


@dataclass(frozen=True)
class Anybody:
    """What clients without a certificate have over HTTP, all of them together. They take nothing from the systems."""

    requests_in_flight: int = 16
    """Beyond so many, requests are refused at once (OVERLOADED)."""
    rate: Rate = Rate(100, 200)
    """How often they may ask (RATE_LIMITED)."""
    connections: int = 256
    """Of `Limits.connections` (status 503)."""


@dataclass(frozen=True)
class Limits:
    """The limits of one gateway."""

    calls_in_flight: int = 256
    """Beyond so many under way, calls are refused at once (OVERLOADED)."""
    calls_at_once: int = 8
    """So many are worked on at once. Those that wait for a provider are not counted."""
    calls_in_line: int = 24
    """So many wait in line until they are worked on. Beyond, calls are refused at once (OVERLOADED)."""
    calls_per_provider: int = 64
    """The same for those under way to one provider: one that is slow holds no more than these."""
    bodies_per_system: int = 32
    """So many requests of one system over HTTP may be on their way. Beyond, calls are refused at once (OVERLOADED)."""
    rate: Rate = Rate(5_000, 10_000)
    """Of each system that `rates` does not name (RATE_LIMITED)."""
    rates: Mapping[SystemId, Rate] = field(default_factory=dict[SystemId, Rate])
    metrics: Rate = Rate(5, 50)
    """How often each system may read the metrics, whatever else is under way (RATE_LIMITED)."""
    headers: int = 64
    """Of one call (HEADERS_TOO_MANY)."""
    header_bytes: int = 16 << 10
    """Of all headers of one call together (HEADERS_TOO_MANY; twice as many gRPC refuses itself)."""
    deadline_s: float = 30.0
    """The longest that one call is worked on, whatever its caller would wait (DEADLINE_PASSED)."""
    stream_deadline_s: float = 310.0
    """The same for a call whose answer is a stream."""
    body_s: float = 10.0
    """How long the TLS handshake may take, then a request over HTTP to arrive: its head, then its body (status 408)."""
    connections: int = 1_024
    """Over HTTP (status 503)."""
    anybody: Anybody = Anybody()
    """Those without a certificate."""
    streams_per_connection: int = 256
    """Calls under way on one gRPC connection; further ones wait at the client."""
    returns: Returns = Returns()
    """When callers are asked back who were refused because the gateway is full."""

    @property
    def bodies(self) -> int:
        """So many requests over HTTP may be on their way, of all systems together (OVERLOADED).

        Half of what there is under way, the rest being for calls that are here.
        """
        return (self.calls_in_flight + 1) // 2

    def rate_of(self, system: SystemId | None) -> Rate:
        """Return the rate of a system; None: of all that are not recognised, together."""
        return self.rate if system is None else self.rates.get(system, self.rate)

    def header_fault(self, metadata: Metadata) -> Refusal | None:
        """Return the refusal of a call with too many headers or too long ones, or None."""
        if len(metadata) > self.headers:
            text = f"The call carries {len(metadata)} headers and at most {self.headers} are read; send fewer."
            return exhausted("HEADERS_TOO_MANY", text)
        size = sum(len(key) + len(value) for key, value in metadata)
        if size > self.header_bytes:
            text = f"The call's headers have {size} bytes and at most {self.header_bytes} are read; send less."
            return exhausted("HEADERS_TOO_MANY", text)
        return None


class TokenBucket:
    """A rate, kept: each call takes a token, and tokens come back with time. Times are seconds of one clock."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._filled_at = now

    def take(self, now: float) -> float:
        """Take a token and return 0; if there is none, return the seconds until there will be."""
        elapsed = max(0.0, now - self._filled_at)
        self._tokens = min(self._rate.burst, self._tokens + elapsed * self._rate.per_second)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate.per_second
        self._tokens -= 1
        return 0.0


class ReturnTimes:
    """Gives each refused caller a time of its own to come back. Times are seconds of one clock."""

    def __init__(self, returns: Returns, now: float) -> None:
        self._returns = returns
        self._last = now

    def wait_s(self, now: float) -> float:
        """Return how long the next caller is to wait."""
        returns = self._returns
        turn = max(now + returns.soonest_s, self._last + 1 / returns.per_second)
        self._last = min(turn, now + returns.latest_s)
        return self._last - now
