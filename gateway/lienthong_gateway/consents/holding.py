"""ConsentService, what was given: reading, pausing, resuming and ending consents."""

import asyncio
from collections.abc import Mapping

from sqlalchemy import Connection

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong_core.errors import denied, unauthenticated
from lienthong_core.personal_numbers import check_personal_number
from lienthong_gateway.consents import changes
from lienthong_gateway.consents.changes import Unchanged
from lienthong_gateway.consents.messages import consent_message
from lienthong_gateway.consents.records import ConsentRecords, actor_of
from lienthong_gateway.consents.revisions import Revision
from lienthong_gateway.consents.rules import StoredConsent
from lienthong_gateway.consents.states import Change
from lienthong_gateway.local import Answerer, LocalCall
from lienthong_gateway.paging import Place, page_size

_USUAL, _MOST = 50, 100


class HoldingAnswers:
    """Answers GetConsent, ListConsents, PauseConsent, ResumeConsent and RevokeConsent."""

    def __init__(self, records: ConsentRecords) -> None:
        self._records = records

    def answers(self) -> Mapping[str, Answerer]:
        """Return what answers each method."""
        return {
            "GetConsent": self._get_consent,
            "ListConsents": self._list_consents,
            "PauseConsent": self._pause_consent,
            "ResumeConsent": self._resume_consent,
            "RevokeConsent": self._revoke_consent,
        }

    async def _get_consent(self, call: LocalCall, request: pb.GetConsentRequest) -> pb.GetConsentResponse:
        return pb.GetConsentResponse(consent=await self._as_it_is(call, request.consent_id))

    async def _list_consents(self, call: LocalCall, request: pb.ListConsentsRequest) -> pb.ListConsentsResponse:
        check_personal_number(request.subject_number)
        size, after = page_size(request.page_size, _USUAL, _MOST), Place.read(request.cursor)
        consumer = None if self._records.is_identity_provider(call) else str(call.caller.system)
        found = await asyncio.to_thread(
            self._records.store.consents_of,
            request.subject_number,
            consumer,
            after,
            size + 1,
            include_represented=request.include_represented,
        )
        now, page = self._records.now(), found[:size]
        cursor = page[-1].place.cursor if len(found) > size else ""
        consents = [consent_message(listed.consent, listed.approvals, now) for listed in page]
        return pb.ListConsentsResponse(consents=consents, next_cursor=cursor)

    async def _pause_consent(self, call: LocalCall, request: pb.PauseConsentRequest) -> pb.PauseConsentResponse:
        consent, _ = await self._records.consent(call, request.consent_id)
        capacity = _citizens_capacity(request.capacity)
        if not self._records.is_identity_provider(call):
            _check_token(call, consent)
            capacity = pb.Capacity.CAPACITY_SUBJECT
        await self._change(call, consent, Change.PAUSED, capacity)
        return pb.PauseConsentResponse(consent=await self._as_it_is(call, request.consent_id))

    async def _resume_consent(self, call: LocalCall, request: pb.ResumeConsentRequest) -> pb.ResumeConsentResponse:
        consent, _ = await self._records.consent(call, request.consent_id)
        if not self._records.is_identity_provider(call):
            message = "Only the citizen resumes a consent, on her account page at the identity provider."
            raise denied("CALLER_NOT_ALLOWED", message)
        await self._change(call, consent, Change.RESUMED, _citizens_capacity(request.capacity))
        return pb.ResumeConsentResponse(consent=await self._as_it_is(call, request.consent_id))

    async def _revoke_consent(self, call: LocalCall, request: pb.RevokeConsentRequest) -> pb.RevokeConsentResponse:
        consent, _ = await self._records.consent(call, request.consent_id)
        await self._change(call, consent, Change.REVOKED, self._who_revokes(call, consent, request.capacity))
        return pb.RevokeConsentResponse(consent=await self._as_it_is(call, request.consent_id))

    async def _change(
        self, call: LocalCall, consent: StoredConsent, change: Change, capacity: pb.Capacity.ValueType
    ) -> None:
        actor, now = actor_of(call, capacity), self._records.now()

        def make(connection: Connection) -> Revision:
            return changes.change_consent(connection, consent.consent_id, change, actor, now)

        try:
            await self._records.record(call, consent.terms, f"CONSENT_{change}", make, consent.consent_id)
        except Unchanged:
            # It is as wanted, whoever made it so: the caller's word holds, and there is nothing to record.
            return

    async def _as_it_is(self, call: LocalCall, consent_id: str) -> pb.Consent:
        consent, approvals = await self._records.consent(call, consent_id)
        return consent_message(consent, approvals, self._records.now())

    def _who_revokes(
        self, call: LocalCall, consent: StoredConsent, said: pb.Capacity.ValueType
    ) -> pb.Capacity.ValueType:
        if self._records.is_identity_provider(call):
            return _citizens_capacity(said)
        hers = call.holder is not None and call.holder.personal_number == consent.terms.subject_number
        return pb.Capacity.CAPACITY_SUBJECT if hers else pb.Capacity.CAPACITY_CONSUMER


def _check_token(call: LocalCall, consent: StoredConsent) -> None:
    if call.holder is None:
        message = "Pausing needs the citizen's word: send her access token as `authorization: Bearer`."
        raise unauthenticated("TOKEN_MISSING", message)
    if call.holder.personal_number != consent.terms.subject_number:
        message = "The access token is one citizen's and the consent is another's; log in whose consent it is."
        raise denied("SUBJECT_MISMATCH", message)


def _citizens_capacity(said: pb.Capacity.ValueType) -> pb.Capacity.ValueType:
    """Return in which capacity a citizen acts at the identity provider: as the subject, unless it says otherwise."""
    representative = pb.Capacity.CAPACITY_REPRESENTATIVE
    return representative if said == representative else pb.Capacity.CAPACITY_SUBJECT
