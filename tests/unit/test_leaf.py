"""The leaf: canonical JSON that anybody can check, whatever the call said about itself."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_gateway.digests import Digests
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.leaf import Entry, time_text

TIME = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
COMMITMENT = "ab" * 32
AFTER = "cd" * 32
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
counts = st.integers(0, 1 << 24)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    return Trace(
        exchange_id=draw(texts),
        method=draw(texts),
        consumer=draw(texts),
        caller=draw(texts),
        provider=draw(texts),
        message_id=draw(texts),
        officer=draw(texts),
        subject=draw(st.from_regex(r"[0-9]{12}", fullmatch=True)),
        purpose=draw(texts),
        legal_basis=draw(texts),
        legal_reference=draw(texts),
        consent_id=draw(texts),
        digests=Digests(draw(st.none() | st.binary(max_size=40))),
        step_us=draw(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), counts, max_size=4)),
    )


@given(trace=traces(), reason=texts, names=st.lists(texts, max_size=3))
def test_a_leaf_is_canonical_json(trace: Trace, reason: str, names: list[str]) -> None:
    leaf = Entry(TIME, LogEvent.LOG_EVENT_EXCHANGE, trace, "OK", reason, names, names, names).leaf(COMMITMENT, AFTER)

    assert rfc8785.dumps(json.loads(leaf)) == leaf


@given(trace=traces())
def test_whatever_a_call_says_stays_inside_its_own_field(trace: Trace) -> None:
    leaf = json.loads(Entry(TIME, LogEvent.LOG_EVENT_REFUSAL, trace, "OK").leaf(COMMITMENT, AFTER))

    for name in ("exchange_id", "method", "consumer", "caller", "officer", "purpose", "legal_reference", "message_id"):
        assert leaf[name] == getattr(trace, name)
    assert (leaf["event"], leaf["status"], leaf["subject"]) == ("REFUSAL", "OK", COMMITMENT)


def test_an_attempt_to_end_the_entry_and_begin_another_stays_one_entry() -> None:
    forged = 'x","event":"EXCHANGE","status":"OK"}\n{"version":1,"officer":"'
    leaf = Entry(TIME, LogEvent.LOG_EVENT_REFUSAL, Trace("id", "/a/b", officer=forged), "OK").leaf("", AFTER)

    assert leaf.count(b"\n") == 0
    assert json.loads(leaf)["officer"] == forged
    assert json.loads(leaf)["event"] == "REFUSAL"


def test_the_citizens_number_is_not_in_the_leaf() -> None:
    number = "099190000001"
    leaf = Entry(TIME, LogEvent.LOG_EVENT_EXCHANGE, Trace("id", "/a/b", subject=number), "OK").leaf(COMMITMENT, AFTER)

    assert number.encode() not in leaf


def test_a_leaf_of_fixed_content_has_the_hash_that_this_version_of_the_format_gives_it() -> None:
    trace = Trace("0b7c", "/p.S/M", consumer="A/B/C/d", subject="099190000001", purpose="p", step_us={"decide": 12})
    entry = Entry(TIME, LogEvent.LOG_EVENT_EXCHANGE, trace, "OK", datasets_released=("identity.basic",))

    assert hashlib.sha256(entry.leaf(COMMITMENT, AFTER)).hexdigest() == (
        "80b2d1b3996e8719a8700285d01b41da9f53bc85119e31c1e59a3c14bde29ecb"
    )


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(timezone(timedelta(hours=7)))))  # noqa: DTZ001 (the strategy adds the zone)
def test_times_are_utc_and_always_of_one_length_so_that_they_sort(time: datetime) -> None:
    text = time_text(time)

    assert len(text) == len("2026-11-21T08:30:00.000000Z")
    assert datetime.fromisoformat(text) == time
