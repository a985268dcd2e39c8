"""The gateway's ConsentService, as far as an identity provider can tell."""

# ruff: noqa: ARG002, N802 (methods are named and called as the contract says)

import base64
from typing import Any

import grpc
import jwt
import rfc8785

from lienthong.api.consent.v1 import consent_pb2 as messages
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceServicer
from lienthong_core.errors import denied, invalid, not_found, precondition, unavailable
from lienthong_core.signing import SigningKey

REQUEST_ID = "6a1f0f7e-6f0b-4f0e-9c53-0d6c6a3b5d11"


class ConsentService(ConsentServiceServicer):
    """The gateway's ConsentService in memory; it checks what is signed as the gateway does."""

    def __init__(self, key: SigningKey, issuer: str, audience: str, subject_number: str, consumer: str) -> None:
        self.requests: dict[str, messages.ConsentRequest] = {}
        self.consents: dict[str, messages.Consent] = {}
        self.decisions: list[dict[str, Any]] = []
        self.capacities: list[messages.Capacity.ValueType] = []
        """On whose word consents were revoked."""
        self.down = False
        self.loses_answers = False
        self.page_size = 50
        """How many consents a page has."""
        self._key = jwt.PyJWK(key.jwk)
        self._issuer = issuer
        self._audience = audience
        self._subject_number = subject_number
        self._consumer = consumer

    def ask(self, request_id: str = REQUEST_ID, **changes: str | int) -> messages.ConsentRequest:
        """Keep a request for consent, as a consumer makes one."""
        terms = messages.ConsentTerms(
            subject_number=self._subject_number,
            consumer=self._consumer,
            provider="VN-SANDBOX/GOV/G01/population",
            datasets=["residence", "identity.ethnicity", "unheard.of"],
            purpose="1.004222",
            purpose_title_vi="Đăng ký thường trú",
            purpose_title_en="Registering permanent residence",
            legal_text_version="2026-01-01",
            legal_text_digest="d1" * 32,
            legal_text_vi="Bạn tự nguyện quyết định.",
            legal_text_en="You decide freely.",
        )
        terms.valid_for.FromSeconds(3_600)
        for name, value in changes.items():
            setattr(terms, name, value)
        request = messages.ConsentRequest(
            consent_request_id=request_id, state=messages.CONSENT_REQUEST_STATE_PENDING, terms=terms
        )
        self.requests[request_id] = request
        return request

    def RequestConsent(
        self, request: messages.RequestConsentRequest, context: grpc.ServicerContext
    ) -> messages.RequestConsentResponse:
        raise NotImplementedError

    def FetchConsentRequest(
        self, request: messages.FetchConsentRequestRequest, context: grpc.ServicerContext
    ) -> messages.FetchConsentRequestResponse:
        return messages.FetchConsentRequestResponse(consent_request=self._request(request.consent_request_id))

    def RecordDecision(
        self, request: messages.RecordDecisionRequest, context: grpc.ServicerContext
    ) -> messages.RecordDecisionResponse:
        asked = self._request(request.consent_request_id)
        if asked.state == messages.CONSENT_REQUEST_STATE_EXPIRED:
            raise precondition("CONSENT_REQUEST_EXPIRED", "The request was not answered in time.")
        if asked.state != messages.CONSENT_REQUEST_STATE_PENDING:
            raise precondition("CONSENT_REQUEST_CLOSED", "The request was answered already.")
        decision: dict[str, Any] = jwt.decode(
            request.decision,
            self._key,
            algorithms=["ES256"],
            audience=self._audience,
            issuer=self._issuer,
            options={"verify_iat": False},
        )
        assert jwt.get_unverified_header(request.decision)["typ"] == "lienthong-consent-approval+jwt"
        payload = request.decision.split(".")[1]
        signed = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        assert signed == rfc8785.dumps(decision)
        self.decisions.append(decision)
        self._decide(asked, decision)
        answer = messages.RecordDecisionResponse(consent_request=asked)
        if asked.consent_id:
            answer.consent.CopyFrom(self.consents[asked.consent_id])
        if self.loses_answers:
            raise unavailable("LOST", "The answer was lost on its way.")
        return answer

    def _decide(self, asked: messages.ConsentRequest, decision: dict[str, Any]) -> None:
        asked.state = messages.CONSENT_REQUEST_STATE_DENIED
        if decision["decision"] != "approved":
            return
        capacity = messages.Capacity.Value(f"CAPACITY_{decision['approves_as'].upper()}")
        grown_up = decision["subject_age"] == "grown_up"
        if capacity in asked.approved_as and not grown_up:
            asked.state = messages.CONSENT_REQUEST_STATE_PENDING
            raise precondition("APPROVAL_REPLAYED", "This approval was recorded already.")
        asked.approved_as[:] = [*(() if grown_up else asked.approved_as), capacity]
        if decision["subject_age"] == "child_from_7" and len(asked.approved_as) == 1:
            asked.state = messages.CONSENT_REQUEST_STATE_PENDING
            return
        asked.state = messages.CONSENT_REQUEST_STATE_APPROVED
        asked.consent_id = f"consent-of-{asked.consent_request_id}"
        self.give(asked.consent_id, asked.terms, decision["approved_by"])

    def give(self, consent_id: str, terms: messages.ConsentTerms, approved_by: str = "") -> messages.Consent:
        """Keep a consent in force; those given later come later in lists."""
        approval = messages.ConsentApproval(approved_by=approved_by or terms.subject_number)
        state = messages.CONSENT_STATE_ACTIVE
        consent = messages.Consent(consent_id=consent_id, state=state, terms=terms, approvals=[approval])
        consent.valid_until.FromJsonString("2027-01-01T12:30:00Z")
        self.consents[consent_id] = consent
        return consent

    def GetConsent(
        self, request: messages.GetConsentRequest, context: grpc.ServicerContext
    ) -> messages.GetConsentResponse:
        return messages.GetConsentResponse(consent=self._consent(request.consent_id))

    def ListConsents(
        self, request: messages.ListConsentsRequest, context: grpc.ServicerContext
    ) -> messages.ListConsentsResponse:
        self._check_up()
        number = request.subject_number
        assert request.include_represented
        hers = [c for c in self.consents.values() if number in (c.terms.subject_number, c.approvals[0].approved_by)]
        after = request.cursor.removeprefix("from+") or "0"
        if not after.isdecimal():
            raise invalid("CURSOR_INVALID", "The cursor is not one that this method gave; send next_cursor as it came.")
        begin = int(after)
        end = begin + self.page_size
        cursor = f"from+{end}" if len(hers) > end else ""
        return messages.ListConsentsResponse(consents=hers[begin:end], next_cursor=cursor)

    def PauseConsent(
        self, request: messages.PauseConsentRequest, context: grpc.ServicerContext
    ) -> messages.PauseConsentResponse:
        consent = self._consent(request.consent_id)
        if consent.state == messages.CONSENT_STATE_REVOKED:
            raise precondition("CONSENT_ENDED", "The consent has ended; ask for another.")
        if consent.paused_as not in (messages.CAPACITY_UNSPECIFIED, request.capacity):
            raise denied("CONSENT_PAUSED", "Somebody else has paused it; revoke it.")
        consent.state, consent.paused_as = messages.CONSENT_STATE_PAUSED, request.capacity
        return messages.PauseConsentResponse(consent=consent)

    def ResumeConsent(
        self, request: messages.ResumeConsentRequest, context: grpc.ServicerContext
    ) -> messages.ResumeConsentResponse:
        consent = self._consent(request.consent_id)
        if consent.paused_as not in (messages.CAPACITY_UNSPECIFIED, request.capacity):
            raise denied("CONSENT_PAUSED", "Somebody else has paused it; revoke it.")
        consent.state, consent.paused_as = messages.CONSENT_STATE_ACTIVE, messages.CAPACITY_UNSPECIFIED
        return messages.ResumeConsentResponse(consent=consent)

    def ListConsentRevisions(
        self, request: messages.ListConsentRevisionsRequest, context: grpc.ServicerContext
    ) -> messages.ListConsentRevisionsResponse:
        raise NotImplementedError

    def GetConsentReceipt(
        self, request: messages.GetConsentReceiptRequest, context: grpc.ServicerContext
    ) -> messages.GetConsentReceiptResponse:
        consent = self._consent(request.consent_id)
        return messages.GetConsentReceiptResponse(receipt=f'{{"of":"{consent.consent_id}"}}'.encode())

    def RevokeConsent(
        self, request: messages.RevokeConsentRequest, context: grpc.ServicerContext
    ) -> messages.RevokeConsentResponse:
        consent = self._consent(request.consent_id)
        self.capacities.append(request.capacity)
        consent.state = messages.CONSENT_STATE_REVOKED
        return messages.RevokeConsentResponse(consent=consent)

    def _request(self, request_id: str) -> messages.ConsentRequest:
        self._check_up()
        if request_id not in self.requests:
            raise not_found("CONSENT_REQUEST_UNKNOWN", "There is no such request.")
        return self.requests[request_id]

    def _consent(self, consent_id: str) -> messages.Consent:
        self._check_up()
        if consent_id not in self.consents:
            raise not_found("CONSENT_UNKNOWN", "There is no such consent.")
        return self.consents[consent_id]

    def _check_up(self) -> None:
        if self.down:
            raise unavailable("DOWN", "The gateway is down.")
