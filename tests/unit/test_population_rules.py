"""The population database's decisions: what agrees, what is well formed, who follows whom."""

import unicodedata
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lienthong.api.population.v1.citizen_pb2 import LIFE_STATUS_ALIVE, LIFE_STATUS_DECEASED, LIFE_STATUS_MISSING
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong_core.errors import Refusal
from lienthong_services.population.residence_rules import Resident, check_not_future, last_day_before, next_head
from lienthong_services.population.rules import check_cursor, check_page_size, date_text, same_birth_date, same_text

TONES = "\u0300\u0301\u0303\u0309\u0323"
GLIDES = ["oa", "oe", "uy"]
SYLLABLES = [
    *("Nguyễn", "Trần", "Lê", "Đỗ", "Đặng", "Vũ", "Hoàng", "Thị", "Văn", "Hữu", "Ngọc", "Hòa", "Thúy", "Khỏe", "Đức"),
    *("Ượng", "Ơn", "Ý", "Nhã", "Ksor", "H'Hen", "Niê", "Y", "Blô", "Sùng", "A", "Ửu"),
]
names = st.lists(st.sampled_from(SYLLABLES), min_size=1, max_size=6).map(" ".join)
days = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 12, 31))


@given(names)
def test_a_name_agrees_with_itself_in_every_spelling_of_it(name: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        spelled = unicodedata.normalize(form, name)
        for written in (spelled, spelled.upper(), spelled.lower(), f"  {spelled.replace(' ', '   ')}\u00a0"):
            assert same_text(written, name)


@given(st.text(), st.text())
def test_agreement_of_any_texts_is_reflexive_and_symmetric(one: str, other: str) -> None:
    assert same_text(one, one)
    assert same_text(one, other) == same_text(other, one)


@given(names, names)
def test_names_of_other_letters_do_not_agree(one: str, other: str) -> None:
    def letters(name: str) -> str:
        plain = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
        return "".join(c for c in plain if not unicodedata.combining(c)).lower()

    assert same_text(one, other) == (letters(one) == letters(other))


@given(st.sampled_from(["H", "Th", "Kh", "Q"]), st.sampled_from(GLIDES), st.sampled_from(TONES))
def test_the_tone_may_stand_on_either_vowel(onset: str, vowels: str, tone: str) -> None:
    older, newer = onset + vowels[0] + tone + vowels[1], onset + vowels + tone
    assert same_text(unicodedata.normalize("NFC", older), unicodedata.normalize("NFC", newer))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hòa", "Hoà"), ("Thúy", "Thuý"), ("Hòa", "HOA"), ("Đỗ", "DO"), ("đỗ", "Do"), ("Ðỗ", "Đỗ"), ("Ương", "uong")],
)
def test_names_agree_whatever_their_case_their_diacritics_and_the_place_of_the_tone(one: str, other: str) -> None:
    assert same_text(one, other)


@pytest.mark.parametrize(("one", "other"), [("Hòa", "Hào"), ("Lê Đào", "LêĐào"), ("Đào", "Tào"), ("", "A")])
def test_names_of_other_letters_or_words_do_not_agree(one: str, other: str) -> None:
    assert not same_text(one, other)


@given(days, st.sampled_from([4, 7, 10]), st.sampled_from([4, 7, 10]))
def test_a_date_agrees_with_every_shortening_of_itself(day: date, one: int, other: int) -> None:
    assert same_birth_date(day.isoformat()[:one], day.isoformat()[:other])


@given(days, days)
def test_two_days_agree_only_if_they_are_one(one: date, other: date) -> None:
    assert same_birth_date(one.isoformat(), other.isoformat()) == (one == other)
    assert same_birth_date(f"{one.year:04}", other.isoformat()) == (one.year == other.year)


@given(days, st.sampled_from([4, 7, 10]))
def test_a_date_is_kept_as_far_as_it_is_known(day: date, known: int) -> None:
    given_date = PartialDate(year=day.year, month=day.month if known > 4 else 0, day=day.day if known > 7 else 0)
    assert date_text(given_date, "birth_date") == day.isoformat()[:known]


@settings(max_examples=400)
@given(st.integers(-1, 10_001), st.integers(-1, 13), st.integers(-1, 32))
def test_an_impossible_date_is_refused_and_no_other(year: int, month: int, day: int) -> None:
    stated = PartialDate(year=year, month=month, day=day)
    partly_known = 1 <= year <= 9999 and day == 0 and 0 <= month <= 12
    if partly_known or is_a_day(year, month, day):
        assert date_text(stated, "birth_date").startswith(f"{year:04}")
    else:
        with pytest.raises(Refusal, match="DATE_INVALID: birth_date"):
            date_text(stated, "birth_date")


def is_a_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


@given(days, days)
def test_a_residence_ends_before_its_successor_begins_but_never_before_itself(began: date, successor: date) -> None:
    assume(began <= successor)
    until = date.fromisoformat(last_day_before(successor.isoformat(), began.isoformat()))
    assert until == max(began, successor - timedelta(days=1))


@given(days, st.sampled_from([4, 7]))
def test_a_residence_known_by_its_year_may_be_replaced_within_it(successor: date, known: int) -> None:
    assert last_day_before(successor.isoformat(), successor.isoformat()[:known])


def test_a_residence_cannot_be_replaced_by_an_earlier_one() -> None:
    with pytest.raises(Refusal, match="RESIDENCE_OUT_OF_ORDER"):
        last_day_before("2026-01-01", "2026-01-02")


def test_the_day_changes_at_midnight_in_vietnam() -> None:
    check_not_future("2026-11-22", datetime(2026, 11, 21, 17, tzinfo=UTC))
    with pytest.raises(Refusal, match="DATE_INVALID"):
        check_not_future("2026-11-22", datetime(2026, 11, 21, 16, 59, 59, tzinfo=UTC))


def test_the_oldest_of_the_living_heads_a_household_next() -> None:
    members = [
        Resident(1, "1930", LIFE_STATUS_DECEASED),
        Resident(2, "1940", LIFE_STATUS_MISSING),
        Resident(3, "1970-05-01", LIFE_STATUS_ALIVE),
        Resident(4, "1969", LIFE_STATUS_ALIVE),
    ]
    assert next_head(members) == 4
    assert next_head(members[:2]) == 1


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_cursor_goes_on_where_it_was_given_unless_the_register_is_another(after: int, last_change: int) -> None:
    if after <= last_change:
        assert check_cursor(str(after), last_change) == after
    else:
        with pytest.raises(Refusal, match="CURSOR_INVALID"):
            check_cursor(str(after), last_change)


def test_a_page_has_a_size_of_its_own_unless_asked() -> None:
    assert [check_page_size(size) for size in (0, 1, 1_000)] == [100, 1, 1_000]
