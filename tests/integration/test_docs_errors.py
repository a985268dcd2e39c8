"""The table "Where there can be no reason" of docs/errors.md, held to what gRPC really does."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from lienthong.api.exchange.v1.catalogue_pb2 import ListSystemsRequest
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.client import explain
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.database import sqlite_url
from lienthong_core.ports import reserved_port
from lienthong_core.rpc import RpcServer
from lienthong_core.systems import INSTANCE, SystemId
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, gateway_world, refusal_of

SERVER = SystemId(INSTANCE, "GOV", "G01", "population")
CLIENT = SystemId(INSTANCE, "GOV", "G00", "gateway")
METHOD = "/lienthong.test.v1.NothingService/Nothing"
MIB = 1 << 20


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def address(authority: Authority) -> Iterator[str]:
    with reserved_port("127.0.0.1") as port:
        server = RpcServer(
            f"127.0.0.1:{port}", authority.issue(SERVER), [], lambda _server: None, lambda who: who == CLIENT
        )
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop()


def outcome(channel: grpc.Channel, *, request: bytes = b"", timeout: float = 10) -> tuple[grpc.StatusCode, str]:
    with channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(METHOD, request_serializer=bytes)(request, timeout=timeout)
    why = explain(caught.value)
    return why.status, why.reason


def channel(address: str, tls: TlsIdentity) -> grpc.Channel:
    return grpc.secure_channel(address, tls.channel_credentials())


NO_CONNECTION = (grpc.StatusCode.UNAVAILABLE, "CONNECTION_FAILED")


def test_a_client_without_a_certificate_is_unavailable(authority: Authority, address: str) -> None:
    credentials = grpc.ssl_channel_credentials(authority.certificate)
    assert outcome(grpc.secure_channel(address, credentials)) == NO_CONNECTION


def test_a_certificate_of_another_authority_is_unavailable(authority: Authority, address: str) -> None:
    stranger = Authority.create().issue(CLIENT)
    tls = TlsIdentity(stranger.certificate, stranger.private_key, authority.certificate)
    assert outcome(channel(address, tls)) == NO_CONNECTION


def test_an_expired_certificate_is_unavailable(authority: Authority, address: str) -> None:
    expired = authority.issue(CLIENT, not_after=datetime(2021, 1, 1, tzinfo=UTC))
    assert outcome(channel(address, expired)) == NO_CONNECTION


def test_a_client_that_does_not_trust_the_server_is_unavailable(authority: Authority, address: str) -> None:
    own = authority.issue(CLIENT)
    tls = TlsIdentity(own.certificate, own.private_key, Authority.create().certificate)
    assert outcome(channel(address, tls)) == NO_CONNECTION


def test_plain_text_is_unavailable(address: str) -> None:
    assert outcome(grpc.insecure_channel(address)) == NO_CONNECTION


def test_an_address_where_nobody_listens_is_unavailable(authority: Authority) -> None:
    with reserved_port("127.0.0.1") as port:
        assert outcome(channel(f"127.0.0.1:{port}", authority.issue(CLIENT))) == NO_CONNECTION


def test_the_clients_own_deadline_is_its_own_status(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        late = outcome(channel(address, authority.issue(CLIENT)), timeout=0.1)
    assert late == (grpc.StatusCode.DEADLINE_EXCEEDED, "CONNECTION_FAILED")


def test_grpc_itself_refuses_a_message_above_its_limit(authority: Authority, address: str) -> None:
    above = outcome(channel(address, authority.issue(CLIENT)), request=bytes(2 * MIB + 1))
    assert above == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CONNECTION_FAILED")


def test_a_reason_that_somebody_else_on_the_way_gives_is_none_of_the_sandbox(authority: Authority) -> None:
    info = error_details_pb2.ErrorInfo(reason="CONSENT_MISSING", domain="proxy.test")
    packed = any_pb2.Any()
    packed.Pack(info)
    refused = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="No.", details=[packed])

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(rpc_status.to_status(refused))

    service, name = METHOD.removeprefix("/").split("/")
    handlers = grpc.method_handlers_generic_handler(service, {name: grpc.unary_unary_rpc_method_handler(refuse)})
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, handlers=[handlers])
        port = server.add_secure_port("127.0.0.1:0", authority.issue(SERVER).server_credentials())
        server.start()
        try:
            assert outcome(channel(f"127.0.0.1:{port}", authority.issue(CLIENT))) == NO_CONNECTION
        finally:
            server.stop(None).wait(10)


def test_a_client_reads_an_answer_above_its_limit_once_it_is_told_to(tmp_path: Path) -> None:
    registered = members.registration()
    long_name = replace(registered.systems[members.BANK], name_en="x" * (4 * MIB))
    registration = replace(registered, systems={**registered.systems, members.BANK: long_name})
    told = (("grpc.max_receive_message_length", 5 * MIB),)

    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), registration=registration) as world:
        usual = CatalogueServiceStub(world.channel(members.BANK))
        why = refusal_of(lambda: usual.ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S))
        credentials = world.identity(members.BANK).channel_credentials()
        with grpc.secure_channel(world.config.address, credentials, told) as channel:
            answer = CatalogueServiceStub(channel).ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)

    assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CONNECTION_FAILED")
    assert long_name.name_en in {system.name_en for system in answer.systems}
