"""What may become of a citizen's request about her own data. Pure: time and facts are arguments.

Every function returns the request as it is afterwards. Refused throughout: RIGHTS_REQUEST_INVALID where something is
missing from what is said, RIGHTS_REQUEST_MOVE_NOT_ALLOWED where the request's state does not allow it.
"""

import unicodedata
import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from types import MappingProxyType

from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind, RightsRequestState
from lienthong_core.errors import Refusal, invalid, not_found, precondition
from lienthong_core.systems import SystemId
from lienthong_core.working_days import VIETNAM, civil_date
from lienthong_gateway.registration import Registration
from lienthong_gateway.subjects import deadlines

_Kind, _State = RightsRequestKind, RightsRequestState
RECEIVED, ACKNOWLEDGED = _State.RIGHTS_REQUEST_STATE_RECEIVED, _State.RIGHTS_REQUEST_STATE_ACKNOWLEDGED
EXTENDED, FULFILLED = _State.RIGHTS_REQUEST_STATE_EXTENDED, _State.RIGHTS_REQUEST_STATE_FULFILLED
REFUSED, WITHDRAWN = _State.RIGHTS_REQUEST_STATE_REFUSED, _State.RIGHTS_REQUEST_STATE_WITHDRAWN
OPEN = frozenset({RECEIVED, ACKNOWLEDGED, EXTENDED})
"""States in which the controller still owes something."""
_IN_WORK = frozenset({ACKNOWLEDGED, EXTENDED})
_LONGEST_TEXT = 2_000
_CONTROL, _ALLOWED_CONTROLS = "Cc", frozenset("\n\r\t")
_STATE_WORDS = MappingProxyType(
    {
        RECEIVED: "not acknowledged yet",
        ACKNOWLEDGED: "acknowledged",
        EXTENDED: "extended already",
        FULFILLED: "fulfilled",
        REFUSED: "refused",
        WITHDRAWN: "withdrawn",
    }
)


@dataclass(frozen=True)
class StoredRequest:
    """A request as it is stored."""

    request_id: str
    kind: RightsRequestKind.ValueType
    state: RightsRequestState.ValueType
    controller: SystemId
    subject_number: str
    detail: str
    submitted_at: datetime
    acknowledge_by: date
    due: date
    answer: str = ""
    legal_ground: str = ""
    closed_at: datetime | None = None

    @property
    def is_restriction(self) -> bool:
        """Whether it asks for a restriction."""
        return self.kind == _Kind.RIGHTS_REQUEST_KIND_RESTRICT

    @property
    def is_deletion(self) -> bool:
        """Whether it asks for a deletion."""
        return self.kind == _Kind.RIGHTS_REQUEST_KIND_DELETE

    @property
    def is_owed(self) -> bool:
        """Whether it still has to be kept to: it is open, or a restriction in force."""
        return self.state in OPEN or (self.is_restriction and self.state == FULFILLED)

    def is_overdue(self, now: datetime) -> bool:
        """Return whether a day has passed without what was due on it."""
        today = civil_date(now)
        unanswered = self.state == RECEIVED and self.acknowledge_by < today
        return unanswered or (self.state in OPEN and self.due < today)


def submitted(
    kind: RightsRequestKind.ValueType,
    controller: str,
    detail: str,
    subject_number: str,
    registration: Registration,
    now: datetime,
) -> StoredRequest:
    """Return a new request."""
    if kind not in deadlines.TERMS:
        raise request_invalid("kind must say what is asked for")
    system = next((known for known in registration.systems if str(known) == controller), None)
    if system is None:
        raise request_invalid(
            "controller must be a registered system; CatalogueService.ListSystems lists those there are"
        )
    least = 1 if kind == _Kind.RIGHTS_REQUEST_KIND_CORRECT else 0
    today = civil_date(now)
    return StoredRequest(
        request_id=str(uuid.uuid4()),
        kind=kind,
        state=RECEIVED,
        controller=system,
        subject_number=subject_number,
        detail=_text("detail", detail, least),
        submitted_at=now,
        acknowledge_by=deadlines.reply_by(today),
        due=deadlines.due_on(kind, today, through_third_party=False),
    )


def acknowledged(request: StoredRequest, *, through_third_party: bool) -> StoredRequest:
    """Return a request that the controller has taken up; late is better than not at all."""
    _check_state(request, frozenset({RECEIVED}))
    first_day = civil_date(request.submitted_at)
    due = deadlines.due_on(request.kind, first_day, through_third_party=through_third_party)
    return replace(request, state=ACKNOWLEDGED, due=due)


def extended(request: StoredRequest, now: datetime, reason: str) -> StoredRequest:
    """Return a request with more time: once, and before its time is over."""
    _check_state(request, frozenset({ACKNOWLEDGED}))
    if request.is_overdue(now):
        raise _not_allowed("The deadline has passed, and can be extended no more; answer the request.")
    due = deadlines.extended(request.kind, request.due)
    return replace(request, state=EXTENDED, due=due, answer=_text("reason", reason, 1))


def fulfilled(request: StoredRequest, now: datetime, note: str) -> StoredRequest:
    """Return a request that was complied with."""
    _check_state(request, _IN_WORK)
    return replace(request, state=FULFILLED, answer=_text("note", note, 0), closed_at=now)


def refused(
    request: StoredRequest, now: datetime, reason: str, legal_ground: str, registration: Registration
) -> StoredRequest:
    """Return a request that was not complied with; a deletion only on a ground of Law 91/2025 Art. 19(1) in force."""
    _check_state(request, _IN_WORK)
    if request.is_deletion:
        ground = registration.legal_grounds.get(legal_ground)
        if ground is None or not ground.period.holds(now):
            raise request_invalid("legal_ground must name a ground in force, without which no deletion can be refused")
    elif legal_ground:
        raise request_invalid("legal_ground is for the refusal of a deletion; leave it out")
    return replace(request, state=REFUSED, answer=_text("reason", reason, 1), legal_ground=legal_ground, closed_at=now)


def withdrawn(request: StoredRequest, now: datetime) -> StoredRequest:
    """Return a request that the citizen has taken back, or a restriction that she has ended."""
    _check_state(request, OPEN | {FULFILLED} if request.is_restriction else OPEN)
    return replace(request, state=WITHDRAWN, closed_at=now)


def kept(request: StoredRequest) -> StoredRequest:
    """Return a request that is owed as it outlives the erasure of its citizen.

    The log has entries about it, each with its id and the time. So it goes on under another id, and of its times only
    the day of its submission is kept, which the deadlines are counted by.
    """
    return replace(request, request_id=str(uuid.uuid4()), submitted_at=_day_of(request.submitted_at), closed_at=None)


def unknown_request() -> Refusal:
    """Return the refusal of a request that does not exist for the caller."""
    return not_found("RIGHTS_REQUEST_UNKNOWN", "No request of this id is yours; List lists those that are.")


def _day_of(moment: datetime) -> datetime:
    return datetime.combine(civil_date(moment), time.min, VIETNAM)


def _check_state(request: StoredRequest, allowed: frozenset[RightsRequestState.ValueType]) -> None:
    if request.state not in allowed:
        raise _not_allowed(f"The request is {_STATE_WORDS[request.state]}, which does not allow this; read it again.")


def _text(field: str, text: str, least: int) -> str:
    stripped = text.strip()
    if not least <= len(stripped) <= _LONGEST_TEXT:
        raise request_invalid(f"{field} must have {least} to {_LONGEST_TEXT} characters")
    if any(unicodedata.category(c) == _CONTROL and c not in _ALLOWED_CONTROLS for c in stripped):
        raise request_invalid(f"{field} must be plain text: no control characters but line breaks and tabs")
    return stripped


def request_invalid(what: str) -> Refusal:
    """Return the refusal, RIGHTS_REQUEST_INVALID, of what is said; `what` says why, without a full stop."""
    return invalid("RIGHTS_REQUEST_INVALID", f"{what}.")


def _not_allowed(message: str) -> Refusal:
    return precondition("RIGHTS_REQUEST_MOVE_NOT_ALLOWED", message)
