"""What is registered is stored whole, loaded as it was, and replaced in memory as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, event

from lienthong_core.database import open_database, writing
from lienthong_gateway import schema
from lienthong_gateway.log.head import Touches, create_head, read_head, save_head
from lienthong_gateway.registration import Period, Registration
from lienthong_gateway.registry import store
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_seeds import members
from lienthong_seeds.legal_grounds import LEGAL_GROUNDS

REGISTRATION = members.registration()
RIGHT = members.ACCESS_RIGHTS[0]
NOW = datetime(2026, 11, 21, 8, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url, schema.metadata(), version=schema.VERSION)
    with writing(engine) as connection:
        create_head(connection)
        store.fill_if_empty(connection, REGISTRATION)
    yield engine
    engine.dispose()


def loaded(engine: Engine) -> Registration:
    with engine.connect() as connection:
        return store.load_registration(connection)


def test_what_a_world_begins_with_is_loaded_as_it_was_stored(engine: Engine) -> None:
    assert loaded(engine) == REGISTRATION


def test_a_database_that_holds_a_registration_rules_itself(engine: Engine) -> None:
    with writing(engine) as connection:
        store.remove_officer(connection, members.YOUR_SYSTEM, "officer-1")
        store.fill_if_empty(connection, REGISTRATION)

    assert loaded(engine).officers == REGISTRATION.officers - {(members.YOUR_SYSTEM, "officer-1")}


def test_periods_and_times_are_kept_exactly(engine: Engine) -> None:
    ended = replace(LEGAL_GROUNDS[0], period=Period(date(2026, 1, 1), date(2026, 11, 20)))
    granted = replace(RIGHT, period=Period(date(2026, 2, 28), date(2028, 2, 29)), datasets=frozenset())
    with writing(engine) as connection:
        store.end_legal_ground(connection, ended)
        store.put_access_right(connection, granted)
        store.withdraw_access_right(connection, granted, NOW)

    registration = loaded(engine)

    assert registration.legal_grounds[ended.code] == ended
    assert registration.access_rights[RIGHT.consumer, RIGHT.method, RIGHT.purpose] == replace(granted, withdrawn_at=NOW)


def test_who_has_read_what_is_registered_keeps_it_while_others_see_the_change(engine: Engine) -> None:
    current = CurrentRegistration.of(engine)
    before = current.value
    with writing(engine) as connection:
        store.add_officer(connection, members.SHOP, "nv-01")
        save_head(connection, read_head(connection).after(Touches.REGISTRATION))

    current.refresh()

    assert (members.SHOP, "nv-01") not in before.officers
    assert (members.SHOP, "nv-01") in current.value.officers


def test_what_is_registered_while_it_is_read_is_read_whole_or_not_at_all(engine: Engine) -> None:
    current = CurrentRegistration.of(engine)
    with writing(engine) as connection:
        save_head(connection, read_head(connection).after(Touches.REGISTRATION))
    purpose = replace(members.PURPOSES[0], code="registering-meanwhile")
    right = replace(RIGHT, purpose=purpose.code)
    seen: list[str] = []

    def register(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "FROM purpose" in statement and not seen:
            seen.append(statement)
            with writing(engine) as connection:
                store.add_purpose(connection, purpose)
                store.put_access_right(connection, right)

    event.listen(engine, "after_cursor_execute", register)
    current.refresh()
    event.remove(engine, "after_cursor_execute", register)

    assert seen
    rights = current.value.access_rights.values()
    assert {right.purpose for right in rights} <= current.value.purposes.keys()
