"""The synthetic population: the same people for the same seed."""

import itertools
from collections.abc import Callable
from datetime import date
from random import Random

from lienthong_seeds.accounts import AccountMaker
from lienthong_seeds.citizens import CitizenMaker
from lienthong_seeds.households import HouseholdMaker
from lienthong_seeds.numbers import NumberRegister
from lienthong_seeds.people import household_number
from lienthong_seeds.persona_families import FIRST_OTHER_HOUSEHOLD, persona_households
from lienthong_seeds.reference import read_reference
from lienthong_seeds.residences import ResidenceMaker
from lienthong_seeds.rows import Population, PopulationWriter

REFERENCE_DATE = date(2026, 7, 1)
"""The day as of which people are made unless another is asked for; the personas' stories end before it."""

MOST_CITIZENS = 1_000_000
"""Beyond it the synthetic nine-digit card numbers would run out."""

Progress = Callable[[int], None]
"""Called now and then with how many citizens are done."""

_PROGRESS_EVERY = 10_000


def generate(
    seed: int, count: int, reference_date: date = REFERENCE_DATE, progress: Progress | None = None
) -> Population:
    """Make `count` citizens as they are on `reference_date`, the personas among them.

    The same seed and date give the same people on every machine and Python. The personas and their families come
    first and are the same whatever the seed; a `count` below theirs gives them alone.
    Raises ValueError for a date before REFERENCE_DATE and for more than MOST_CITIZENS.
    """
    _check(count, reference_date)
    roll = Random(seed).random
    reference = read_reference()
    numbers = NumberRegister(roll)
    writer = PopulationWriter(roll, reference_date)
    writer.add_units(reference)
    for household in persona_households(reference, numbers):
        writer.add(household)

    citizens = CitizenMaker(roll, reference, numbers, reference_date.toordinal())
    households = HouseholdMaker(roll, citizens, reference_date)
    residences = ResidenceMaker(roll, citizens.places, reference_date)
    accounts = AccountMaker(roll, reference_date)
    made = writer.population.citizens
    reported = len(made)
    for serial in itertools.count(FIRST_OTHER_HOUSEHOLD):
        if len(made) >= count:
            break
        household, home = households.household(household_number(serial), count - len(made))
        residences.settle(household, home)
        for person, _relation in household.members:
            person.account = accounts.account(person)
        writer.add(household)
        if progress is not None and len(made) >= reported + _PROGRESS_EVERY:
            reported = len(made)
            progress(reported)
    return writer.population


def _check(count: int, reference_date: date) -> None:
    if count > MOST_CITIZENS:
        message = f"{count:,} citizens are more than {MOST_CITIZENS:,}: ask for fewer."
        raise ValueError(message)
    if reference_date < REFERENCE_DATE:
        message = f"The personas' stories end by {REFERENCE_DATE}: make the population as of that day or a later one."
        raise ValueError(message)
