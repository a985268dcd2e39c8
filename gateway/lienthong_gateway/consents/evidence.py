"""ConsentService, evidence: the chain of revisions, and the citizen's receipt."""

import asyncio
from collections.abc import Mapping

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.options.v1.options_pb2 import Dataset
from lienthong_gateway.consents.messages import revision_message
from lienthong_gateway.consents.receipt import receipt
from lienthong_gateway.consents.records import ConsentRecords, unknown_consent
from lienthong_gateway.consents.revisions import Revision
from lienthong_gateway.local import Answerer, LocalCall
from lienthong_gateway.paging import page_size, read_cursor
from lienthong_gateway.registry.current import CurrentRegistration

_USUAL, _MOST = 50, 100
_MOST_EVENTS = 1_000
"""Of a receipt, some 250 bytes each: however often a consent was changed, clients can read its receipt."""


class EvidenceAnswers:
    """Answers ListConsentRevisions and GetConsentReceipt."""

    def __init__(
        self, records: ConsentRecords, registration: CurrentRegistration, datasets: Mapping[str, Dataset], keeper: str
    ) -> None:
        """`datasets` are all that the contracts declare; `keeper` is the system that keeps the consents."""
        self._records = records
        self._registration = registration
        self._datasets = datasets
        self._keeper = keeper

    def answers(self) -> Mapping[str, Answerer]:
        """Return what answers each method."""
        return {"ListConsentRevisions": self._list_revisions, "GetConsentReceipt": self._get_receipt}

    async def _list_revisions(
        self, call: LocalCall, request: pb.ListConsentRevisionsRequest
    ) -> pb.ListConsentRevisionsResponse:
        size, after = page_size(request.page_size, _USUAL, _MOST), read_cursor(request.cursor) or 0
        terms = await asyncio.to_thread(self._records.store.find_terms, request.id)
        if terms is None or not self._records.may_see(call, terms):
            raise unknown_consent()
        found = await self._revisions(request.id, after, size + 1)
        page = found[:size]
        cursor = str(page[-1].revision) if len(found) > size else ""
        return pb.ListConsentRevisionsResponse(
            revisions=[revision_message(revision) for revision in page], next_cursor=cursor
        )

    async def _get_receipt(self, call: LocalCall, request: pb.GetConsentReceiptRequest) -> pb.GetConsentReceiptResponse:
        consent, approvals = await self._records.consent(call, request.consent_id)
        # It may have changed since it was read: the receipt is of what was.
        before = max(consent.revision - _MOST_EVENTS, 0)
        revisions = await self._revisions(request.consent_id, before, consent.revision - before)
        document = receipt(
            consent, approvals, revisions, self._registration.value, self._datasets, self._keeper, self._records.now()
        )
        return pb.GetConsentReceiptResponse(receipt=document)

    async def _revisions(self, record_id: str, after: int, limit: int) -> list[Revision]:
        return await asyncio.to_thread(self._records.store.revisions_of, record_id, after, limit)
