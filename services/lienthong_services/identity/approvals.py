"""Consents at the gateway: what a citizen is asked, what she answered, and what she has paused and ended."""

import grpc

from lienthong.api.consent.v1.consent_pb2 import (
    Capacity,
    ConsentRequest,
    ConsentRequestState,
    FetchConsentRequestRequest,
    GetConsentReceiptRequest,
    GetConsentRequest,
    ListConsentsRequest,
    ListConsentsResponse,
    PauseConsentRequest,
    RecordDecisionRequest,
    ResumeConsentRequest,
    RevokeConsentRequest,
)
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong_core.errors import Refusal, not_found, reason_name
from lienthong_services.identity.gateway import ask

_APPROVED = ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED
_DENIED = ConsentRequestState.CONSENT_REQUEST_STATE_DENIED
_RECORDED_BEFORE = (
    reason_name(ErrorReason.ERROR_REASON_CONSENT_REQUEST_CLOSED),
    reason_name(ErrorReason.ERROR_REASON_APPROVAL_REPLAYED),
)


class ConsentDesk:
    """The gateway's ConsentService, as the identity provider uses it. Every method raises Refusal, within 5 seconds."""

    def __init__(self, gateway: grpc.Channel) -> None:
        self._stub = ConsentServiceStub(gateway)

    def fetch(self, request_id: str) -> ConsentRequest:
        """Return a request for consent as it is now."""
        request = FetchConsentRequestRequest(consent_request_id=request_id)
        return ask(self._stub.FetchConsentRequest, request).consent_request

    def record(self, request_id: str, decision: str, *, approved: bool, capacity: Capacity.ValueType) -> ConsentRequest:
        """Record a signed decision that somebody made in `capacity`, and return the request as it is then.

        Recording the same decision again is no error: the first answer may have been lost on its way here.
        """
        request = RecordDecisionRequest(consent_request_id=request_id, decision=decision)
        try:
            return ask(self._stub.RecordDecision, request).consent_request
        except Refusal as refusal:
            if refusal.reason not in _RECORDED_BEFORE:
                raise
            recorded = self.fetch(request_id)
            if not _holds(recorded, capacity, approved=approved):
                raise
            return recorded

    def consents_of(self, personal_number: str, cursor: str) -> ListConsentsResponse:
        """Return a page of a citizen's consents, and those she gave for children; an empty cursor is the newest's."""
        request = ListConsentsRequest(subject_number=personal_number, include_represented=True, cursor=cursor)
        return ask(self._stub.ListConsents, request)

    def pause(self, consent_id: str, personal_number: str) -> None:
        """Suspend a consent of this citizen, or of a child she represents."""
        capacity = self._capacity(consent_id, personal_number)
        ask(self._stub.PauseConsent, PauseConsentRequest(consent_id=consent_id, capacity=capacity))

    def resume(self, consent_id: str, personal_number: str) -> None:
        """Put a consent of this citizen, or of a child she represents, back in force."""
        capacity = self._capacity(consent_id, personal_number)
        ask(self._stub.ResumeConsent, ResumeConsentRequest(consent_id=consent_id, capacity=capacity))

    def revoke(self, consent_id: str, personal_number: str) -> None:
        """End a consent of this citizen, or of a child she represents."""
        capacity = self._capacity(consent_id, personal_number)
        ask(self._stub.RevokeConsent, RevokeConsentRequest(consent_id=consent_id, capacity=capacity))

    def receipt(self, consent_id: str, personal_number: str) -> bytes:
        """Return the receipt of a consent of this citizen, or of a child she represents: JSON."""
        self._capacity(consent_id, personal_number)
        return ask(self._stub.GetConsentReceipt, GetConsentReceiptRequest(consent_id=consent_id)).receipt

    def _capacity(self, consent_id: str, personal_number: str) -> Capacity.ValueType:
        """Return in which capacity a consent is hers; another citizen's is as unknown to her as one that never was."""
        consent = ask(self._stub.GetConsent, GetConsentRequest(consent_id=consent_id)).consent
        if consent.terms.subject_number == personal_number:
            return Capacity.CAPACITY_SUBJECT
        if any(approval.approved_by == personal_number for approval in consent.approvals):
            return Capacity.CAPACITY_REPRESENTATIVE
        raise not_found(reason_name(ErrorReason.ERROR_REASON_CONSENT_UNKNOWN), "There is no such consent.")


def _holds(recorded: ConsentRequest, capacity: Capacity.ValueType, *, approved: bool) -> bool:
    """Return whether a request says that this very decision was recorded."""
    if not approved:
        return recorded.state == _DENIED
    return recorded.state == _APPROVED or (recorded.state != _DENIED and capacity in recorded.approved_as)
