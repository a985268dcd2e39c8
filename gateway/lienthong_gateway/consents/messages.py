"""Stored requests and consents as the contract's messages."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong_core.dates import timestamp
from lienthong_gateway.consents.approval import Approval
from lienthong_gateway.consents.revisions import Revision
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest
from lienthong_gateway.consents.states import missing_approvers
from lienthong_gateway.consents.terms import Terms

_PENDING = pb.ConsentRequestState.CONSENT_REQUEST_STATE_PENDING


def request_message(stored: StoredRequest, approvals: Sequence[Approval], now: datetime) -> pb.ConsentRequest:
    """Return a request as it is at that time."""
    state = stored.state_at(now)
    approved = [approval.capacity for approval in approvals]
    missing = missing_approvers(approvals[-1].subject_age, approved) if approvals and state == _PENDING else ()
    return pb.ConsentRequest(
        consent_request_id=stored.consent_request_id,
        state=state,
        terms=terms_message(stored.terms),
        requested_at=timestamp(stored.requested_at),
        expires_at=timestamp(stored.expires_at),
        consent_id=stored.consent_id,
        approved_as=approved,
        missing=sorted(missing),
    )


def consent_message(stored: StoredConsent, approvals: Sequence[Approval], now: datetime) -> pb.Consent:
    """Return a consent as it is at that time."""
    state = stored.state_at(now)
    is_paused = state == pb.ConsentState.CONSENT_STATE_PAUSED
    return pb.Consent(
        consent_id=stored.consent_id,
        revision=stored.revision,
        state=state,
        terms=terms_message(stored.terms),
        approved_at=timestamp(stored.approved_at),
        valid_until=timestamp(stored.valid_until),
        revoked_at=None if stored.revoked_at is None else timestamp(stored.revoked_at),
        account_level=stored.account_level,
        approvals=[_approval(approval) for approval in approvals],
        revision_digest=stored.digest,
        consent_request_id=stored.consent_request_id,
        paused_as=stored.paused_as if is_paused else pb.Capacity.CAPACITY_UNSPECIFIED,
    )


def terms_message(terms: Terms) -> pb.ConsentTerms:
    """Return what a consent is about, with the legal text."""
    text = terms.legal_text
    return pb.ConsentTerms(
        subject_number=terms.subject_number,
        consumer=terms.consumer,
        provider=terms.provider,
        datasets=sorted(terms.datasets),
        purpose=terms.purpose,
        purpose_title_vi=terms.purpose_title_vi,
        purpose_title_en=terms.purpose_title_en,
        purpose_reference=terms.purpose_reference,
        valid_for=_duration(terms.valid_for),
        uses=terms.uses,
        uses_per=_duration(terms.uses_per),
        retention=_duration(terms.retention),
        legal_text_version=text.version,
        legal_text_digest=text.digest,
        legal_text_vi=text.vi,
        legal_text_en=text.en,
    )


def revision_message(revision: Revision) -> pb.ConsentRevision:
    """Return a revision as stored."""
    return pb.ConsentRevision(
        revision=revision.revision,
        change=revision.change,
        changed_at=timestamp(revision.changed_at),
        document=revision.document,
        digest=revision.digest,
    )


def _approval(approval: Approval) -> pb.ConsentApproval:
    return pb.ConsentApproval(
        capacity=approval.capacity,
        approved_by=approval.approved_by,
        account_level=approval.account_level,
        authenticated_at=timestamp(approval.authenticated_at),
        approved_at=timestamp(approval.decided_at),
        statement=approval.statement,
        statement_digest=approval.statement_digest,
    )


def _duration(period: timedelta | None) -> Duration | None:
    if period is None:
        return None
    message = Duration()
    message.FromTimedelta(period)
    return message
