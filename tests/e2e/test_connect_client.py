"""The Connect protocol's own Python client calls the gateway: in JSON and in binary, answered and refused."""

from collections.abc import Iterator

import pytest
from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.rpc.error_details_pb2 import ErrorInfo
from pyqwest import SyncClient, SyncHTTPTransport

from lienthong.api.population.v1.population_pb2 import MatchResult, VerifyCitizenRequest, VerifyCitizenResponse
from lienthong.client import CallContext
from lienthong_sandbox import Sandbox
from lienthong_seeds import members
from lienthong_seeds.personas import persona

VERIFY = MethodInfo(
    name="VerifyCitizen",
    service_name="lienthong.api.population.v1.PopulationService",
    input=VerifyCitizenRequest,
    output=VerifyCitizenResponse,
    idempotency_level=IdempotencyLevel.UNKNOWN,
    stream_type=StreamType.UNARY,
)
BY_LAW = dict(CallContext("integration-test", "", "state_19_1_c", "KT-2026-0001", "can-bo-0107").metadata())
MAI = persona("nguyen-thi-mai")
DEADLINE_MS = 10_000


@pytest.fixture(params=[google_protobuf_json_codec, google_protobuf_binary_codec], ids=["json", "binary"])
def client(request: pytest.FixtureRequest, vn: Sandbox) -> Iterator[ConnectClientSync]:
    codec: Codec = request.param()
    tls = vn.world.tls(members.YOUR_SYSTEM)
    transport = SyncHTTPTransport(tls_ca_cert=tls.authority, tls_cert=tls.certificate, tls_key=tls.private_key)
    url = vn.endpoints.gateway_url.replace("127.0.0.1", "localhost")
    with ConnectClientSync(url, codec=codec, timeout_ms=DEADLINE_MS, http_client=SyncClient(transport)) as client:
        yield client


def test_a_call_is_answered(client: ConnectClientSync) -> None:
    request = VerifyCitizenRequest(personal_number=MAI.personal_number, full_name=MAI.full_name)
    answer = client.execute_unary(request=request, method=VERIFY, headers=BY_LAW)
    assert answer.exists
    assert answer.full_name == MatchResult.MATCH_RESULT_MATCH


def test_a_refusal_comes_with_its_code_and_reason(client: ConnectClientSync) -> None:
    with pytest.raises(ConnectError) as caught:
        client.execute_unary(request=VerifyCitizenRequest(personal_number=MAI.personal_number), method=VERIFY)
    assert caught.value.code == Code.INVALID_ARGUMENT
    (detail,) = caught.value.details
    assert detail.type_name == "google.rpc.ErrorInfo"
    assert ErrorInfo.FromString(detail.message_bytes).reason == "PURPOSE_MISSING"
