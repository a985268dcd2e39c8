"""Synthetic people as rows of the tables, in the tables' column order.

Plain tuples, because 10,000 objects of the object-relational mapper take longer than everything else together.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from lienthong.api.identity.v1.identity_pb2 import (
    ACCOUNT_KIND_CITIZEN,
    ACCOUNT_KIND_FOREIGNER,
    ACCOUNT_STATE_ACTIVE,
    ACCOUNT_STATE_LOCKED,
    AccountState,
)
from lienthong.api.population.v1.citizen_pb2 import LIFE_STATUS_DECEASED
from lienthong_seeds.chance import Roll, integer
from lienthong_seeds.people import AccountGrant, Household, Member, Person
from lienthong_seeds.reference import UNITS_VALID_FROM, Reference

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """The synthetic population, ready to be stored.

    Rows have the columns of `lienthong_services.population.model` and `lienthong_services.identity.model` in their
    order, without the keys that the database gives (`residence_id`) and without what is the same in every row: the
    time of registration, the passcode hash of an account.
    """

    made_at: datetime
    """Midnight (UTC) of the reference day: when every record was first registered."""
    citizens: list[Row] = field(default_factory=list[Row])
    former_numbers: list[Row] = field(default_factory=list[Row])
    households: list[Row] = field(default_factory=list[Row])
    residences: list[Row] = field(default_factory=list[Row])
    administrative_units: list[Row] = field(default_factory=list[Row])
    accounts: list[Row] = field(default_factory=list[Row])


class PopulationWriter:
    """Collects households into a Population."""

    def __init__(self, roll: Roll, today: date) -> None:
        self._roll = roll
        self.population = Population(midnight(today))

    def add_units(self, reference: Reference) -> None:
        """Add the provinces and communes in force."""
        units = self.population.administrative_units
        for province in reference.provinces:
            units.append((province.code, province.name, province.code, UNITS_VALID_FROM, ""))
        for place in reference.communes.values():
            units.append((place.commune_code, place.commune_name, place.province_code, UNITS_VALID_FROM, ""))

    def add(self, household: Household) -> None:
        """Add a household and everybody who came with it; a household without members is not stored itself."""
        if household.members:
            place = household.place
            self.population.households.append(
                (
                    household.number,
                    len(self.population.citizens) + 1,
                    place.province_code,
                    place.province_name,
                    place.commune_code,
                    place.commune_name,
                    household.detail,
                )
            )
        for member in household.members:
            self._add_person(member, household.number)
        for person in household.outside:
            self._add_person(Member(person, ""), "")

    def _add_person(self, member: Member, household_number: str) -> None:
        person = member.person
        citizen_id = len(self.population.citizens) + 1
        self.population.citizens.append(citizen_row(citizen_id, person, household_number, member.relation))
        if person.former_number is not None:
            number, cancelled_on, reason = person.former_number
            self.population.former_numbers.append((number, citizen_id, cancelled_on, reason))
        for kind, place, detail, since, until in person.stays:
            self.population.residences.append((citizen_id, kind, *place, detail, "VN", since, until, None, None))
        if person.account is not None:
            self._add_account(person, person.account)

    def _add_account(self, person: Person, account: AccountGrant) -> None:
        kind = ACCOUNT_KIND_CITIZEN if person.nationality == "VN" else ACCOUNT_KIND_FOREIGNER
        changed_at = midnight(account.changed_on)
        self.population.accounts.append(
            (
                person.number,
                self._subject(),
                kind,
                account.level,
                account.state,
                changed_at,
                account.reason,
                _before_lock(person) if account.reason else 0,
                person.name.full,
                person.birth_date,
            )
        )

    def _subject(self) -> str:
        """Return a UUID of version 4, drawn: it says nothing about the holder."""
        roll = self._roll
        digits = f"{integer(roll(), 1 << 48):012x}{integer(roll(), 1 << 24):06x}{integer(roll(), 1 << 48):012x}"
        variant = "89ab"[integer(roll(), 4)]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[15:18]}-{digits[18:]}"


def _before_lock(person: Person) -> AccountState.ValueType:
    """Return what unlocking somebody's account goes back to; who has died has it locked for good."""
    return ACCOUNT_STATE_LOCKED if person.life_status == LIFE_STATUS_DECEASED else ACCOUNT_STATE_ACTIVE


def citizen_row(citizen_id: int, person: Person, household_number: str, relation: str) -> Row:
    """Return a person as a row of the table `citizen`."""
    origin = person.origin
    return (
        citizen_id,
        person.number,
        *person.name,
        person.other_name,
        person.birth_date,
        person.sex,
        person.nationality,
        person.ethnicity,
        person.religion,
        person.marital_status,
        person.blood_group,
        person.legacy_card,
        person.residence_card,
        *person.birth_place,
        person.birth_country,
        origin.province_code,
        origin.province_name,
        origin.commune_code,
        origin.commune_name,
        household_number,
        relation,
        *person.father,
        person.nationality,
        *person.mother,
        person.nationality,
        *person.spouse,
        "VN",
        *person.representative,
        "VN",
        person.life_status,
        person.life_status_date,
    )


def midnight(day: date) -> datetime:
    """Return the beginning of a day, aware, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
