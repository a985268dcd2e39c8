"""The reference tables are whole, and drawing from them is fair and never gives a number twice."""

import unicodedata
from importlib.resources import files
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE
from lienthong_seeds.chance import Roll, Weighted, integer
from lienthong_seeds.names import Names
from lienthong_seeds.numbers import NumberRegister, personal_number
from lienthong_seeds.reference import read_communes, read_reference, read_table

ROLLS = st.floats(0, 1, exclude_max=True)
DATA = files("lienthong_seeds") / "data"
FIRST_PERSONA_CARD = "000999000"


def rolls() -> Roll:
    return Random(1).random  # noqa: S311 (the same draws in every run are meant)


def test_there_are_34_provinces_and_3321_communes() -> None:
    reference = read_reference()
    assert (len(reference.provinces), len(reference.communes)) == (34, 3321)
    provinces = {province.code for province in reference.provinces}
    assert {place.province_code for place in reference.communes.values()} == provinces


def test_all_but_the_island_districts_were_made_of_wards() -> None:
    reference = read_reference()
    without = [p.commune_name for code, p in reference.communes.items() if not reference.former_wards.have(code)]
    assert len(without) == 5
    assert all(name.startswith("Đặc khu") for name in without)


REFERENCE = read_reference()


@given(st.sampled_from(sorted(REFERENCE.communes)), ROLLS)
def test_a_former_ward_has_a_district_and_went_into_the_commune(commune: str, roll: float) -> None:
    wards = REFERENCE.former_wards
    if wards.have(commune):
        ward = wards.of(commune, roll)
        assert ward.district_code
        assert wards.named(commune, ward.commune_code) == ward


def test_every_table_is_nfc_and_its_source_is_told() -> None:
    notice = (DATA / "NOTICE.md").read_text(encoding="utf-8")
    assert "MIT License" in notice
    for table in DATA.iterdir():
        assert unicodedata.is_normalized("NFC", table.read_text(encoding="utf-8"))
        assert table.name == "NOTICE.md" or f"`{table.name}`" in notice


def test_every_ethnic_group_has_surnames_in_every_region() -> None:
    names = Names(rolls())
    for ethnicity in {row[1] for row in read_table("ethnicities.csv")} | {"Kinh"}:
        for region in ("north", "central", "south"):
            assert names.surname(ethnicity, region)


def test_kinh_surnames_differ_by_region() -> None:
    names = Names(rolls())
    north = [names.surname("Kinh", "north") for _ in range(4_000)]
    south = [names.surname("Kinh", "south") for _ in range(4_000)]
    assert north.count("Vũ") > 2 * south.count("Vũ")
    assert south.count("Huỳnh") > 10 * north.count("Huỳnh")


@given(st.dictionaries(st.integers(), st.integers(0, 50), min_size=1).filter(lambda w: any(w.values())), ROLLS)
def test_a_draw_gives_something_that_weighs(weights: dict[int, int], roll: float) -> None:
    assert weights[Weighted(weights.items()).pick(roll)] > 0


@given(ROLLS, st.integers(1, 1 << 48))
def test_a_drawn_integer_is_below_its_limit(roll: float, below: int) -> None:
    assert 0 <= integer(roll, below) < below


@pytest.mark.parametrize(
    ("sex", "birth_year", "number"),
    [
        (SEX_MALE, 1999, "099099000042"),
        (SEX_FEMALE, 1900, "099100000042"),
        (SEX_MALE, 2000, "099200000042"),
        (SEX_FEMALE, 2026, "099326000042"),
        (SEX_FEMALE, 2101, "099501000042"),
    ],
)
def test_the_fourth_digit_says_century_and_sex(sex: int, birth_year: int, number: str) -> None:
    assert personal_number(SEX_MALE if sex == SEX_MALE else SEX_FEMALE, birth_year, 42) == number


def test_a_reserved_number_is_not_issued() -> None:
    drawn = iter([0.000042, 0.000043])
    register = NumberRegister(lambda: next(drawn))
    register.reserve("099100000042")
    assert register.issue(SEX_FEMALE, birth=693_596) == "099100000043"


def test_an_issued_number_is_not_issued_again() -> None:
    drawn = iter([0.000042, 0.000042, 0.000043])
    register = NumberRegister(lambda: next(drawn))
    assert register.issue(SEX_FEMALE, birth=693_596) == "099100000042"
    assert register.issue(SEX_FEMALE, birth=693_596) == "099100000043"


def test_half_a_million_legacy_cards_are_all_different() -> None:
    register = NumberRegister(rolls())
    cards = {register.issue_legacy_card() for _ in range(500_000)}
    assert len(cards) == 500_000
    assert max(cards) < FIRST_PERSONA_CARD


def test_the_portal_is_given_the_communes_that_the_register_is_filled_with() -> None:
    assert read_communes() == REFERENCE.communes
