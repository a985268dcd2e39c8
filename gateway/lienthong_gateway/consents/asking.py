"""ConsentService, asking and deciding: a consumer asks, the identity provider records what was decided."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from sqlalchemy import Connection

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong_core.errors import Refusal, denied
from lienthong_core.systems import SystemId
from lienthong_gateway.consents import changes, rules, terms
from lienthong_gateway.consents.approval import Approval, Signer, key_id_of, read_approval
from lienthong_gateway.consents.changes import Overtaken
from lienthong_gateway.consents.messages import consent_message, request_message
from lienthong_gateway.consents.records import ConsentRecords, actor_of
from lienthong_gateway.consents.revisions import Revision
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest
from lienthong_gateway.consents.states import missing_approvers
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.issuer_keys import IssuerKeys
from lienthong_gateway.local import Answerer, LocalCall
from lienthong_gateway.registry.current import CurrentRegistration

_STATE = pb.ConsentRequestState
_ATTEMPTS = 3
"""How often a decision is made anew because somebody else decided at the same moment: at most two people do."""


@dataclass(frozen=True)
class IdentityProvider:
    """Who signs citizens' decisions, and for whom."""

    system: SystemId
    issuer: str
    audience: str
    keys: IssuerKeys


class AskingAnswers:
    """Answers RequestConsent, FetchConsentRequest and RecordDecision."""

    def __init__(
        self,
        registration: CurrentRegistration,
        contracts: Mapping[str, MethodContract],
        records: ConsentRecords,
        provider: IdentityProvider,
    ) -> None:
        self._registration = registration
        self._contracts = contracts
        self._records = records
        self._provider = provider

    def answers(self) -> Mapping[str, Answerer]:
        """Return what answers each method."""
        return {
            "RequestConsent": self._request_consent,
            "FetchConsentRequest": self._fetch_consent_request,
            "RecordDecision": self._record_decision,
        }

    async def _request_consent(self, call: LocalCall, request: pb.RequestConsentRequest) -> pb.RequestConsentResponse:
        # Another replica may have registered the purpose.
        await asyncio.to_thread(self._registration.refresh)
        asked = self._asked(call, request)
        now = self._records.now()
        stored = StoredRequest(
            consent_request_id=str(uuid.uuid4()),
            state=_STATE.CONSENT_REQUEST_STATE_PENDING,
            terms=asked,
            requested_at=now,
            expires_at=now + rules.REQUEST_LIFETIME,
        )
        actor = actor_of(call, pb.Capacity.CAPACITY_CONSUMER)
        await self._records.record(
            call, asked, "CONSENT_REQUESTED", lambda connection: changes.add_request(connection, stored, actor)
        )
        return pb.RequestConsentResponse(consent_request=request_message(stored, (), now))

    async def _fetch_consent_request(
        self, call: LocalCall, request: pb.FetchConsentRequestRequest
    ) -> pb.FetchConsentRequestResponse:
        stored, approvals = await self._records.request(call, request.consent_request_id)
        return pb.FetchConsentRequestResponse(consent_request=request_message(stored, approvals, self._records.now()))

    async def _record_decision(self, call: LocalCall, request: pb.RecordDecisionRequest) -> pb.RecordDecisionResponse:
        if not self._records.is_identity_provider(call):
            raise denied("CALLER_NOT_ALLOWED", "Only the identity provider records what a citizen decided.")
        refusal: Refusal = Overtaken()
        for _ in range(_ATTEMPTS):
            try:
                return await self._decided(call, request)
            except Overtaken as overtaken:
                refusal = overtaken
        raise refusal

    async def _decided(self, call: LocalCall, request: pb.RecordDecisionRequest) -> pb.RecordDecisionResponse:
        stored, before = await self._records.request(call, request.consent_request_id)
        now = self._records.now()
        rules.check_open(stored, now)
        key = await self._provider.keys.find(key_id_of(request.decision))
        signer = Signer(self._provider.issuer, self._provider.audience, key)
        approval = read_approval(request.decision, signer, stored, now)
        if not approval.approved:
            return await self._denied(call, stored, before, approval)
        kept = [known for known in before if not approval.replaces(known)]
        approved = [known.capacity for known in kept]
        if approval.capacity in approved:
            raise changes.replayed()
        approvals = (*kept, approval)
        if missing_approvers(approval.subject_age, (*approved, approval.capacity)):
            return await self._approved_in_part(call, stored, approvals)
        return await self._approved(call, stored, approvals)

    async def _approved_in_part(
        self, call: LocalCall, request: StoredRequest, approvals: Sequence[Approval]
    ) -> pb.RecordDecisionResponse:
        actor, now = actor_of(call, approvals[-1].capacity), self._records.now()

        def change(connection: Connection) -> Revision:
            return changes.approve_in_part(connection, request, approvals, actor, now)

        await self._records.record(call, request.terms, "CONSENT_APPROVED_IN_PART", change)
        return pb.RecordDecisionResponse(consent_request=request_message(request, approvals, now))

    async def _approved(
        self, call: LocalCall, request: StoredRequest, approvals: Sequence[Approval]
    ) -> pb.RecordDecisionResponse:
        consent = new_consent(str(uuid.uuid4()), request, approvals)
        actor, now = actor_of(call, approvals[-1].capacity), self._records.now()

        def change(connection: Connection) -> Revision:
            return changes.give_consent(connection, request, approvals, consent, actor, now)

        await self._records.record(call, consent.terms, "CONSENT_GIVEN", change, consent.consent_id)
        closed = replace(request, state=_STATE.CONSENT_REQUEST_STATE_APPROVED, consent_id=consent.consent_id)
        given, _ = await self._records.consent(call, consent.consent_id)
        return pb.RecordDecisionResponse(
            consent_request=request_message(closed, approvals, now), consent=consent_message(given, approvals, now)
        )

    async def _denied(
        self, call: LocalCall, request: StoredRequest, approvals: Sequence[Approval], denial: Approval
    ) -> pb.RecordDecisionResponse:
        actor, now = actor_of(call, denial.capacity), self._records.now()

        def change(connection: Connection) -> Revision:
            return changes.deny_request(connection, request, actor, now)

        await self._records.record(call, request.terms, "CONSENT_DENIED", change)
        closed = replace(request, state=_STATE.CONSENT_REQUEST_STATE_DENIED)
        return pb.RecordDecisionResponse(consent_request=request_message(closed, approvals, now))

    def _asked(self, call: LocalCall, request: pb.RequestConsentRequest) -> Terms:
        purpose = self._registration.value.checked_purpose(request.purpose)
        has_period = request.HasField("valid_for")
        valid_for = terms.period_of(_whole_seconds(request.valid_for)) if has_period else terms.DEFAULT_PERIOD
        per = _whole_seconds(request.uses_per) if request.HasField("uses_per") else None
        uses, uses_per = terms.frequency_of(request.uses, per, valid_for)
        asked = Terms(
            subject_number=request.subject_number,
            consumer=str(call.caller.system),
            provider=request.provider,
            datasets=frozenset(request.datasets),
            purpose=purpose.code,
            purpose_title_vi=purpose.title_vi,
            purpose_title_en=purpose.title_en,
            purpose_reference=terms.check_reference(request.purpose_reference),
            valid_for=valid_for,
            uses=uses,
            uses_per=uses_per,
            retention=terms.retention_of(_whole_seconds(request.retention)) if request.HasField("retention") else None,
        )
        provided = {path: each for path, each in self._contracts.items() if str(each.provider) == asked.provider}
        rules.check_terms(asked, purpose, provided, self._registration.value, self._records.now())
        return asked


def new_consent(consent_id: str, request: StoredRequest, approvals: Sequence[Approval]) -> StoredConsent:
    """Return the consent that a request leads to once everybody has approved; the change gives it its digest."""
    approved_at: datetime = max(approval.decided_at for approval in approvals)
    # A child's representative acts with her own account; the child's may be of level 1 only.
    acting = max(approvals, key=lambda approval: approval.capacity)
    return StoredConsent(
        consent_id=consent_id,
        consent_request_id=request.consent_request_id,
        revision=1,
        digest="",
        state=pb.ConsentState.CONSENT_STATE_ACTIVE,
        terms=request.terms,
        approved_at=approved_at,
        valid_until=approved_at + request.terms.valid_for,
        revoked_at=None,
        account_level=acting.account_level,
    )


def _whole_seconds(length: Duration) -> int:
    """Return a length of time; 0, which none may have, if it is not whole seconds."""
    return 0 if length.nanos else length.seconds
