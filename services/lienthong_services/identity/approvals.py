"""Consents at the gateway: what a citizen is asked, what she answered, and what she has ended."""

from collections.abc import Sequence
from typing import TypeVar

import grpc

from lienthong.api.consent.v1.consent_pb2 import (
    Consent,
    ConsentRequest,
    ConsentRequestState,
    FetchConsentRequestRequest,
    GetConsentRequest,
    ListConsentsRequest,
    RecordDecisionRequest,
    RevokeConsentRequest,
)
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong_core.errors import Refusal, not_found, reason_name, refusal_from

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_APPROVED = ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED
_DENIED = ConsentRequestState.CONSENT_REQUEST_STATE_DENIED
_DEADLINE_S = 5.0
# A citizen who tries again a moment after the gateway came back should find it back.
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class ConsentDesk:
    """The gateway's ConsentService, as the identity provider uses it. Every method raises Refusal, within 5 seconds."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials) -> None:
        self._channel = grpc.secure_channel(address, credentials, _CHANNEL_OPTIONS)
        self._stub = ConsentServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def fetch(self, request_id: str) -> ConsentRequest:
        """Return a request for consent as it is now."""
        request = FetchConsentRequestRequest(consent_request_id=request_id)
        return _call(self._stub.FetchConsentRequest, request).consent_request

    def record(self, request_id: str, decision: str, *, approved: bool) -> str:
        """Record a signed decision and return the consent's id, empty if denied.

        Recording the same decision again is no error: the first answer may have been lost on its way here.
        """
        request = RecordDecisionRequest(consent_request_id=request_id, decision=decision)
        try:
            return _call(self._stub.RecordDecision, request).consent.consent_id
        except Refusal as refusal:
            if refusal.reason != reason_name(ErrorReason.ERROR_REASON_CONSENT_REQUEST_CLOSED):
                raise
            recorded = self.fetch(request_id)
            if recorded.state != (_APPROVED if approved else _DENIED):
                raise
            return recorded.consent_id

    def consents_of(self, personal_number: str) -> Sequence[Consent]:
        """Return all consents of a citizen, newest first."""
        return _call(self._stub.ListConsents, ListConsentsRequest(subject_number=personal_number)).consents

    def revoke(self, consent_id: str, personal_number: str) -> None:
        """End a consent of this citizen; another's is as unknown to her as one that never was."""
        consent = _call(self._stub.GetConsent, GetConsentRequest(consent_id=consent_id)).consent
        if consent.terms.subject_number != personal_number:
            raise not_found(reason_name(ErrorReason.ERROR_REASON_CONSENT_UNKNOWN), "There is no such consent.")
        _call(self._stub.RevokeConsent, RevokeConsentRequest(consent_id=consent_id))


def _call(method: "grpc.UnaryUnaryMultiCallable[_Request, _Response]", request: _Request) -> _Response:
    try:
        return method(request, timeout=_DEADLINE_S)
    except grpc.RpcError as error:
        raise refusal_from(error) from error
