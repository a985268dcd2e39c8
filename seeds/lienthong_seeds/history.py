"""What had happened before a world begins: the consents that one persona gave and revoked."""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from lienthong.api.consent.v1.consent_pb2 import Capacity, ConsentRequestState
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.errors import precondition
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_gateway.consents import changes
from lienthong_gateway.consents.approval import TOKEN_TYPE, Approval
from lienthong_gateway.consents.asking import new_consent
from lienthong_gateway.consents.revisions import Actor, read_revisions
from lienthong_gateway.consents.rules import REQUEST_LIFETIME, StoredRequest
from lienthong_gateway.consents.states import Change, SubjectAge, capacity_name
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.batch import Change as StateChange
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.head import Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registration import Purpose
from lienthong_seeds import members
from lienthong_seeds.personas import persona

_SERVICE = "/lienthong.api.consent.v1.ConsentService"
_NAMES = uuid.UUID("6e2f7f5e-52c1-4f0e-9f38-2f6b6a1c9d10")
_LEVEL = 2


@dataclass(frozen=True)
class PastConsent:
    """A consent that was given and revoked before the world begins."""

    consumer: SystemId
    purpose: Purpose
    approved_at: datetime
    revoked_at: datetime

    @property
    def consent_id(self) -> str:
        """The same in every world."""
        return str(uuid.uuid5(_NAMES, f"{self.consumer} {self.purpose.code}"))

    @property
    def consent_request_id(self) -> str:
        """The same in every world."""
        return str(uuid.uuid5(_NAMES, f"request {self.consumer} {self.purpose.code}"))

    @property
    def terms(self) -> Terms:
        """What it was about."""
        return Terms(
            subject_number=persona("duong-thi-thom").personal_number,
            consumer=str(self.consumer),
            provider=str(members.POPULATION),
            datasets=self.purpose.datasets,
            purpose=self.purpose.code,
            purpose_title_vi=self.purpose.title_vi,
            purpose_title_en=self.purpose.title_en,
            valid_for=timedelta(days=365),
        )

    @property
    def statement_id(self) -> str:
        """The same in every world."""
        return str(uuid.uuid5(_NAMES, f"approval {self.consent_id}"))

    @property
    def authenticated_at(self) -> datetime:
        """When she had logged in."""
        return self.approved_at - timedelta(minutes=1)


PAST_CONSENTS = (
    PastConsent(
        members.BANK, members.EKYC, datetime(2026, 5, 4, 2, 15, tzinfo=UTC), datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
    ),
    PastConsent(
        members.PORTAL,
        members.TEMPORARY_RESIDENCE,
        datetime(2026, 5, 18, 3, 5, tzinfo=UTC),
        datetime(2026, 6, 1, 8, 31, tzinfo=UTC),
    ),
)
"""Dương Thị Thơm's: `duong-thi-thom` has revoked every consent she gave."""


def sign_approvals(key: SigningKey, issuer: str) -> dict[str, str]:
    """Return the identity provider's statement of each past approval, by consent id."""
    return {past.consent_id: key.sign_canonical(_claims(past, issuer), token_type=TOKEN_TYPE) for past in PAST_CONSENTS}


def record_history(log: LogWriter, approvals: dict[str, str]) -> None:
    """Hand the past consents to the log of a gateway that has none: asked for, given, revoked."""
    for past in PAST_CONSENTS:
        for entry, change in _events(past, approvals[past.consent_id]):
            log.append(Job(entry, change, Touches.CONSENTS))


def _events(past: PastConsent, statement: str) -> Iterator[tuple[Entry, StateChange]]:
    request = StoredRequest(
        consent_request_id=past.consent_request_id,
        state=ConsentRequestState.CONSENT_REQUEST_STATE_PENDING,
        terms=past.terms,
        requested_at=past.approved_at - timedelta(minutes=2),
        expires_at=past.approved_at + REQUEST_LIFETIME,
    )
    approval = _approval(past, statement)
    consent = new_consent(past.consent_id, request, [approval])
    consumer = Actor(str(past.consumer), Capacity.CAPACITY_CONSUMER)
    citizen = Actor(str(members.IDENTITY), Capacity.CAPACITY_SUBJECT)

    def add_request(connection: Connection) -> None:
        if read_revisions(connection, request.consent_request_id):
            # Another replica found the log empty as well, and was the first.
            raise precondition("CONSENT_REQUEST_CLOSED", "It is recorded already.")
        changes.add_request(connection, request, consumer)

    def give(connection: Connection) -> None:
        changes.give_consent(connection, request, [approval], consent, citizen, past.approved_at)

    def revoke(connection: Connection) -> None:
        changes.change_consent(connection, consent.consent_id, Change.REVOKED, citizen, past.revoked_at)

    yield _entry(past, request.requested_at, "RequestConsent", "CONSENT_REQUESTED"), add_request
    yield _entry(past, past.approved_at, "RecordDecision", "CONSENT_GIVEN"), give
    yield _entry(past, past.revoked_at, "RevokeConsent", "CONSENT_REVOKED"), revoke


def _approval(past: PastConsent, statement: str) -> Approval:
    return Approval(
        approved=True,
        capacity=Capacity.CAPACITY_SUBJECT,
        subject_age=SubjectAge.GROWN_UP,
        approved_by=past.terms.subject_number,
        account_level=_LEVEL,
        authenticated_at=past.authenticated_at,
        decided_at=past.approved_at,
        statement_id=past.statement_id,
        statement=statement,
        statement_digest=hashlib.sha256(statement.encode()).hexdigest(),
    )


def _entry(past: PastConsent, time: datetime, method: str, reason: str) -> Entry:
    trace = Trace(
        exchange_id=str(uuid.uuid5(_NAMES, f"{reason} {past.consent_id}")),
        method=f"{_SERVICE}/{method}",
        consumer=str(past.consumer),
        provider=past.terms.provider,
        subject=past.terms.subject_number,
        purpose=past.purpose.code,
        legal_basis="consent",
        consent_id="" if reason == "CONSENT_REQUESTED" else past.consent_id,
    )
    return Entry(time, LogEvent.LOG_EVENT_CONSENT, trace, "OK", reason)


def _claims(past: PastConsent, issuer: str) -> dict[str, object]:
    number = past.terms.subject_number
    return {
        "iss": issuer,
        "aud": members.GATEWAY.spiffe_id,
        "iat": int(past.approved_at.timestamp()),
        "jti": past.statement_id,
        "decision": "approved",
        "consent_request_id": past.consent_request_id,
        "subject_number": number,
        "subject_age": str(SubjectAge.GROWN_UP),
        "approved_by": number,
        "approves_as": capacity_name(Capacity.CAPACITY_SUBJECT),
        "acr": str(_LEVEL),
        "auth_time": int(past.authenticated_at.timestamp()),
        **past.terms.claims(),
    }
