"""A population database behind mutual TLS, with a few citizens in it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import grpc
import pytest

from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.clock import SandboxClock
from lienthong_core.ports import reserved_port
from lienthong_core.systems import SystemId
from lienthong_services.population.server import PopulationConfig, PopulationServer
from tests.integration.population.people import add_people

GATEWAY = SystemId.parse("VN-SANDBOX/GOV/G00/gateway")
POPULATION = SystemId.parse("VN-SANDBOX/GOV/G01/population")


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="session")
def gateway_identity(authority: Authority) -> TlsIdentity:
    return authority.issue(GATEWAY)


@pytest.fixture(scope="session")
def population_identity(authority: Authority) -> TlsIdentity:
    return authority.issue(POPULATION)


@pytest.fixture
def clock() -> SandboxClock:
    clock = SandboxClock()
    clock.set(datetime(2026, 11, 21, 3, tzinfo=UTC))
    return clock


@pytest.fixture
def address() -> Iterator[str]:
    with reserved_port("127.0.0.1") as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def server(
    address: str, database_url: str, population_identity: TlsIdentity, clock: SandboxClock
) -> Iterator[PopulationServer]:
    server = PopulationServer(PopulationConfig(address, database_url, population_identity, GATEWAY), clock)
    add_people(server.engine)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect(address: str) -> Iterator[Callable[[TlsIdentity], grpc.Channel]]:
    """Opens channels with any certificate; the test uses `server` as well."""
    channels: list[grpc.Channel] = []

    def open_channel(identity: TlsIdentity) -> grpc.Channel:
        channels.append(grpc.secure_channel(address, identity.channel_credentials()))
        return channels[-1]

    yield open_channel
    for channel in channels:
        channel.close()


@pytest.fixture
def channel(connect: Callable[[TlsIdentity], grpc.Channel], gateway_identity: TlsIdentity) -> grpc.Channel:
    """The gateway's channel."""
    return connect(gateway_identity)


@pytest.fixture
def population(channel: grpc.Channel) -> PopulationServiceStub:
    """The service as the gateway calls it."""
    return PopulationServiceStub(channel)
