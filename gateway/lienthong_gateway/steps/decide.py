"""Step 3, decide: the facts of the decision are fetched here; the decision itself is in `decisions/`.

A decision is made before the provider is asked, on consents that may come from memory. It is confirmed when the
exchange is recorded, in the transaction that holds the log's end (`log/batch.py`): if consents or registrations have
changed since, on any replica of the gateway, the question is asked again there. So a consent that was revoked before
the exchange's place in the log never releases anything, and most exchanges read no consent from the database at all.
What changes a register is confirmed before it is forwarded, because it cannot be taken back.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, unavailable
from lienthong_gateway.consents.rules import StoredConsent
from lienthong_gateway.consents.store import Parties, consents_between
from lienthong_gateway.decisions.consent import decide_by_consent
from lienthong_gateway.decisions.memory import DecisionMemory
from lienthong_gateway.decisions.question import Decision, Question
from lienthong_gateway.decisions.restriction import check_not_restricted
from lienthong_gateway.decisions.right import decide_by_law, find_right
from lienthong_gateway.exchange import Grant
from lienthong_gateway.failures import STORE_UNAVAILABLE
from lienthong_gateway.log.head import Head, read_head
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registration import Registration
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.store import load_registration

_LONGEST_S = 10.0
"""How long is waited for consents at most: a database that hangs gives no error."""


class Decider:
    """Decides on what is registered and on the consents that are stored."""

    def __init__(self, registration: CurrentRegistration, engine: Engine, writer: LogWriter, clock: Clock) -> None:
        self._registration = registration
        self._engine = engine
        self._writer = writer
        self._clock = clock
        self._memory = DecisionMemory()

    async def decide(self, question: Question) -> Decision:
        """Return what the call is allowed; refused as those in `decisions/` say, and STORE_UNAVAILABLE."""
        try:
            remembered = self._remembered(question)
        except Refusal:
            # Another replica may have recorded a consent or a right that this one has not heard of.
            remembered = None
        if remembered is not None:
            return remembered
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await asyncio.to_thread(self._read, question)
        except TimeoutError:
            raise unavailable(STORE_UNAVAILABLE, "The gateway's database hangs; try again.") from None

    def confirm(self, decision: Decision, exchange_id: str, connection: Connection, head: Head) -> None:
        """Refuse a decision that no longer holds; `connection` holds the log's end, which is `head`.

        Refused: as the functions in `decisions/` say, and DECISION_OUTDATED if less or something else is allowed now.
        """
        question, now = decision.question, self._clock.now()
        # A consent that is used up meanwhile leaves the head as it is, and another one may cover the call.
        if decision.grant.consent_limit is None and decision.holds(head, now):
            return
        known = self._registration.known
        current = known.epoch == head.registration_epoch
        registration = known.value if current else load_registration(connection)
        consents = consents_between(connection, _parties(question), now, exchange_id) if _by_consent(question) else ()
        if _answer(question, registration, consents, now) != decision.grant:
            message = "The consent or the access right was changed while the provider answered; make the call again."
            raise unavailable("DECISION_OUTDATED", message)

    def _remembered(self, question: Question) -> Decision | None:
        """Decide on what is in memory; None if that is older than what this replica has heard of."""
        head, now = self._writer.head, self._clock.now()
        if _by_consent(question):
            return self._memory.find(question, head, now)
        known = self._registration.known
        if known.epoch != head.registration_epoch:
            return None
        return Decision(question, _answer(question, known.value, (), now), head, now)

    def _read(self, question: Question) -> Decision:
        """Decide on what is stored, and remember it."""
        self._registration.refresh()
        known, now = self._registration.known, self._clock.now()
        consents: Sequence[StoredConsent] = ()
        with self._engine.connect() as connection:
            # In this order: what is decided on consents that are newer than its epoch is only decided again too soon.
            consent_epoch = read_head(connection).consent_epoch
            if _by_consent(question):
                consents = consents_between(connection, _parties(question), now, "")
        grant = _answer(question, known.value, consents, now)
        decision = Decision(question, grant, Head(consent_epoch, known.epoch), now)
        # How often a consent has been used changes with every use, so what is limited is not remembered.
        if _by_consent(question) and not any(consent.limit for consent in consents):
            self._memory.keep(decision)
        return decision


def _answer(question: Question, registration: Registration, consents: Sequence[StoredConsent], now: datetime) -> Grant:
    contract, claim = question.contract, question.claim
    right = find_right(question.caller, contract, claim, registration, now)
    if not _by_consent(question):
        return decide_by_law(contract, claim, right, registration, now)
    grant = decide_by_consent(contract, question.subject, claim, right, question.holder, consents, now)
    # Last: whoever has no consent of hers is not to learn that she has had anything restricted.
    check_not_restricted(question.caller.system, contract, question.subject, registration)
    return grant


def _by_consent(question: Question) -> bool:
    return question.claim.legal_basis == "consent"


def _parties(question: Question) -> Parties:
    return Parties(question.subject, str(question.caller.system), str(question.contract.provider))
