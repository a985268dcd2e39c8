"""Making a population: how many, of which seed, as of which day."""

from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong_seeds.personas import PERSONAS
from lienthong_seeds.population import MOST_CITIZENS, REFERENCE_DATE, generate

TODAY = date(2026, 11, 21)
SMALLEST = len(generate(0, 0, TODAY).citizens)


@settings(max_examples=8)
@given(st.integers(0, 2**63), st.integers(SMALLEST, 300))
def test_the_same_seed_makes_the_same_people(seed: int, count: int) -> None:
    assert generate(seed, count, TODAY) == generate(seed, count, TODAY)


def test_the_people_of_a_seed_are_the_same_on_every_python() -> None:
    population = generate(7, 500, TODAY)
    rows = (population.citizens, population.residences, population.accounts, population.former_numbers)
    digest = sha256(repr(rows).encode()).hexdigest()
    # Other people than before for the same seed are a change that users notice: put it into the changelog.
    assert digest == "01cce740ed7f211df6101385341b5f098d4a757f249e5b0b39323a40f46d02af"


def test_a_population_has_as_many_citizens_as_asked_for() -> None:
    assert [len(generate(3, count).citizens) for count in (SMALLEST, 61, 500)] == [SMALLEST, 61, 500]


def test_too_few_citizens_are_the_personas_and_their_families() -> None:
    assert len(generate(3, 1).citizens) == SMALLEST > len(PERSONAS)


def test_another_seed_makes_other_people() -> None:
    assert generate(1, 200).citizens[SMALLEST:] != generate(2, 200).citizens[SMALLEST:]


def test_more_citizens_than_there_are_card_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        generate(1, MOST_CITIZENS + 1)


def test_a_day_before_the_personas_stories_end_is_refused() -> None:
    with pytest.raises(ValueError, match=str(REFERENCE_DATE)):
        generate(1, 100, date(2025, 1, 1))


def test_progress_is_told_while_people_are_made() -> None:
    told: list[int] = []
    generate(1, 30_000, progress=told.append)
    assert len(told) == 2
    assert told == sorted(told)
