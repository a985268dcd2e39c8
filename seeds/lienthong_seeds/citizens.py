"""Making one synthetic citizen: name, number, origin, and what else the register holds of everybody."""

from datetime import date

from lienthong.api.population.v1.citizen_pb2 import (
    BLOOD_GROUP_A,
    BLOOD_GROUP_AB,
    BLOOD_GROUP_B,
    BLOOD_GROUP_O,
    BLOOD_GROUP_UNSPECIFIED,
    NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED,
    NUMBER_CHANGE_REASON_REGISTRATION_ERROR,
)
from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE, Sex
from lienthong_seeds.chance import Roll, Weighted, integer
from lienthong_seeds.names import Names
from lienthong_seeds.numbers import NumberRegister
from lienthong_seeds.people import NOBODY, CancelledNumber, Person, Relative, iso
from lienthong_seeds.places import Home, Places
from lienthong_seeds.reference import UNITS_VALID_FROM, Place, Reference, Region, read_table

YEAR = 365.2425
"""Mean length of a year, in days."""

_KINH = "Kinh"
_UNITS_VALID_FROM = date.fromisoformat(UNITS_VALID_FROM).toordinal()
_CARDS_UNTIL = date(2003, 1, 1).toordinal()
_DAYS_UNKNOWN_UNTIL = date(1960, 1, 1).toordinal()
_CORRECTIONS_BEGIN = date(2016, 1, 1).toordinal()
_BLOOD_GROUPS = Weighted(
    [
        (BLOOD_GROUP_UNSPECIFIED, 350),
        (BLOOD_GROUP_O, 275),
        (BLOOD_GROUP_B, 200),
        (BLOOD_GROUP_A, 137),
        (BLOOD_GROUP_AB, 38),
    ]
)
"""Not recorded for a third; the others as frequent as in the Vietnamese [M]."""

_HAD_CARD = 0.92
_DAY_UNKNOWN = 0.05
_NUMBER_CORRECTED = 0.001
_BORN_IN_OWN_PROVINCE = 0.8


class CitizenMaker:
    """Makes citizens up to the day `today` (proleptic ordinal)."""

    def __init__(self, roll: Roll, reference: Reference, numbers: NumberRegister, today: int) -> None:
        self._roll = roll
        self._names = Names(roll)
        self._numbers = numbers
        self._today = today
        self.places = Places(roll, reference)
        self._ethnicities = _ethnicity_tables(reference)
        self._religions = _religion_tables()

    def home(self) -> Home:
        """Return where a new household lives and what its family is like."""
        province = self.places.province()
        region = province.region
        ethnicity = self._ethnicities[province.code].pick(self._roll())
        religion = self._religions[region].pick(self._roll())
        place, origin = self.places.commune(province.code), self._other_commune(province.code)
        return Home(province, place, region, ethnicity, religion, origin, set())

    def child(self, home: Home, sex: Sex.ValueType, birth: int, surname: str) -> Person:
        """Return somebody born where the household lives, whose parents the caller records."""
        return self._citizen(home, sex, birth, surname, home.place, home.origin)

    def adult(self, home: Home, sex: Sex.ValueType, birth: int) -> Person:
        """Return somebody who came to the household; the parents have names, as outsiders of the register do."""
        surname = self._names.surname(home.ethnicity, home.region)
        origin = self._other_commune(home.province.code)
        person = self._citizen(home, sex, birth, surname, self._other_commune(home.province.code), origin)
        parents_birth = birth - int(27 * YEAR)
        father = self._names.name(surname, SEX_MALE, parents_birth)
        mother = self._names.name(self._names.surname(home.ethnicity, home.region), SEX_FEMALE, parents_birth)
        person.father, person.mother = Relative(NOBODY.number, *father), Relative(NOBODY.number, *mother)
        return person

    def _citizen(
        self, home: Home, sex: Sex.ValueType, birth: int, surname: str, commune: Place, origin: Place
    ) -> Person:
        person = Person(
            number=self._numbers.issue(sex, birth),
            name=self._names.name(surname, sex, birth, home.names),
            sex=sex,
            birth=birth,
            birth_date=iso(birth),
            ethnicity=home.ethnicity,
            religion=home.religion,
            birth_place=commune if birth >= _UNITS_VALID_FROM else self.places.former_ward(commune),
            origin=origin,
            blood_group=_BLOOD_GROUPS.pick(self._roll()),
        )
        home.names.add(person.name)
        if birth < _CARDS_UNTIL and self._roll() < _HAD_CARD:
            person.legacy_card = self._numbers.issue_legacy_card()
        if birth < _DAYS_UNKNOWN_UNTIL and self._roll() < _DAY_UNKNOWN:
            person.birth_date = person.birth_date[:4]
        if birth < _CORRECTIONS_BEGIN and self._roll() < _NUMBER_CORRECTED:
            person.former_number = self._cancelled_number(sex, birth)
        return person

    def _cancelled_number(self, sex: Sex.ValueType, birth: int) -> CancelledNumber:
        cancelled_on = iso(_CORRECTIONS_BEGIN + integer(self._roll(), self._today - _CORRECTIONS_BEGIN))
        if self._roll() < 1 / 2:
            wrong_birth = birth - int(YEAR)
            return CancelledNumber(
                self._numbers.issue(sex, wrong_birth), cancelled_on, NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED
            )
        return CancelledNumber(self._numbers.issue(sex, birth), cancelled_on, NUMBER_CHANGE_REASON_REGISTRATION_ERROR)

    def _other_commune(self, province_code: str) -> Place:
        if self._roll() < _BORN_IN_OWN_PROVINCE:
            return self.places.commune(province_code)
        return self.places.commune(self.places.province().code)


def _ethnicity_tables(reference: Reference) -> dict[str, Weighted[str]]:
    minorities: dict[str, list[tuple[str, int]]] = {province.code: [] for province in reference.provinces}
    for code, ethnicity, per_thousand, _mark in read_table("ethnicities.csv"):
        minorities[code].append((ethnicity, int(per_thousand)))
    return {
        code: Weighted([(_KINH, 1000 - sum(weight for _, weight in groups)), *groups])
        for code, groups in minorities.items()
    }


def _religion_tables() -> dict[Region, Weighted[str]]:
    rows = read_table("religions.csv")
    return {
        "north": Weighted((religion, int(north)) for religion, north, _central, _south, _mark in rows),
        "central": Weighted((religion, int(central)) for religion, _north, central, _south, _mark in rows),
        "south": Weighted((religion, int(south)) for religion, _north, _central, south, _mark in rows),
    }
