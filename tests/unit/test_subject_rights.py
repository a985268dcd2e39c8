"""Citizens' requests about their own data: by when they are answered, and what may become of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind as Kind
from lienthong.api.rights.v1.rights_pb2 import RightsRequestState as State
from lienthong_core.errors import Refusal
from lienthong_core.working_days import is_working_day
from lienthong_gateway.subjects import rules
from lienthong_gateway.subjects.deadlines import TERMS, due_on, extended, reply_by
from lienthong_gateway.subjects.rules import ACKNOWLEDGED, EXTENDED, FULFILLED, RECEIVED, REFUSED, WITHDRAWN
from lienthong_gateway.subjects.rules import StoredRequest as Request
from lienthong_seeds import members

LAN = "099190000001"
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)  # a Friday, ten o'clock in Vietnam
REGISTRATION = members.registration()
VIEW, CORRECT, DELETE, RESTRICT = (
    Kind.RIGHTS_REQUEST_KIND_VIEW,
    Kind.RIGHTS_REQUEST_KIND_CORRECT,
    Kind.RIGHTS_REQUEST_KIND_DELETE,
    Kind.RIGHTS_REQUEST_KIND_RESTRICT,
)
DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))
KINDS = st.sampled_from(sorted(TERMS))
MOVES: dict[str, Callable[[Request], Request]] = {
    "acknowledge": lambda request: rules.acknowledged(request, through_third_party=False),
    "extend": lambda request: rules.extended(request, NOW, "Cần thêm thời gian"),
    "fulfil": lambda request: rules.fulfilled(request, NOW, ""),
    "refuse": lambda request: rules.refused(
        request, NOW, "Có căn cứ", "residence-registration" if request.kind == DELETE else "", REGISTRATION
    ),
    "withdraw": lambda request: rules.withdrawn(request, NOW),
}
LEADS_TO = {
    RECEIVED: {"acknowledge": ACKNOWLEDGED, "withdraw": WITHDRAWN},
    ACKNOWLEDGED: {"extend": EXTENDED, "fulfil": FULFILLED, "refuse": REFUSED, "withdraw": WITHDRAWN},
    EXTENDED: {"fulfil": FULFILLED, "refuse": REFUSED, "withdraw": WITHDRAWN},
    FULFILLED: {},
    REFUSED: {},
    WITHDRAWN: {},
}


def submitted(kind: Kind.ValueType = VIEW, **changes: Any) -> Request:  # noqa: ANN401 (any field's value)
    request = rules.submitted(kind, str(members.POPULATION), "Xin xem", LAN, REGISTRATION, NOW)
    return replace(request, **changes)


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.message.endswith(".")
    return caught.value.reason


@pytest.mark.parametrize(
    ("kind", "alone", "third_party", "longest"),
    [
        (VIEW, 10, 15, 10),
        (CORRECT, 10, 15, 10),
        (Kind.RIGHTS_REQUEST_KIND_COPY, 10, 15, 10),
        (RESTRICT, 15, 20, 15),
        (Kind.RIGHTS_REQUEST_KIND_OBJECT, 15, 20, 15),
        (DELETE, 20, 30, 20),
    ],
    ids=["view", "correct", "copy", "restrict", "object", "delete"],
)
def test_the_terms_are_those_of_the_decree(kind: Kind.ValueType, alone: int, third_party: int, longest: int) -> None:
    monday = date(2026, 6, 1)

    def rolled(day: date) -> date:
        return day + timedelta(days={5: 2, 6: 1}.get(day.weekday(), 0))

    assert due_on(kind, monday, through_third_party=False) == rolled(monday + timedelta(days=alone))
    assert due_on(kind, monday, through_third_party=True) == rolled(monday + timedelta(days=third_party))
    assert extended(kind, date(2026, 6, 15)) == rolled(date(2026, 6, 15) + timedelta(days=longest))


@pytest.mark.parametrize(
    ("day", "reply"),
    [
        (date(2026, 11, 20), date(2026, 11, 24)),  # a Friday: over the weekend
        (date(2026, 11, 21), date(2026, 11, 24)),  # a Saturday
        (date(2026, 8, 31), date(2026, 9, 4)),  # over both days of National Day
        (date(2026, 2, 13), date(2026, 2, 24)),  # over Tết
        (date(2027, 2, 4), date(2027, 2, 12)),  # over Tết
    ],
)
def test_the_first_reply_is_due_in_two_working_days(day: date, reply: date) -> None:
    assert reply_by(day) == reply


def test_a_deadline_that_ends_on_a_holiday_ends_with_the_next_working_day() -> None:
    assert due_on(VIEW, date(2026, 8, 23), through_third_party=False) == date(2026, 9, 3)


@given(KINDS, DAYS, st.booleans())
def test_a_deadline_is_a_working_day_and_never_too_early(kind: Kind.ValueType, day: date, third_party: bool) -> None:
    due = due_on(kind, day, through_third_party=third_party)
    longer = extended(kind, due)
    assert is_working_day(due)
    assert is_working_day(longer)
    assert day + timedelta(days=TERMS[kind].alone) <= due < longer
    assert due <= due_on(kind, day, through_third_party=True)


@given(KINDS, DAYS, DAYS)
def test_who_asks_later_is_never_answered_earlier(kind: Kind.ValueType, one: date, other: date) -> None:
    earlier, later = sorted((one, other))
    assert due_on(kind, earlier, through_third_party=False) <= due_on(kind, later, through_third_party=False)
    assert reply_by(earlier) <= reply_by(later)


@pytest.mark.parametrize("kind", sorted(TERMS), ids=Kind.Name)
@pytest.mark.parametrize("state", sorted(LEADS_TO), ids=State.Name)
@pytest.mark.parametrize("name", MOVES)
def test_a_request_moves_along_its_states_and_no_other_way(
    kind: Kind.ValueType, state: State.ValueType, name: str
) -> None:
    request = submitted(kind, state=state)
    target = LEADS_TO[state].get(name)
    if (kind, state, name) == (RESTRICT, FULFILLED, "withdraw"):
        target = WITHDRAWN
    if target is None:
        assert reason_of(lambda: MOVES[name](request)) == "RIGHTS_REQUEST_MOVE_NOT_ALLOWED"
        return
    moved = MOVES[name](request)
    assert moved.state == target
    assert (moved.closed_at is None) == (target in rules.OPEN)
    assert (moved.request_id, moved.kind, moved.subject_number) == (request.request_id, kind, LAN)


def test_every_kind_of_the_contract_has_its_terms() -> None:
    assert set(TERMS) == set(Kind.values()) - {0}
    assert set(LEADS_TO) == set(State.values()) - {0}


def test_acknowledging_through_others_gives_more_time() -> None:
    alone = rules.acknowledged(submitted(DELETE), through_third_party=False)
    assert rules.acknowledged(submitted(DELETE), through_third_party=True).due > alone.due == submitted(DELETE).due


def test_deadlines_are_counted_from_the_day_in_vietnam() -> None:
    midnight = datetime(2026, 11, 20, 17, tzinfo=UTC)
    request = rules.submitted(VIEW, str(members.POPULATION), "", LAN, REGISTRATION, midnight)

    assert request.due == rules.acknowledged(request, through_third_party=False).due == date(2026, 12, 1)
    assert request.acknowledge_by == date(2026, 11, 24)


def test_an_extension_counts_from_the_deadline_and_needs_a_reason() -> None:
    request = submitted(state=ACKNOWLEDGED)

    assert rules.extended(request, NOW + timedelta(days=3), "Chờ").due == extended(VIEW, request.due)
    assert reason_of(lambda: rules.extended(request, NOW, " ")) == "RIGHTS_REQUEST_INVALID"


def test_a_deadline_that_has_passed_is_extended_no_more() -> None:
    request = submitted(state=ACKNOWLEDGED)
    late = datetime(request.due.year, request.due.month, request.due.day, 17, tzinfo=UTC)

    assert rules.extended(request, late - timedelta(seconds=1), "Chờ").due > request.due
    assert reason_of(lambda: rules.extended(request, late, "Chờ")) == "RIGHTS_REQUEST_MOVE_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("state", "days", "overdue"),
    [
        (RECEIVED, 4, False),
        (RECEIVED, 5, True),
        (ACKNOWLEDGED, 5, False),
        (ACKNOWLEDGED, 10, False),
        (ACKNOWLEDGED, 11, True),
        (EXTENDED, 11, True),
        (FULFILLED, 11, False),
        (REFUSED, 11, False),
        (WITHDRAWN, 11, False),
    ],
)
def test_a_request_is_overdue_once_the_day_has_passed(state: State.ValueType, days: int, overdue: bool) -> None:
    assert submitted(state=state).is_overdue(NOW + timedelta(days=days)) is overdue


@pytest.mark.parametrize(
    ("kind", "controller", "detail"),
    [
        (Kind.RIGHTS_REQUEST_KIND_UNSPECIFIED, str(members.POPULATION), ""),
        (VIEW, "VN-SANDBOX/GOV/G77/nobody", ""),
        (VIEW, "population", ""),
        (VIEW, str(members.POPULATION), "x" * 2_001),
        (CORRECT, str(members.POPULATION), " \n"),
        *((VIEW, str(members.POPULATION), f"a{control}b") for control in "\0\x1b\x7f\x85"),
    ],
    ids=["no kind", "nobody", "no system", "too long", "a correction of nothing", "zero", "escape", "delete", "C1"],
)
def test_a_request_that_says_too_little_or_too_much_is_refused(
    kind: Kind.ValueType, controller: str, detail: str
) -> None:
    assert (
        reason_of(lambda: rules.submitted(kind, controller, detail, LAN, REGISTRATION, NOW)) == "RIGHTS_REQUEST_INVALID"
    )


def test_a_request_may_have_lines_and_columns() -> None:
    detail = "Tên:\tLan\r\nNgày sinh:\t01/02/1990"
    assert rules.submitted(VIEW, str(members.POPULATION), detail, LAN, REGISTRATION, NOW).detail == detail


@pytest.mark.parametrize(
    ("kind", "reason", "ground"),
    [
        (VIEW, " ", ""),
        (VIEW, "Không có", "residence-registration"),
        (DELETE, "Không xóa", ""),
        (DELETE, "Không xóa", "no-such-ground"),
        (DELETE, "Không xóa", "over"),
    ],
    ids=["without a reason", "on a ground", "a deletion on none", "on an unknown one", "on one that is over"],
)
def test_a_refusal_needs_a_reason_and_that_of_a_deletion_a_ground_in_force(
    kind: Kind.ValueType, reason: str, ground: str
) -> None:
    known = REGISTRATION.legal_grounds["residence-registration"]
    over = replace(known, code="over", period=replace(known.period, last=date(2026, 11, 19)))
    registration = replace(REGISTRATION, legal_grounds={known.code: known, over.code: over})
    request = submitted(kind, state=ACKNOWLEDGED)
    assert reason_of(lambda: rules.refused(request, NOW, reason, ground, registration)) == "RIGHTS_REQUEST_INVALID"
