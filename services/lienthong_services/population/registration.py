"""Registering a residence: the one thing that changes the population database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Engine, Row, Select, func, insert, select, text, update

from lienthong.api.population.v1.citizen_pb2 import RESIDENCE_KIND_CURRENT, RESIDENCE_KIND_PERMANENT
from lienthong_core.database import writing
from lienthong_services.population.households import move_household
from lienthong_services.population.residence_rules import (
    Commune,
    NewResidence,
    check_alive,
    check_born,
    check_commune,
    check_not_future,
    last_day_before,
)
from lienthong_services.population.rules import citizen_unknown
from lienthong_services.population.store import (
    ADMINISTRATIVE_UNIT,
    CHANGE,
    CITIZEN,
    HOLDER,
    RESIDENCE,
    RESIDENCE_COLUMNS,
)


def register_residence(engine: Engine, new: NewResidence, now: datetime) -> Row[Any]:
    """Register a residence in one transaction and return it (`residence_...`).

    If the same case has registered one for the citizen already, that one is returned and nothing changes. Raises a
    refusal with reason CITIZEN_UNKNOWN, CITIZEN_DECEASED, ADDRESS_INVALID, DATE_INVALID or RESIDENCE_OUT_OF_ORDER.
    """
    with writing(engine) as connection:
        _take_turn(connection)
        citizen = _citizen(connection, new.personal_number)
        of_this_case = _of_case(citizen.citizen_id, new.case_reference)
        registered = connection.execute(of_this_case).one_or_none()
        if registered is not None:
            return registered
        check_alive(citizen.life_status)
        check_not_future(new.from_date, now)
        check_born(new.from_date, citizen.birth_date)
        commune = check_commune(new, _commune(connection, new.commune_code))
        _register(connection, citizen, new, commune, now)
        return connection.execute(of_this_case).one()


def _take_turn(connection: Connection) -> None:
    """Keep other writers waiting until this one commits.

    Whoever reads the changes never looks for one before the last he saw, so they must become visible in the order of
    their numbers. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE change IN SHARE ROW EXCLUSIVE MODE"))


def _citizen(connection: Connection, number: str) -> Row[Any]:
    statement = select(CITIZEN).where(CITIZEN.c.citizen_id == HOLDER)
    row = connection.execute(statement, {"number": number}).one_or_none()
    if row is None:
        raise citizen_unknown()
    return row


def _of_case(citizen_id: int, case_reference: str) -> Select[Any]:
    return select(*RESIDENCE_COLUMNS).where(
        RESIDENCE.c.citizen_id == citizen_id, RESIDENCE.c.case_reference == case_reference
    )


def _commune(connection: Connection, code: str) -> Commune | None:
    province = ADMINISTRATIVE_UNIT.alias("province")
    statement = (
        select(ADMINISTRATIVE_UNIT, province.c.name.label("province_name"))
        .join_from(ADMINISTRATIVE_UNIT, province, province.c.code == ADMINISTRATIVE_UNIT.c.province_code)
        .where(ADMINISTRATIVE_UNIT.c.code == code)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return Commune(row.code, row.name, row.province_code, row.province_name, row.valid_from, row.valid_until)


def _register(connection: Connection, citizen: Row[Any], new: NewResidence, commune: Commune, now: datetime) -> None:
    change_number = _next_number(connection, CHANGE.c.change_number)
    address = {
        "province_code": commune.province_code,
        "province_name": commune.province_name,
        "commune_code": commune.code,
        "commune_name": commune.name,
        "detail": new.detail,
    }
    datasets = ["residence"]
    if _close_replaced(connection, citizen.citizen_id, new):
        datasets.append("residence.history")
    affected: Sequence[int] = []
    if new.kind == RESIDENCE_KIND_PERMANENT:
        affected = move_household(connection, citizen, address, change_number)
    changed = {citizen_id: "household" for citizen_id in affected if citizen_id != citizen.citizen_id}
    if affected:
        datasets.append("household")
    _record_changes(connection, change_number, {citizen.citizen_id: ",".join(datasets), **changed}, now)
    connection.execute(
        insert(RESIDENCE).values(
            residence_id=_next_number(connection, RESIDENCE.c.residence_id),
            citizen_id=citizen.citizen_id,
            kind=new.kind,
            from_date=new.from_date,
            case_reference=new.case_reference,
            change_number=change_number,
            district_code="",
            district_name="",
            country="VN",
            until_date="",
            **address,
        )
    )


def _close_replaced(connection: Connection, citizen_id: int, new: NewResidence) -> bool:
    """End the residence of the same kind, and a separate current one: the citizen has just declared where she lives."""
    replaced = select(RESIDENCE.c.residence_id, RESIDENCE.c.from_date).where(
        RESIDENCE.c.citizen_id == citizen_id,
        RESIDENCE.c.kind.in_((new.kind, RESIDENCE_KIND_CURRENT)),
        RESIDENCE.c.until_date == "",
    )
    rows = connection.execute(replaced).all()
    for row in rows:
        until = last_day_before(new.from_date, row.from_date)
        closing = update(RESIDENCE).where(RESIDENCE.c.residence_id == row.residence_id).values(until_date=until)
        connection.execute(closing)
    return bool(rows)


def _record_changes(connection: Connection, first: int, datasets: Mapping[int, str], now: datetime) -> None:
    rows = [
        {"change_number": number, "citizen_id": citizen_id, "datasets": names, "changed_at": now}
        for number, (citizen_id, names) in enumerate(datasets.items(), start=first)
    ]
    connection.execute(insert(CHANGE), rows)


def _next_number(connection: Connection, column: Column[Any]) -> int:
    # Not the database's own counter: PostgreSQL's knows nothing of rows that were loaded with their numbers.
    return 1 + int(connection.execute(select(func.coalesce(func.max(column), 0))).scalar_one())
