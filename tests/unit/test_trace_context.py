"""W3C Trace Context as its specification has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.metadata import CallHeaders
from lienthong_gateway.telemetry.trace_context import TraceContext

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def read(*parents: str | bytes, states: tuple[str, ...] = ()) -> TraceContext | None:
    return TraceContext.of(CallHeaders([*(("traceparent", p) for p in parents), *(("tracestate", s) for s in states)]))


def test_a_callers_context_is_read_and_carried_on_as_it_came() -> None:
    context = read(PARENT, states=("vendor=one", "other=two"))
    assert context is not None
    assert context == TraceContext(TRACE, SPAN, sampled=True, state="vendor=one,other=two")
    assert context.headers() == (("traceparent", PARENT), ("tracestate", "vendor=one,other=two"))


@pytest.mark.parametrize("parent", [f"01-{TRACE}-{SPAN}-01-more", f"cc-{TRACE}-{SPAN}-01"])
def test_a_later_version_is_read_as_far_as_it_is_known(parent: str) -> None:
    context = read(parent)
    assert context is not None
    assert context.headers() == (("traceparent", PARENT),)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT.upper(),
        f" {PARENT}",
        f"{PARENT}\n",
        f"{PARENT}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        PARENT.encode(),
    ],
)
def test_what_is_malformed_is_ignored(parent: str | bytes) -> None:
    assert read(parent) is None


def test_two_contexts_are_none() -> None:
    assert read(PARENT, PARENT) is None


BAD_KEYS = ["1abc=1", "a@b@c=1", "@a=1", "a@1b=1", f"a@{'b' * 15}=1", f"{'a' * 257}=1", "a=1,b=1,a=2"]


@pytest.mark.parametrize("state", ["novalue", "UPPER=1", "a=1," * 33, f"a={'x' * 600}", "a=b=c", "a=\x00", *BAD_KEYS])
def test_a_malformed_state_is_dropped_and_the_context_kept(state: str) -> None:
    assert read(PARENT, states=(state,)) == TraceContext(TRACE, SPAN, sampled=True)


@pytest.mark.parametrize("key", ["a", "a1_-*/", "a" * 256, "a@b", "1a@b", f"{'1' * 241}@{'b' * 14}"])
def test_a_key_is_a_vendors_or_a_tenants_at_one(key: str) -> None:
    assert read(PARENT, states=(f"{key}=1",)) == TraceContext(TRACE, SPAN, sampled=True, state=f"{key}=1")


def test_a_fresh_context_is_one_that_others_read() -> None:
    fresh = TraceContext.fresh()
    assert TraceContext.of(CallHeaders(fresh.headers())) == fresh
    assert fresh != TraceContext.fresh()


@given(st.text(), st.text())
def test_no_header_is_carried_on_that_could_be_another(parent: str, state: str) -> None:
    context = read(parent, states=(state,))
    for _, value in context.headers() if context else ():
        assert value.isascii()
        assert value.isprintable()
