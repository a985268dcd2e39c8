"""What may become of a consent, and who must approve one. Pure.

given → ACTIVE ⇄ PAUSED → REVOKED        EXPIRED follows from the clock, out of ACTIVE and out of PAUSED

Clocks differ and can be set back, so what ends a consent for good is her word: it can be revoked when it has expired.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from lienthong.api.consent.v1.consent_pb2 import Capacity, ConsentState
from lienthong_core.errors import precondition

_ACTIVE, _PAUSED = ConsentState.CONSENT_STATE_ACTIVE, ConsentState.CONSENT_STATE_PAUSED
_REVOKED = ConsentState.CONSENT_STATE_REVOKED
ENDED = frozenset({_REVOKED, ConsentState.CONSENT_STATE_EXPIRED})


class Change(StrEnum):
    """What happens to a request or a consent; each makes a revision."""

    REQUESTED = "REQUESTED"
    APPROVED_IN_PART = "APPROVED_IN_PART"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    GIVEN = "GIVEN"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    REVOKED = "REVOKED"
    ERASED = "ERASED"


_LEADS_TO: Mapping[Change, ConsentState.ValueType] = {
    Change.PAUSED: _PAUSED,
    Change.RESUMED: _ACTIVE,
    Change.REVOKED: _REVOKED,
    Change.ERASED: _REVOKED,
}


def next_state(state: ConsentState.ValueType, change: Change) -> ConsentState.ValueType:
    """Return the state after a change of a consent that is in `state` now; the same one if there is nothing to change.

    Refused: CONSENT_ENDED (pausing or resuming what was revoked or is outside its period).
    """
    if state in ENDED and change in (Change.PAUSED, Change.RESUMED):
        message = (
            "The consent was revoked, or its period is over or has not begun; ask the citizen for a new one with "
            "RequestConsent."
        )
        raise precondition("CONSENT_ENDED", message)
    return _LEADS_TO[change]


class SubjectAge(StrEnum):
    """How old the citizen is, as far as it decides who must approve.

    A child under 7 is represented; from 7 on the child approves as well (Law 91/2025 as domain facts quote it [R2]).
    A child is under 16 (Law on Children 2016 Art. 1 [M]).
    """

    GROWN_UP = "grown_up"
    CHILD_FROM_7 = "child_from_7"
    CHILD_UNDER_7 = "child_under_7"


_SUBJECT, _REPRESENTATIVE = Capacity.CAPACITY_SUBJECT, Capacity.CAPACITY_REPRESENTATIVE
APPROVERS: Mapping[SubjectAge, frozenset[Capacity.ValueType]] = {
    SubjectAge.GROWN_UP: frozenset({_SUBJECT}),
    SubjectAge.CHILD_FROM_7: frozenset({_SUBJECT, _REPRESENTATIVE}),
    SubjectAge.CHILD_UNDER_7: frozenset({_REPRESENTATIVE}),
}
"""Who must approve, by the citizen's age."""


def state_name(state: ConsentState.ValueType) -> str:
    """Return the word for a consent's state in documents, such as `ACTIVE`."""
    return ConsentState.Name(state).removeprefix("CONSENT_STATE_")


def capacity_name(capacity: Capacity.ValueType) -> str:
    """Return the word for a capacity in statements and documents, such as `representative`."""
    return Capacity.Name(capacity).removeprefix("CAPACITY_").lower()


def capacity_named(name: str) -> Capacity.ValueType:
    """Return the capacity that `capacity_name` gives the word for."""
    return Capacity.Value(f"CAPACITY_{name.upper()}")


def missing_approvers(age: SubjectAge, approved: Collection[Capacity.ValueType]) -> frozenset[Capacity.ValueType]:
    """Return who must approve still for a citizen of that age."""
    return APPROVERS[age] - frozenset(approved)
