"""A call's way into the pipeline and out of it: taken on or turned away, watched, and ended when its time is over."""

import asyncio
import uuid
from collections.abc import Container
from types import TracebackType

import grpc

from lienthong_core.errors import Refusal, exhausted
from lienthong_core.systems import SystemId
from lienthong_gateway.call import IncomingCall, Refused
from lienthong_gateway.digests import Digests
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.exchange import Trace
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.steps.release import trailing_metadata
from lienthong_gateway.telemetry.outcome import RELEASED, Outcome
from lienthong_gateway.telemetry.telemetry import OpenSpan, Telemetry

_SHED_EVERY_S = 1.0


class Edge:
    """What all calls pass through, on their way in and out."""

    def __init__(
        self,
        limits: Limits,
        admission: Admission,
        recorder: Recorder,
        telemetry: Telemetry,
        methods: Container[str],
    ) -> None:
        """`methods` are those that exist."""
        self.limits = limits
        self.admission = admission
        self.telemetry = telemetry
        self._recorder = recorder
        self._methods = methods

    def passage(self, call: IncomingCall, provider: SystemId | None, *, streams: bool = False) -> "Passage":
        """Return what to enter before the call is worked on. Entering raises Refused if it is not taken on.

        `provider` is whom it goes to; None: the gateway itself answers it.
        """
        # The path of a method that nobody has is a text of the caller's, and could be anything, of any length.
        method = call.method if call.method in self._methods else ""
        longest_s = self.limits.stream_deadline_s if streams else self.limits.deadline_s
        return Passage(self, call, method, provider, longest_s)

    async def keep_recording_shed(self) -> None:
        """Record each second that calls were turned away, until this is cancelled.

        Not when the next call is taken on: that may be hours later, and the entry would be of another day.
        """
        while True:
            await asyncio.sleep(_SHED_EVERY_S)
            self.record_shed()

    def record_shed(self) -> None:
        """Record that calls were turned away: one entry for each system and reason, however many they were.

        An entry each would make the log the next thing that is overloaded.
        """
        for (system, reason), calls in self.admission.summary().items():
            trace = Trace(str(uuid.uuid4()), "", consumer=str(system or ""))
            self._recorder.turned_away(trace, exhausted(reason, "These calls were turned away."), calls)


class Passage:
    """One call's passage, as an asynchronous context: inside it the call is worked on, and its trace filled."""

    def __init__(
        self, edge: Edge, call: IncomingCall, method: str, provider: SystemId | None, longest_s: float
    ) -> None:
        self._edge = edge
        self._call = call
        self._provider = provider
        self._place = provider if call.arriving is None else None
        self._method = method
        self._longest_s = longest_s
        self._loop = asyncio.get_running_loop()
        self._trace: Trace
        self._span: OpenSpan | None
        self._deadline: asyncio.Timeout

    async def __aenter__(self) -> Trace:
        edge, call = self._edge, self._call
        try:
            edge.admission.enter(call.peer, self._provider, is_here=call.arriving is None)
        except Refusal as refusal:
            edge.telemetry.metrics.observe(Trace("", self._method), Outcome(refusal.reason, refusal.status.name))
            raise Refused(refusal.with_metadata(origin="gateway"), ()) from None
        # Not before the call is taken on: a request's digests take as long as it is large.
        self._trace = Trace.begin(self._method, call.request)
        # Its certificate names it, whatever else the call is refused for, and whether or not the request ever comes.
        self._trace.consumer = str(edge.admission.system(call.peer) or "")
        self._span = edge.telemetry.begin(self._trace, call)
        latest = self._loop.time() + self._longest_s
        self._deadline = asyncio.timeout_at(latest if call.expires_at is None else min(latest, call.expires_at))
        await self._deadline.__aenter__()
        return self._trace

    async def arrive(self) -> None:
        """Return once the call's request is here.

        Raises Refused if too many are on their way or before it now, and what waiting for it raises.
        """
        if self._call.arriving is None:
            return
        try:
            with self._edge.admission.arriving(self._call.peer):
                await self._call.arriving.arrive()
            self._edge.admission.arrived(self._call.peer, self._provider)
            self._place = self._provider
        except Refusal as refusal:
            raise Refused(refusal.with_metadata(origin="gateway"), ()) from None

    def whole(self) -> IncomingCall:
        """Return the call with its request, which is here; the trace has its digests."""
        if self._call.arriving is not None:
            self._call = self._call.whole()
            self._trace.digests = Digests(self._call.request)
        return self._call

    def interruption(self) -> Refusal:
        """Return what is told of a call that is interrupted, in the log and beside it: time over, or nobody there."""
        return _overdue(self._trace) if self._deadline.expired() else _caller_gone()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        edge = self._edge
        edge.admission.leave(self._place)
        try:
            await self._deadline.__aexit__(kind, error, traceback)
            if kind is GeneratorExit and self._deadline.expired():
                # Nobody took the answer before; whoever does in the end is told why there is no other.
                raise TimeoutError
        except TimeoutError as over:
            error = Refused(_overdue(self._trace), trailing_metadata(self._trace, None, None))
            raise error from over
        finally:
            # Once the answer is on its way: nobody waits for this.
            self._loop.call_soon(edge.telemetry.end, self._trace, self._outcome(error), self._span)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if error is None:
            return Outcome(RELEASED, grpc.StatusCode.OK.name)
        refusal = error.refusal if isinstance(error, Refused) else self.interruption()
        return Outcome(refusal.reason, refusal.status.name)


def _overdue(trace: Trace) -> Refusal:
    message = (
        "The call's time is over before there was an answer; try again, with a longer deadline if yours was short."
    )
    about = {"exchange_id": trace.exchange_id, "origin": "gateway"}
    return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED", message, about)


def _caller_gone() -> Refusal:
    message = "The caller went away, or its deadline passed, before there was an answer."
    return Refusal(grpc.StatusCode.CANCELLED, "CALLER_GONE", message)
