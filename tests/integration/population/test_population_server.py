"""Starting, stopping and coming back."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from sqlalchemy import make_url, text

from lienthong.api.population.v1.citizen_pb2 import RESIDENCE_KIND_PERMANENT
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, UpdateResidenceRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import Address, PartialDate
from lienthong_core.certificates import TlsIdentity
from lienthong_core.clock import SandboxClock
from lienthong_services.population.server import PopulationConfig, PopulationServer
from tests.integration.population.calls import call, refusal_of
from tests.integration.population.conftest import GATEWAY
from tests.integration.population.people import DAUGHTER, add_people
from tests.support.databases import file_away
from tests.support.line import Line
from tests.support.threads import left_behind

MOVE = UpdateResidenceRequest(
    personal_number=DAUGHTER,
    kind=RESIDENCE_KIND_PERMANENT,
    address=Address(province_code="01", commune_code="00008", detail="Số 5 ngõ 3"),
    from_date=PartialDate(year=2026, month=11, day=21),
    case_reference="H26.1-20261121-0000001",
)


@pytest.fixture
def config(address: str, database_url: str, population_identity: TlsIdentity) -> PopulationConfig:
    return PopulationConfig(address, database_url, population_identity, GATEWAY)


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


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_database_that_is_gone_is_one_line_in_the_log_for_each_call(
    line: tuple[Line, str],
    address: str,
    population_identity: TlsIdentity,
    clock: SandboxClock,
    population: PopulationServiceStub,
    caplog: pytest.LogCaptureFixture,
) -> None:
    way, url = line
    server = PopulationServer(PopulationConfig(address, url, population_identity, GATEWAY), clock)
    add_people(server.engine)
    server.start()
    way.cut()
    for _ in range(2):
        refusal = refusal_of(population.GetCitizen, GetCitizenRequest(personal_number=DAUGHTER))
        assert (refusal.status, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    server.stop()
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    told = "/lienthong.api.population.v1.PopulationService/GetCitizen failed: its database cannot be used now ("
    assert [line.startswith(told) for line in said] == [True, True], said
    assert [line.count("\n") for line in said] == [0, 0]


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_whoever_meets_a_file_that_is_locked_or_away_may_try_again(
    server: PopulationServer, database_url: str, population: PopulationServiceStub
) -> None:
    file = Path(make_url(database_url).database or "")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        locked = refusal_of(population.UpdateResidence, MOVE)
        other.execute("ROLLBACK")
    with file_away(server.engine):
        away = refusal_of(population.GetCitizen, GetCitizenRequest(personal_number=DAUGHTER))

    assert (locked.status, locked.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert (away.status, away.reason) == (locked.status, locked.reason)
    call(population.UpdateResidence, MOVE)
    call(population.GetCitizen, GetCitizenRequest(personal_number=DAUGHTER))
