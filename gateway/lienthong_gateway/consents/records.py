"""What every method of ConsentService needs: whose a record is, and recording what happens to it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from lienthong.api.consent.v1.consent_pb2 import Capacity
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, not_found
from lienthong_core.systems import SystemId
from lienthong_gateway.consents.approval import Approval
from lienthong_gateway.consents.revisions import Actor, Revision
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest, may_see
from lienthong_gateway.consents.store import ConsentStore
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.local import LocalCall
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.head import Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter


@dataclass(frozen=True)
class ConsentRecords:
    """Finds what a caller may see, and makes every change in the transaction of the log entry about it."""

    store: ConsentStore
    identity_provider: SystemId
    _writer: LogWriter
    _clock: Clock

    def now(self) -> datetime:
        """Return the sandbox's time."""
        return self._clock.now()

    async def request(self, call: LocalCall, consent_request_id: str) -> tuple[StoredRequest, list[Approval]]:
        """Return a request and who has approved it; refused with CONSENT_REQUEST_UNKNOWN unless the caller may see it.

        So may its consumer, and the identity provider.
        """
        found = await asyncio.to_thread(self.store.find_request, consent_request_id)
        if found is None or not self.may_see(call, found[0].terms):
            raise not_found(
                "CONSENT_REQUEST_UNKNOWN", "No request for consent of this id is yours; ask the citizen anew."
            )
        return found

    async def consent(self, call: LocalCall, consent_id: str) -> tuple[StoredConsent, Sequence[Approval]]:
        """Return a consent and who approved it; refused with CONSENT_UNKNOWN unless the caller may see it."""
        found = await asyncio.to_thread(self.store.find_consent, consent_id)
        if found is None or not self.may_see(call, found[0].terms):
            raise unknown_consent()
        return found

    def may_see(self, call: LocalCall, terms: Terms) -> bool:
        """Return whether the caller is the consumer, or the identity provider."""
        return may_see(call.caller.system, terms.consumer, self.identity_provider)

    def is_identity_provider(self, call: LocalCall) -> bool:
        """Return whether the call comes from the identity provider, on a citizen's word."""
        return call.caller.system == self.identity_provider

    async def record(
        self,
        call: LocalCall,
        terms: Terms,
        reason: str,
        change: Callable[[Connection], Revision],
        consent_id: str = "",
    ) -> None:
        """Make a change and wait until it is durable, with its log entry; refused as the change is, or the log.

        `consent_id`: the consent that it makes or changes; empty if it is about a request alone.
        """
        trace = replace(
            call.trace.about(terms.consumer),
            provider=terms.provider,
            subject=terms.subject_number,
            purpose=terms.purpose,
            legal_basis="consent",
            consent_id=consent_id,
        )

        def make(connection: Connection) -> None:
            trace.consent_digest = change(connection).digest

        entry = Entry(self._clock.now(), LogEvent.LOG_EVENT_CONSENT, trace, "OK", reason)
        # No decision rests on a request.
        await self._writer.write(Job(entry, make, Touches.CONSENTS if consent_id else Touches.NOTHING))


def actor_of(call: LocalCall, capacity: Capacity.ValueType) -> Actor:
    """Return who makes a change."""
    return Actor(str(call.caller.system), capacity)


def unknown_consent() -> Refusal:
    """Return the refusal of a consent that is not there, or not the caller's."""
    return not_found("CONSENT_UNKNOWN", "No consent of this id is yours; ListConsents lists those that are.")
