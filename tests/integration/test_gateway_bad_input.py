"""Whatever is sent, the caller gets a status that teaches, soon, and the gateway goes on."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.client import CallContext, Explanation, Header
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
GOOD = GetCitizenRequest(personal_number=LAN).SerializeToString()
MIB = 1 << 20


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("bad-input") / "gateway.sqlite")) as world:
        world.consent(valid_for=timedelta(days=1))
        yield world


@pytest.fixture
def world(shared_world: GatewayWorld) -> Iterator[GatewayWorld]:
    """Give one gateway to all tests here: after each of them it must still answer."""
    yield shared_world
    shared_world.read()


def method_of(channel: grpc.Channel, method: str = GET_CITIZEN) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary(method)


def outcome(
    world: GatewayWorld,
    request: bytes = GOOD,
    method: str = GET_CITIZEN,
    metadata: tuple[tuple[str, str | bytes], ...] = (("lienthong-purpose", PURPOSE),),
) -> Explanation:
    """Make a call with exactly these bytes and headers, which must be refused."""
    call = method_of(world.channel(members.PORTAL), method)
    return refusal_of(lambda: call(request, metadata=metadata, timeout=TIMEOUT_S))


def outcome_with(world: GatewayWorld, identity: TlsIdentity) -> Explanation:
    """Make the good call with another certificate; it must be refused."""
    trusting = TlsIdentity(identity.certificate, identity.private_key, world.authority.certificate)
    call = method_of(world.channel_with(trusting.channel_credentials()))
    metadata = CallContext(PURPOSE).metadata()
    return refusal_of(lambda: call(GOOD, metadata=metadata, timeout=TIMEOUT_S))


@pytest.mark.parametrize("size", [MIB + 1, 2 * MIB])
def test_a_message_too_large_is_refused_with_the_limit(world: GatewayWorld, size: int) -> None:
    why = outcome(world, bytes(size))

    assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert (str(size) in why.message, str(MIB) in why.message) == (True, True)
    refusals = [entry for entry in world.entries() if entry["reason"] == "MESSAGE_TOO_LARGE"]
    assert (refusals[-1]["consumer"], refusals[-1]["request_bytes"]) == (str(members.PORTAL), size)


@pytest.mark.parametrize("size", [2 * MIB + 1, 20 * MIB])
def test_a_message_far_too_large_is_cut_off_by_the_transport(world: GatewayWorld, size: int) -> None:
    recorded = len(world.entries())

    why = outcome(world, bytes(size))

    assert (why.status, why.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CONNECTION_FAILED")
    assert [entry["event"] for entry in world.entries()[recorded:]] == ["LOG_READ"]


@pytest.mark.parametrize(
    "request_bytes", [b"\xff\xff\xff", b"\x0a\x7fshort", b"\x0a\x02\xc3\x28"], ids=["noise", "cut", "text"]
)
def test_bytes_that_are_no_request_are_refused(world: GatewayWorld, request_bytes: bytes) -> None:
    why = outcome(world, request_bytes)

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")


@pytest.mark.parametrize(
    "number",
    [
        "",
        "88888888888",
        "8888888888888",
        "09919000000a",
        "٠٩٩١٩٠٠٠٠٠٠١",
        "099190000001\n",
        " 99190000001",
        "' OR 1=1 --",
    ],
)
def test_what_is_not_twelve_digits_is_no_personal_number(world: GatewayWorld, number: str) -> None:
    why = outcome(world, GetCitizenRequest(personal_number=number).SerializeToString())

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PERSONAL_NUMBER_INVALID")
    assert not number.strip() or number not in why.message


@pytest.mark.parametrize(
    "method",
    [
        "/lienthong.api.population.v1.PopulationService/DropCitizen",
        "/lienthong.api.population.v1.PopulationService/getcitizen",
        "/lienthong.api.population.v1.PopulationService",
        "/lienthong.api.nowhere.v1.NoService/Ask",
        "/lienthong.api.portal.v1.PortalService/GetDossier",
        "/",
        "/" + "a" * 4_000,
        "//../../etc/passwd",
    ],
)
def test_a_method_that_nobody_provides_is_refused(world: GatewayWorld, method: str) -> None:
    why = outcome(world, method=method)

    assert (why.status, why.reason) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN")
    assert "ListMethods" in why.message


@pytest.mark.parametrize(
    "name", [Header.PURPOSE, Header.AUTHORIZATION, Header.CLIENT, Header.OFFICER, Header.MESSAGE_ID]
)
def test_a_header_that_comes_twice_is_refused(world: GatewayWorld, name: Header) -> None:
    why = outcome(world, metadata=(("lienthong-purpose", PURPOSE), (str(name), "a"), (str(name), "a")))

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "HEADER_DUPLICATED")
    assert name in why.message


def test_a_client_header_that_contradicts_the_certificate_is_refused(world: GatewayWorld) -> None:
    why = outcome(world, metadata=(("lienthong-purpose", PURPOSE), ("x-road-client", str(members.BANK))))

    assert (why.status, why.reason) == (grpc.StatusCode.PERMISSION_DENIED, "CLIENT_MISMATCH")


@pytest.mark.parametrize(
    "headers",
    [[("x-road-client", str(members.BANK))], [("x-road-id", "1"), ("x-road-id", "2")]],
    ids=["posing", "twice"],
)
def test_the_log_names_the_system_of_the_certificate_whatever_else_was_refused(
    world: GatewayWorld, headers: list[tuple[str, str]]
) -> None:
    why = outcome(world, metadata=(("lienthong-purpose", PURPOSE), *headers))

    (refused,) = (entry for entry in world.entries() if entry["exchange_id"] == why.metadata["exchange_id"])
    assert (refused["reason"], refused["consumer"]) == (why.reason, str(members.PORTAL))


def test_a_header_that_is_too_long_is_refused(world: GatewayWorld) -> None:
    why = outcome(world, metadata=(("lienthong-purpose", PURPOSE), ("x-road-userid", "o" * 129)))

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "HEADER_INVALID")


def test_a_thousand_headers_are_refused_by_the_transport(world: GatewayWorld) -> None:
    many = tuple((f"x-filler-{number}", "value") for number in range(1_000))

    why = outcome(world, metadata=(("lienthong-purpose", PURPOSE), *many))

    assert why.status in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}


def test_headers_that_nobody_knows_do_no_harm(world: GatewayWorld) -> None:
    fillers = tuple((f"x-filler-{number}", "value") for number in range(50))

    world.call((("lienthong-purpose", PURPOSE), *fillers, ("x-filler-bin", os.urandom(64))))


@pytest.mark.parametrize(
    "system",
    [SystemId("VN-SANDBOX", "GOV", "G77", "nobody"), SystemId("", "", "", "nobody")],
    ids=["not registered", "no system named"],
)
def test_a_certificate_of_no_registered_system_is_refused(world: GatewayWorld, system: SystemId) -> None:
    why = outcome_with(world, world.authority.issue(system))

    assert (why.status, why.reason) == (grpc.StatusCode.UNAUTHENTICATED, "SYSTEM_UNKNOWN")


def test_a_certificate_of_another_authority_gets_no_connection(world: GatewayWorld) -> None:
    assert outcome_with(world, Authority.create().issue(members.PORTAL)).status == grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_gets_no_connection(world: GatewayWorld) -> None:
    expired = world.authority.issue(members.PORTAL, not_after=datetime(2024, 1, 1, tzinfo=UTC))

    assert outcome_with(world, expired).status == grpc.StatusCode.UNAVAILABLE


def test_a_client_without_a_certificate_gets_no_connection(world: GatewayWorld) -> None:
    channel = world.channel_with(grpc.ssl_channel_credentials(world.authority.certificate))

    why = refusal_of(lambda: method_of(channel)(GOOD, timeout=TIMEOUT_S))

    assert why.status == grpc.StatusCode.UNAVAILABLE


def test_a_client_without_tls_gets_no_connection(world: GatewayWorld) -> None:
    with grpc.insecure_channel(world.config.address) as channel:
        why = refusal_of(lambda: method_of(channel)(GOOD, timeout=TIMEOUT_S))

    assert why.status == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(4_096), bytes(range(256)) * 64, b""],
    ids=["http", "broken handshake", "noise", "nothing"],
)
def test_garbage_on_the_port_is_shut_out(world: GatewayWorld, garbage: bytes) -> None:
    host, port = world.config.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        connection.sendall(garbage)
        answer, _ = world.read()
        assert answer.citizen.personal_number == LAN
        assert not is_left_open(connection)


def is_left_open(connection: socket.socket) -> bool:
    try:
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4_096):
            pass
    except TimeoutError:
        return True
    except OSError:
        # It was reset.
        return False
    return False


def test_nothing_that_was_refused_reached_the_provider(world: GatewayWorld) -> None:
    before = len(world.population.calls)

    outcome(world, b"\xff")
    outcome(world, bytes(2 * MIB))
    outcome(world, metadata=())

    assert len(world.population.calls) == before
