"""Every change of a request or a consent, with its revision. Each runs in the transaction of the log entry about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import grpc
from sqlalchemy import Connection, delete, insert, select, update

from lienthong.api.consent.v1.consent_pb2 import ConsentRequestState, ConsentState
from lienthong_core.errors import Refusal, denied, not_found, precondition
from lienthong_gateway.consents import revisions
from lienthong_gateway.consents.approval import Approval
from lienthong_gateway.consents.revisions import Actor, Revision
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest
from lienthong_gateway.consents.states import Change, capacity_name, next_state, state_name
from lienthong_gateway.consents.store import APPROVALS, CONSENTS, REQUESTS, find_consent, terms_text
from lienthong_gateway.log.leaf import time_text
from lienthong_gateway.log.store import commitment_to

_PENDING = ConsentRequestState.CONSENT_REQUEST_STATE_PENDING
_APPROVED = ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED
_DENIED = ConsentRequestState.CONSENT_REQUEST_STATE_DENIED


class Overtaken(Refusal):
    """Somebody else answered the request at the same moment; read it again and decide anew."""

    def __init__(self) -> None:
        message = "The request was answered at the same moment; read it again with FetchConsentRequest."
        super().__init__(grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_REQUEST_CLOSED", message)


class Unchanged(Refusal):
    """The consent is in the wanted state already, so there is nothing to record."""

    def __init__(self) -> None:
        message = "The consent is in that state already; GetConsent returns it."
        super().__init__(grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_ENDED", message)


def add_request(connection: Connection, request: StoredRequest, actor: Actor) -> Revision:
    """Store a new request."""
    terms, now = request.terms, request.requested_at
    document: dict[str, object] = {
        "kind": "request",
        "state": _request_state(request.state),
        "subject": commitment_to(connection, terms.subject_number),
        "terms": terms.claims(),
        "expires_at": time_text(request.expires_at),
        "approvals": [],
        "consent_id": "",
    }
    revision = revisions.begin(connection, request.consent_request_id, document, Change.REQUESTED, actor, now)
    connection.execute(
        insert(REQUESTS).values(
            consent_request_id=request.consent_request_id,
            state=request.state,
            revision=revision.revision,
            digest=revision.digest,
            subject_number=terms.subject_number,
            terms=terms_text(terms),
            requested_at=now,
            expires_at=request.expires_at,
        )
    )
    return revision


def approve_in_part(
    connection: Connection, request: StoredRequest, approvals: Sequence[Approval], actor: Actor, now: datetime
) -> Revision:
    """Store `approvals`, of which the last is new; others must approve still.

    Refused: APPROVAL_REPLAYED, or as Overtaken says.
    """
    _store_approvals(connection, request, approvals)
    differs = {"approvals": _evidence(connection, approvals)}
    return _answer(connection, request, _PENDING, differs, Change.APPROVED_IN_PART, actor, now)


def deny_request(connection: Connection, request: StoredRequest, actor: Actor, now: datetime) -> Revision:
    """Close a request with no; refused as Overtaken says."""
    return _answer(connection, request, _DENIED, {}, Change.DENIED, actor, now)


def give_consent(
    connection: Connection,
    request: StoredRequest,
    approvals: Sequence[Approval],
    consent: StoredConsent,
    actor: Actor,
    now: datetime,
) -> Revision:
    """Store `approvals`, close the request, and store the consent; return the consent's first revision.

    The last of `approvals` is new; `consent` comes without revision and digest. Refused: APPROVAL_REPLAYED, or as
    Overtaken says.
    """
    _store_approvals(connection, request, approvals)
    evidence = _evidence(connection, approvals)
    approved = {"approvals": evidence, "consent_id": consent.consent_id}
    closed = _answer(connection, request, _APPROVED, approved, Change.APPROVED, actor, now)
    terms = consent.terms
    document = {
        "kind": "consent",
        "state": state_name(consent.state),
        "subject": commitment_to(connection, terms.subject_number),
        "terms": terms.claims(),
        "consent_request_id": request.consent_request_id,
        "request_digest": closed.digest,
        "valid_from": time_text(consent.approved_at),
        "valid_until": time_text(consent.valid_until),
        "approvals": evidence,
    }
    revision = revisions.begin(connection, consent.consent_id, document, Change.GIVEN, actor, now)
    connection.execute(
        insert(CONSENTS).values(
            consent_id=consent.consent_id,
            consent_request_id=request.consent_request_id,
            state=consent.state,
            revision=revision.revision,
            digest=revision.digest,
            subject_number=terms.subject_number,
            consumer=terms.consumer,
            provider=terms.provider,
            terms=terms_text(terms),
            approved_at=consent.approved_at,
            valid_until=consent.valid_until,
            account_level=consent.account_level,
        )
    )
    return revision


def change_consent(connection: Connection, consent_id: str, change: Change, actor: Actor, now: datetime) -> Revision:
    """Pause, resume, revoke or erase a consent.

    Refused: CONSENT_ENDED, CONSENT_UNKNOWN, CONSENT_PAUSED (somebody else paused it than wants to resume or to pause
    it), or as Unchanged says: an erasure alone is noted whatever the state.
    """
    consent = find_consent(connection, consent_id, lock=True)
    if consent is None:
        raise not_found("CONSENT_UNKNOWN", "There is no consent of this id; ListConsents lists those that are yours.")
    state = next_state(consent.state_at(now), change)
    if consent.state == ConsentState.CONSENT_STATE_PAUSED and change in (Change.PAUSED, Change.RESUMED):
        _check_paused_by(actor, revisions.newest(connection, consent_id))
    if state == consent.state and change is not Change.ERASED:
        raise Unchanged
    revision = revisions.go_on(connection, consent_id, {"state": state_name(state)}, change, actor, now)
    values: dict[str, object] = {"state": state, "revision": revision.revision, "digest": revision.digest}
    if state == ConsentState.CONSENT_STATE_REVOKED and consent.revoked_at is None:
        values["revoked_at"] = now
    connection.execute(update(CONSENTS).where(CONSENTS.c.consent_id == consent_id).values(values))
    return revision


def _check_paused_by(actor: Actor, pause: Revision) -> None:
    """Refuse that a representative undoes a citizen's own pause, or relies on it, or a child her representative's."""
    if pause.capacity != capacity_name(actor.capacity):
        message = (
            f"The consent was paused by its {pause.capacity}, who alone resumes it, and may at any time; whoever else "
            "wants it stopped revokes it."
        )
        raise denied("CONSENT_PAUSED", message)


def close_erased_request(connection: Connection, request: StoredRequest, actor: Actor, now: datetime) -> Revision:
    """Close the request of a citizen who is being erased, if it is pending, and note the erasure in its chain."""
    pending = request.state == _PENDING
    state = _DENIED if pending else request.state
    revision = revisions.go_on(
        connection, request.consent_request_id, {"state": _request_state(state)}, Change.ERASED, actor, now
    )
    values = {"state": state, "revision": revision.revision, "digest": revision.digest}
    this = REQUESTS.c.consent_request_id == request.consent_request_id
    connection.execute(update(REQUESTS).where(this).values(values))
    return revision


def _request_state(state: ConsentRequestState.ValueType) -> str:
    return ConsentRequestState.Name(state).removeprefix("CONSENT_REQUEST_STATE_")


def _answer(
    connection: Connection,
    request: StoredRequest,
    state: ConsentRequestState.ValueType,
    differs: Mapping[str, Any],
    change: Change,
    actor: Actor,
    now: datetime,
) -> Revision:
    """Store an answer to a pending request, unless it was answered since it was read."""
    this = (
        REQUESTS.c.consent_request_id == request.consent_request_id,
        REQUESTS.c.state == _PENDING,
        REQUESTS.c.revision == request.revision,
    )
    values: dict[str, object] = {"state": state, "consent_id": differs.get("consent_id", "")}
    if connection.execute(update(REQUESTS).where(*this).values(values)).rowcount != 1:
        raise Overtaken
    what = {**differs, "state": _request_state(state)}
    revision = revisions.go_on(connection, request.consent_request_id, what, change, actor, now)
    numbered = {"revision": revision.revision, "digest": revision.digest}
    connection.execute(update(REQUESTS).where(this[0]).values(numbered))
    return revision


def _store_approvals(connection: Connection, request: StoredRequest, approvals: Sequence[Approval]) -> None:
    *kept, approval = approvals
    known = select(APPROVALS.c.statement_id).where(APPROVALS.c.statement_id == approval.statement_id)
    if connection.execute(known).first() is not None:
        raise replayed()
    # What the last one replaces is stored no more; its digest stays in the request's chain.
    others = APPROVALS.c.statement_id.not_in([each.statement_id for each in kept])
    connection.execute(delete(APPROVALS).where(APPROVALS.c.consent_request_id == request.consent_request_id, others))
    connection.execute(
        insert(APPROVALS).values(
            consent_request_id=request.consent_request_id,
            capacity=approval.capacity,
            statement_id=approval.statement_id,
            subject_age=str(approval.subject_age),
            approved_by=approval.approved_by,
            account_level=approval.account_level,
            authenticated_at=approval.authenticated_at,
            approved_at=approval.decided_at,
            statement=approval.statement,
            statement_digest=approval.statement_digest,
        )
    )


def replayed() -> Refusal:
    """Return the refusal of an approval that was recorded before."""
    message = "This approval was recorded already; FetchConsentRequest says who must approve still."
    return precondition("APPROVAL_REPLAYED", message)


def _evidence(connection: Connection, approvals: Sequence[Approval]) -> list[dict[str, object]]:
    """Return who approved and how, without naming anybody."""
    return [
        {
            "capacity": capacity_name(approval.capacity),
            "by": commitment_to(connection, approval.approved_by),
            "account_level": approval.account_level,
            "authenticated_at": time_text(approval.authenticated_at),
            "approved_at": time_text(approval.decided_at),
            "statement_digest": approval.statement_digest,
        }
        for approval in approvals
    ]
