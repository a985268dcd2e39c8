"""What holds for every synthetic population, whatever its seed and size."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.api.identity.v1.identity_pb2 import ACCOUNT_STATE_ACTIVE, ACCOUNT_STATE_LOCKED
from lienthong.api.population.v1.citizen_pb2 import (
    LIFE_STATUS_ALIVE,
    LIFE_STATUS_DECEASED,
    MARITAL_STATUS_MARRIED,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
)
from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE
from lienthong_seeds.population import REFERENCE_DATE, generate
from lienthong_seeds.rows import Population
from lienthong_services.identity.model import IdentityTable
from lienthong_services.population.model import PopulationTable

Record = Mapping[str, Any]

TODAY = date(2026, 11, 21)
SMALLEST = len(generate(0, 0, TODAY).citizens)
populations = st.builds(generate, st.integers(0, 2**63), st.integers(SMALLEST, 400), st.just(TODAY))
any_population = settings(max_examples=15)


def records(population: Population, table: str, *, left_out: str = "") -> list[Record]:
    metadata = IdentityTable.metadata if table == "account" else PopulationTable.metadata
    columns = [column.name for column in metadata.tables[table].columns if column.name != left_out]
    rows = {
        "citizen": population.citizens,
        "household": population.households,
        "residence": population.residences,
        "formernumber": population.former_numbers,
        "administrativeunit": population.administrative_units,
        "account": population.accounts,
    }[table]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def citizens(population: Population) -> list[Record]:
    return records(population, "citizen")


def by_number(population: Population) -> dict[str, Record]:
    return {citizen["personal_number"]: citizen for citizen in citizens(population)}


def year(text: str) -> int:
    return int(text[:4])


def age(birth_date: str) -> int:
    born = date.fromisoformat(birth_date if "-" in birth_date else f"{birth_date}-07-01")
    return TODAY.year - born.year - ((TODAY.month, TODAY.day) < (born.month, born.day))


@any_population
@given(populations)
def test_a_number_says_sex_century_and_year_under_a_prefix_no_province_had(population: Population) -> None:
    for citizen in citizens(population):
        number, born = citizen["personal_number"], year(citizen["birth_date"])
        assert re.fullmatch(r"099\d{9}", number)
        assert int(number[3]) == 2 * (born // 100 - 19) + (0 if citizen["sex"] == SEX_MALE else 1)
        assert int(number[4:6]) == born % 100


@any_population
@given(populations)
def test_no_number_is_given_twice(population: Population) -> None:
    numbers = [citizen["personal_number"] for citizen in citizens(population)]
    numbers += [former["personal_number"] for former in records(population, "formernumber")]
    assert max(Counter(numbers).values()) == 1
    cards = Counter(citizen["legacy_card_number"] for citizen in citizens(population))
    del cards[""]
    assert max(cards.values()) == 1
    assert all(re.fullmatch(r"000\d{6}", card) for card in cards)


@any_population
@given(populations)
def test_parents_are_at_least_sixteen_years_older_than_their_children(population: Population) -> None:
    people = by_number(population)
    for citizen in people.values():
        for parent, sex in (("father", SEX_MALE), ("mother", SEX_FEMALE)):
            if number := citizen[f"{parent}_number"]:
                assert people[number]["sex"] == sex
                assert year(citizen["birth_date"]) - year(people[number]["birth_date"]) >= 16


@any_population
@given(populations)
def test_spouses_point_at_each_other_and_are_of_age(population: Population) -> None:
    people = by_number(population)
    for citizen in people.values():
        married = citizen["marital_status"] == MARITAL_STATUS_MARRIED
        if citizen["life_status"] != LIFE_STATUS_DECEASED:
            assert bool(citizen["spouse_number"]) == married
        if citizen["spouse_number"]:
            spouse = people[citizen["spouse_number"]]
            assert spouse["spouse_number"] == citizen["personal_number"]
            assert spouse["sex"] != citizen["sex"]
            assert age(citizen["birth_date"]) >= (20 if citizen["sex"] == SEX_MALE else 18)


@any_population
@given(populations)
def test_relatives_are_named_as_their_own_records_name_them(population: Population) -> None:
    people = by_number(population)
    for citizen in people.values():
        for role in ("father", "mother", "spouse", "representative"):
            if number := citizen[f"{role}_number"]:
                for part in ("surname", "middle_name", "given_name"):
                    assert citizen[f"{role}_{part}"] == people[number][part]


@any_population
@given(populations)
def test_a_household_has_one_head_and_every_reference_to_it_resolves(population: Population) -> None:
    people = citizens(population)
    households = {household["household_number"]: household for household in records(population, "household")}
    heads = {c["household_number"]: c["citizen_id"] for c in people if c["relation_to_head"] == "Chủ hộ"}
    assert heads == {number: household["head_citizen_id"] for number, household in households.items()}
    assert sum(citizen["relation_to_head"] == "Chủ hộ" for citizen in people) == len(households)
    assert {citizen["household_number"] for citizen in people} - {""} == set(households)


def test_no_two_of_a_household_have_the_same_name() -> None:
    population = generate(20, 600, TODAY)  # in which names come up again in three households
    names = Counter(
        (citizen["household_number"], citizen["surname"], citizen["middle_name"], citizen["given_name"])
        for citizen in citizens(population)
        if citizen["household_number"]
    )
    assert [name for name, people in names.items() if people > 1] == []


@any_population
@given(populations)
def test_children_under_eighteen_are_represented_by_a_living_adult(population: Population) -> None:
    people = by_number(population)
    for citizen in people.values():
        if age(citizen["birth_date"]) < 18:
            representative = people[citizen["representative_number"]]
            assert representative["life_status"] == LIFE_STATUS_ALIVE
            assert age(representative["birth_date"]) >= 18
        else:
            assert citizen["representative_number"] == ""


@any_population
@given(populations)
def test_the_dead_and_the_missing_live_nowhere_and_the_living_have_one_permanent_residence(
    population: Population,
) -> None:
    in_force: Counter[int] = Counter()
    for residence in records(population, "residence", left_out="residence_id"):
        if not residence["until_date"]:
            in_force[residence["citizen_id"]] += residence["kind"] == RESIDENCE_KIND_PERMANENT
    for citizen in citizens(population):
        vietnamese_alive = citizen["life_status"] == LIFE_STATUS_ALIVE and citizen["nationality"] == "VN"
        assert in_force[citizen["citizen_id"]] == int(vietnamese_alive)
        assert bool(citizen["household_number"]) == vietnamese_alive


@any_population
@given(populations)
def test_the_residence_of_the_dead_ended_with_them(population: Population) -> None:
    residences = records(population, "residence", left_out="residence_id")
    ended = {(residence["citizen_id"], residence["until_date"]) for residence in residences}
    for citizen in citizens(population):
        if citizen["life_status"] == LIFE_STATUS_DECEASED:
            assert (citizen["citizen_id"], citizen["life_status_date"]) in ended


@any_population
@given(populations)
def test_addresses_are_in_the_units_of_their_time(population: Population) -> None:
    units = {unit["code"]: unit for unit in records(population, "administrativeunit")}
    for residence in records(population, "residence", left_out="residence_id"):
        assert residence["from_date"] <= (residence["until_date"] or TODAY.isoformat()) <= TODAY.isoformat()
        if residence["until_date"] and residence["until_date"] < "2025-07-01":
            assert residence["district_code"]
            assert residence["district_name"]
        else:
            assert residence["district_code"] == ""
            unit = units[residence["commune_code"]]
            assert (unit["name"], unit["province_code"]) == (residence["commune_name"], residence["province_code"])


@any_population
@given(populations)
def test_a_temporary_residence_is_in_another_province(population: Population) -> None:
    residences = records(population, "residence", left_out="residence_id")
    permanent = {
        r["citizen_id"]: r for r in residences if r["kind"] == RESIDENCE_KIND_PERMANENT and not r["until_date"]
    }
    for residence in residences:
        if residence["kind"] == RESIDENCE_KIND_TEMPORARY and residence["citizen_id"] in permanent:
            assert residence["province_code"] != permanent[residence["citizen_id"]]["province_code"]


@any_population
@given(populations)
def test_accounts_follow_the_ages_that_the_decree_sets(population: Population) -> None:
    people = by_number(population)
    accounts = records(population, "account", left_out="passcode_hash")
    assert len({account["subject"] for account in accounts}) == len(accounts)
    for account in accounts:
        citizen = people[account["personal_number"]]
        assert account["level"] == 1 or age(citizen["birth_date"]) >= 6
        assert account["birth_date"] == citizen["birth_date"]
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", account["subject"])
        assert bool(account["state_reason"]) == (account["state"] == ACCOUNT_STATE_LOCKED)
        if citizen["life_status"] != LIFE_STATUS_ALIVE:
            assert account["state"] == ACCOUNT_STATE_LOCKED


def test_the_account_of_a_child_who_has_just_turned_six_is_none_of_the_days_to_come() -> None:
    population = generate(7, 300, REFERENCE_DATE)  # with a child born on 2020-06-29 who has an account of level 2
    account = next(
        a for a in records(population, "account", left_out="passcode_hash") if a["birth_date"] == "2020-06-29"
    )
    assert account["level"] == 2
    assert account["state_changed_at"].date() <= REFERENCE_DATE


@any_population
@given(populations)
def test_every_text_is_nfc_and_no_name_is_padded(population: Population) -> None:
    for citizen in citizens(population):
        for value in citizen.values():
            if isinstance(value, str):
                assert unicodedata.is_normalized("NFC", value)
                assert value == " ".join(value.split())


def test_a_large_population_looks_like_the_country() -> None:
    population = generate(11, 6_000, TODAY)
    alive = [citizen for citizen in citizens(population) if citizen["life_status"] == LIFE_STATUS_ALIVE]
    ages = [age(citizen["birth_date"]) for citizen in alive]
    assert 0.19 < sum(a < 15 for a in ages) / len(alive) < 0.28
    assert 0.05 < sum(a >= 65 for a in ages) / len(alive) < 0.12
    assert 0.46 < sum(citizen["sex"] == SEX_MALE for citizen in alive) / len(alive) < 0.54
    assert 0.25 < sum(citizen["surname"] == "Nguyễn" for citizen in alive) / len(alive) < 0.40
    accounts = records(population, "account", left_out="passcode_hash")
    level_2 = [a for a in accounts if a["level"] == 2 and a["state"] == ACCOUNT_STATE_ACTIVE]
    assert len(level_2) > len(alive) / 2
    people = Counter(household["province_code"] for household in records(population, "household"))
    assert len(people) == 34
    assert people.most_common(2)[0][0] == "79"
