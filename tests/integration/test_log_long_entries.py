"""A log with entries far longer than the gateway writes them, as it may hold from before it had a limit."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lienthong.api.exchange.v1.log_pb2 import AccessFilter, ListAccessesRequest, ListEntriesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong_core.database import open_database, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.tiles import unbundle
from lienthong_gateway.log.verify import verify_log
from lienthong_sandbox.audit import copy_log, read_log
from lienthong_sandbox.remote_log import verify_gateway
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world
from tests.support.log import entry, filled

OLD = 300
LONG = 40_000
TOO_LONG_FOR_A_BUNDLE = 270
"""Its index."""


def make(number: int) -> Entry:
    length = 220_000 if number == TOO_LONG_FOR_A_BUNDLE else LONG
    made = entry(number)
    return replace(made, trace=replace(made.trace, method="/" + "a" * length))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    url = sqlite_url(tmp_path_factory.mktemp("long") / "gateway.sqlite")
    key = CheckpointKey.create()
    filled(url, OLD, key, make=make).dispose()
    with gateway_world(url, checkpoint_key=key) as world:
        yield world


def test_a_page_of_entries_ends_before_clients_cannot_take_it(world: GatewayWorld) -> None:
    stub = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    start = 0
    while start < OLD:
        page = stub.ListEntries(ListEntriesRequest(start=start, page_size=1_000), timeout=TIMEOUT_S)

        assert [stored.log_index for stored in page.entries] == list(range(start, start + len(page.entries)))
        assert 2 << 20 < page.ByteSize() < 3 << 20 or page.entries[-1].log_index >= OLD
        start += len(page.entries)


def test_a_page_of_accesses_ends_before_clients_cannot_take_it(world: GatewayWorld) -> None:
    stub = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    found: list[int] = []
    cursor = "first"
    while cursor:
        asked = ListAccessesRequest(cursor=cursor if found else "", page_size=500, filter=AccessFilter(purpose="ekyc"))
        page = stub.ListAccesses(asked, timeout=TIMEOUT_S)
        found += [access.log_index for access in page.accesses]
        cursor = page.next_cursor

    assert found == list(range(OLD - 1, -1, -1))


def test_whoever_reads_a_running_gateways_log_gets_all_of_it(
    world: GatewayWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    channel = world.channel(members.AUDITOR)

    verification = verify_gateway(channel, world.config.checkpoint_key.verifier)
    said = read_log(channel)
    copy, key = copy_log(channel, tmp_path_factory.mktemp("copy") / "log.sqlite")
    copied = verify_log(copy, key)
    copy.dispose()

    assert verification.fault is None
    assert verification.size >= OLD
    assert [leaf["exchange_id"] for leaf in said[:OLD]] == [f"exchange-{number}" for number in range(OLD)]
    assert (copied.fault, copied.size > OLD) == (None, True)


def test_a_database_with_entries_too_long_for_a_bundle_verifies(world: GatewayWorld) -> None:
    engine = open_database(world.config.database_url, schema.metadata(), version=schema.VERSION)
    verification = verify_log(engine, world.config.checkpoint_key.verifier)
    engine.dispose()

    assert verification.fault is None


def test_a_bundle_that_cannot_be_made_says_where_its_entries_are_and_others_are_served(
    world: GatewayWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    auditor = world.curl(tmp_path_factory.mktemp("curl"), members.AUDITOR)

    impossible = auditor.get("/tile/entries/001.p/20")

    assert (impossible.status, impossible.json["reason"]) == (404, "TILE_UNKNOWN")
    assert "ListEntries" in impossible.json["detail"]
    leaves = unbundle(auditor.get("/tile/entries/000").body)
    assert [json.loads(leaf)["exchange_id"] for leaf in leaves] == [f"exchange-{number}" for number in range(256)]
