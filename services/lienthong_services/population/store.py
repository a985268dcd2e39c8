"""What is read from the population database: each question is one statement, so one round trip.

The statements are SQLAlchemy Core over the tables of `model.py`; rows are not made into objects, because reading a
citizen is what a whole exchange waits for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Row, String, bindparam, func, select

from lienthong_services.population.model import PopulationTable
from lienthong_services.population.rules import Kin

CITIZEN = PopulationTable.metadata.tables["citizen"]
FORMER_NUMBER = PopulationTable.metadata.tables["formernumber"]
RESIDENCE = PopulationTable.metadata.tables["residence"]
HOUSEHOLD = PopulationTable.metadata.tables["household"]
ADMINISTRATIVE_UNIT = PopulationTable.metadata.tables["administrativeunit"]
CHANGE = PopulationTable.metadata.tables["change"]


def _columns(table: FromClause, *names: str) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in names]


def _prefixed(table: FromClause, prefix: str) -> list[ColumnElement[Any]]:
    return [column.label(prefix + column.name) for column in table.c]


def _holder() -> ColumnElement[int]:
    citizen, cancelled = CITIZEN.alias(), FORMER_NUMBER.alias()
    number = bindparam("number", type_=String())
    current = select(citizen.c.citizen_id).where(citizen.c.personal_number == number).limit(1).scalar_subquery()
    former = select(cancelled.c.citizen_id).where(cancelled.c.personal_number == number).scalar_subquery()
    return func.coalesce(current, former)


HOLDER = _holder()
"""The id of the citizen who has the parameter `number`, or had it before it was cancelled."""
_MEMBER = CITIZEN.alias("member")
RESIDENCE_COLUMNS = _prefixed(RESIDENCE, "residence_")

# Hardly anybody has more than one former number or three residences, so the product of the two stays small.
_RECORD = (
    select(CITIZEN, *RESIDENCE_COLUMNS, *_prefixed(FORMER_NUMBER, "former_"))
    .outerjoin_from(CITIZEN, RESIDENCE, RESIDENCE.c.citizen_id == CITIZEN.c.citizen_id)
    .outerjoin(FORMER_NUMBER, FORMER_NUMBER.c.citizen_id == CITIZEN.c.citizen_id)
    .where(CITIZEN.c.citizen_id == HOLDER)
)
_IDENTITY = select(*_columns(CITIZEN, "surname", "middle_name", "given_name", "birth_date")).where(
    CITIZEN.c.citizen_id == HOLDER
)
_KIN = (
    select(CITIZEN, FORMER_NUMBER.c.personal_number.label("former_number"))
    .outerjoin_from(CITIZEN, FORMER_NUMBER, FORMER_NUMBER.c.citizen_id == CITIZEN.c.citizen_id)
    .where(CITIZEN.c.citizen_id == HOLDER)
)
_NUMBERS = (
    select(CITIZEN.c.personal_number, FORMER_NUMBER.c.personal_number.label("former_number"))
    .outerjoin_from(CITIZEN, FORMER_NUMBER, FORMER_NUMBER.c.citizen_id == CITIZEN.c.citizen_id)
    .where(CITIZEN.c.citizen_id == HOLDER)
)
_MEMBER_COLUMNS = (
    "citizen_id",
    "personal_number",
    "surname",
    "middle_name",
    "given_name",
    "birth_date",
    "relation_to_head",
)
_HOUSEHOLD = (
    select(
        CITIZEN.c.personal_number.label("holder_number"),
        *_prefixed(HOUSEHOLD, "household_"),
        *_columns(_MEMBER, *_MEMBER_COLUMNS),
        *_prefixed(FORMER_NUMBER, "former_"),
    )
    .outerjoin_from(CITIZEN, HOUSEHOLD, HOUSEHOLD.c.household_number == CITIZEN.c.household_number)
    .outerjoin(_MEMBER, _MEMBER.c.household_number == HOUSEHOLD.c.household_number)
    .outerjoin(FORMER_NUMBER, FORMER_NUMBER.c.citizen_id == CITIZEN.c.citizen_id)
    .where(CITIZEN.c.citizen_id == HOLDER)
    .order_by(_MEMBER.c.citizen_id != HOUSEHOLD.c.head_citizen_id, _MEMBER.c.birth_date, _MEMBER.c.citizen_id)
)
_CHANGES = (
    select(*(_columns(CHANGE, "change_number", "datasets", "changed_at") + _columns(CITIZEN, "personal_number")))
    .join_from(CHANGE, CITIZEN, CITIZEN.c.citizen_id == CHANGE.c.citizen_id)
    .where(CHANGE.c.change_number > bindparam("after"))
    .order_by(CHANGE.c.change_number)
    .limit(bindparam("limit"))
)
_LAST_CHANGE = select(func.coalesce(func.max(CHANGE.c.change_number), 0))


@dataclass(frozen=True)
class CitizenRecord:
    """A citizen's row (columns as in `Citizen`), her residences (`residence_...`) and former numbers (`former_...`)."""

    citizen: Row[Any]
    residences: Sequence[Row[Any]]
    former_numbers: Sequence[Row[Any]]


@dataclass(frozen=True)
class HouseholdRecord:
    """The members of a citizen's household, the head first, each beside the household (`household_...`).

    No member: she is registered in no household. `former_numbers` (`former_...`) are her own, not the members'; so is
    `personal_number`, the present one.
    """

    personal_number: str
    members: Sequence[Row[Any]]
    former_numbers: Sequence[Row[Any]]


class PopulationStore:
    """Answers questions from the tables. `number` is a current or a former personal number."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def citizen(self, number: str) -> CitizenRecord | None:
        """Return a citizen's whole record, or None if nobody has or had the number."""
        with self._engine.connect() as connection:
            rows = connection.execute(_RECORD, {"number": number}).all()
        if not rows:
            return None
        residences = {row.residence_residence_id: row for row in rows if row.residence_residence_id is not None}
        return CitizenRecord(rows[0], list(residences.values()), _former_numbers(rows))

    def identity(self, number: str) -> Row[Any] | None:
        """Return the parts of a citizen's name and her date of birth, or None."""
        with self._engine.connect() as connection:
            return connection.execute(_IDENTITY, {"number": number}).one_or_none()

    def numbers(self, number: str) -> tuple[str, Sequence[str]] | None:
        """Return a citizen's present number and those she had before, or None if nobody has or had the number."""
        with self._engine.connect() as connection:
            rows = connection.execute(_NUMBERS, {"number": number}).all()
        if not rows:
            return None
        return rows[0].personal_number, [row.former_number for row in rows if row.former_number is not None]

    def household(self, number: str) -> HouseholdRecord | None:
        """Return a citizen's household, or None if nobody has or had the number."""
        with self._engine.connect() as connection:
            rows = connection.execute(_HOUSEHOLD, {"number": number}).all()
        if not rows:
            return None
        members = {row.citizen_id: row for row in rows if row.household_household_number is not None}
        return HouseholdRecord(rows[0].holder_number, list(members.values()), _former_numbers(rows))

    def kin(self, number: str, related_number: str) -> tuple[Kin, Kin] | None:
        """Return what the records of two citizens say about their relatives, or None if the first is unknown."""
        with self._engine.connect() as connection:
            first = _kin(connection, number)
            return None if first is None else (first, _kin(connection, related_number) or Kin.unknown(related_number))

    def changes(self, after: int, limit: int) -> Sequence[Row[Any]]:
        """Return the changes that follow change number `after`, oldest first."""
        with self._engine.connect() as connection:
            return connection.execute(_CHANGES, {"after": after, "limit": limit}).all()

    def last_change(self) -> int:
        """Return the number of the last change; 0 before the first."""
        with self._engine.connect() as connection:
            return int(connection.execute(_LAST_CHANGE).scalar_one())


def _kin(connection: Connection, number: str) -> Kin | None:
    rows = connection.execute(_KIN, {"number": number}).all()
    if not rows:
        return None
    record = rows[0]
    return Kin(
        numbers=frozenset({record.personal_number, *(row.former_number for row in rows if row.former_number)}),
        father_number=record.father_number,
        mother_number=record.mother_number,
        spouse_number=record.spouse_number,
        representative_number=record.representative_number,
        household_number=record.household_number,
    )


def _former_numbers(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    found = {row.former_personal_number: row for row in rows if row.former_personal_number is not None}
    return list(found.values())
