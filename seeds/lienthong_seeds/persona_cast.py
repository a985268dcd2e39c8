"""Making the personas and their relatives, with everything about them fixed."""

from collections.abc import Iterable
from datetime import date

from lienthong.api.identity.v1.identity_pb2 import ACCOUNT_STATE_ACTIVE, ACCOUNT_STATE_LOCKED
from lienthong.api.population.v1.citizen_pb2 import BLOOD_GROUP_O, RESIDENCE_KIND_PERMANENT
from lienthong.api.types.v1.types_pb2 import Sex
from lienthong_seeds.names import Name
from lienthong_seeds.numbers import NumberRegister, personal_number
from lienthong_seeds.people import NOWHERE, AccountGrant, Household, Member, Person, Stay, household_number, iso
from lienthong_seeds.personas import persona
from lienthong_seeds.reference import UNITS_VALID_FROM, Place, Reference

_ACTIVATED_ON = date(2024, 3, 1)
_ADULTS_BORN_BEFORE = "2008-07-01"
_HAD_CARD_IF_BORN_BEFORE = "2003"
_CARD_PREFIX = "000999"
"""Beyond what `NumberRegister.issue_legacy_card` gives."""


class Cast:
    """Makes the people of the personas' households and keeps their numbers from being issued again."""

    def __init__(self, reference: Reference, numbers: NumberRegister) -> None:
        self._reference = reference
        self._numbers = numbers

    def commune(self, code: str) -> Place:
        """Return one of today's communes."""
        return self._reference.communes[code]

    def persona(self, key: str, *, locked_on: date | None = None, why: str = "") -> Person:
        """Return the persona's citizen, with her account; `locked_on` and `why` are of a locked one."""
        role = persona(key)
        person = self._person(role.personal_number, role.full_name, role.sex, role.birth_date)
        if role.former_number:
            self._numbers.reserve(role.former_number)
        if role.account_level is not None:
            state = ACCOUNT_STATE_LOCKED if locked_on is not None else ACCOUNT_STATE_ACTIVE
            person.account = AccountGrant(role.account_level, state, locked_on or _ACTIVATED_ON, why)
        return person

    def relative(self, full_name: str, sex: Sex.ValueType, birth_date: str, serial: int) -> Person:
        """Return a persona's relative, whose number ends in `serial`; adults have an account of level 2."""
        number = personal_number(sex, int(birth_date[:4]), serial)
        person = self._person(number, full_name, sex, birth_date)
        if birth_date < _ADULTS_BORN_BEFORE:
            person.account = AccountGrant(2, ACCOUNT_STATE_ACTIVE, _ACTIVATED_ON)
        return person

    def household(
        self, serial: int, commune_code: str, detail: str, since: str, members: Iterable[tuple[Person, str]]
    ) -> Household:
        """Return a household whose members are registered at home since that day, or since they were born."""
        place = self.commune(commune_code)
        household = Household(household_number(serial), place, detail, [])
        for person, relation in members:
            self._born_at(person, place)
            begins = max(since, iso(person.birth))
            person.stays.append(Stay(RESIDENCE_KIND_PERMANENT, place, detail, begins))
            household.members.append(Member(person, relation))
        return household

    def left_the_register(self, household: Household, person: Person, since: str) -> None:
        """Register somebody, dead or missing, as having lived with the household from that day to the end."""
        self._born_at(person, household.place)
        self.lived_in_former_ward(household, person, since, person.life_status_date)
        household.outside.append(person)

    def lived_in_former_ward(
        self, household: Household, person: Person, since: str, until: str, ward_code: str = ""
    ) -> None:
        """Add a permanent residence that ended, in a ward, or that ward, which went into the household's commune."""
        commune_code, wards = household.place.commune_code, self._reference.former_wards
        ward = wards.named(commune_code, ward_code) if ward_code else wards.of(commune_code)
        begins = max(since, iso(person.birth))
        person.stays.insert(0, Stay(RESIDENCE_KIND_PERMANENT, ward, household.detail, begins, until))

    def _person(self, number: str, full_name: str, sex: Sex.ValueType, birth_date: str) -> Person:
        self._numbers.reserve(number)
        surname, *middle, given = full_name.split()
        had_card = birth_date < _HAD_CARD_IF_BORN_BEFORE
        return Person(
            number=number,
            name=Name(surname, " ".join(middle), given),
            sex=sex,
            birth=_day(birth_date),
            birth_date=birth_date,
            ethnicity="Kinh",
            religion="Không",
            birth_place=NOWHERE,
            origin=NOWHERE,
            blood_group=BLOOD_GROUP_O,
            legacy_card=f"{_CARD_PREFIX}{number[-3:]}" if had_card else "",
        )

    def _born_at(self, person: Person, commune: Place) -> None:
        before_reform = iso(person.birth) < UNITS_VALID_FROM
        person.birth_place = self._reference.former_wards.of(commune.commune_code) if before_reform else commune
        person.origin = commune


def _day(birth_date: str) -> int:
    """Return the day of birth as an ordinal, the middle of the year where only that is known."""
    return date.fromisoformat(birth_date if "-" in birth_date else f"{birth_date}-07-01").toordinal()
