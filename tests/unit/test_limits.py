"""The limits' arithmetic: rates over time, and which calls are taken on."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.errors import Refusal, exhausted
from lienthong_core.systems import SystemId
from lienthong_gateway.call import Peer, Refused
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.limits import Limits, Rate, Returns, ReturnTimes, TokenBucket
from lienthong_seeds import members


class Seconds:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def peer(name: str) -> Peer:
    return {"peer_uri": (name.encode(),)}


BANK, PORTAL = peer(members.BANK.spiffe_id), peer(members.PORTAL.spiffe_id)


def reason_of(admission: Admission, who: Peer, provider: SystemId | None = None) -> str:
    with pytest.raises(Refusal) as caught:
        admission.enter(who, provider)
    return caught.value.reason


@given(
    rate=st.builds(Rate, st.floats(0.1, 1_000), st.integers(1, 50)),
    pauses=st.lists(st.floats(0, 2), max_size=200),
)
def test_no_more_calls_pass_than_the_burst_and_the_rate_allow(rate: Rate, pauses: list[float]) -> None:
    bucket, now, passed = TokenBucket(rate, 0), 0.0, 0
    for pause in pauses:
        now += pause
        passed += bucket.take(now) == 0
    assert passed <= rate.burst + now * rate.per_second + 1e-6


@given(rate=st.builds(Rate, st.floats(0.1, 1_000), st.integers(1, 50)))
def test_a_call_that_waits_as_long_as_it_was_told_passes(rate: Rate) -> None:
    bucket = TokenBucket(rate, 0)
    while not (wait_s := bucket.take(0)):
        pass
    assert bucket.take(wait_s * 1.000_001) == 0


def test_after_however_long_a_pause_the_burst_passes_at_once_and_no_more() -> None:
    bucket = TokenBucket(Rate(2, 3), 0)

    for now in (0, 1_000):
        assert [bucket.take(now) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(1_000.25) == 0.25
    assert bucket.take(1_000.5) == 0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    bucket = TokenBucket(Rate(1, 1), 10)
    assert bucket.take(10) == 0
    assert bucket.take(5) > 0


def test_room_comes_back_when_a_call_is_over() -> None:
    admission = Admission(Limits(calls_in_flight=1), Seconds())
    admission.enter(BANK)
    assert reason_of(admission, PORTAL) == "OVERLOADED"
    admission.leave()
    admission.enter(PORTAL)
    assert admission.in_flight == 1


def test_what_is_no_call_takes_a_place_until_it_is_over_or_fails() -> None:
    admission = Admission(Limits(calls_in_flight=1), Seconds())
    with admission.place(BANK):
        assert reason_of(admission, PORTAL) == "OVERLOADED"
    with pytest.raises(LookupError), admission.place(BANK):
        raise LookupError
    admission.enter(PORTAL)


def test_each_system_has_its_own_rate_and_strangers_share_one() -> None:
    admission = Admission(Limits(rate=Rate(1, 1), rates={members.BANK: Rate(1, 2)}), Seconds())
    admission.enter(BANK)
    admission.enter(BANK)
    admission.enter(PORTAL)
    assert [reason_of(admission, who) for who in (BANK, PORTAL)] == ["RATE_LIMITED"] * 2
    admission.enter(peer("spiffe://elsewhere/A"))
    assert reason_of(admission, peer("spiffe://elsewhere/B")) == "RATE_LIMITED"
    assert reason_of(admission, {}) == "RATE_LIMITED"


def test_what_was_turned_away_is_summed_up_once() -> None:
    admission = Admission(Limits(calls_in_flight=0), Seconds())
    for who in (BANK, BANK, PORTAL):
        reason_of(admission, who)
    assert admission.summary() == {(members.BANK, "OVERLOADED"): 2, (members.PORTAL, "OVERLOADED"): 1}
    assert admission.summary() == {}
    reason_of(admission, {})
    assert admission.summary() == {(None, "OVERLOADED"): 1}


def test_every_way_of_being_turned_away_is_summed_up() -> None:
    limits = Limits(calls_in_flight=1, rate=Rate(1, 1), metrics=Rate(1, 1), bodies_per_system=0, calls_per_provider=1)
    admission = Admission(limits, Seconds())
    admission.enter(BANK, members.POPULATION)
    assert reason_of(admission, BANK) == "OVERLOADED"
    with pytest.raises(Refusal, match="OVERLOADED"), admission.arriving(BANK):
        pass
    with pytest.raises(Refusal, match="OVERLOADED"):
        admission.arrived(BANK, members.POPULATION)
    with pytest.raises(Refused, match="OVERLOADED"), admission.asking(members.BANK, members.POPULATION):
        pass
    admission.leave(members.POPULATION)
    with admission.reading(BANK):
        pass
    with pytest.raises(Refusal, match="RATE_LIMITED"), admission.reading(BANK):
        pass
    assert reason_of(admission, BANK) == "RATE_LIMITED"

    assert admission.summary() == {(members.BANK, "OVERLOADED"): 4, (members.BANK, "RATE_LIMITED"): 2}


def test_a_gateway_of_one_place_lets_a_request_be_on_its_way() -> None:
    admission = Admission(Limits(calls_in_flight=1), Seconds())
    with admission.arriving(BANK), pytest.raises(Refusal, match="all systems"), admission.arriving(PORTAL):
        pass


def test_as_many_headers_as_are_taken_may_have_as_many_bytes_with_their_names() -> None:
    limits = Limits(headers=3, header_bytes=12)
    taken = [("ab", "cd"), ("ef", "gh"), ("ij", "kl")]
    assert limits.header_fault(taken) is None
    for more in ([*taken[:2], ("ij", "klm")], [*taken[:2], ("ijk", "lm")], [*taken, ("", "")]):
        fault = limits.header_fault(more)
        assert fault is not None
        assert fault.reason == "HEADERS_TOO_MANY"


def test_one_provider_is_given_no_more_than_its_part_and_the_others_theirs() -> None:
    admission = Admission(Limits(calls_per_provider=1), Seconds())
    admission.enter(BANK, members.POPULATION)
    assert reason_of(admission, PORTAL, members.POPULATION) == "OVERLOADED"
    admission.enter(PORTAL, members.IDENTITY)
    admission.enter(PORTAL)
    admission.leave(members.POPULATION)
    admission.enter(PORTAL, members.POPULATION)
    assert admission.in_flight == 3


def test_a_call_takes_a_place_at_its_provider_once_its_request_is_here_if_there_is_one_then() -> None:
    admission = Admission(Limits(calls_per_provider=1), Seconds())
    admission.enter(BANK, members.POPULATION, is_here=False)
    admission.enter(BANK, members.POPULATION, is_here=False)
    admission.arrived(BANK, members.POPULATION)
    with pytest.raises(Refusal, match="OVERLOADED"):
        admission.arrived(BANK, members.POPULATION)
    assert reason_of(admission, PORTAL, members.POPULATION) == "OVERLOADED"
    admission.leave()
    admission.leave(members.POPULATION)
    admission.enter(PORTAL, members.POPULATION)
    assert admission.in_flight == 1


def test_refused_callers_are_asked_back_one_after_the_other() -> None:
    times = ReturnTimes(Returns(per_second=10, soonest_s=1, latest_s=1.25), 100)
    assert [times.wait_s(100) for _ in range(5)] == pytest.approx([1, 1.1, 1.2, 1.25, 1.25])
    assert times.wait_s(200) == pytest.approx(1)


@given(
    returns=st.builds(Returns, st.floats(0.1, 1_000), st.just(1.0), st.floats(1, 60)),
    pauses=st.lists(st.floats(0, 3), max_size=100),
)
def test_no_caller_is_asked_back_too_soon_too_late_or_before_one_that_was_refused_earlier(
    returns: Returns, pauses: list[float]
) -> None:
    times, now, last = ReturnTimes(returns, 0), 0.0, 0.0
    for pause in pauses:
        now += pause
        wait_s = times.wait_s(now)
        assert returns.soonest_s - 1e-6 <= wait_s <= returns.latest_s + 1e-6
        assert now + wait_s >= last - 1e-6
        last = now + wait_s


def test_the_hint_when_to_try_again_is_kept_and_packed_beside_the_reason() -> None:
    refusal = exhausted("OVERLOADED", "Later.", 0.25).with_metadata(origin="gateway")
    assert (refusal.status, refusal.retry_after_s) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 0.25)
    assert [detail.TypeName() for detail in refusal.details()] == ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]
    assert [detail.TypeName() for detail in exhausted("X", "No.").details()] == ["google.rpc.ErrorInfo"]
