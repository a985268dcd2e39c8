"""ConsentService: what the contract promises, on the rules and the store."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, denied, not_found
from lienthong_core.systems import SystemId
from lienthong_gateway.consents import rules, store
from lienthong_gateway.consents.approval import key_id_of, read_approval
from lienthong_gateway.consents.messages import ConsentMessages
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest, Terms
from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.exchange import Trace
from lienthong_gateway.local import Answer, LocalCall
from lienthong_gateway.log.head import Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import Job, LogWriter
from lienthong_gateway.registration import Registration
from lienthong_gateway.steps.authenticate import IssuerKeys

_STATE = pb.ConsentRequestState


@dataclass(frozen=True)
class IdentityProvider:
    """Who signs citizens' decisions, and for whom."""

    system: SystemId
    issuer: str
    audience: str
    keys: IssuerKeys


class ConsentAnswers:
    """Answers ConsentService. Every change is made in the transaction of the log entry about it."""

    def __init__(
        self,
        registration: Registration,
        contracts: Mapping[str, MethodContract],
        consents: store.ConsentStore,
        writer: LogWriter,
        provider: IdentityProvider,
        clock: Clock,
    ) -> None:
        self._registration = registration
        self._provider_datasets = _datasets_by_provider(contracts)
        self._consents = consents
        self._writer = writer
        self._provider = provider
        self._clock = clock
        self._messages = ConsentMessages(registration.purposes)

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each method of the service."""
        return {
            "RequestConsent": self._request_consent,
            "FetchConsentRequest": self._fetch_consent_request,
            "RecordDecision": self._record_decision,
            "GetConsent": self._get_consent,
            "ListConsents": self._list_consents,
            "RevokeConsent": self._revoke_consent,
        }

    async def _request_consent(self, call: LocalCall, request: pb.RequestConsentRequest) -> pb.RequestConsentResponse:
        terms = self._terms(call, request)
        rules.check_terms(terms, self._provider_datasets.get(terms.provider, frozenset()), self._registration)
        now = self._clock.now()
        stored = StoredRequest(
            consent_request_id=str(uuid.uuid4()),
            state=_STATE.CONSENT_REQUEST_STATE_PENDING,
            terms=terms,
            requested_at=now,
            expires_at=now + rules.REQUEST_LIFETIME,
            consent_id="",
        )
        await self._record(call, terms, "CONSENT_REQUESTED", lambda connection: store.add_request(connection, stored))
        return pb.RequestConsentResponse(consent_request=self._messages.request(stored, now))

    async def _fetch_consent_request(
        self, call: LocalCall, request: pb.FetchConsentRequestRequest
    ) -> pb.FetchConsentRequestResponse:
        stored = await self._visible_request(call, request.consent_request_id)
        return pb.FetchConsentRequestResponse(consent_request=self._messages.request(stored, self._clock.now()))

    async def _record_decision(self, call: LocalCall, request: pb.RecordDecisionRequest) -> pb.RecordDecisionResponse:
        if call.caller.system != self._provider.system:
            raise denied("CALLER_NOT_ALLOWED", "Only the identity provider records what a citizen decided.")
        stored = await self._visible_request(call, request.consent_request_id)
        now = self._clock.now()
        rules.check_open(stored, now)
        key = await self._provider.keys.find(key_id_of(request.decision))
        approval = read_approval(request.decision, key, stored, self._provider.issuer, self._provider.audience, now)
        if not approval.approved:
            return await self._denied(call, stored)
        consent = StoredConsent(
            consent_id=str(uuid.uuid4()),
            revision=1,
            terms=stored.terms,
            approved_at=approval.decided_at,
            valid_until=approval.decided_at + stored.terms.valid_for,
            revoked_at=None,
            account_level=approval.account_level,
            approval=request.decision,
        )
        return await self._approved(call, stored, consent)

    async def _approved(
        self, call: LocalCall, request: StoredRequest, consent: StoredConsent
    ) -> pb.RecordDecisionResponse:
        approved = _STATE.CONSENT_REQUEST_STATE_APPROVED

        def change(connection: Connection) -> None:
            store.close_request(connection, request.consent_request_id, approved, consent.consent_id)
            store.add_consent(connection, consent)

        await self._record(call, consent.terms, "CONSENT_GIVEN", change, consent.consent_id)
        now = self._clock.now()
        closed = replace(request, state=approved, consent_id=consent.consent_id)
        return pb.RecordDecisionResponse(
            consent_request=self._messages.request(closed, now), consent=self._messages.consent(consent, now)
        )

    async def _denied(self, call: LocalCall, request: StoredRequest) -> pb.RecordDecisionResponse:
        state = _STATE.CONSENT_REQUEST_STATE_DENIED

        def change(connection: Connection) -> None:
            store.close_request(connection, request.consent_request_id, state)

        await self._record(call, request.terms, "CONSENT_DENIED", change)
        closed = self._messages.request(replace(request, state=state), self._clock.now())
        return pb.RecordDecisionResponse(consent_request=closed)

    async def _get_consent(self, call: LocalCall, request: pb.GetConsentRequest) -> pb.GetConsentResponse:
        consent = await self._visible_consent(call, request.consent_id)
        return pb.GetConsentResponse(consent=self._messages.consent(consent, self._clock.now()))

    async def _list_consents(self, call: LocalCall, request: pb.ListConsentsRequest) -> pb.ListConsentsResponse:
        rules.check_personal_number(request.subject_number)
        now = self._clock.now()
        found = await asyncio.to_thread(self._consents.consents_of, request.subject_number)
        visible = [consent for consent in found if self._may_see(call, consent.terms)]
        return pb.ListConsentsResponse(consents=[self._messages.consent(consent, now) for consent in visible])

    async def _revoke_consent(self, call: LocalCall, request: pb.RevokeConsentRequest) -> pb.RevokeConsentResponse:
        consent = await self._visible_consent(call, request.consent_id)
        now = self._clock.now()
        if consent.revoked_at is None:

            def change(connection: Connection) -> None:
                store.revoke_consent(connection, consent.consent_id, now)

            try:
                await self._record(call, consent.terms, "CONSENT_REVOKED", change, consent.consent_id)
            except Refusal as refusal:
                if refusal.reason != store.NOT_IN_FORCE:
                    raise
                # Somebody else ended it in between, which is as good.
            consent = await self._visible_consent(call, request.consent_id)
        return pb.RevokeConsentResponse(consent=self._messages.consent(consent, now))

    def _terms(self, call: LocalCall, request: pb.RequestConsentRequest) -> Terms:
        has_period = request.HasField("valid_for")
        return Terms(
            subject_number=request.subject_number,
            consumer=str(call.caller.system),
            provider=request.provider,
            datasets=frozenset(request.datasets),
            purpose=request.purpose,
            valid_for=rules.period_of(request.valid_for.seconds) if has_period else rules.DEFAULT_PERIOD,
            legal_text_version=rules.LEGAL_TEXT_VERSION,
        )

    async def _visible_request(self, call: LocalCall, consent_request_id: str) -> StoredRequest:
        stored = await asyncio.to_thread(self._consents.find_request, consent_request_id)
        if stored is None or not self._may_see(call, stored.terms):
            raise not_found(
                "CONSENT_REQUEST_UNKNOWN", "No request for consent of this id is yours; ask the citizen anew."
            )
        return stored

    async def _visible_consent(self, call: LocalCall, consent_id: str) -> StoredConsent:
        consent = await asyncio.to_thread(self._consents.find_consent, consent_id)
        if consent is None or not self._may_see(call, consent.terms):
            raise not_found("CONSENT_UNKNOWN", "No consent of this id is yours; ListConsents lists those that are.")
        return consent

    def _may_see(self, call: LocalCall, terms: Terms) -> bool:
        return rules.may_see(call.caller.system, terms.consumer, self._provider.system)

    async def _record(
        self, call: LocalCall, terms: Terms, reason: str, change: Callable[[Connection], None], consent_id: str = ""
    ) -> None:
        trace = Trace(
            exchange_id=call.trace.exchange_id,
            method=call.trace.method,
            consumer=terms.consumer,
            provider=terms.provider,
            message_id=call.trace.message_id,
            subject=terms.subject_number,
            purpose=terms.purpose,
            legal_basis="consent",
            consent_id=consent_id,
            request_digest=call.trace.request_digest,
            request_bytes=call.trace.request_bytes,
        )
        entry = Entry(self._clock.now(), LogEvent.LOG_EVENT_CONSENT, trace, "OK", reason)
        await self._writer.write(Job(entry, change, Touches.CONSENTS))


def _datasets_by_provider(contracts: Mapping[str, MethodContract]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for contract in contracts.values():
        provider = str(contract.provider)
        found[provider] = found.get(provider, frozenset()) | contract.datasets.keys()
    return found
