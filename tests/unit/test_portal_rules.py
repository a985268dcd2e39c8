"""What the portal decides: states, deadlines, codes, forms, who sees what."""

import re
from contextlib import suppress
from datetime import date, timedelta
from itertools import pairwise, product

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.portal.v1.portal_pb2 import DossierState, FormFieldSource
from lienthong_core.errors import Refusal
from lienthong_core.working_days import working_days_between
from lienthong_services.portal.procedures import PERMANENT_RESIDENCE, PROCEDURES, Kind
from lienthong_services.portal.rules import (
    AGENCY,
    Applicant,
    Officer,
    Value,
    check_note,
    completed_form,
    dossier_code,
    form_from_json,
    form_to_json,
    may_see,
)
from lienthong_services.portal.states import (
    CLOCK_STOPPED,
    STATE_NAMES_VI,
    Deadline,
    Mover,
    State,
    check_move,
    possible_moves,
)

LAN = "099190000001"
BY_CITIZEN, BY_REGISTER = FormFieldSource.FORM_FIELD_SOURCE_CITIZEN, FormFieldSource.FORM_FIELD_SOURCE_REGISTER
COMPLETE = {
    "full_name": "Nguyễn Thị Lan",
    "birth_date": "1990-03-14",
    "sex": "Nữ",
    "personal_number": LAN,
    "new_province_code": "01",
    "new_commune_code": "00004",
    "new_address_detail": "Số 7, ngõ 3",
    "from_date": "2026-11-20",
}
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
COUNTS = st.integers(0, 60)

# The whole of the state machine: mover, from, to. What is not here is refused.
ALLOWED = {
    *((Mover.OFFICER, a, b) for a, b in [(1, 2), (1, 3), (2, 4), (2, 5), (2, 6), (2, 8), (4, 5), (4, 6), (4, 8)]),
    *((Mover.OFFICER, a, b) for a, b in [(4, 9), (5, 4), (5, 8), (6, 4), (6, 8), (9, 10)]),
    *((Mover.CITIZEN, a, 7) for a in (1, 2, 4, 5, 6)),
}


def refusal_of(state: State, target: int, mover: Mover) -> Refusal | None:
    try:
        assert check_move(state, target, mover) == target
    except Refusal as refusal:
        return refusal
    return None


@pytest.mark.parametrize(("mover", "state", "target"), list(product(Mover, State, [*State, 11, -1])))
def test_a_dossier_moves_as_the_table_says_and_not_otherwise(mover: Mover, state: State, target: int) -> None:
    refusal = refusal_of(state, target, mover)
    if (mover, state, target) in ALLOWED:
        assert refusal is None
    elif any((other, state, target) in ALLOWED for other in Mover):
        assert refusal
        assert (refusal.reason, refusal.status) == ("MOVE_NOT_YOURS", grpc.StatusCode.PERMISSION_DENIED)
    else:
        assert refusal
        assert (refusal.reason, refusal.status) == ("MOVE_NOT_ALLOWED", grpc.StatusCode.FAILED_PRECONDITION)
        assert all(STATE_NAMES_VI[way] in refusal.message for way in possible_moves(state, mover))


def test_nothing_leaves_a_terminal_state() -> None:
    ended = {state for state in State if not any(possible_moves(state, mover) for mover in Mover)}
    assert ended - {State.DRAFT} == {State.NOT_RECEIVED, State.WITHDRAWN, State.STOPPED, State.RETURNED}


def test_the_states_have_the_numbers_and_the_order_of_the_contract() -> None:
    numbers = {name.removeprefix("DOSSIER_STATE_"): number for name, number in DossierState.items()}
    assert numbers.pop("UNSPECIFIED") == State.DRAFT.value
    assert numbers == {state.name: state.value for state in State if state is not State.DRAFT}


def test_the_states_are_named_as_on_the_national_list() -> None:
    assert [STATE_NAMES_VI[State(number)] for number in (1, 7, 10)] == [
        "Mới đăng ký",
        "Công dân yêu cầu rút hồ sơ",
        "Đã trả kết quả",
    ]
    assert set(STATE_NAMES_VI) == set(State)


def test_the_clock_starts_the_day_after_receipt() -> None:
    assert Deadline(None, None).after_move(State.RECEIVED, date(2026, 11, 23), 7).due == date(2026, 12, 2)


@given(DAYS, st.integers(0, 40), st.sampled_from(sorted(CLOCK_STOPPED)))
def test_what_the_applicant_takes_is_added_to_the_deadline(received: date, waited: int, stop: State) -> None:
    before = Deadline(None, None).after_move(State.RECEIVED, received, 7)
    stopped = before.after_move(stop, received, 7)
    resumed = stopped.after_move(State.PROCESSING, received + timedelta(days=waited), 7)
    assert before.due
    assert resumed.due
    assert stopped == Deadline(before.due, received)
    assert resumed.stopped_on is None
    assert working_days_between(before.due, resumed.due) == working_days_between(
        received, received + timedelta(days=waited)
    )


@pytest.mark.parametrize("target", [State.FINISHED, State.STOPPED, State.WITHDRAWN, State.RETURNED])
def test_ending_a_dossier_leaves_its_deadline(target: State) -> None:
    deadline = Deadline(date(2026, 12, 2), date(2026, 11, 25))
    assert deadline.after_move(target, date(2026, 11, 30), 7) == deadline


@given(DAYS, st.integers(1, 9_999_999))
def test_codes_have_the_national_form_and_sort_by_day_and_number(day: date, number: int) -> None:
    code = dossier_code(AGENCY, day, number)
    assert re.fullmatch(r"[GHA-Z0-9.]+-\d{6,8}-\d{4,7}", code)
    following = [dossier_code(AGENCY, day, number + 1), dossier_code(AGENCY, day + timedelta(days=1), 1)]
    assert number == 9_999_999 or all(a < b for a, b in pairwise([code, *following]))


def test_the_agency_in_codes_is_no_real_unit() -> None:
    assert dossier_code(AGENCY, date(2026, 11, 21), 1) == "G01.99-20261121-0000001"


@pytest.mark.parametrize("state", State)
def test_a_dossier_is_seen_by_its_applicant_and_once_submitted_by_officers(state: State) -> None:
    assert may_see(Applicant(LAN), LAN, state)
    assert not may_see(Applicant("099190000002"), LAN, state)
    assert may_see(Officer("CA-1"), LAN, state) == (state is not State.DRAFT)


def test_procedures_are_what_their_sources_say() -> None:
    assert {code: procedure.working_days for code, procedure in PROCEDURES.items()} == {"1.004222": 7, "1.004194": 3}
    for procedure in PROCEDURES.values():
        names = [field.name for field in procedure.fields]
        assert len(names) == len(set(names))
        assert all(field.kind is not Kind.OWN_NUMBER or field.prefill for field in procedure.fields)


def completed(values: dict[str, str], form: dict[str, Value] | None = None) -> dict[str, Value]:
    return dict(completed_form(PERMANENT_RESIDENCE.fields, form or {}, values, LAN))


def test_a_complete_form_is_taken_trimmed_and_in_nfc() -> None:
    form = completed({**COMPLETE, "full_name": "  Nguye\u0302\u0303n Thi\u0323 Lan "})
    assert form["full_name"] == Value("Nguyễn Thị Lan", BY_CITIZEN)
    assert set(form) == set(COMPLETE)


def test_what_was_prefilled_stays_unless_she_gives_another() -> None:
    prefilled = {name: Value(text, BY_REGISTER) for name, text in COMPLETE.items()}
    form = completed({"new_address_detail": "Số 9"}, prefilled)
    assert form["new_address_detail"] == Value("Số 9", BY_CITIZEN)
    assert form["full_name"].source == BY_REGISTER


@pytest.mark.parametrize("name", COMPLETE)
def test_each_required_field_is_missed_by_name(name: str) -> None:
    for values in (COMPLETE | {name: " "}, {key: value for key, value in COMPLETE.items() if key != name}):
        with pytest.raises(Refusal) as caught:
            completed(values)
        assert (caught.value.reason, caught.value.metadata) == ("FORM_INCOMPLETE", {"fields": name})


def test_every_fault_is_named_at_once_and_no_value_is_repeated() -> None:
    with pytest.raises(Refusal) as caught:
        completed({**COMPLETE, "sex": "bí mật", "from_date": "20-11-2026", "a\nb": "x"})
    assert caught.value.reason == "FORM_INVALID"
    assert caught.value.metadata["fields"] == "'a\\nb',from_date,sex"
    assert "bí mật" not in caught.value.message
    assert "YYYY-MM-DD" in caught.value.message


@given(st.dictionaries(st.sampled_from(sorted(COMPLETE)), st.text(max_size=20)))
def test_no_value_makes_the_form_fail_otherwise_than_by_refusing(values: dict[str, str]) -> None:
    with suppress(Refusal):
        form = completed(COMPLETE | values)
        assert form_from_json(form_to_json(form)) == form
        assert form["personal_number"].text == LAN
        assert all(len(value.text.splitlines()) == 1 for value in form.values())


@pytest.mark.parametrize(
    ("given_note", "kept"),
    [("", ""), (" Thiếu giấy\ntờ ", "Thiếu giấy\ntờ"), ("1.\tGiấy\r\n2.\tẢnh", "1.\tGiấy\r\n2.\tẢnh")],
)
def test_a_note_is_trimmed_text(given_note: str, kept: str) -> None:
    assert check_note(given_note) == kept


@pytest.mark.parametrize("note", ["x" * 2_001, "a\x00", "a\x1b[31m", "a\x85b", "a\u2028b"])
def test_a_note_with_anything_but_text_is_refused(note: str) -> None:
    with pytest.raises(Refusal, match="NOTE_INVALID"):
        check_note(note)
