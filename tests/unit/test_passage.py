"""How a call's end is told when more than one thing ends it."""

import asyncio
import time
from typing import cast

from lienthong_core.metadata import CallHeaders
from lienthong_gateway.call import IncomingCall
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.edge.passage import Edge
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.telemetry.access_log import AccessLog
from lienthong_gateway.telemetry.metrics import Metrics
from lienthong_gateway.telemetry.telemetry import Telemetry


def test_a_caller_who_gives_up_as_the_calls_time_ends_counts_as_the_log_has_it() -> None:
    metrics, limits, noted = Metrics(), Limits(deadline_s=0), list[str]()
    # Nothing is turned away, so nothing is recorded.
    recorder = cast("Recorder", None)
    edge = Edge(limits, Admission(limits, time.monotonic), recorder, Telemetry(metrics, AccessLog(), None), ())

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
