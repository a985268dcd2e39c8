"""Which requests of clients without a certificate are taken on. They are counted apart from those of the systems."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from lienthong_core.errors import exhausted
from lienthong_gateway.edge.limits import Anybody, TokenBucket

_WITH_CERTIFICATE = "or connect with the certificate of a registered system, which has a share of its own"
_AGAIN_S = 1.0


class OpenAdmission:
    """Counts the requests under way and how often is asked. Used from one event loop."""

    def __init__(self, limits: Anybody, clock_s: Callable[[], float]) -> None:
        """`clock_s` gives seconds that never go back, such as `time.monotonic`."""
        self._limits = limits
        self._clock_s = clock_s
        self._bucket = TokenBucket(limits.rate, clock_s())
        self._in_flight = 0

    @contextmanager
    def place(self) -> Generator[None]:
        """Take a request on for a block. Refused, with a hint when to try again: OVERLOADED, RATE_LIMITED."""
        if self._in_flight >= self._limits.requests_in_flight:
            message = f"{self._in_flight} requests without a certificate are under way; try again, {_WITH_CERTIFICATE}."
            raise exhausted("OVERLOADED", message, _AGAIN_S)
        if wait_s := self._bucket.take(self._clock_s()):
            message = (
                f"All clients without a certificate may make {self._limits.rate.per_second:g} requests a second "
                f"together; try again in {wait_s:.3f} s, {_WITH_CERTIFICATE}."
            )
            raise exhausted("RATE_LIMITED", message, wait_s)
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
