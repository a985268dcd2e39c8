"""What is seen of exchanges from outside: metrics, traces, one log line each."""

import json
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_core.json_lines import JsonLines
from lienthong_core.metadata import CallHeaders
from lienthong_gateway.telemetry.access_log import LOGGER
from lienthong_gateway.telemetry.outcome import RELEASED
from lienthong_gateway.telemetry.spans import OpenTelemetrySpans
from lienthong_gateway.telemetry.trace_context import TraceContext
from lienthong_seeds import members
from tests.support.attacks import GET_CITIZEN, send
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.waiting import wait_until

STEPS = ["authenticate", "decide", "forward", "minimise", "record"]
CALLER = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True, state="vendor=1")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        world.consent()
        yield world


def metrics_of(world: GatewayWorld, folder: Path) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels, in the order of their names."""
    text = world.curl(folder, members.BANK).get("/metrics").body.decode()
    families = text_string_to_metric_families(text)
    return {
        (s.name, *(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


def read_with(world: GatewayWorld, *headers: tuple[str, str]) -> None:
    world.call([*CallContext(PURPOSE, world.token()).metadata(), *headers])


def test_metrics_count_decisions_and_time_steps_providers_and_batches(world: GatewayWorld, tmp_path: Path) -> None:
    world.read()
    refusal_of(lambda: world.get_citizen(CallContext("nonsense", world.token())))

    found = metrics_of(world, tmp_path)

    assert found["lienthong_gateway_decisions_total", "consent", RELEASED] == 1
    assert found["lienthong_gateway_decisions_total", "consent", "PURPOSE_UNKNOWN"] == 1
    assert [found["lienthong_gateway_step_seconds_count", step] for step in STEPS] == [2, 2, 1, 1, 1]
    assert found["lienthong_gateway_provider_seconds_count", str(members.POPULATION)] == 1
    assert found["lienthong_gateway_log_batch_entries_sum",] == 4
    assert found["lienthong_gateway_log_queue_entries",] == 0
    assert found["lienthong_gateway_calls_in_flight",] == 0
    assert found["lienthong_gateway_calls_in_line",] == 0
    assert found["process_resident_memory_bytes",] > 0
    assert any(name == "lienthong_gateway_build_info" for name, *_ in found)


def test_a_provider_that_does_not_answer_shows_in_its_times_and_in_the_entry(
    world: GatewayWorld, tmp_path: Path
) -> None:
    context = CallContext(PURPOSE, world.token())
    with world.population.hanging("GetCitizen"):
        why = refusal_of(lambda: world.get_citizen(context, timeout=4.0))
    assert why.reason == "PROVIDER_TIMEOUT"

    (refused,) = (entry for entry in world.entries() if entry["reason"] == why.reason)
    waited_s = refused["step_us"]["forward"] / 1e6
    assert waited_s > 1.0
    found = metrics_of(world, tmp_path)
    assert found["lienthong_gateway_provider_seconds_sum", str(members.POPULATION)] >= waited_s
    assert found["lienthong_gateway_step_seconds_count", "forward"] == 1


def test_calls_under_way_are_shown_while_they_are(world: GatewayWorld, tmp_path: Path) -> None:
    stub = PopulationServiceStub(world.channel(members.PORTAL))
    metadata = CallContext(PURPOSE, world.token()).metadata()
    with world.population.hanging("GetCitizen"):
        request = GetCitizenRequest(personal_number=LAN)
        under_way = stub.GetCitizen.future(request, metadata=metadata, timeout=TIMEOUT_S)
        wait_until(lambda: world.population.calls)
        assert metrics_of(world, tmp_path)["lienthong_gateway_calls_in_flight",] == 1
    assert under_way.result().citizen.personal_number == LAN


def test_nothing_that_callers_invent_becomes_a_label(world: GatewayWorld, tmp_path: Path) -> None:
    refusal_of(lambda: world.get_citizen(CallContext(PURPOSE, world.token(), legal_basis="099190000001")))
    assert not [key for key in metrics_of(world, tmp_path) if "099190000001" in key]


def test_the_callers_trace_is_carried_to_the_provider(world: GatewayWorld) -> None:
    read_with(world, *CALLER.headers())
    seen = world.population.calls[-1].metadata
    assert [(key, seen[key]) for key in ("traceparent", "tracestate")] == list(CALLER.headers())


@pytest.mark.parametrize("headers", [[], [("traceparent", "00-nonsense")]])
def test_without_a_trace_of_the_caller_one_begins_here(world: GatewayWorld, headers: list[tuple[str, str]]) -> None:
    read_with(world, *headers)
    seen = world.population.calls[-1].metadata
    begun = TraceContext.of(CallHeaders([("traceparent", seen["traceparent"])]))
    assert begun is not None
    assert begun.trace_id != CALLER.trace_id
    assert not begun.sampled


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[tuple[GatewayWorld, InMemorySpanExporter]]:
    exporter = InMemorySpanExporter()
    spans = OpenTelemetrySpans(SimpleSpanProcessor(exporter), "gateway")
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), spans=spans) as world:
        world.consent()
        # The spans of its two calls.
        finished(exporter, 2)
        exporter.clear()
        yield world, exporter


def finished(exporter: InMemorySpanExporter, calls: int = 1) -> dict[str, ReadableSpan]:
    # A call's own span is the last of its spans to end, after the answer has gone out.
    wait_until(lambda: sum(span.kind.name == "SERVER" for span in exporter.get_finished_spans()) >= calls)
    return {span.name: span for span in exporter.get_finished_spans()}


def test_where_no_spans_are_wanted_nothing_that_makes_them_is_imported() -> None:
    program = "import sys, lienthong_sandbox; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_an_exchange_is_a_span_with_one_below_it_for_each_step(
    traced: tuple[GatewayWorld, InMemorySpanExporter],
) -> None:
    world, exporter = traced
    read_with(world, *CALLER.headers())
    spans = finished(exporter)

    whole = spans.pop(GET_CITIZEN.lstrip("/"))
    assert list(spans) == STEPS
    assert whole.parent is not None
    assert f"{whole.parent.span_id:016x}" == CALLER.span_id
    assert whole.attributes is not None
    assert whole.attributes["lienthong.reason"] == RELEASED
    assert whole.start_time is not None
    assert whole.end_time is not None
    at = whole.start_time
    for step in spans.values():
        assert step.parent == whole.get_span_context()
        assert step.start_time is not None
        assert step.start_time >= at
        assert step.end_time is not None
        at = step.end_time
    assert at <= whole.end_time


def test_the_provider_is_told_of_the_gateways_own_span(traced: tuple[GatewayWorld, InMemorySpanExporter]) -> None:
    world, exporter = traced
    read_with(world, *CALLER.headers())
    whole = finished(exporter)[GET_CITIZEN.lstrip("/")]
    seen = world.population.calls[-1].metadata
    context = TraceContext.of(CallHeaders((key, seen[key]) for key in ("traceparent", "tracestate")))
    own = whole.get_span_context()
    assert own is not None
    assert context == TraceContext(CALLER.trace_id, f"{own.span_id:016x}", sampled=True, state="vendor=1")


def test_a_caller_that_does_not_sample_is_followed(traced: tuple[GatewayWorld, InMemorySpanExporter]) -> None:
    world, exporter = traced
    read_with(world, ("traceparent", f"00-{CALLER.trace_id}-{CALLER.span_id}-00"))
    seen = str(world.population.calls[-1].metadata["traceparent"])
    assert seen.startswith(f"00-{CALLER.trace_id}-")
    assert seen.endswith("-00")
    assert not exporter.get_finished_spans()


def test_where_opentelemetry_is_switched_off_an_exchange_has_a_trace_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    exporter = InMemorySpanExporter()
    spans = OpenTelemetrySpans(SimpleSpanProcessor(exporter), "gateway")
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), spans=spans) as world:
        world.consent()
        world.read()
        begun = TraceContext.of(CallHeaders([("traceparent", str(world.population.calls[-1].metadata["traceparent"]))]))
        read_with(world, *CALLER.headers())
        assert dict(CALLER.headers()).items() <= dict(world.population.calls[-1].metadata).items()
        assert begun is not None
        exchanges = [entry for entry in world.entries() if entry["event"] == "EXCHANGE"]
        assert {entry["trace_id"] for entry in exchanges} == {begun.trace_id, CALLER.trace_id}
    assert not exporter.get_finished_spans()


@pytest.mark.parametrize("state", ["1abc=Nguyen", "a@b@c=Nguyen", "a=1,a=Nguyen"])
def test_a_malformed_state_is_neither_carried_on_nor_written_down(
    traced: tuple[GatewayWorld, InMemorySpanExporter], caplog: pytest.LogCaptureFixture, state: str
) -> None:
    world, exporter = traced
    read_with(world, CALLER.headers()[0], ("tracestate", state))
    assert finished(exporter)
    assert "tracestate" not in world.population.calls[-1].metadata
    assert "Nguyen" not in caplog.text


def said_of(span: ReadableSpan) -> dict[str, object]:
    """Return the attributes that OpenTelemetry has names for, and the span's status."""
    attributes = span.attributes or {}
    told = {name: value for name, value in attributes.items() if not name.startswith("lienthong.")}
    return {**told, "": span.status.status_code.name}


def test_a_span_says_what_opentelemetry_has_names_for(traced: tuple[GatewayWorld, InMemorySpanExporter]) -> None:
    world, exporter = traced
    world.call(CallContext(PURPOSE, world.token()).metadata())
    assert said_of(finished(exporter)[GET_CITIZEN.lstrip("/")]) == {
        "rpc.system.name": "grpc",
        "rpc.method": "lienthong.api.population.v1.PopulationService/GetCitizen",
        "rpc.response.status_code": "OK",
        "": "UNSET",
    }


def test_a_refusal_that_is_the_callers_affair_is_no_error_of_the_span_and_a_failure_is(
    traced: tuple[GatewayWorld, InMemorySpanExporter],
) -> None:
    world, exporter = traced
    refusal_of(lambda: world.get_citizen(CallContext("nonsense", world.token())))
    refused = finished(exporter)[GET_CITIZEN.lstrip("/")]
    assert (refused.attributes or {})["lienthong.reason"] == "PURPOSE_UNKNOWN"
    assert said_of(refused)["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert (said_of(refused)[""], "error.type" in said_of(refused)) == ("UNSET", False)

    exporter.clear()
    world.population_server.stop()
    refusal_of(world.read)
    failed = finished(exporter)[GET_CITIZEN.lstrip("/")]
    assert (said_of(failed)["error.type"], said_of(failed)[""]) == ("UNAVAILABLE", "ERROR")
    assert failed.status.description == "PROVIDER_UNAVAILABLE"


def test_a_span_of_a_method_that_nobody_has_repeats_nothing_of_its_name(
    traced: tuple[GatewayWorld, InMemorySpanExporter],
) -> None:
    world, exporter = traced
    refusal_of(lambda: send(world, b"", method="/nobody.v1.Nothing/NguyenThiLan"))
    assert said_of(finished(exporter)["grpc"])["rpc.method"] == "_OTHER"
    assert "NguyenThiLan" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_a_span_of_a_call_over_http_says_that_it_is_connects(
    traced: tuple[GatewayWorld, InMemorySpanExporter], tmp_path: Path
) -> None:
    world, exporter = traced
    portal = world.curl(tmp_path, members.PORTAL)
    assert portal.call("/lienthong.api.exchange.v1.CatalogueService/ListSystems", {}).status == 200
    listed = said_of(finished(exporter)["lienthong.api.exchange.v1.CatalogueService/ListSystems"])
    # Connect has codes for what is refused alone.
    assert (listed["rpc.system.name"], "rpc.response.status_code" in listed) == ("connectrpc", False)

    assert portal.call(GET_CITIZEN, {}).status == 400
    refused = said_of(finished(exporter, 2)[GET_CITIZEN.lstrip("/")])
    assert (refused["rpc.system.name"], refused["rpc.response.status_code"]) == ("connectrpc", "invalid_argument")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == LOGGER]


def test_each_exchange_is_one_line_of_json(world: GatewayWorld, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        _, receipt = world.read()
        why = refusal_of(lambda: world.get_citizen(CallContext("nonsense", world.token())))
        asked = {receipt.exchange_id, why.metadata["exchange_id"]}
        wait_until(lambda: asked <= {line["exchange_id"] for line in lines(caplog)})
    released, refused = (line for line in lines(caplog) if line["exchange_id"] in asked)
    assert (released["exchange_id"], released["reason"]) == (receipt.exchange_id, RELEASED)
    assert released["consumer"] == str(members.PORTAL)
    assert list(released["step_us"]) == STEPS
    assert (refused["exchange_id"], refused["reason"]) == (why.metadata["exchange_id"], "PURPOSE_UNKNOWN")
    assert refused["trace_id"] != released["trace_id"]


def test_an_embedded_gateway_writes_no_lines(world: GatewayWorld, caplog: pytest.LogCaptureFixture) -> None:
    world.read()
    assert not lines(caplog)


def sent_raw(world: GatewayWorld, request: bytes) -> bytes:
    """Send bytes over TLS with the portal's certificate, as no honest client would, and return what comes back."""
    context = ssl.create_default_context(cadata=world.authority.certificate.decode())
    tls = world.identity(members.PORTAL)
    folder = Path(world.config.database_url.removeprefix("sqlite:///")).parent / "raw"
    tls.save(folder)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with (
        socket.create_connection((world.config.web_host, world.config.web_port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=world.config.web_host) as connection,
    ):
        connection.sendall(request)
        return connection.recv(1 << 16)


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/lienthong.api.exchange.v1.CatalogueService/ListSystems", b'm-1\x0b{"reason":"FORGED"}'),
        ("/lienthong.api.exchange.v1.CatalogueService/ListSystems", b"m-1\xe2\x80\xa8FORGED"),
        ("/a/b%0a%7b%22reason%22:%22FORGED%22%7d", b"m-1"),
    ],
)
def test_no_header_and_no_path_can_forge_a_line(
    world: GatewayWorld, caplog: pytest.LogCaptureFixture, path: str, header: bytes
) -> None:
    head = b"POST %s HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nx-road-id: %s\r\ncontent-length: 2"
    with caplog.at_level(logging.INFO):
        answer = sent_raw(world, head % (path.encode(), header) + b"\r\nconnection: close\r\n\r\n{}")
    assert answer.split()[1] in {b"400", b"501"}
    written = [JsonLines().format(record) for record in caplog.records]
    assert not [line for line in written if "FORGED" in line or "\n" in line]
    assert not [entry for entry in world.entries() if "FORGED" in entry["message_id"]]
