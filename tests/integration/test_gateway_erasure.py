"""Erasing a citizen at the gateway: what is kept of her, and that nothing of it leads to what was before."""

import logging
from datetime import UTC, datetime, time
from itertools import pairwise, product
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Engine, event, select, text

from lienthong.api.rights.v1 import rights_pb2 as pb
from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind as Kind
from lienthong.api.rights.v1.rights_pb2 import RightsRequestState as State
from lienthong_core.database import empty_write_ahead_log, snapshot, sqlite_url, writing
from lienthong_core.working_days import VIETNAM, civil_date
from lienthong_gateway import schema
from lienthong_gateway.log.leaf import time_text
from lienthong_gateway.log.store import find_salt
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.server import GatewayServer
from lienthong_gateway.subjects.rules import OPEN
from lienthong_gateway.telemetry.access_log import LOGGER
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.rights import (
    DELETE,
    GATEWAY,
    OFFICE,
    POPULATION,
    RESTRICT,
    VIEW,
    acknowledge,
    as_citizen,
    by_officer,
    complied,
    extend,
    fulfil,
    listed,
    refuse,
    service,
    submit,
    update_residence,
    withdraw,
)
from tests.support.waiting import wait_until

KINDS = sorted(set(Kind.values()) - {Kind.RIGHTS_REQUEST_KIND_UNSPECIFIED})
STATES = sorted(set(State.values()) - {State.RIGHTS_REQUEST_STATE_UNSPECIFIED})
EXTENDED = State.RIGHTS_REQUEST_STATE_EXTENDED
FULFILLED, REFUSED = State.RIGHTS_REQUEST_STATE_FULFILLED, State.RIGHTS_REQUEST_STATE_REFUSED
RECEIVED, WITHDRAWN = State.RIGHTS_REQUEST_STATE_RECEIVED, State.RIGHTS_REQUEST_STATE_WITHDRAWN


def engine_of(world: GatewayWorld) -> Engine:
    assert isinstance(world.gateway, GatewayServer)
    return world.gateway.engine


def erase(world: GatewayWorld) -> pb.RightsRequest:
    """Have her deletion from the gateway's records submitted, acknowledged and fulfilled."""
    return complied(world, DELETE, GATEWAY, OFFICE)


def bring_to(world: GatewayWorld, kind: Kind.ValueType, state: State.ValueType) -> str:
    """Submit a request of a kind and have it moved to a state; return its id."""
    request_id = submit(world, kind).request_id
    if state == WITHDRAWN:
        withdraw(world, request_id)
    elif state != RECEIVED:
        acknowledge(world, request_id)
        if state == EXTENDED:
            extend(world, request_id)
        elif state == FULFILLED:
            fulfil(world, request_id)
        elif state == REFUSED:
            refuse(world, request_id, "residence-registration" if kind == DELETE else "")
    return request_id


def is_owed(kind: Kind.ValueType, state: State.ValueType) -> bool:
    return state in OPEN or (kind, state) == (RESTRICT, FULFILLED)


def stored_with(engine: Engine, number: str) -> list[dict[str, object]]:
    """Return every row of the gateway's tables that holds a personal number."""
    with engine.connect() as connection:
        rows = [
            {str(column): value for column, value in row.items()}
            for table in schema.metadata().sorted_tables
            for row in connection.execute(select(table)).mappings()
        ]
    return [row for row in rows if any(number in str(value) for value in row.values())]


def texts_of(rows: list[dict[str, object]]) -> set[str]:
    """Return what stands in rows as text or as a time, as a leaf of the log would have it."""
    values = [value for row in rows for value in row.values()]
    times = {time_text(value) for value in values if isinstance(value, datetime)}
    return times | {value for value in values if isinstance(value, str) and value}


def kept_of(world: GatewayWorld) -> dict[str, pb.RightsRequest]:
    """Return the population database's requests that still name her, by id."""
    requests = listed(world, pb.ListRequest(page_size=200)).requests
    return {request.request_id: request for request in requests if request.subject_number == LAN}


def test_erasing_a_citizen_unlinks_her_entries_and_the_log_still_verifies(database_url: str) -> None:
    with gateway_world(database_url) as world:
        world.consent()
        world.read()
        world.consent(number=MAI)
        of_others = len(world.accesses(MAI))
        before = {entry["subject"] for entry in world.entries()}
        asked = submit(world, DELETE, GATEWAY)
        acknowledge(world, asked.request_id, OFFICE)

        erased = fulfil(world, asked.request_id, OFFICE)
        after_erasure = len(world.entries())
        (own_reading,) = world.accesses()
        update_residence(world)
        later = {entry["subject"] for entry in world.entries()[after_erasure:]} - {""}
        verification = verify_log(engine_of(world), world.config.checkpoint_key.verifier)
        of_hers = listed(world, pb.ListRequest(), members.PORTAL, as_citizen(world)).requests
        (kept,) = listed(world, pb.ListRequest(), OFFICE).requests

        assert (erased.subject_number, erased.detail) == (kept.subject_number, kept.detail) == ("", "")
        assert kept.state == State.RIGHTS_REQUEST_STATE_FULFILLED
        assert own_reading.method.endswith("ListAccesses")
        assert len(later) == 1
        assert not later & before
        assert verification.fault is None
        assert list(of_hers) == []
        assert len(world.accesses(MAI)) == of_others + 1


def test_the_entry_of_an_erasure_is_about_nobody(world: GatewayWorld) -> None:
    erased = complied(world, DELETE, GATEWAY, OFFICE)

    (entry,) = [entry for entry in world.entries() if entry["reason"] == "DELETE_FULFILLED"]

    assert (entry["subject"], entry["legal_reference"]) == ("", erased.request_id)


def test_nothing_that_is_stored_with_her_number_leads_to_an_entry_of_before(database_url: str) -> None:
    with gateway_world(database_url) as world:
        world.consent()
        world.read()
        ids = {(kind, state): bring_to(world, kind, state) for kind, state in product(KINDS, STATES)}
        owed = sum(is_owed(kind, state) for kind, state in ids)
        rows_before = stored_with(engine_of(world), LAN)
        erase(world)

        leaves = world.entries()
        # Who was asked is registered, and in the entries of everybody who asked the same.
        of_before = {str(value) for leaf in leaves for value in leaf.values()} - {POPULATION}
        rows = stored_with(engine_of(world), LAN)
        assert texts_of(rows_before) & of_before >= set(ids.values())
        assert len(rows) == owed
        assert texts_of(rows) & of_before == set()


def test_what_is_kept_is_as_it_was_but_for_its_id_and_all_times_but_the_day_of_submission(world: GatewayWorld) -> None:
    bring_to(world, VIEW, RECEIVED)
    bring_to(world, VIEW, EXTENDED)
    bring_to(world, RESTRICT, FULFILLED)
    before = kept_of(world)

    erase(world)

    after = kept_of(world)
    assert not before.keys() & after.keys()
    pairs = zip(*(sorted(each.values(), key=lambda request: request.state) for each in (before, after)), strict=True)
    for old, new in pairs:
        assert civil_date(old.submitted_at.ToDatetime(UTC)) == civil_date(new.submitted_at.ToDatetime(UTC))
        assert new.submitted_at.ToDatetime(VIETNAM).time() == time.min
        assert not new.HasField("closed_at")
        for each in (old, new):
            for field in ("request_id", "submitted_at", "closed_at"):
                each.ClearField(field)
        assert new == old


def numbers_of(world: GatewayWorld) -> dict[str, int]:
    """Return the number in the database of each request, by its id."""
    with engine_of(world).connect() as connection:
        rows = connection.execute(text("SELECT request_id, number FROM rights_request"))
        return {row.request_id: row.number for row in rows}


def test_what_is_kept_stands_no_more_in_the_order_of_anything_that_has_a_time(world: GatewayWorld) -> None:
    for _ in range(3):
        submit(world)
    earlier = submit(world, number=MAI).request_id

    erase(world)

    later = submit(world, number=MAI).request_id
    kept, numbers = kept_of(world), numbers_of(world)
    places = [numbers[request_id] for request_id in kept]
    assert max(places) < numbers[earlier] < numbers[later]
    assert [request.request_id for request in listed(world, pb.ListRequest()).requests][:2] == [later, earlier]
    gaps = {after - before for before, after in pairwise(sorted(places))}
    assert max(gaps) > len(places), "they are numbered one after another"


def test_what_is_kept_is_listed_page_by_page_after_the_others(world: GatewayWorld) -> None:
    for _ in range(3):
        submit(world)
    erase(world)
    of_another = submit(world, number=MAI).request_id

    found: list[str] = []
    page = listed(world, pb.ListRequest(page_size=1))
    while page.next_cursor:
        found += [request.request_id for request in page.requests]
        page = listed(world, pb.ListRequest(page_size=1, cursor=page.next_cursor))
    found += [request.request_id for request in page.requests]

    assert found[0] == of_another
    assert sorted(found[1:]) == sorted(kept_of(world))


def test_what_is_kept_is_answered_under_its_new_id_and_no_more_under_the_old_one(world: GatewayWorld) -> None:
    old_id = submit(world).request_id

    erase(world)

    ((new_id, _),) = kept_of(world).items()
    assert refusal_of(lambda: acknowledge(world, old_id)).reason == "RIGHTS_REQUEST_UNKNOWN"
    assert acknowledge(world, new_id).subject_number == LAN
    assert listed(world, pb.ListRequest(), members.PORTAL, as_citizen(world)).requests[0].request_id == new_id


@pytest.mark.parametrize("state", sorted(OPEN), ids=State.Name)
def test_a_request_that_outlived_her_erasure_is_nobodys_once_it_is_over(
    world: GatewayWorld, state: State.ValueType
) -> None:
    bring_to(world, VIEW, state)
    bring_to(world, VIEW, state)
    erase(world)
    one, other = kept_of(world)

    if state == RECEIVED:
        acknowledge(world, one)
    answered, withdrawn = refuse(world, one), withdraw(world, other)

    assert (answered.state, withdrawn.state) == (REFUSED, WITHDRAWN)
    for request in (answered, withdrawn, *listed(world, pb.ListRequest()).requests):
        assert (request.subject_number, request.detail, request.answer) == ("", "", "")


def test_a_restriction_that_outlived_her_erasure_is_hers_until_she_ends_it(world: GatewayWorld) -> None:
    bring_to(world, RESTRICT, State.RIGHTS_REQUEST_STATE_ACKNOWLEDGED)
    erase(world)
    ((request_id, _),) = kept_of(world).items()
    world.consent()

    in_force = fulfil(world, request_id)
    refused = refusal_of(world.read)
    ended = withdraw(world, request_id)

    assert (in_force.subject_number, in_force.answer) == (LAN, "Đã thực hiện")
    assert refused.reason == "PROCESSING_RESTRICTED"
    assert (ended.state, ended.subject_number, ended.detail, ended.answer) == (WITHDRAWN, "", "", "")
    world.read()


def test_what_outlives_two_erasures_is_kept_to_as_well(world: GatewayWorld) -> None:
    submit(world)
    erase(world)
    ((first_id, _),) = kept_of(world).items()

    erase(world)

    ((second_id, _),) = kept_of(world).items()
    assert second_id != first_id
    withdraw(world, second_id)
    assert kept_of(world) == {}


def test_a_request_that_she_makes_after_her_erasure_is_hers_also_when_it_is_over(world: GatewayWorld) -> None:
    erase(world)

    request = complied(world, VIEW)

    assert kept_of(world) == {request.request_id: request}


def test_a_folder_of_before_there_was_a_table_of_what_is_kept_goes_on(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "gateway.sqlite")
    with gateway_world(url) as world:
        key = world.config.checkpoint_key
        submit(world)
        with writing(engine_of(world)) as connection:
            connection.execute(text("DROP TABLE rights_request_kept"))
    with gateway_world(url, checkpoint_key=key) as world:
        erase(world)
        ((request_id, _),) = kept_of(world).items()
        withdraw(world, request_id)
        assert kept_of(world) == {}


def salt_of(world: GatewayWorld, number: str = LAN) -> bytes:
    with engine_of(world).connect() as connection:
        salt = find_salt(connection, number)
    assert salt is not None
    return salt


def files_with(folder: Path, wanted: bytes) -> set[str]:
    return {file.name for file in folder.iterdir() if wanted in file.read_bytes()}


@pytest.mark.parametrize("copied", [False, True], ids=["in the write-ahead log alone", "in the database's file too"])
def test_no_file_of_the_database_has_her_salt_after_her_erasure(
    world: GatewayWorld, tmp_path: Path, *, copied: bool
) -> None:
    for number in (MAI, LAN):
        world.consent(number=number)
    salt, of_another = salt_of(world), salt_of(world, MAI)
    if copied:
        assert empty_write_ahead_log(engine_of(world))
    assert files_with(tmp_path, salt)

    erase(world)

    wait_until(lambda: not files_with(tmp_path, salt) | files_with(tmp_path, LAN.encode()))
    assert files_with(tmp_path, of_another)


def test_an_erasure_waits_for_no_reader_and_what_he_kept_goes_with_the_next_one(
    world: GatewayWorld, tmp_path: Path
) -> None:
    world.consent()
    salt = salt_of(world)
    with snapshot(engine_of(world)) as connection:
        assert find_salt(connection, LAN)
        assert erase(world).state == FULFILLED
        world.consent(number=MAI)
        assert files_with(tmp_path, salt)

    erase(world)

    wait_until(lambda: files_with(tmp_path, salt) == set())


def test_an_erasure_whose_officer_has_gone_away_leaves_no_salt_in_the_files_either(
    world: GatewayWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world.consent()
    salt = salt_of(world)
    asked = submit(world, DELETE, GATEWAY).request_id
    acknowledge(world, asked, OFFICE)

    calls: list[grpc.Future[pb.FulfilResponse]] = []

    def go_away(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("DELETE FROM subject_salt"):
            wait_until(lambda: calls)
            calls[0].cancel()
            wait_until(lambda: any("CALLER_GONE" in record.getMessage() for record in caplog.records))

    event.listen(engine_of(world), "after_cursor_execute", go_away)
    with caplog.at_level(logging.INFO, LOGGER):
        request = pb.FulfilRequest(request_id=asked)
        calls.append(service(world, OFFICE).Fulfil.future(request, metadata=by_officer(OFFICE), timeout=TIMEOUT_S))
        wait_until(lambda: files_with(tmp_path, salt) == set())

    assert listed(world, pb.ListRequest(), OFFICE).requests[0].state == FULFILLED
