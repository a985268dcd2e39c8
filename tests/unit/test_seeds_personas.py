"""The personas are the same in every world, and each is what it was made for."""

import unicodedata
from datetime import date
from pathlib import Path

import pytest

from lienthong.api.identity.v1.identity_pb2 import (
    ACCOUNT_KIND_FOREIGNER,
    ACCOUNT_STATE_ACTIVE,
    ACCOUNT_STATE_LOCKED,
)
from lienthong.api.population.v1.citizen_pb2 import (
    LIFE_STATUS_DECEASED,
    LIFE_STATUS_MISSING,
    MARITAL_STATUS_MARRIED,
    NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
)
from lienthong_seeds.numbers import NumberRegister, personal_number
from lienthong_seeds.people import Household, Person
from lienthong_seeds.persona_families import FIRST_OTHER_HOUSEHOLD, persona_households
from lienthong_seeds.personas import PERSONAS, Persona, persona
from lienthong_seeds.personas_page import page
from lienthong_seeds.population import REFERENCE_DATE, generate
from lienthong_seeds.reference import read_reference
from lienthong_seeds.rows import Row

PAGE = Path(__file__).parents[2] / "docs" / "personas.md"


def no_roll() -> float:
    pytest.fail("personas are not drawn")


@pytest.fixture(scope="module")
def households() -> list[Household]:
    return persona_households(read_reference(), NumberRegister(no_roll))


@pytest.fixture(scope="module")
def people(households: list[Household]) -> dict[str, Person]:
    everybody = [member.person for household in households for member in household.members]
    everybody += [person for household in households for person in household.outside]
    return {person.number: person for person in everybody}


def citizen(people: dict[str, Person], key: str) -> Person:
    return people[persona(key).personal_number]


def home(households: list[Household], key: str) -> Household:
    return next(household for household in households if household.number == persona(key).household_number)


def key_of(full_name: str) -> str:
    decomposed = unicodedata.normalize("NFD", full_name.lower().replace("đ", "d").replace("'", ""))
    return "-".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


@pytest.mark.parametrize("role", PERSONAS, ids=lambda role: role.key)
def test_a_persona_is_in_the_register_as_she_is_described(role: Persona, people: dict[str, Person]) -> None:
    person = people[role.personal_number]
    assert (person.name.full, person.birth_date, person.sex) == (role.full_name, role.birth_date, role.sex)
    assert role.personal_number == personal_number(role.sex, int(role.birth_date[:4]), int(role.personal_number[-6:]))
    assert role.key == key_of(role.full_name)
    assert unicodedata.is_normalized("NFC", role.full_name + role.case_vi)
    assert (person.former_number.number if person.former_number else "") == role.former_number
    if role.account_level is None:
        assert person.account is None
        assert role.account_state is None
    else:
        assert person.account is not None
        state = {ACCOUNT_STATE_ACTIVE: "active", ACCOUNT_STATE_LOCKED: "locked"}[person.account.state]
        assert (person.account.level, state) == (role.account_level, role.account_state)


@pytest.mark.parametrize("role", PERSONAS, ids=lambda role: role.key)
def test_a_persona_lives_in_the_household_she_is_said_to(role: Persona, households: list[Household]) -> None:
    homes = [
        household.number
        for household in households
        if role.personal_number in {member.person.number for member in household.members}
    ]
    assert homes == ([role.household_number] if role.household_number else [])


def test_the_cards_of_personas_are_none_that_others_get(people: dict[str, Person]) -> None:
    cards = [person.legacy_card for person in people.values() if person.legacy_card]
    assert len(set(cards)) == len(cards) > 0
    assert all("000999000" <= card <= "000999999" for card in cards)


def test_keys_and_numbers_of_personas_are_unique() -> None:
    assert len(PERSONAS) >= 15
    assert len({role.key for role in PERSONAS}) == len({role.personal_number for role in PERSONAS}) == len(PERSONAS)


def test_personas_and_their_families_are_the_same_whatever_the_seed_and_size() -> None:
    def families(seed: int, count: int, today: date) -> list[Row]:
        return generate(seed, count, today).citizens[:smallest]

    smallest = len(generate(0, 0).citizens)
    assert families(1, 0, REFERENCE_DATE) == families(99, 700, date(2031, 2, 28))


def test_other_households_are_numbered_after_the_personas(households: list[Household]) -> None:
    assert all(int(household.number[1:]) < FIRST_OTHER_HOUSEHOLD for household in households)


def test_an_unknown_key_is_answered_with_the_keys_there_are() -> None:
    with pytest.raises(KeyError, match="nguyen-thi-mai"):
        persona("nobody")


def test_mai_lives_with_husband_and_two_children_under_age(
    people: dict[str, Person], households: list[Household]
) -> None:
    mai = citizen(people, "nguyen-thi-mai")
    members = [member.relation for member in home(households, "nguyen-thi-mai").members]
    assert members == ["Chủ hộ", "Vợ", "Con đẻ", "Con đẻ"]
    assert people[mai.spouse.number].spouse == mai.as_relative()


def test_the_child_is_represented_by_her_mother(people: dict[str, Person]) -> None:
    child = citizen(people, "le-gia-han")
    assert child.representative == child.mother
    assert child.mother.number in people


def test_the_large_household_has_four_generations(households: list[Household]) -> None:
    relations = [member.relation for member in home(households, "huynh-van-phuoc").members]
    assert len(relations) >= 8
    assert {"Chủ hộ", "Mẹ đẻ", "Con đẻ", "Cháu nội"} <= set(relations)


def test_the_deceased_and_the_missing_say_so(people: dict[str, Person]) -> None:
    deceased, missing = citizen(people, "dang-dinh-tho"), citizen(people, "bui-thi-nga")
    assert (deceased.life_status, missing.life_status) == (LIFE_STATUS_DECEASED, LIFE_STATUS_MISSING)
    husband = people[missing.spouse.number]
    assert husband.marital_status == MARITAL_STATUS_MARRIED
    assert husband.spouse == missing.as_relative()


def test_one_name_keeps_a_combining_mark_in_nfc(people: dict[str, Person]) -> None:
    assert any(unicodedata.combining(letter) for letter in citizen(people, "h-blok-enuol").name.full)
    assert citizen(people, "do-thuy-hoa").name.given == "Hoà"


def test_the_reissued_number_was_cancelled_for_a_wrong_year(people: dict[str, Person]) -> None:
    former = citizen(people, "ngo-quang-lich").former_number
    assert former is not None
    assert former.reason == NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED


def test_the_merger_changed_the_address_and_not_the_house(people: dict[str, Person]) -> None:
    before, now = citizen(people, "truong-bich-loc").stays
    assert (before.place.province_name, before.place.district_name) == ("Tỉnh Bình Dương", "Thành phố Thuận An")
    assert (now.place.province_name, now.place.district_name) == ("Thành phố Hồ Chí Minh", "")
    assert before.detail == now.detail
    assert (before.until, now.since) == ("2025-06-30", "2025-07-01")


def test_the_foreigner_has_a_residence_card_and_only_a_temporary_residence(people: dict[str, Person]) -> None:
    anna = citizen(people, "lindqvist-anna-karin")
    assert anna.nationality == "SE"
    assert anna.residence_card
    assert anna.legacy_card == ""
    assert [stay.kind for stay in anna.stays] == [RESIDENCE_KIND_TEMPORARY]
    number = anna.number
    accounts = generate(0, 0).accounts
    assert [account[2] for account in accounts if account[0] == number] == [ACCOUNT_KIND_FOREIGNER]


def test_the_temporary_resident_is_away_from_her_parents_province(people: dict[str, Person]) -> None:
    permanent, temporary = citizen(people, "phan-thi-kim-loan").stays
    assert (permanent.kind, temporary.kind) == (RESIDENCE_KIND_PERMANENT, RESIDENCE_KIND_TEMPORARY)
    assert permanent.place.province_code != temporary.place.province_code


def test_the_page_about_the_personas_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m lienthong_seeds.personas_page > docs/personas.md"
