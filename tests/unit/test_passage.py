"""How a call passes in and out: what it takes it gives back, and its end is told as the log has it."""

import asyncio
import time
from typing import cast

import pytest

from lienthong_core.errors import Refusal
from lienthong_core.metadata import CallHeaders
from lienthong_gateway.call import IncomingCall
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.edge.passage import Edge
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.telemetry.metrics import Metrics
from lienthong_gateway.telemetry.telemetry import Telemetry
from lienthong_seeds import members


class NeverHere:
    """A request that does not come."""

    async def arrive(self) -> None:
        raise ConnectionError

    def read(self) -> tuple[bytes, Refusal | None]:
        raise AssertionError("nobody may read what is not here")


def edge_of(admission: Admission, limits: Limits, metrics: Metrics) -> Edge:
    # Nothing is turned away by it, so nothing is recorded.
    recorder = cast("Recorder", None)
    return Edge(limits, admission, recorder, Telemetry(metrics, None), ())


def test_a_call_whose_request_never_came_gives_back_no_place_at_its_provider() -> None:
    limits = Limits(calls_per_provider=1)
    admission = Admission(limits, time.monotonic)
    edge = edge_of(admission, limits, Metrics())
    call = IncomingCall("", b"", CallHeaders(), {}, None, arriving=NeverHere())

    async def run() -> None:
        passage = edge.passage(call, members.POPULATION)
        with pytest.raises(ConnectionError):
            async with passage:
                await passage.arrive()

    asyncio.run(run())
    admission.enter({}, members.POPULATION)
    with pytest.raises(Refusal, match="OVERLOADED"):
        admission.enter({}, members.POPULATION)


def test_a_caller_who_gives_up_as_the_calls_time_ends_counts_as_the_log_has_it() -> None:
    metrics, limits, noted = Metrics(), Limits(deadline_s=0), list[str]()
    edge = edge_of(Admission(limits, time.monotonic), limits, metrics)

    async def work() -> None:
        passage = edge.passage(IncomingCall("", b"", CallHeaders(), {}, None), None)
        async with passage:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                noted.append(passage.interruption().reason)
                # As gRPC does, whose own timer is for the same moment.
                cast("asyncio.Task[None]", asyncio.current_task()).cancel()
                raise

    async def run() -> None:
        await asyncio.wait([asyncio.create_task(work())])
        # The end is told once the answer is on its way.
        await asyncio.sleep(0)

    asyncio.run(run())
    assert noted == ["DEADLINE_PASSED"]
    assert b'decisions_total{legal_basis="",reason="DEADLINE_PASSED"} 1.0' in metrics.text()
