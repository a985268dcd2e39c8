"""The states of a dossier and who may move it between them: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum
from types import MappingProxyType

from lienthong_core.errors import Refusal, denied, precondition
from lienthong_core.working_days import add_working_days, working_days_between


class State(IntEnum):
    """The national list of ten [R], by its numbers, which are the contract's too; 0 is a draft."""

    DRAFT = 0
    REGISTERED = 1
    RECEIVED = 2
    NOT_RECEIVED = 3
    PROCESSING = 4
    PAPERS_REQUESTED = 5
    PAYMENT_REQUESTED = 6
    WITHDRAWN = 7
    STOPPED = 8
    FINISHED = 9
    RETURNED = 10


class Mover(Enum):
    """Who moves a dossier."""

    CITIZEN = "citizen"
    OFFICER = "officer"


STATE_NAMES_VI: Mapping[State, str] = MappingProxyType(
    {
        State.DRAFT: "",
        State.REGISTERED: "Mới đăng ký",
        State.RECEIVED: "Được tiếp nhận",
        State.NOT_RECEIVED: "Không được tiếp nhận",
        State.PROCESSING: "Đang xử lý",
        State.PAPERS_REQUESTED: "Yêu cầu bổ sung giấy tờ",
        State.PAYMENT_REQUESTED: "Yêu cầu thực hiện nghĩa vụ tài chính",
        State.WITHDRAWN: "Công dân yêu cầu rút hồ sơ",
        State.STOPPED: "Dừng xử lý",
        State.FINISHED: "Đã xử lý xong",
        State.RETURNED: "Đã trả kết quả",
    }
)
"""The states' names on the national list [R]; a draft is not on it."""

CLOCK_STOPPED = frozenset({State.PAPERS_REQUESTED, State.PAYMENT_REQUESTED})
"""The dossier waits for the applicant, and the days do not count [R]."""

_OFFICERS_MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.REGISTERED: frozenset({State.RECEIVED, State.NOT_RECEIVED}),
        State.RECEIVED: frozenset({State.PROCESSING, State.STOPPED, *CLOCK_STOPPED}),
        State.PROCESSING: frozenset({State.FINISHED, State.STOPPED, *CLOCK_STOPPED}),
        State.PAPERS_REQUESTED: frozenset({State.PROCESSING, State.STOPPED}),
        State.PAYMENT_REQUESTED: frozenset({State.PROCESSING, State.STOPPED}),
        State.FINISHED: frozenset({State.RETURNED}),
    }
)
"""The national list names the states, not the moves between them: these are this simulation's own reading of them [M].
That includes that nothing leaves 8 Dừng xử lý, which one set of indicators counts among the suspended states."""

_CITIZENS_MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    dict.fromkeys((State.REGISTERED, State.RECEIVED, State.PROCESSING, *CLOCK_STOPPED), frozenset({State.WITHDRAWN}))
)
"""The applicant may withdraw until the dossier is finished or closed [M]."""

_MOVES: Mapping[Mover, Mapping[State, frozenset[State]]] = MappingProxyType(
    {Mover.CITIZEN: _CITIZENS_MOVES, Mover.OFFICER: _OFFICERS_MOVES}
)


def possible_moves(state: State, mover: Mover) -> frozenset[State]:
    """Return the states that `mover` may move a dossier to; empty in a terminal state and for a draft."""
    return _MOVES[mover].get(state, frozenset())


def check_move(state: State, target: int, mover: Mover) -> State:
    """Return the state `target` (a number of the contract) if `mover` may move a dossier there from `state`.

    Raises refusals with reason MOVE_NOT_YOURS if only somebody else may, and MOVE_NOT_ALLOWED if nobody may.
    """
    own = possible_moves(state, mover)
    if target in own:
        return State(target)
    if any(target in possible_moves(state, other) for other in Mover):
        other = Mover.OFFICER if mover is Mover.CITIZEN else Mover.CITIZEN
        message = f"Only {_WHO[other]} may move a dossier from {_title(state)} to {_title(State(target))}."
        raise denied("MOVE_NOT_YOURS", message)
    raise move_not_allowed(state, own)


def move_not_allowed(state: State, own: frozenset[State]) -> Refusal:
    """Return the refusal of a move that leads nowhere; it names the moves that do."""
    ways = ", ".join(_title(way) for way in sorted(own))
    where = f"you can move it to: {ways}" if own else "you cannot move it any further"
    return precondition("MOVE_NOT_ALLOWED", f"The dossier is in state {_title(state)}; {where}.")


@dataclass(frozen=True)
class Deadline:
    """Day on which the result is due, and since when the clock stands; None before receipt and while it runs."""

    due: date | None
    stopped_on: date | None

    def after_move(self, target: State, today: date, working_days: int) -> "Deadline":
        """Return the deadline after a move to `target` on `today` (Vietnam's civil date).

        Receipt sets it: `working_days` counted from the day after, whatever the hour of receipt. Going on after the
        clock stood moves it by the working days that passed since.
        """
        if target is State.RECEIVED:
            return Deadline(add_working_days(today, working_days), None)
        if target in CLOCK_STOPPED:
            return Deadline(self.due, today)
        if target is State.PROCESSING and self.due and self.stopped_on:
            return Deadline(add_working_days(self.due, working_days_between(self.stopped_on, today)), None)
        return self


_WHO = MappingProxyType({Mover.CITIZEN: "the applicant", Mover.OFFICER: "an officer"})


def _title(state: State) -> str:
    return f"{state.value} {STATE_NAMES_VI[state] or 'draft'}".strip()
