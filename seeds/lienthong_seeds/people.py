"""A synthetic citizen and her household while they are being made; `rows` turns them into the register's tables."""

from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from lienthong.api.identity.v1.identity_pb2 import AccountState
from lienthong.api.population.v1.citizen_pb2 import (
    BLOOD_GROUP_UNSPECIFIED,
    LIFE_STATUS_ALIVE,
    MARITAL_STATUS_MARRIED,
    MARITAL_STATUS_SINGLE,
    BloodGroup,
    LifeStatus,
    MaritalStatus,
    NumberChangeReason,
    ResidenceKind,
)
from lienthong.api.types.v1.types_pb2 import SEX_MALE, Sex
from lienthong_seeds.names import Name
from lienthong_seeds.reference import Place

# Relations to the head of a household, named as TT 55/2021/TT-BCA Art. 6 names them.
HEAD = "Chủ hộ"
HUSBAND = "Chồng"
WIFE = "Vợ"
CHILD = "Con đẻ"
SON_IN_LAW = "Con rể"
DAUGHTER_IN_LAW = "Con dâu"
MOTHER = "Mẹ đẻ"
SONS_CHILD = "Cháu nội"
DAUGHTERS_CHILD = "Cháu ngoại"

NOWHERE = Place("", "", "", "", "", "")


class Relative(NamedTuple):
    """Somebody as another's record names them; the number is empty for people outside the register."""

    number: str
    surname: str
    middle: str
    given: str


NOBODY = Relative("", "", "", "")


class Stay(NamedTuple):
    """A residence; dates are ISO text, `until` is empty while it is in force."""

    kind: ResidenceKind.ValueType
    place: Place
    detail: str
    since: str
    until: str = ""


class CancelledNumber(NamedTuple):
    """A number that was cancelled and replaced."""

    number: str
    cancelled_on: str
    reason: NumberChangeReason.ValueType


class AccountGrant(NamedTuple):
    """An e-identity account to be made; `changed_on` is ISO text."""

    level: int
    state: AccountState.ValueType
    changed_on: date
    reason: str = ""


@dataclass(slots=True, eq=False)
class Person:
    """A synthetic citizen: `birth` is the true day, `birth_date` what the register knows of it."""

    number: str
    name: Name
    sex: Sex.ValueType
    birth: int
    """Day of birth, proleptic ordinal (`date.toordinal`)."""
    birth_date: str
    ethnicity: str
    religion: str
    birth_place: Place
    origin: Place
    other_name: str = ""
    nationality: str = "VN"
    birth_country: str = "VN"
    marital_status: MaritalStatus.ValueType = MARITAL_STATUS_SINGLE
    blood_group: BloodGroup.ValueType = BLOOD_GROUP_UNSPECIFIED
    legacy_card: str = ""
    residence_card: str = ""
    father: Relative = NOBODY
    mother: Relative = NOBODY
    spouse: Relative = NOBODY
    representative: Relative = NOBODY
    life_status: LifeStatus.ValueType = LIFE_STATUS_ALIVE
    life_status_date: str = ""
    former_number: CancelledNumber | None = None
    stays: list[Stay] = field(default_factory=list[Stay])
    account: AccountGrant | None = None

    def as_relative(self) -> Relative:
        """Return how another's record names this person."""
        return Relative(self.number, *self.name)


class Member(NamedTuple):
    """A person and her relation to the head of the household."""

    person: Person
    relation: str


@dataclass(slots=True, eq=False)
class Household:
    """A household, and who came into the register with it."""

    number: str
    place: Place
    detail: str
    members: list[Member]
    """The head first."""
    outside: list[Person] = field(default_factory=list[Person])
    """People who belong to no household: the dead, the missing, foreigners."""


def marry(one: Person, other: Person) -> None:
    """Make two people each other's spouse."""
    one.marital_status = other.marital_status = MARITAL_STATUS_MARRIED
    one.spouse, other.spouse = other.as_relative(), one.as_relative()


def adopt_parents(child: Person, father: Person | None, mother: Person | None) -> None:
    """Record the parents of a child who are in the register."""
    if father is not None:
        child.father = father.as_relative()
    if mother is not None:
        child.mother = mother.as_relative()


def spouse_relation(spouse: Person) -> str:
    """Return the relation of the head's spouse to the head."""
    return HUSBAND if spouse.sex == SEX_MALE else WIFE


def child_in_law_relation(spouse: Person) -> str:
    """Return the relation, to the head, of the spouse of the head's child."""
    return SON_IN_LAW if spouse.sex == SEX_MALE else DAUGHTER_IN_LAW


def grandchild_relation(through: Person) -> str:
    """Return the relation, to the head, of a grandchild through the head's child."""
    return SONS_CHILD if through.sex == SEX_MALE else DAUGHTERS_CHILD


def iso(day: int) -> str:
    """Return a proleptic ordinal day as ISO text."""
    return date.fromordinal(day).isoformat()


def born_by(today: date, age: int) -> int:
    """Return the last day of birth (proleptic ordinal) of those who are `age` years old on `today`."""
    leap_day = today.month == 2 and today.day == 29  # noqa: PLR2004 (29 February)
    return today.replace(year=today.year - age, day=28 if leap_day else today.day).toordinal()


def household_number(serial: int) -> str:
    """Return the number of the household with that serial; its form is the simulation's own."""
    return f"H{serial:09}"
