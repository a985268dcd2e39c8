"""Callers that read a citizen's record without pause, and what they were told."""

import threading
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from lienthong.client import CallContext, Receipt, explain
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld
from tests.support.waiting import wait_until

_PAUSE_S = 0.02


@dataclass(frozen=True)
class Refused:
    """A call that was refused."""

    reason: str
    after_s: float
    at: float


@dataclass
class Load:
    """What the callers were told so far."""

    world: GatewayWorld
    over: threading.Event = field(default_factory=threading.Event)
    answers: list[Receipt] = field(default_factory=list[Receipt])
    answered_began: list[float] = field(default_factory=list[float])
    """When each call that was answered began."""
    refusals: list[Refused] = field(default_factory=list[Refused])

    def run(self) -> None:
        """Read until it is over."""
        while not self.over.is_set():
            began = time.monotonic()
            try:
                receipt = self.world.get_citizen(CallContext(PURPOSE), timeout=TIMEOUT_S)[1]
                self.answered_began.append(began)
                self.answers.append(receipt)
            except grpc.RpcError as error:
                now = time.monotonic()
                self.refusals.append(Refused(explain(error).reason, now - began, now))
                self.over.wait(_PAUSE_S)

    def wait_for_answers(self, more: int) -> float:
        """Return once so many more calls were answered: how long that took, seconds."""
        enough, began = len(self.answers) + more, time.monotonic()
        wait_until(lambda: len(self.answers) >= enough)
        return time.monotonic() - began

    def wait_for_refusals(self, more: int) -> None:
        """Return once so many more calls were refused."""
        enough = len(self.refusals) + more
        wait_until(lambda: len(self.refusals) >= enough, within_s=40)

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason was given."""
        return Counter(refused.reason for refused in self.refusals)

    @property
    def longest_s(self) -> float:
        """How long the last of the refused callers to be told had waited, at most."""
        return max(refused.after_s for refused in self.refusals)


@contextmanager
def under_load(world: GatewayWorld, callers: int) -> Generator[Load]:
    """Keep a gateway busy while the block runs."""
    load = Load(world)
    with ThreadPoolExecutor(callers) as pool:
        running = [pool.submit(load.run) for _ in range(callers)]
        try:
            yield load
        finally:
            load.over.set()
    assert [caller.result() for caller in running] == [None] * callers
