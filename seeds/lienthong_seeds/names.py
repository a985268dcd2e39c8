"""Names by region, generation, sex and ethnic group, drawn from frequency tables (`data/NOTICE.md`)."""

from collections.abc import Set as AbstractSet
from datetime import date
from typing import NamedTuple

from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE
from lienthong_seeds.chance import Roll, Weighted
from lienthong_seeds.reference import Region, read_table

_SEXES = {"male": SEX_MALE, "female": SEX_FEMALE}
_REGIONS: tuple[Region, ...] = ("north", "central", "south")
_GENERATIONS_BEGIN = (date(1965, 1, 1).toordinal(), date(1995, 1, 1).toordinal())


class Name(NamedTuple):
    """A name as the register splits it; a middle name may have several words or none."""

    surname: str
    middle: str
    given: str

    @property
    def full(self) -> str:
        """The whole name in its usual order."""
        return f"{self.surname} {self.middle} {self.given}" if self.middle else f"{self.surname} {self.given}"


class Names:
    """Draws names."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._surnames = _surname_tables()
        self._middle_names = _generation_tables("middle_names.csv")
        self._given_names = _generation_tables("given_names.csv")

    def surname(self, ethnicity: str, region: Region) -> str:
        """Return a surname of the ethnic group, as frequent as it is in the region."""
        return self._surnames[ethnicity, region].pick(self._roll())

    def name(self, surname: str, sex: int, birth: int, taken: AbstractSet[Name] = frozenset()) -> Name:
        """Return a name with that surname, none of those `taken`, for who was born on the day `birth` (ordinal)."""
        first, second = _GENERATIONS_BEGIN
        generation = 0 if birth < first else 1 if birth < second else 2
        middle = self._middle_names[sex, generation].pick(self._roll())
        given_names = self._given_names[sex, generation]
        while middle.endswith(given := given_names.pick(self._roll())) or Name(surname, middle, given) in taken:
            pass
        return Name(surname, middle, given)


def _surname_tables() -> dict[tuple[str, Region], Weighted[str]]:
    weights: dict[tuple[str, Region], list[tuple[str, int]]] = {}
    for ethnicity, surname, north, central, south, _mark in read_table("surnames.csv"):
        for region, weight in zip(_REGIONS, (north, central, south), strict=True):
            weights.setdefault((ethnicity, region), []).append((surname, int(weight)))
    return {key: Weighted(pairs) for key, pairs in weights.items()}


def _generation_tables(table: str) -> dict[tuple[int, int], Weighted[str]]:
    weights: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for sex, name, *by_generation, _mark in read_table(table):
        for generation, weight in enumerate(by_generation):
            weights.setdefault((_SEXES[sex], generation), []).append((name, int(weight)))
    return {key: Weighted(pairs) for key, pairs in weights.items()}
