"""Starting, stopping and coming back."""

import threading

import grpc
import pytest
from sqlalchemy import text

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong_core.certificates import TlsIdentity
from lienthong_core.clock import SandboxClock
from lienthong_services.population.server import PopulationConfig, PopulationServer
from tests.integration.population.calls import call, refusal_of
from tests.integration.population.conftest import GATEWAY
from tests.integration.population.people import DAUGHTER, add_people
from tests.support.threads import left_behind


@pytest.fixture
def config(address: str, database_url: str, population_identity: TlsIdentity) -> PopulationConfig:
    return PopulationConfig(address, database_url, population_identity, GATEWAY)


def test_a_register_is_empty_until_somebody_is_in_it(config: PopulationConfig, clock: SandboxClock) -> None:
    server = PopulationServer(config, clock)
    assert server.is_empty()
    add_people(server.engine)
    assert not server.is_empty()
    server.stop()


def test_a_register_outlives_its_server(config: PopulationConfig, clock: SandboxClock, channel: grpc.Channel) -> None:
    first = PopulationServer(config, clock)
    add_people(first.engine)
    first.start()
    first.stop()
    second = PopulationServer(config, clock)
    second.start()
    answer = call(PopulationServiceStub(channel).GetCitizen, GetCitizenRequest(personal_number=DAUGHTER))
    assert answer.citizen.personal_number == DAUGHTER
    second.stop()


def test_a_stopped_server_leaves_no_thread_and_no_listener(
    config: PopulationConfig, clock: SandboxClock, channel: grpc.Channel
) -> None:
    before = set(threading.enumerate())
    server = PopulationServer(config, clock)
    server.start()
    server.stop()
    assert left_behind(before) == set()
    refusal = refusal_of(PopulationServiceStub(channel).GetCitizen, GetCitizenRequest())
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "CONNECTION_FAILED")


def test_a_failure_nobody_foresaw_is_logged_without_what_was_asked(
    server: PopulationServer, population: PopulationServiceStub, caplog: pytest.LogCaptureFixture
) -> None:
    with server.engine.begin() as connection:
        connection.execute(text("ALTER TABLE residence RENAME TO elsewhere"))
    refusal = refusal_of(population.GetCitizen, GetCitizenRequest(personal_number=DAUGHTER))
    assert (refusal.status, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "GetCitizen failed with" in caplog.text
    assert "store.py" in caplog.text
    assert DAUGHTER not in caplog.text
    assert DAUGHTER not in refusal.message
