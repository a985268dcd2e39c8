"""ListAccesses and GetDailySummary: what a citizen, an agency and an auditor see of the same log."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
import rfc8785
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_core.working_days import civil_date
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.summary import read_summary, tally
from lienthong_gateway.log.verify import verify_log
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.log import BEGIN, CONSUMERS, PROVIDER, entry, extend, filled

OLD = 12_000
"""Entries that were there before the gateway started; see tests/support/log.py for what they say."""
M = TypeVar("M", bound=Message)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    url = sqlite_url(tmp_path_factory.mktemp("accesses") / "gateway.sqlite")
    key = CheckpointKey.create()
    filled(url, OLD, key, batch=256).dispose()
    with gateway_world(url, checkpoint_key=key) as world:
        world.consent()
        for _ in range(3):
            world.read()
        refusal_of(lambda: world.get_citizen(CallContext("ekyc", officer="officer-rare"), members.BANK))
        yield world


def list_accesses(world: GatewayWorld, system: SystemId, token: str = "", **asked: object) -> list[pb.Access]:
    """Return every access, page by page."""
    found: list[pb.Access] = []
    cursor = ""
    while True:
        page = page_of(world, system, token, cursor=cursor, page_size=500, **asked)
        found += page.accesses
        cursor = page.next_cursor
        if not cursor:
            return found


def page_of(world: GatewayWorld, system: SystemId, token: str = "", **asked: object) -> pb.ListAccessesResponse:
    stub = ExchangeLogServiceStub(world.channel(system))
    metadata = CallContext("", token).metadata() if token else ()
    request = message_of(pb.ListAccessesRequest, asked)
    return stub.ListAccesses(request, metadata=metadata, timeout=TIMEOUT_S)


def message_of(kind: type[M], fields: dict[str, Any]) -> M:
    return kind(**fields)


def summary(world: GatewayWorld, system: SystemId, **asked: object) -> pb.GetDailySummaryResponse:
    stub = ExchangeLogServiceStub(world.channel(system))
    return stub.GetDailySummary(message_of(pb.GetDailySummaryRequest, asked), timeout=TIMEOUT_S)


def test_an_agency_sees_what_it_asked_for_itself_and_nothing_else(world: GatewayWorld) -> None:
    found = list_accesses(world, members.PORTAL, as_consumer=True)
    indexes = [access.log_index for access in found]
    assert {access.consumer for access in found} == {str(members.PORTAL)}
    assert indexes == sorted(indexes, reverse=True)
    assert len(set(indexes)) == len(indexes) > OLD / 2
    assert list_accesses(world, members.SHOP, as_consumer=True)[1:] == []


def test_a_provider_sees_on_request_who_was_answered(world: GatewayWorld) -> None:
    own = list_accesses(world, members.POPULATION, as_consumer=True)
    both = list_accesses(world, members.POPULATION, as_consumer=True, as_provider=True)
    assert {access.consumer for access in own} == {str(members.POPULATION)}
    assert {access.provider for access in both} == {PROVIDER, ""}
    assert len(both) >= OLD
    assert len({access.log_index for access in both}) == len(both)


def test_an_auditor_sees_everything(world: GatewayWorld) -> None:
    found = list_accesses(world, members.AUDITOR)
    newest = found[0].log_index
    assert [access.log_index for access in found] == list(range(newest, -1, -1))


def test_an_access_says_what_its_entry_does(world: GatewayWorld) -> None:
    entries = world.entries()
    names = {str(system.system_id): system.name_vi for system in members.SYSTEMS}
    consented = next(index for index, leaf in enumerate(entries) if leaf["consent_id"])
    for index in (0, consented):
        (access,), leaf = page_of(world, members.AUDITOR, cursor=str(index + 1), page_size=1).accesses, entries[index]
        same = {field.name for field in pb.Access.DESCRIPTOR.fields} - {"time", "event", "legal_basis"}
        for name in same & leaf.keys():
            value = getattr(access, name)
            assert (value if isinstance(value, str) else list(value)) == leaf[name], name
        assert access.consumer_name == names[access.consumer]
        assert access.time.ToDatetime(UTC) == datetime.fromisoformat(leaf["time"])


def test_a_citizen_sees_her_own_whoever_shows_it_to_her(world: GatewayWorld) -> None:
    number = f"{1:012}"
    found = list_accesses(world, members.PORTAL, world.rights_token(number=number))
    old = [access for access in found if access.log_index < OLD]
    assert {access.log_index % 5 for access in old} == {1}
    assert len(old) == OLD / 5
    same = list_accesses(world, members.AUDITOR, world.rights_token(members.AUDITOR, number))
    assert [access.log_index for access in same if access.log_index < OLD] == [access.log_index for access in old]


def moment(number: int, nanoseconds: int = 0) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(BEGIN + timedelta(minutes=number))
    stamp.nanos += nanoseconds
    return stamp


FILTERS: list[tuple[pb.AccessFilter, Callable[[int], bool]]] = [
    (pb.AccessFilter(consumer=CONSUMERS[0]), lambda n: n % 2 == 0),
    (pb.AccessFilter(provider=PROVIDER), lambda _: True),
    (pb.AccessFilter(provider="VN-SANDBOX/GOV/G01/identity"), lambda _: False),
    (pb.AccessFilter(officer="officer-2"), lambda n: n % 3 == 2),
    (pb.AccessFilter(method="/lienthong.api.population.v1.PopulationService/GetHousehold"), lambda _: False),
    (pb.AccessFilter(event=pb.LogEvent.LOG_EVENT_REFUSAL), lambda n: n % 7 == 6),
    (pb.AccessFilter(reason="CONSENT_MISSING"), lambda n: n % 7 == 6),
    (pb.AccessFilter(purpose="ekyc"), lambda _: True),
    (pb.AccessFilter(purpose="residence-confirmation"), lambda _: False),
    (pb.AccessFilter(time_from=moment(10), time_to=moment(20)), lambda n: 10 <= n < 20),
    (pb.AccessFilter(time_from=moment(10, 1), time_to=moment(20, 1)), lambda n: 10 < n <= 20),
    (pb.AccessFilter(time_from=moment(10), time_to=moment(10, 1)), lambda n: n == 10),
    (pb.AccessFilter(time_from=moment(10, 2), time_to=moment(10, 10)), lambda _: False),
    (pb.AccessFilter(time_to=Timestamp()), lambda _: False),
    (pb.AccessFilter(subject_number=f"{3:012}"), lambda n: n % 5 == 3),
    (pb.AccessFilter(subject_number=f"{3:012}", officer="officer-0"), lambda n: n % 15 == 3),
    (pb.AccessFilter(subject_number="001999999999"), lambda _: False),
]
"""What an auditor asks for, and which of the old entries that is."""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    FILTERS,
    ids=["+".join(field.name for field, _ in wanted.ListFields()) for wanted, _ in FILTERS],
)
def test_an_auditor_finds_what_fits_the_filter_and_nothing_else(
    world: GatewayWorld, wanted: pb.AccessFilter, expected: Callable[[int], bool]
) -> None:
    found = list_accesses(world, members.AUDITOR, filter=wanted)
    assert [access.log_index for access in found if access.log_index < OLD] == [
        number for number in range(OLD - 1, -1, -1) if expected(number)
    ]


@pytest.fixture
def in_vietnam(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the machine's local time be Vietnam's."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Ho_Chi_Minh")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_vietnam")
def test_times_of_a_filter_are_the_same_in_every_time_zone_of_the_machine(world: GatewayWorld) -> None:
    wanted = pb.AccessFilter(time_from=moment(10), time_to=moment(20))
    beginning, end = Timestamp(seconds=-62_135_596_800), Timestamp(seconds=253_402_300_799)

    found = list_accesses(world, members.AUDITOR, filter=wanted)
    of_all_times = page_of(world, members.AUDITOR, filter=pb.AccessFilter(time_from=beginning, time_to=end))

    assert [access.log_index for access in found] == list(range(19, 9, -1))
    assert of_all_times.accesses


def test_a_filter_never_shows_an_agency_more_than_its_own(world: GatewayWorld) -> None:
    wanted = pb.AccessFilter(subject_number=f"{3:012}", consumer=CONSUMERS[0])
    assert list_accesses(world, members.PORTAL, as_consumer=True, filter=wanted) == []
    own = list_accesses(world, members.PORTAL, as_consumer=True, filter=pb.AccessFilter(subject_number=f"{3:012}"))
    assert {access.consumer for access in own} == {str(members.PORTAL)}


def test_a_rare_filter_is_answered_a_bounded_piece_at_a_time(world: GatewayWorld) -> None:
    page = page_of(world, members.AUDITOR, filter=pb.AccessFilter(officer="officer-of-nobody"))
    assert (list(page.accesses), page.next_cursor != "") == ([], True)
    rest = page_of(world, members.AUDITOR, cursor=page.next_cursor, filter=pb.AccessFilter(officer="officer-of-nobody"))
    assert (list(rest.accesses), rest.next_cursor) == ([], "")


def test_the_log_says_who_searched_it_for_whom_and_by_what_without_naming_anybody(world: GatewayWorld) -> None:
    wanted = pb.AccessFilter(subject_number=LAN, officer="officer-rare")
    found = list_accesses(world, members.AUDITOR, filter=wanted)
    assert [access.consumer for access in found] == [str(members.BANK)]
    entries = world.entries()
    reading = [entry for entry in entries if entry["method"].endswith("ListAccesses")][-1]
    exchange = next(entry for entry in entries if entry["consumer"] == str(members.PORTAL) and entry["consent_id"])
    assert (reading["event"], reading["consumer"]) == ("LOG_READ", str(members.AUDITOR))
    assert reading["reason"] == "FILTER officer subject_number"
    assert reading["subject"] == exchange["subject"]
    assert LAN not in str(reading)


@pytest.mark.parametrize(
    ("system", "asked", "reason"),
    [
        (members.AUDITOR, {"filter": {"time_from": moment(2), "time_to": moment(2)}}, "LOG_FILTER_INVALID"),
        (members.AUDITOR, {"filter": {"time_to": Timestamp(seconds=1 << 40)}}, "LOG_FILTER_INVALID"),
        (members.AUDITOR, {"filter": {"event": 999}}, "LOG_FILTER_INVALID"),
        (members.AUDITOR, {"filter": {"event": -1}}, "LOG_FILTER_INVALID"),
        (members.AUDITOR, {"filter": {"subject_number": "12"}}, "PERSONAL_NUMBER_INVALID"),
        (members.AUDITOR, {"as_provider": True}, "LOG_FILTER_INVALID"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(
    world: GatewayWorld, system: SystemId, asked: dict[str, Any], reason: str
) -> None:
    why = refusal_of(lambda: page_of(world, system, **asked))
    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


@pytest.mark.parametrize("asked", [{"as_provider": True}, {"as_consumer": True}, {"filter": {"subject_number": LAN}}])
def test_a_citizens_token_says_whose_accesses_are_wanted(world: GatewayWorld, asked: dict[str, Any]) -> None:
    why = refusal_of(lambda: page_of(world, members.PORTAL, world.rights_token(), **asked))
    assert why.reason == "LOG_FILTER_INVALID"


def test_the_summary_counts_every_dataset_and_refusal_of_a_day_in_vietnam(world: GatewayWorld) -> None:
    # There it ends at 17:00 UTC.
    day, minutes = BEGIN.date().isoformat(), 17 * 60
    counts = summary(world, members.AUDITOR, first_day=day, last_day=day).counts
    expected: dict[tuple[str, str, int], int] = {}
    for number in range(minutes):
        made = entry(number)
        kinds = (
            [("", pb.OUTCOME_REFUSED)]
            if made.reason
            else [("identity.basic", pb.OUTCOME_RELEASED), ("residence", pb.OUTCOME_WITHHELD)]
        )
        for dataset, outcome in kinds:
            group = (made.trace.consumer, dataset, outcome)
            expected[group] = expected.get(group, 0) + 1
    assert {(c.consumer, c.dataset, c.outcome): c.entries for c in counts} == expected
    assert {(c.day, c.provider) for c in counts} == {(day, PROVIDER)}
    assert {c.reason for c in counts if c.outcome == pb.OUTCOME_REFUSED} == {"CONSENT_MISSING"}


def test_the_summary_counts_what_has_not_filled_a_tile_yet(world: GatewayWorld) -> None:
    today = civil_date(world.clock.now())
    days = {"first_day": today.isoformat(), "last_day": (today + timedelta(days=1)).isoformat()}
    before = summary(world, members.PORTAL, **days)
    world.read()
    after = summary(world, members.PORTAL, **days)
    released = [
        sum(c.entries for c in found.counts if (c.dataset, c.outcome) == ("identity.basic", pb.OUTCOME_RELEASED))
        for found in (before, after)
    ]
    assert released[1] == released[0] + 1
    assert after.tree_size > before.tree_size > OLD


def test_the_summary_counts_no_other_days_than_were_asked_for(world: GatewayWorld) -> None:
    second = (BEGIN + timedelta(days=1)).date().isoformat()
    tomorrow = (civil_date(world.clock.now()) + timedelta(days=1)).isoformat()
    counts = summary(world, members.AUDITOR, first_day=second, last_day=second).counts
    assert {c.day for c in counts} == {second}
    assert not summary(world, members.AUDITOR, first_day=tomorrow, last_day=tomorrow).counts


def test_a_quarter_of_92_days_is_summed_up_at_once(world: GatewayWorld) -> None:
    assert summary(world, members.AUDITOR, first_day="2026-03-01", last_day="2026-05-31").counts


def test_an_exchange_that_had_everything_withheld_released_nothing() -> None:
    withheld = replace(entry(0), datasets_released=(), datasets_withheld=("residence",))
    assert [(group.dataset, group.outcome) for group in tally([withheld.leaf("", "")])] == [("residence", "WITHHELD")]


def test_an_agency_counts_its_own_alone(world: GatewayWorld) -> None:
    first, last = BEGIN.date().isoformat(), (BEGIN + timedelta(days=9)).date().isoformat()
    assert {c.consumer for c in summary(world, members.BANK, first_day=first, last_day=last).counts} == {CONSUMERS[0]}
    everything = summary(world, members.AUDITOR, first_day=first, last_day=last).counts
    named = summary(world, members.AUDITOR, first_day=first, last_day=last, consumer=CONSUMERS[0]).counts
    assert {c.consumer for c in everything} == set(CONSUMERS)
    assert list(named) == [c for c in everything if c.consumer == CONSUMERS[0]]


@pytest.mark.parametrize(
    ("first", "last", "consumer"),
    [
        ("2026-03-02", "2026-03-01", ""),
        ("2026-03-01", "2026-06-01", ""),
        ("", "2026-03-01", ""),
        ("20260301", "2026-03-01", ""),
        ("2026-02-30", "2026-03-01", ""),
        ("9999-12-31", "9999-12-31", ""),
        ("2026-03-01", "2026-03-01", CONSUMERS[0]),
    ],
)
def test_a_summary_that_cannot_be_given_is_refused(world: GatewayWorld, first: str, last: str, consumer: str) -> None:
    why = refusal_of(lambda: summary(world, members.PORTAL, first_day=first, last_day=last, consumer=consumer))
    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "LOG_FILTER_INVALID")


def test_a_summary_that_no_client_could_read_is_refused_and_its_parts_are_given(tmp_path: Path) -> None:
    def refused(number: int) -> Entry:
        return replace(entry(number), event=pb.LOG_EVENT_REFUSAL, reason=f"{number:0>255}")

    url, key, days = sqlite_url(tmp_path / "gateway.sqlite"), CheckpointKey.create(), {"first_day": "2026-03-01"}
    filled(url, 13_000, key, batch=256, make=refused).dispose()
    with gateway_world(url, checkpoint_key=key) as world:
        why = refusal_of(lambda: summary(world, members.AUDITOR, last_day="2026-03-11", **days))
        fewer = summary(world, members.AUDITOR, last_day="2026-03-08", **days)
        of_one = summary(world, members.AUDITOR, last_day="2026-03-11", consumer=CONSUMERS[0], **days)

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SUMMARY_TOO_LARGE")
    assert (len(fewer.counts), len(of_one.counts)) == ((7 * 24 + 17) * 60, 13_000 / 2)


def test_entries_of_before_they_said_how_many_calls_they_stand_for_count_once() -> None:
    said = json.loads(entry(0).leaf("", ""))
    older = {field: value for field, value in said.items() if field != "calls"} | {"version": 2}

    assert tally([rfc8785.dumps(older)]) == tally([entry(0).leaf("", "")])


def test_every_view_is_recorded(world: GatewayWorld) -> None:
    stub = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    stub.ListCheckpoints(pb.ListCheckpointsRequest(), timeout=TIMEOUT_S)
    summary(world, members.AUDITOR, first_day="2026-03-01", last_day="2026-03-01")
    page_of(world, members.AUDITOR)
    readings = [entry["method"].rpartition("/")[2] for entry in world.entries() if entry["event"] == "LOG_READ"]
    assert [name for name in readings if name != "ListEntries"][-3:] == [
        "ListCheckpoints",
        "GetDailySummary",
        "ListAccesses",
    ]
    assert readings[-1] == "ListEntries"


def test_the_summary_is_the_same_on_every_database(database_url: str) -> None:
    engine = filled(database_url, 700)
    with engine.connect() as connection:
        counts, size = read_summary(connection, "2026-03-01", "2026-03-01", None)
        bank, _ = read_summary(connection, "2026-03-01", "2026-03-01", CONSUMERS[0])
    engine.dispose()
    leaves = [entry(number).leaf("", "") for number in range(700)]
    assert (dict(counts), size) == (dict(tally(leaves)), 700)
    assert bank == [(group, number) for group, number in counts if group.consumer == CONSUMERS[0]]


def test_an_entry_of_the_calendars_last_hours_counts_for_its_last_day() -> None:
    last = replace(entry(0), time=datetime.max.replace(tzinfo=UTC))

    assert {group.day for group in tally([last.leaf("", "")])} == {"9999-12-31"}


RANDOM = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(100))
"""A text that no database compresses."""


@pytest.mark.parametrize(
    ("reason", "counted"),
    [("A\0B", "A\N{REPLACEMENT CHARACTER}B"), (RANDOM, RANDOM[:255])],
    ids=["a zero", "longer than a key may be"],
)
def test_an_entry_whose_reason_no_database_keeps_in_a_key_stops_neither_the_log_nor_the_summary(
    database_url: str, reason: str, counted: str
) -> None:
    def make(number: int) -> Entry:
        return replace(entry(number), reason=reason) if number == 6 else entry(number)

    key = CheckpointKey.create()
    engine = filled(database_url, 200, key, make=make)
    with engine.connect() as connection:
        before, _ = read_summary(connection, "2026-03-01", "2026-03-01", None)
    extend(engine, 200, 300, key)
    with engine.connect() as connection:
        after, size = read_summary(connection, "2026-03-01", "2026-03-01", None)
    verification = verify_log(engine, key.verifier)
    engine.dispose()

    assert [entries for group, entries in before if group.reason == counted] == [1]
    assert [entries for group, entries in after if group.reason == counted] == [1]
    assert (size, verification.size, verification.fault) == (300, 300, None)
