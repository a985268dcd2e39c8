"""What the portal does with dossiers: drafts, prefilling, submitting, moving on, carrying outcomes out."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import grpc

from lienthong.api.consent.v1.consent_pb2 import ConsentRequest, ConsentRequestState
from lienthong.api.portal.v1.portal_pb2 import DossierState
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, not_found, precondition
from lienthong_core.working_days import civil_date
from lienthong_services.portal.gateway_client import Exchange, GatewayClient, NewResidence
from lienthong_services.portal.model import CitizenSession, Dossier, DossierEvent
from lienthong_services.portal.prefill import prefilled
from lienthong_services.portal.procedures import FROM_DATE, NEW_COMMUNE, NEW_DETAIL, NEW_PROVINCE, PROCEDURES, Procedure
from lienthong_services.portal.residence_rules import Commune, residence_faults
from lienthong_services.portal.rules import (
    Actor,
    Applicant,
    Officer,
    check_note,
    completed_form,
    form_from_json,
    form_invalid,
    form_to_json,
    live_access_token,
    may_see,
)
from lienthong_services.portal.states import Deadline, Mover, State, check_move
from lienthong_services.portal.store import PortalStore, StoredDossier, not_a_draft, unknown_dossier

_NOBODY_KNOWS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
"""A call that ends so may have been carried out all the same."""


class DossierDesk:
    """Dossiers, on the rules, the store and the gateway."""

    def __init__(
        self, store: PortalStore, gateway: GatewayClient, communes: Mapping[str, Commune], clock: Clock
    ) -> None:
        """`communes` are those that the register takes, by code."""
        self._store = store
        self._gateway = gateway
        self._communes = communes
        self._clock = clock

    def start(self, session: CitizenSession, procedure_code: str) -> StoredDossier:
        """Open a draft and ask for the consent that prefilling it needs; refused: PROCEDURE_UNKNOWN."""
        procedure = PROCEDURES.get(procedure_code)
        if procedure is None:
            raise not_found("PROCEDURE_UNKNOWN", "There is no such procedure; ListProcedures lists those there are.")
        draft = Dossier(
            dossier_id=str(uuid.uuid4()),
            procedure_code=procedure.code,
            applicant_number=session.personal_number,
            state=State.DRAFT,
            form=form_to_json({}),
            consent_request_id=self._ask_for_consent(session.personal_number, procedure),
        )
        self._store.add_dossier(draft)
        return StoredDossier(draft, ())

    def consent_to_ask(self, session: CitizenSession, dossier_id: str) -> str:
        """Return the request for consent that a citizen can answer for a draft: another one if the last is closed.

        Empty if the consent was given and the portal had not heard of it. The draft may be another's while its consent
        is open: a child gives her representative its address, and the identity provider knows who may answer.
        Refused: DOSSIER_UNKNOWN, DOSSIER_NOT_DRAFT.
        """
        found = self._store.dossier(dossier_id)
        dossier = found if found is not None and found.state is State.DRAFT else self._draft(session, dossier_id)
        asked = self._gateway.consent_request(dossier.row.consent_request_id)
        if asked.state == ConsentRequestState.CONSENT_REQUEST_STATE_PENDING:
            return asked.consent_request_id
        if dossier.row.consent_id:
            # It was given, and is over: to ask for another one is the applicant's.
            self._draft(session, dossier_id)
        elif self._hear_of_consent(dossier, asked):
            return ""
        anew = self._ask_for_consent(dossier.row.applicant_number, PROCEDURES[dossier.row.procedure_code])
        self._store.change_draft(dossier_id, consent_request_id=anew)
        return anew

    def is_consented(self, dossier_id: str) -> bool:
        """Return whether the portal has heard of a consent for a dossier, whoever asks."""
        found = self._store.dossier(dossier_id)
        return found is not None and bool(found.row.consent_id)

    def prefill(self, session: CitizenSession, dossier_id: str) -> tuple[StoredDossier, Sequence[Exchange]]:
        """Fill a draft's form with what she consented to; refused: DOSSIER_NOT_DRAFT, CONSENT_NOT_GIVEN."""
        dossier = self._draft(session, dossier_id)
        token = live_access_token(session, self._clock.now())
        if not dossier.row.consent_id:
            asked = self._gateway.consent_request(dossier.row.consent_request_id)
            if not self._hear_of_consent(dossier, asked):
                message = "She has not consented yet; open consent_url of StartDossier in her browser first."
                raise precondition("CONSENT_NOT_GIVEN", message)
        purpose = dossier.row.procedure_code
        citizen, first = self._gateway.read_citizen(session.personal_number, purpose, token)
        household, rest = self._gateway.read_household(session.personal_number, purpose, token)
        form = prefilled(PROCEDURES[purpose], form_from_json(dossier.row.form), citizen, household)
        self._store.change_draft(dossier_id, form=form_to_json(form))
        return self.find(Applicant(session.personal_number), dossier_id), (first, *rest)

    def submit(self, session: CitizenSession, dossier_id: str, values: Mapping[str, str]) -> StoredDossier:
        """Submit a draft; refused: DOSSIER_NOT_DRAFT, FORM_INCOMPLETE, FORM_INVALID."""
        dossier = self._draft(session, dossier_id)
        fields = PROCEDURES[dossier.row.procedure_code].fields
        form = completed_form(fields, form_from_json(dossier.row.form), values, session.personal_number)
        now = self._clock.now()
        if faults := residence_faults(form, self._communes, civil_date(now)):
            raise form_invalid(faults)
        event = _event(dossier, State.REGISTERED, now=now, moved_by=Mover.CITIZEN.value, note="")
        self._store.submit(dossier_id, civil_date(now), form_to_json(form), event)
        return self.find(Applicant(session.personal_number), dossier_id)

    def move(
        self, actor: Actor, code: str, target: DossierState.ValueType, note: str
    ) -> tuple[StoredDossier, Sequence[Exchange]]:
        """Move a dossier on, carrying its outcome out first where it is finished.

        Refused: DOSSIER_UNKNOWN, MOVE_NOT_ALLOWED, MOVE_NOT_YOURS, NOTE_INVALID, or whatever refused the outcome.
        """
        dossier = self.find(actor, code)
        state = check_move(dossier.state, target, actor.mover)
        text = check_note(note)
        exchanges = self._carried_out(dossier, actor) if state is State.FINISHED and isinstance(actor, Officer) else ()
        now = self._clock.now()
        moved_by = actor.identifier if isinstance(actor, Officer) else Mover.CITIZEN.value
        deadline = Deadline(dossier.row.due_date, dossier.row.clock_stopped_on).after_move(
            state, civil_date(now), PROCEDURES[dossier.row.procedure_code].working_days
        )
        self._store.move(dossier, _event(dossier, state, now=now, moved_by=moved_by, note=text), deadline)
        return self.find(actor, code), exchanges

    def find(self, actor: Actor, identifier: str) -> StoredDossier:
        """Return a dossier that exists for `actor`; refused: DOSSIER_UNKNOWN."""
        dossier = self._store.dossier(identifier)
        if dossier is None or not may_see(actor, dossier.row.applicant_number, dossier.state):
            raise unknown_dossier()
        return dossier

    def _draft(self, session: CitizenSession, dossier_id: str) -> StoredDossier:
        dossier = self.find(Applicant(session.personal_number), dossier_id)
        if dossier.state is not State.DRAFT:
            raise not_a_draft()
        return dossier

    def _ask_for_consent(self, applicant_number: str, procedure: Procedure) -> str:
        return self._gateway.request_consent(applicant_number, procedure.datasets, procedure.code)

    def _hear_of_consent(self, dossier: StoredDossier, asked: ConsentRequest) -> bool:
        """Say whether the consent that was asked for was given, where the portal did not hear of it.

        She may not have come back, or a child's representative approved after her.
        """
        if asked.consent_id:
            self._store.change_draft(dossier.row.dossier_id, consent_id=asked.consent_id)
        return bool(asked.consent_id)

    def _carried_out(self, dossier: StoredDossier, officer: Officer) -> Sequence[Exchange]:
        self._store.begin_outcome(dossier, self._clock.now())
        row = dossier.row
        form = form_from_json(row.form)
        new = NewResidence(
            personal_number=row.applicant_number,
            kind=PROCEDURES[row.procedure_code].outcome,
            province_code=form[NEW_PROVINCE].text,
            commune_code=form[NEW_COMMUNE].text,
            detail=form[NEW_DETAIL].text,
            from_date=form[FROM_DATE].text,
        )
        try:
            return (self._gateway.register_residence(new, row.procedure_code, row.code or "", officer.identifier),)
        except Refusal as refusal:
            # Where nobody knows what happened, only finishing it later is right: the call can be repeated.
            if refusal.status not in _NOBODY_KNOWS:
                self._store.give_outcome_up(dossier)
            raise


def _event(dossier: StoredDossier, state: State, *, now: datetime, moved_by: str, note: str) -> DossierEvent:
    return DossierEvent(dossier_id=dossier.row.dossier_id, state=state, time=now, moved_by=moved_by, note=note)
