import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

from google.rpc.error_details_pb2 import ErrorInfo

from lienthong_sandbox import Sandbox
from lienthong_seeds import members

METHOD = "lienthong.api.population.v1.PopulationService/VerifyCitizen"
HEADERS = (
    "lienthong-purpose: integration-test",
    "lienthong-legal-basis: state_19_1_c",
    "lienthong-legal-reference: KT-2026-0001",
    "x-road-userid: can-bo-0107",
)


def buf_curl(vn: Sandbox, *arguments: str) -> "subprocess.CompletedProcess[str]":
    buf = shutil.which("buf", path=str(Path(sys.executable).parent))
    assert buf, "buf-bin is not installed"
    folder = vn.world.client_folder(members.YOUR_SYSTEM)
    command = [
        buf, "curl", "--protocol", "grpc", "--cacert", str(folder / "ca.crt"),
        "--cert", str(folder / "tls.crt"), "--key", str(folder / "tls.key"), *arguments,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_buf_curl_lists_the_services_by_reflection(vn: Sandbox) -> None:
    listed = buf_curl(vn, "--list-services", f"https://{vn.endpoints.gateway}")
    assert listed.returncode == 0, listed.stderr
    assert {
        "grpc.health.v1.Health",
        "lienthong.api.consent.v1.ConsentService",
        "lienthong.api.exchange.v1.CatalogueService",
        "lienthong.api.exchange.v1.ExchangeLogService",
        "lienthong.api.identity.v1.IdentityService",
        "lienthong.api.population.v1.PopulationService",
    } <= set(listed.stdout.split())


def test_a_generic_client_finds_reflection_at_once_and_leaves_no_refusal_in_the_log(vn: Sandbox) -> None:
    before = len(vn.log())
    assert buf_curl(vn, "--list-services", f"https://{vn.endpoints.gateway}").returncode == 0
    assert "REFUSAL" not in {entry["event"] for entry in vn.log()[before:]}


def test_buf_curl_calls_a_provider_through_the_gateway_with_a_client_certificate(vn: Sandbox) -> None:
    headers = [part for header in HEADERS for part in ("-H", header)]
    request = {"personalNumber": "099190000001", "fullName": "NGUYEN THI MAI", "birthDate": {"year": 1990}}
    called = buf_curl(vn, *headers, "-d", json.dumps(request), f"https://{vn.endpoints.gateway}/{METHOD}")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout) == {
        "exists": True,
        "fullName": "MATCH_RESULT_MATCH",
        "birthDate": "MATCH_RESULT_MATCH",
    }


def test_buf_curl_is_told_why_it_is_refused(vn: Sandbox) -> None:
    request = json.dumps({"personalNumber": "099190000001"})
    called = buf_curl(vn, "-d", request, f"https://{vn.endpoints.gateway}/{METHOD}")
    assert called.returncode != 0
    said = json.loads(called.stderr)
    info = ErrorInfo.FromString(base64.b64decode(said["details"][0]["value"] + "=="))
    assert (said["code"], info.reason, info.domain) == ("invalid_argument", "PURPOSE_MISSING", "lienthong")
