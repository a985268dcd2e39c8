"""Which calls are taken on. It is decided in microseconds, before anything is done for the call."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from lienthong_core.errors import Refusal, exhausted
from lienthong_core.peer import named_system
from lienthong_core.systems import SystemId
from lienthong_gateway.call import Peer, Refused
from lienthong_gateway.edge.limits import Limits, Rate, ReturnTimes, TokenBucket
from lienthong_gateway.edge.turns import Turns


class Admission:
    """Counts the calls under way and how often each system calls. Used from one event loop."""

    def __init__(self, limits: Limits, clock_s: Callable[[], float]) -> None:
        """`clock_s` gives seconds that never go back, such as `time.monotonic`."""
        self._limits = limits
        self._clock_s = clock_s
        self._systems: dict[tuple[bytes, ...], SystemId | None] = {}
        self._calls = _Rates(limits.rate_of)
        self._readings = _Rates(lambda _system: limits.metrics)
        self._shed: Counter[tuple[SystemId | None, str]] = Counter()
        self._return_times = ReturnTimes(limits.returns, clock_s())
        self._to_provider: Counter[SystemId | None] = Counter()
        self._arriving: Counter[SystemId | None] = Counter()
        self.turns = Turns(limits.calls_at_once)
        """Who of them is worked on."""
        self.in_flight = 0
        """Calls under way."""

    def system(self, peer: Peer) -> SystemId | None:
        """Return the system that a certificate names, registered or not; None if it names none."""
        names = tuple(peer.get("peer_uri", ()))
        if names not in self._systems:
            # One entry a certificate of this sandbox's authority, so it stays as small as the membership is.
            self._systems[names] = named_system(peer)
        return self._systems[names]

    def enter(self, peer: Peer, provider: SystemId | None = None, *, is_here: bool = True) -> None:
        """Take a call on that goes to `provider`, or to none; `leave` must follow.

        It takes a place at the provider only if its request `is_here`; otherwise `arrived` must follow. Refused, with a
        hint when to try again: OVERLOADED, RATE_LIMITED.
        """
        system, now = self.system(peer), self._clock_s()
        if full := self._full() or self._busy(provider):
            raise self._no_room(system, full)
        if wait_s := self._calls.take(system, now):
            rate = self._limits.rate_of(system)
            message = f"This system may make {rate.per_second:g} calls a second; make the next in {wait_s:.3f} s."
            raise self._counted(system, exhausted("RATE_LIMITED", message, wait_s))
        self.in_flight += 1
        if provider is not None and is_here:
            self._to_provider[provider] += 1

    def arrived(self, peer: Peer, provider: SystemId | None) -> None:
        """Let a call go on that was taken on before its request was here. Refused: OVERLOADED."""
        if busy := self._busy(provider):
            raise self._no_room(self.system(peer), busy)
        if provider is not None:
            self._to_provider[provider] += 1

    def leave(self, provider: SystemId | None = None) -> None:
        """A call that was taken on is over; `provider` is the one at which it took a place."""
        self.in_flight -= 1
        if provider is not None:
            self._to_provider[provider] -= 1

    @contextmanager
    def place(self, peer: Peer) -> Generator[None]:
        """Take on for a block what is no call, and counts as one. Refused as `enter` says."""
        self.enter(peer)
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def reading(self, peer: Peer) -> Generator[None]:
        """Let the metrics be read in a block, which is needed most when nothing else is taken on.

        Refused: RATE_LIMITED.
        """
        system = self.system(peer)
        if wait_s := self._readings.take(system, self._clock_s()):
            rate = self._limits.metrics
            message = f"This system may read the metrics {rate.per_second:g} times a second; read in {wait_s:.3f} s."
            raise self._counted(system, exhausted("RATE_LIMITED", message, wait_s))
        yield

    @contextmanager
    def arriving(self, peer: Peer) -> Generator[None]:
        """Wait for a block for the request of a call that was taken on. Refused: OVERLOADED.

        What is on its way takes a place among the calls, and one system, or several, could take them all with requests
        that never come.
        """
        system, of_all = self.system(peer), self._arriving.total()
        if self._arriving[system] >= self._limits.bodies_per_system:
            message = f"{self._arriving[system]} requests of this system are still on their way; send each one at once."
            raise self._overloaded(system, message)
        if of_all >= self._limits.bodies:
            message = f"{of_all} requests of all systems are still on their way; try again when RetryInfo says."
            raise self._overloaded(system, message)
        self._arriving[system] += 1
        try:
            yield
        finally:
            self._arriving[system] -= 1

    @contextmanager
    def asking(self, system: SystemId, provider: SystemId) -> Generator[None]:
        """Let a system's call wait in a block, without its turn, for what a provider knows whom the gateway asks.

        It takes a place at the provider. Raises Refused if there is none: OVERLOADED, recorded with others turned away.
        """
        if busy := self._occupied(provider):
            raise Refused(self._no_room(system, busy).with_metadata(origin="gateway"), ())
        self._to_provider[provider] += 1
        try:
            with self.turns.away():
                yield
        finally:
            self._to_provider[provider] -= 1

    def summary(self) -> Mapping[tuple[SystemId | None, str], int]:
        """Return how many calls were turned away since the last summary, by system and reason."""
        shed, self._shed = self._shed, Counter()
        return shed

    def _full(self) -> str | None:
        if self.in_flight >= self._limits.calls_in_flight:
            return f"The gateway has {self.in_flight} calls under way"
        return None

    def _busy(self, provider: SystemId | None) -> str | None:
        if self.turns.waiting >= self._limits.calls_in_line:
            return f"The gateway has {self.turns.waiting} calls waiting in line"
        return self._occupied(provider)

    def _occupied(self, provider: SystemId | None) -> str | None:
        to_provider = self._to_provider[provider]
        if to_provider >= self._limits.calls_per_provider:
            return f"The gateway has {to_provider} calls to {provider} under way"
        return None

    def _no_room(self, system: SystemId | None, full: str) -> Refusal:
        return self._overloaded(system, f"{full} and takes no more; try again when RetryInfo says.")

    def _overloaded(self, system: SystemId | None, message: str) -> Refusal:
        wait_s = self._return_times.wait_s(self._clock_s())
        return self._counted(system, exhausted("OVERLOADED", message, wait_s))

    def _counted(self, system: SystemId | None, refusal: Refusal) -> Refusal:
        self._shed[system, refusal.reason] += 1
        return refusal


class _Rates:
    """A rate for each system, kept; None are all that are not recognised, together."""

    def __init__(self, rate_of: Callable[[SystemId | None], Rate]) -> None:
        self._rate_of = rate_of
        self._buckets: dict[SystemId | None, TokenBucket] = {}

    def take(self, system: SystemId | None, now: float) -> float:
        """Let a system do it once more and return 0, or return the seconds until it may."""
        bucket = self._buckets.get(system)
        if bucket is None:
            bucket = self._buckets[system] = TokenBucket(self._rate_of(system), now)
        return bucket.take(now)
