"""Step 3, decide: the facts of the decision are fetched here; the decision itself is in `decisions/`.

A decision is made before the provider is asked, on consents that may come from memory. It is confirmed when the
exchange is recorded, in the transaction that holds the log's end (`log/writer.py`): if consents or registrations have
changed since, on any replica of the gateway, the question is asked again there. So a consent that was revoked before
the exchange's place in the log never releases anything, and most exchanges read no consent from the database at all.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from lienthong.api.options.v1.options_pb2 import AccessKind
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, unavailable
from lienthong_gateway.consents.cache import ConsentCache, Parties
from lienthong_gateway.consents.rules import StoredConsent
from lienthong_gateway.consents.store import consents_between
from lienthong_gateway.decisions.consent import decide_by_consent
from lienthong_gateway.decisions.question import Decision, Question
from lienthong_gateway.decisions.right import decide_by_law, find_right
from lienthong_gateway.exchange import Grant
from lienthong_gateway.log.head import Head, read_head
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registration import Registration


class Decider:
    """Decides on what is registered and on the consents that are stored."""

    def __init__(self, registration: Registration, engine: Engine, writer: LogWriter, clock: Clock) -> None:
        self._registration = registration
        self._engine = engine
        self._writer = writer
        self._clock = clock
        self._cache = ConsentCache()

    async def decide(self, question: Question) -> Decision:
        """Return what the call is allowed; refused as the functions in `decisions/` say."""
        seen = self._writer.head
        if question.claim.legal_basis != "consent":
            return Decision(question, self._answer(question, ()), seen)
        parties = _parties(question)
        known = self._cache.find(parties, seen.consent_epoch)
        # What changes a register cannot be taken back when the decision is not confirmed: nothing from memory there.
        if known is not None and question.contract.policy.access != AccessKind.ACCESS_KIND_WRITE:
            try:
                return Decision(question, self._answer(question, known), seen)
            except Refusal:
                # Another replica may have recorded a consent that this one has not heard of.
                pass
        head, consents = await asyncio.to_thread(self._read, parties)
        self._cache.keep(parties, head.consent_epoch, consents)
        return Decision(question, self._answer(question, consents), head)

    def confirm(self, decision: Decision, connection: Connection, head: Head) -> None:
        """Refuse a decision that no longer holds; `connection` holds the log's end, which is `head`.

        Refused: as the functions in `decisions/` say, and DECISION_OUTDATED if less or something else is allowed now.
        """
        if decision.head == head:
            return
        by_consent = decision.question.claim.legal_basis == "consent"
        consents = consents_between(connection, *_parties(decision.question)) if by_consent else ()
        if self._answer(decision.question, consents) != decision.grant:
            message = "The consent or the access right was changed while the provider answered; make the call again."
            raise unavailable("DECISION_OUTDATED", message)

    def _answer(self, question: Question, consents: Sequence[StoredConsent]) -> Grant:
        contract, claim = question.contract, question.claim
        right = find_right(question.caller, contract, claim, self._registration)
        if claim.legal_basis != "consent":
            return decide_by_law(contract, claim, right)
        now = self._clock.now()
        return decide_by_consent(contract, question.subject, claim, right, question.holder, consents, now)

    def _read(self, parties: Parties) -> tuple[Head, Sequence[StoredConsent]]:
        with self._engine.connect() as connection:
            # In this order: consents that are newer than the epoch they are kept under are only read again too soon.
            return read_head(connection), consents_between(connection, *parties)


def _parties(question: Question) -> Parties:
    return Parties(question.subject, str(question.caller.system), str(question.contract.provider))
