"""The summary by day, against a count of the entries that shares nothing with it but the log."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext
from lienthong_core.database import open_database, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.edge.limits import Limits, Rate
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.leaf import Entry
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.following import PROVIDER as FOLLOWED
from tests.support.following import PURPOSE, about, following
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.log import CONSUMERS, PROVIDER, entry, extend
from tests.support.waiting import wait_until

KEY = CheckpointKey.create()
MIDNIGHT = datetime(2026, 3, 1, 17, tzinfo=UTC)
"""In Vietnam, as 2 March begins."""
FIRST_DAY, LAST_DAY = "2026-02-28", "2026-03-04"
DATASETS = ("family", "identity.basic", "residence")
Count = tuple[str, str, str, str, int, str]


def recounted(leaves: Iterable[dict[str, Any]]) -> Counter[Count]:
    """Count what entries say, one by one."""
    counts: Counter[Count] = Counter()
    for leaf in leaves:
        day = (datetime.fromisoformat(leaf["time"]) + timedelta(hours=7)).date().isoformat()
        by = (day, leaf["consumer"], leaf["provider"])
        if leaf["event"] == "REFUSAL":
            counts[(*by, "", pb.OUTCOME_REFUSED, leaf["reason"])] += leaf["calls"]
        elif leaf["event"] == "EXCHANGE":
            for dataset in leaf["datasets_released"]:
                counts[(*by, dataset, pb.OUTCOME_RELEASED, "")] += 1
            for dataset in leaf["datasets_withheld"]:
                counts[(*by, dataset, pb.OUTCOME_WITHHELD, "")] += 1
            if not leaf["datasets_released"] and not leaf["datasets_withheld"]:
                counts[(*by, "", pb.OUTCOME_RELEASED, "")] += 1
    return counts


def summed_up(world: GatewayWorld) -> tuple[Counter[Count], int]:
    """Return the summary that an auditor gets, and of how many entries it is."""
    stub = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    request = pb.GetDailySummaryRequest(first_day=FIRST_DAY, last_day=LAST_DAY)
    answer = stub.GetDailySummary(request, timeout=TIMEOUT_S)
    counts = [((c.day, c.consumer, c.provider, c.dataset, c.outcome, c.reason), c.entries) for c in answer.counts]
    assert len(dict(counts)) == len(counts)
    return Counter(dict(counts)), answer.tree_size


@dataclass
class Recount:
    """A running gateway whose log another replica makes longer, and what has been read and counted of it so far."""

    world: GatewayWorld
    engine: Engine
    size: int = 0
    counts: Counter[Count] = field(default_factory=Counter[Count])

    def up_to(self, size: int) -> Counter[Count]:
        """Return the counts of the log's first entries, of which at least as many as before."""
        stub = ExchangeLogServiceStub(self.world.channel(members.AUDITOR))
        while self.size < size:
            request = pb.ListEntriesRequest(start=self.size, page_size=min(1_000, size - self.size))
            page = stub.ListEntries(request, timeout=TIMEOUT_S).entries
            self.counts += recounted(json.loads(entry.leaf) for entry in page)
            self.size += len(page)
        return self.counts


@pytest.fixture(scope="module")
def recount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recount]:
    url = sqlite_url(tmp_path_factory.mktemp("recount") / "gateway.sqlite")
    with gateway_world(url, checkpoint_key=KEY) as world:
        engine = open_database(url, schema.metadata(), version=schema.VERSION)
        yield Recount(world, engine)
        engine.dispose()


some = st.sets(st.sampled_from(DATASETS)).map(sorted).map(tuple)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    event = draw(st.sampled_from([*2 * [pb.LOG_EVENT_EXCHANGE, pb.LOG_EVENT_REFUSAL], *pb.LogEvent.values()[1:]]))
    refused = event == pb.LOG_EVENT_REFUSAL
    consumer, provider = draw(st.sampled_from([*CONSUMERS, ""])), draw(st.sampled_from([PROVIDER, ""]))
    return replace(
        entry(0),
        time=MIDNIGHT + timedelta(microseconds=draw(st.integers(-3, 3)), days=draw(st.integers(-1, 1))),
        event=event,
        trace=replace(entry(0).trace, consumer=consumer, provider=provider, commitments=set()),
        reason=draw(st.sampled_from(["CONSENT_MISSING", "RATE_LIMITED"])) if refused else "",
        datasets_released=() if refused else draw(some),
        datasets_withheld=() if refused else draw(some),
        calls=draw(st.integers(1, 5_000)) if refused else 1,
    )


@settings(max_examples=40)
@given(made=st.lists(entries(), min_size=1, max_size=12), times=st.integers(1, 50), batch=st.integers(1, 300))
def test_however_the_log_grows_its_summary_is_what_its_entries_come_to(
    recount: Recount, made: list[Entry], times: int, batch: int
) -> None:
    extend(recount.engine, 0, times * len(made), KEY, batch, lambda number: made[number % len(made)])

    counts, size = summed_up(recount.world)

    assert counts == recount.up_to(size)


def test_streams_consents_and_calls_that_were_turned_away_count_on_the_day_of_their_entries(tmp_path: Path) -> None:
    limits = Limits(rates={members.SHOP: Rate(0.001, 1)})
    with following(tmp_path, [about(LAN, name) for name in ("Lan", "Lan Anh")], limits=limits) as place:
        world, double = place.world, place.double
        world.clock.set(MIDNIGHT - timedelta(minutes=1))
        world.consent()
        asked = world.request_consent(purpose=PURPOSE.code, provider=FOLLOWED)
        world.decide(asked.consent_request_id, world.approval(asked))
        call = place.follow()
        assert next(call)
        for _ in range(5):
            refusal_of(lambda: world.get_citizen(CallContext("marketing"), members.SHOP))
        wait_until(lambda: sum(leaf["calls"] for leaf in world.entries() if leaf["reason"] == "RATE_LIMITED") == 4)
        world.clock.set(MIDNIGHT)
        double.go_on.set()
        assert len(list(call)) == 1
        world.read()

        counts, size = summed_up(world)
        leaves = world.entries()

    assert counts == recounted(leaves[:size])
    released = [key[0] for key in counts.elements() if key[2] == str(FOLLOWED) and key[4] == pb.OUTCOME_RELEASED]
    assert released == ["2026-03-01", "2026-03-02"]
    turned_away = Counter({key[0]: number for key, number in counts.items() if key[5] == "RATE_LIMITED"})
    assert turned_away == {"2026-03-01": 4}
    assert {leaf["event"] for leaf in leaves[:size]} >= {"CONSENT", "EXCHANGE", "REFUSAL", "LOG_READ"}
