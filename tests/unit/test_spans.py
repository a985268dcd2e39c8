"""When an exchange's spans are: counted from when the call was taken on, by the clock that its steps are timed with.

And how long is waited for them at the end.
"""

import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lienthong_gateway.call import GRPC
from lienthong_gateway.exchange import Trace
from lienthong_gateway.telemetry.outcome import RELEASED, Outcome
from lienthong_gateway.telemetry.spans import OpenTelemetrySpans, otlp_spans
from tests.support.collector import Collector

SECOND_NS = 1_000_000_000
SECOND_US = 1_000_000


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[OpenTelemetrySpans]:
    spans = OpenTelemetrySpans(SimpleSpanProcessor(exporter), "gateway")
    yield spans
    spans.close()


def times(span: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


def test_a_span_that_is_made_late_begins_when_its_call_did(
    spans: OpenTelemetrySpans, exporter: InMemorySpanExporter
) -> None:
    first, late = Trace.begin("/a.B/First", b""), Trace.begin("/a.B/Late", b"")
    late.began_ns = first.began_ns - SECOND_NS

    for trace in (first, late):
        spans.begin(trace, None, GRPC).end(trace, Outcome(RELEASED, "OK"))

    of_first, of_late = map(times, exporter.get_finished_spans())
    assert of_late[0] < of_first[0]
    assert of_late[1] - of_late[0] >= SECOND_NS


def test_a_span_lasts_as_long_as_its_call_whatever_the_machines_clock_was_set_to_meanwhile(
    spans: OpenTelemetrySpans, exporter: InMemorySpanExporter
) -> None:
    trace = Trace.begin("/a.B/C", b"")
    span = spans.begin(trace, None, GRPC)
    # An hour passes by the one clock, and not by the other.
    trace.began_ns -= 3600 * SECOND_NS
    trace.steps_of_call["forward"] = (0, 3600 * SECOND_US)
    span.end(trace, Outcome(RELEASED, "OK"))

    step, whole = map(times, exporter.get_finished_spans())
    assert step == (whole[0], whole[0] + 3600 * SECOND_NS)
    assert whole[1] >= step[1]


def test_a_collector_that_hangs_is_not_waited_for_at_the_end_until_containers_are_killed() -> None:
    with Collector() as silent:
        spans = otlp_spans(silent.endpoint, "gateway")
        for _ in range(2_000):
            trace = Trace.begin("/a.B/C", b"")
            spans.begin(trace, None, GRPC).end(trace, Outcome(RELEASED, "OK"))
        began = time.monotonic()
        spans.close()
    assert time.monotonic() - began < 10
