"""OpenTelemetry spans of exchanges: one an exchange, one below it a step. Imported only where spans are wanted.

An exchange begins at the machine's time, as in every other program of the same trace, not at the sandbox's clock's.
From there all times are counted by the clock that steps are timed with: by one that is set while a call is under way,
a step could outlast its exchange.

Names and statuses are those of OpenTelemetry's conventions for RPC
(https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/), but that the name of a method that nobody has is left out:
it is a text of the caller's.
"""

import threading
import time

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, TraceState

from lienthong_gateway.call import GRPC, RpcSystem
from lienthong_gateway.exchange import Trace
from lienthong_gateway.telemetry.outcome import RELEASED, Outcome
from lienthong_gateway.telemetry.trace_context import TraceContext

_EXPORT_WITHIN_S = 5.0
_LAST_EXPORTS_BEGIN_WITHIN_S = 2.0
"""When the gateway stops. With the time that one takes, this has to be less than the 10 s that containers are given."""
_UNKNOWN_METHOD = "_OTHER"
# Of a server's spans: all others are the caller's affair (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/).
_ERRORS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class OpenTelemetrySpans:
    """Makes spans with a tracer provider of its own and hands them to one processor."""

    def __init__(self, processor: SpanProcessor, service: str) -> None:
        """`service` names the gateway in the traces."""
        resource = Resource.create({SERVICE_NAME: service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("lienthong_gateway")

    def begin(self, trace: Trace, caller: TraceContext | None, rpc_system: RpcSystem) -> "OpenSpan":
        """Open the span of an exchange, below the caller's span if it has one."""
        method = trace.method.lstrip("/")
        said = {"rpc.system.name": rpc_system, "rpc.method": method or _UNKNOWN_METHOD}
        above = otel.set_span_in_context(_span_of(caller), Context()) if caller else Context()
        began = time.time_ns() - _since_it_began_ns(trace)
        span = self._tracer.start_span(method or rpc_system, above, otel.SpanKind.SERVER, said, start_time=began)
        return OpenSpan(self._tracer, span, began, rpc_system)

    def close(self) -> None:
        """Export what is left, within 10 seconds."""
        self._provider.shutdown()


class OpenSpan:
    """The span of an exchange that is under way."""

    def __init__(self, tracer: otel.Tracer, span: otel.Span, began: int, rpc_system: RpcSystem) -> None:
        """`began` is when the exchange did, nanoseconds since the epoch."""
        self._tracer = tracer
        self._span = span
        self._began = began
        self._rpc_system = rpc_system

    @property
    def context(self) -> TraceContext | None:
        """What the provider is told: this span is the one above its own. None: OTEL_SDK_DISABLED says to make none."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return None
        return TraceContext(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            context.trace_flags.sampled,
            context.trace_state.to_header(),
        )

    def end(self, trace: Trace, outcome: Outcome) -> None:
        """Close it, with a span below it for each step, made from the times that the trace has."""
        span = self._span
        if span.is_recording():
            above = otel.set_span_in_context(span)
            for step, (first, microseconds) in trace.steps_of_call.items():
                at = self._began + first * 1_000
                below = self._tracer.start_span(step, context=above, start_time=at)
                below.end(at + microseconds * 1_000)
        span.set_attributes(
            {
                "lienthong.exchange_id": trace.exchange_id,
                "lienthong.consumer": trace.consumer,
                "lienthong.provider": trace.provider,
                "lienthong.reason": outcome.reason,
            }
        )
        code = outcome.status if self._rpc_system == GRPC else outcome.status.lower()
        if self._rpc_system == GRPC or outcome.reason != RELEASED:
            # Connect has codes for what is refused alone.
            span.set_attribute("rpc.response.status_code", code)
        if outcome.status in _ERRORS:
            span.set_attribute("error.type", code)
            span.set_status(Status(StatusCode.ERROR, outcome.reason))
        span.end(self._began + _since_it_began_ns(trace))


def _since_it_began_ns(trace: Trace) -> int:
    return time.perf_counter_ns() - trace.began_ns


def _span_of(caller: TraceContext) -> otel.Span:
    members = [member.partition("=") for member in caller.state.split(",") if member]
    context = SpanContext(
        int(caller.trace_id, 16),
        int(caller.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if caller.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState([(key, value) for key, _, value in members]),
    )
    return NonRecordingSpan(context)


class _Batches(BatchSpanProcessor):
    """Exports in batches; at the end gives up what is left if the collector hangs, which each batch would wait for."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        super().__init__(exporter)
        self._exporter = exporter

    def shutdown(self) -> None:
        """Export what is left."""
        give_up = threading.Timer(_LAST_EXPORTS_BEGIN_WITHIN_S, self._exporter.shutdown)
        give_up.start()
        super().shutdown()  # type: ignore[no-untyped-call]
        give_up.cancel()
        give_up.join()


def otlp_spans(endpoint: str, service: str) -> OpenTelemetrySpans:
    """Return spans that are exported in batches to an OTLP/HTTP endpoint, such as `http://127.0.0.1:4318/v1/traces`."""
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_WITHIN_S)
    return OpenTelemetrySpans(_Batches(exporter), service)
