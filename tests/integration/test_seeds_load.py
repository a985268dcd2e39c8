"""A synthetic population in real databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col

from lienthong_core.clock import SandboxClock
from lienthong_core.database import open_database
from lienthong_core.ports import reserved_port
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import SERVICES, Listen, Service, Setting
from lienthong_sandbox.world import World
from lienthong_seeds.load import load_accounts, load_population, registered_datasets
from lienthong_seeds.personas import persona
from lienthong_seeds.population import generate
from lienthong_seeds.rows import Population
from lienthong_services.identity.model import SCHEMA_VERSION as IDENTITY_VERSION
from lienthong_services.identity.model import Account, IdentityTable
from lienthong_services.population.model import SCHEMA_VERSION as POPULATION_VERSION
from lienthong_services.population.model import (
    AdministrativeUnit,
    Change,
    Citizen,
    FormerNumber,
    Household,
    PopulationTable,
    Residence,
)

TODAY = date(2026, 11, 21)
REPLICAS = 3
TIMEOUT_S = 30.0
HASH = "scrypt$4096$8$1$c2FsdA==$J2hhc2gl"


@pytest.fixture(scope="module")
def population() -> Population:
    return generate(5, 400, TODAY)


@pytest.fixture
def register(new_database: Callable[[], str]) -> Iterator[Engine]:
    engine = open_database(new_database(), PopulationTable.metadata, version=POPULATION_VERSION)
    yield engine
    engine.dispose()


@pytest.fixture
def provider(new_database: Callable[[], str]) -> Iterator[Engine]:
    engine = open_database(new_database(), IdentityTable.metadata, version=IDENTITY_VERSION)
    yield engine
    engine.dispose()


def count(engine: Engine, table: type[SQLModel]) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def find(session: Session, key: str) -> Citizen:
    number = persona(key).personal_number
    return session.scalars(select(Citizen).filter_by(personal_number=number)).one()


def test_everything_that_was_made_is_stored(register: Engine, population: Population) -> None:
    load_population(register, population)
    assert count(register, Citizen) == count(register, Change) == 400
    assert count(register, Household) == len(population.households)
    assert count(register, Residence) == len(population.residences)
    assert count(register, FormerNumber) == len(population.former_numbers) >= 1
    assert count(register, AdministrativeUnit) == 34 + 3321


def test_a_stored_persona_reads_back_field_by_field(register: Engine, population: Population) -> None:
    load_population(register, population)
    with Session(register) as session:
        mai = find(session, "nguyen-thi-mai")
        assert (mai.surname, mai.middle_name, mai.given_name) == ("Nguyễn", "Thị", "Mai")
        assert (mai.birth_date, mai.sex, mai.nationality, mai.ethnicity) == ("1990-03-15", 2, "VN", "Kinh")
        assert (mai.birth_province_code, mai.birth_country, mai.origin_commune_code) == ("01", "VN", "00004")
        assert (mai.household_number, mai.relation_to_head) == ("H000000001", "Vợ")
        assert (mai.father_number, mai.father_given_name, mai.mother_given_name) == ("", "Thiện", "Tươi")
        assert mai.spouse_given_name == "Khôi"
        assert (mai.life_status, mai.life_status_date) == (1, "")
        residence = session.scalars(select(Residence).filter_by(citizen_id=mai.citizen_id)).one()
        assert (residence.commune_name, residence.district_code) == ("Phường Ba Đình", "")
        assert (residence.country, residence.from_date, residence.until_date) == ("VN", "2014-06-20", "")


def test_a_cancelled_number_leads_to_its_citizen(register: Engine, population: Population) -> None:
    load_population(register, population)
    with Session(register) as session:
        former = session.get_one(FormerNumber, persona("ngo-quang-lich").former_number)
        assert former.citizen_id == find(session, "ngo-quang-lich").citizen_id
        assert former.cancelled_on == "2024-10-03"


def test_registration_is_the_first_change_of_each_citizen(register: Engine, population: Population) -> None:
    load_population(register, population)
    with Session(register) as session:
        changes = session.scalars(select(Change).order_by(col(Change.change_number))).all()
    assert [(change.change_number, change.citizen_id) for change in changes] == [(n, n) for n in range(1, 401)]
    assert {change.changed_at.isoformat()[:19] for change in changes} == {"2026-11-21T00:00:00"}
    assert {change.datasets for change in changes} == {",".join(registered_datasets())}
    assert {"identity.basic", "residence", "health.blood_group"} <= set(registered_datasets())


def test_the_database_gives_the_next_keys_itself(register: Engine, population: Population) -> None:
    load_population(register, population)
    with Session(register) as session:
        change = Change(citizen_id=1, datasets="residence", changed_at=population.made_at)
        session.add(change)
        session.commit()
        assert change.change_number == 401


def test_every_account_is_stored_with_the_one_passcode_hash(provider: Engine, population: Population) -> None:
    load_accounts(provider, population, HASH)
    with Session(provider) as session:
        accounts = session.scalars(select(Account)).all()
        mai = session.get_one(Account, persona("nguyen-thi-mai").personal_number)
    assert len(accounts) == len(population.accounts)
    assert {account.passcode_hash for account in accounts} == {HASH}
    assert (mai.full_name, mai.level, mai.state, mai.kind) == ("Nguyễn Thị Mai", 2, 2, 1)
    assert mai.state_changed_at.isoformat().startswith("2024-03-01T00:00:00")


def test_who_has_no_account_is_not_at_the_provider(provider: Engine, population: Population) -> None:
    load_accounts(provider, population, HASH)
    with Session(provider) as session:
        assert session.get(Account, persona("vo-thi-lanh").personal_number) is None


def test_loading_a_second_time_is_refused_and_stores_nothing(
    register: Engine, provider: Engine, population: Population
) -> None:
    load_population(register, population)
    load_accounts(provider, population, HASH)
    with pytest.raises(IntegrityError):
        load_population(register, population)
    with pytest.raises(IntegrityError):
        load_accounts(provider, population, HASH)
    assert count(register, Citizen) == 400
    assert count(provider, Account) == len(population.accounts)


def test_a_load_that_fails_late_stores_nothing(register: Engine, population: Population) -> None:
    broken = generate(5, 400, TODAY)
    broken.administrative_units.append(population.administrative_units[0])
    with pytest.raises(IntegrityError):
        load_population(register, broken)
    assert [count(register, table) for table in (Citizen, Residence, AdministrativeUnit, Change)] == [0, 0, 0, 0]


def test_progress_is_told_until_all_rows_are_stored(register: Engine, population: Population) -> None:
    told: list[int] = []
    load_population(register, population, told.append)
    tables = (Citizen, FormerNumber, Household, Residence, AdministrativeUnit, Change)
    assert told == sorted(told)
    assert told[-1] == sum(count(register, table) for table in tables)


@pytest.mark.parametrize("service", SERVICES, ids=[service.name for service in SERVICES])
@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_replicas_that_start_at_once_fill_their_database_once(
    service: Service, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    world.create("https://127.0.0.1:1")
    urls = {each.name: "https://127.0.0.1:1" for each in SERVICES}
    setting = Setting(world, Endpoints({each.name: "127.0.0.1:1" for each in SERVICES}, urls), SandboxClock())
    together = threading.Barrier(REPLICAS)

    def start(undo: ExitStack) -> None:
        port, web_port = (undo.enter_context(reserved_port("127.0.0.1")) for _ in range(2))
        server = service.make(setting, Listen(f"127.0.0.1:{port}", "127.0.0.1", web_port, database_url))
        undo.callback(server.stop)
        together.wait(TIMEOUT_S)
        Filling(1, 1_000).fill(server, setting)
        server.start()

    with ExitStack() as undo, ThreadPoolExecutor(REPLICAS) as pool:
        for started in [pool.submit(start, undo) for _ in range(REPLICAS)]:
            started.result(TIMEOUT_S)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
