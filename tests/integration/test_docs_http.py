"""What docs/http.md, docs/limits.md and docs/observing.md say is so."""

import json
import re
import shlex
import subprocess
from pathlib import Path

from lienthong_core.rpc import MAX_MESSAGE_BYTES
from lienthong_gateway.contract.request_bytes import MOST_FIELDS
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.telemetry.metrics import Metrics
from lienthong_gateway.web.codecs import JsonCodec
from lienthong_sandbox import Sandbox
from lienthong_services.identity.rules import LOGIN_LOCK, MAX_FAILURES
from tests.support.curl import curl_program
from tests.support.documents import ROOT, blocks, table_rows, text_of

HTTP, LIMITS, OBSERVING = (ROOT / "docs" / name for name in ("http.md", "limits.md", "observing.md"))


def test_the_command_for_curl_verifies_a_citizen(tmp_path: Path) -> None:
    (command,) = blocks(HTTP, "sh")
    program = curl_program()
    with Sandbox(citizens=50, data=tmp_path / "world") as vn:
        command = command.replace("https://127.0.0.1:7446", vn.endpoints.gateway_url)
        command = command.replace("world/", f"{vn.world.folder}/")
        _, *arguments = shlex.split(command)
        done = subprocess.run(
            [program, *arguments, "--silent"], capture_output=True, text=True, check=False, timeout=20
        )
    assert json.loads(done.stdout) == {"exists": True, "fullName": "MATCH_RESULT_MATCH"}


def test_the_limits_are_those_of_the_code() -> None:
    said = {row[0]: row[1] for row in table_rows(LIMITS)}
    limits = Limits()
    assert said["Calls under way at one gateway"].startswith(f"{limits.calls_in_flight};")
    assert said["Calls worked on at once"] == f"{limits.calls_at_once}, and {limits.calls_in_line} in line"
    assert said["Calls under way to one provider"] == str(limits.calls_per_provider)
    assert said["Calls of one system"].startswith(f"{limits.rate.per_second:,} a second, {limits.rate.burst:,} at once")
    assert said["Calls under way on one gRPC connection"] == str(limits.streams_per_connection)
    assert said["Headers of a call"] == f"{limits.headers}, together {limits.header_bytes >> 10} KiB"
    assert said["Time for one call"].startswith(f"{limits.deadline_s:g} s; {limits.stream_deadline_s:g} s")
    anybody = limits.anybody
    assert said["HTTP requests without a certificate"].startswith(
        f"{anybody.rate.per_second:g} a second, {anybody.rate.burst} at once, {anybody.requests_in_flight} under way"
    )
    connections = f"{limits.connections:,}, of them {anybody.connections} without a certificate"
    assert said["HTTP connections"] == connections
    on_their_way = f"{limits.bodies_per_system} of one system; of all half of those under way, {limits.bodies}"
    assert said["Calls over HTTP whose request is on its way"] == on_their_way
    readings = f"{limits.metrics.per_second:g} a second, {limits.metrics.burst} at once"
    assert said["Readings of `GET /metrics` by one system"] == readings
    of_json = f"{JsonCodec.most_bytes >> 10} KiB, and {JsonCodec.most_commas:,} commas"
    assert said["A request"] == f"{MAX_MESSAGE_BYTES >> 20} MiB, and {MOST_FIELDS:,} fields; as JSON {of_json}"
    assert said["Time for the TLS handshake of an HTTP connection"] == f"{limits.body_s:g} s"
    assert said["Time for an HTTP request's body to arrive"] == f"{limits.body_s:g} s"

    minutes = int(LOGIN_LOCK.total_seconds()) // 60
    locked = ["Wrong passcodes for one personal number in a row", f"{MAX_FAILURES}"]
    assert [*locked, f"status 429; nobody logs in with it for {minutes} minutes"] in table_rows(LIMITS)


def test_every_metric_that_is_named_exists() -> None:
    metrics = Metrics()
    named = set(re.findall(r"`(lienthong_gateway_\w+)`", text_of(OBSERVING)))
    shown = {row[0].strip("`") for row in table_rows(OBSERVING)}
    # Those that are asked of the running gateway are shown by test_gateway_telemetry.
    of_the_running = {f"lienthong_gateway_{name}" for name in ("log_queue_entries", "calls_in_flight", "calls_in_line")}
    types = re.findall(r"# TYPE (lienthong_gateway_\w+)", metrics.text().decode())
    assert shown - of_the_running == {name for name in types if not name.endswith("_created")}
    assert shown <= named
