"""What a permanent move does to households.

It follows from the address alone, because a request says nothing about households. Somebody who registers a permanent
residence at another address than her household's leaves it, and forms a household of her own there. If she headed it,
the oldest of those who stay heads it now, and the others' relation to the new head is `Khác` (other) until it is
declared. If nobody stays, the household moves with her.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from lienthong_services.population.residence_rules import Resident, next_head, same_address
from lienthong_services.population.store import CITIZEN, HOUSEHOLD

_HEAD = "Chủ hộ"
_OTHER = "Khác"


def move_household(
    connection: Connection, citizen: Row[Any], address: Mapping[str, str], change_number: int
) -> list[int]:
    """Bring households into line with a citizen's new permanent `address` (columns as in `Household`).

    Returns the ids of everybody whose household is another one or has other members now; empty if she stays.
    """
    home = _household(connection, citizen.household_number)
    if home is not None and same_address(home.commune_code, home.detail, address["commune_code"], address["detail"]):
        return []
    staying = _others(connection, citizen) if home is not None else []
    if home is not None and not staying:
        here = HOUSEHOLD.c.household_number == home.household_number
        connection.execute(update(HOUSEHOLD).where(here).values(**address))
        return [citizen.citizen_id]
    if home is not None and home.head_citizen_id == citizen.citizen_id:
        _pass_on(connection, home.household_number, staying)
    _form(connection, citizen.citizen_id, f"{address['commune_code']}-{change_number:07d}", address)
    return [citizen.citizen_id, *(member.citizen_id for member in staying)]


def _household(connection: Connection, number: str) -> Row[Any] | None:
    return connection.execute(select(HOUSEHOLD).where(HOUSEHOLD.c.household_number == number)).one_or_none()


def _others(connection: Connection, citizen: Row[Any]) -> list[Resident]:
    statement = select(CITIZEN.c.citizen_id, CITIZEN.c.birth_date, CITIZEN.c.life_status).where(
        CITIZEN.c.household_number == citizen.household_number, CITIZEN.c.citizen_id != citizen.citizen_id
    )
    return [Resident(row.citizen_id, row.birth_date, row.life_status) for row in connection.execute(statement)]


def _pass_on(connection: Connection, household_number: str, staying: Sequence[Resident]) -> None:
    head = next_head(staying)
    here = HOUSEHOLD.c.household_number == household_number
    connection.execute(update(HOUSEHOLD).where(here).values(head_citizen_id=head))
    for member in staying:
        relation = _HEAD if member.citizen_id == head else _OTHER
        its_row = CITIZEN.c.citizen_id == member.citizen_id
        connection.execute(update(CITIZEN).where(its_row).values(relation_to_head=relation))


def _form(connection: Connection, head: int, household_number: str, address: Mapping[str, str]) -> None:
    connection.execute(insert(HOUSEHOLD).values(household_number=household_number, head_citizen_id=head, **address))
    its_head = update(CITIZEN).where(CITIZEN.c.citizen_id == head)
    connection.execute(its_head.values(household_number=household_number, relation_to_head=_HEAD))
