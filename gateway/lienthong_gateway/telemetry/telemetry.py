"""Everything that looks on, as one: what a call's passage tells it at the beginning and at the end."""

from dataclasses import dataclass
from typing import Protocol

from lienthong_gateway.call import IncomingCall, RpcSystem
from lienthong_gateway.exchange import Trace
from lienthong_gateway.telemetry.access_log import log_access
from lienthong_gateway.telemetry.metrics import Metrics
from lienthong_gateway.telemetry.outcome import Outcome
from lienthong_gateway.telemetry.trace_context import TraceContext


class OpenSpan(Protocol):
    """The span of an exchange that is under way."""

    @property
    def context(self) -> TraceContext | None:
        """What the provider is told; None: nothing is, of this span."""
        ...

    def end(self, trace: Trace, outcome: Outcome) -> None:
        """Close it."""
        ...


class Spans(Protocol):
    """What makes spans, if anything does (telemetry/spans.py)."""

    def begin(self, trace: Trace, caller: TraceContext | None, rpc_system: RpcSystem) -> OpenSpan:
        """Open the span of an exchange."""
        ...

    def close(self) -> None:
        """Export what is left."""
        ...


@dataclass(frozen=True)
class Telemetry:
    """Metrics, one log line an exchange, and spans where they are wanted."""

    metrics: Metrics
    spans: Spans | None

    def begin(self, trace: Trace, call: IncomingCall) -> OpenSpan | None:
        """Say in the trace which W3C trace it belongs to and what the provider is told of it."""
        caller = TraceContext.of(call.headers)
        span = self.spans.begin(trace, caller, call.rpc_system) if self.spans else None
        context = (span.context if span else None) or caller or TraceContext.fresh()
        trace.trace_id, trace.outgoing = context.trace_id, context.headers()
        return span

    def end(self, trace: Trace, outcome: Outcome, span: OpenSpan | None) -> None:
        """Tell everybody how it ended."""
        self.metrics.observe(trace, outcome)
        log_access(trace, outcome)
        if span is not None:
            span.end(trace, outcome)
