"""Requests and consents as the gateway's tables have them now, and counting the uses of consents.

What changes them is in `changes.py`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, Row, Table, and_, bindparam, func, insert, or_, select

from lienthong.api.consent.v1.consent_pb2 import ConsentState
from lienthong_gateway.consents.approval import Approval
from lienthong_gateway.consents.model import ConsentApprovalRow, ConsentRequestRow, ConsentRow, ConsentUseRow
from lienthong_gateway.consents.revisions import REVISIONS, Revision, newest, read_revisions
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest, used_up
from lienthong_gateway.consents.states import SubjectAge, capacity_named
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.exchange import UseLimit
from lienthong_gateway.paging import Place

REQUESTS = cast("Table", ConsentRequestRow.__table__)  # type: ignore[attr-defined]
CONSENTS = cast("Table", ConsentRow.__table__)  # type: ignore[attr-defined]
APPROVALS = cast("Table", ConsentApprovalRow.__table__)  # type: ignore[attr-defined]
USES = cast("Table", ConsentUseRow.__table__)  # type: ignore[attr-defined]

# Asked at every exchange: building the statement anew would take longer than running it.
_BETWEEN = select(CONSENTS).where(
    CONSENTS.c.subject_number == bindparam("subject"),
    CONSENTS.c.consumer == bindparam("consumer"),
    CONSENTS.c.provider == bindparam("provider"),
)


class Parties(NamedTuple):
    """Who consented, to whom, about whose data."""

    subject: str
    consumer: str
    provider: str


class Listed(NamedTuple):
    """A consent in a list, who approved it, and where in the list it is."""

    consent: StoredConsent
    approvals: Sequence[Approval]
    place: Place


class ConsentStore:
    """Reads requests and consents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_request(self, consent_request_id: str) -> tuple[StoredRequest, list[Approval]] | None:
        """Return a request and who has approved it, or None if there is none of that id."""
        query = select(REQUESTS).where(REQUESTS.c.consent_request_id == consent_request_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else (_request(row), approvals_of(connection, consent_request_id))

    def find_consent(self, consent_id: str) -> tuple[StoredConsent, list[Approval]] | None:
        """Return a consent and who approved it, or None if there is none of that id."""
        with self._engine.connect() as connection:
            consent = find_consent(connection, consent_id)
            if consent is None:
                return None
            return _with_pause(connection, consent), approvals_of(connection, consent.consent_request_id)

    def find_terms(self, record_id: str) -> Terms | None:
        """Return what a consent or a request for one is about, or None if there is neither of that id."""
        if (consent := self.find_consent(record_id)) is not None:
            return consent[0].terms
        request = self.find_request(record_id)
        return None if request is None else request[0].terms

    def consents_of(
        self, personal_number: str, consumer: str | None, after: Place | None, limit: int, *, include_represented: bool
    ) -> Sequence[Listed]:
        """Return the newest consents that a citizen gave, if asked with those she gave for children.

        Only those to one consumer, and only those after a place in the list, if given.
        """
        # Statements are signed in whole seconds, and who consents twice in one has a newest consent all the same.
        given_at = REVISIONS.c.changed_at
        given = and_(REVISIONS.c.record_id == CONSENTS.c.consent_id, REVISIONS.c.revision == 1)
        whose = CONSENTS.c.subject_number == personal_number
        if include_represented:
            approved = select(APPROVALS.c.consent_request_id).where(APPROVALS.c.approved_by == personal_number)
            whose = or_(whose, CONSENTS.c.consent_request_id.in_(approved))
        query = select(CONSENTS, given_at.label("given_at")).join(REVISIONS, given).where(whose)
        query = query.order_by(given_at.desc(), CONSENTS.c.consent_id)
        if consumer is not None:
            query = query.where(CONSENTS.c.consumer == consumer)
        if after is not None:
            same_time = and_(given_at == after.time, CONSENTS.c.consent_id > after.id)
            query = query.where(or_(given_at < after.time, same_time))
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit)).all()
            consents = [_with_pause(connection, _consent(row)) for row in rows]
            approvals = _approvals(connection, [row.consent_request_id for row in rows])
        return [
            Listed(consent, approvals[consent.consent_request_id], Place(row.given_at, consent.consent_id))
            for row, consent in zip(rows, consents, strict=True)
        ]

    def revisions_of(self, record_id: str, after: int, limit: int) -> list[Revision]:
        """Return at most `limit` revisions of a request or a consent after the one of a number, oldest first."""
        with self._engine.connect() as connection:
            return read_revisions(connection, record_id, after, limit)


def find_consent(connection: Connection, consent_id: str, *, lock: bool = False) -> StoredConsent | None:
    """Return a consent as a transaction sees it; `lock` keeps others from changing it until the transaction ends."""
    query = select(CONSENTS).where(CONSENTS.c.consent_id == consent_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _consent(row)


def _with_pause(connection: Connection, consent: StoredConsent) -> StoredConsent:
    """Return a consent that says who has paused it, if somebody has."""
    if consent.state != ConsentState.CONSENT_STATE_PAUSED:
        return consent
    return replace(consent, paused_as=capacity_named(newest(connection, consent.consent_id).capacity))


def is_consent_of(connection: Connection, consent_id: str, personal_number: str) -> bool:
    """Return whether a consent is a citizen's; it is no more once she has been erased."""
    this = (CONSENTS.c.consent_id == consent_id, CONSENTS.c.subject_number == personal_number)
    return connection.execute(select(CONSENTS.c.state).where(*this)).first() is not None


def consents_between(
    connection: Connection, parties: Parties, now: datetime, exchange_id: str
) -> Sequence[StoredConsent]:
    """Return every consent that a citizen gave a consumer for a provider, whatever became of it.

    With each one that may be used a number of times only, how often it has been as of `now` by other exchanges than
    this one.
    """
    found = [_consent(row) for row in connection.execute(_BETWEEN, parties._asdict())]
    return [
        replace(consent, uses_taken=_uses(connection, consent.limit, now, exchange_id)) if consent.limit else consent
        for consent in found
    ]


def requests_of(connection: Connection, personal_number: str) -> list[StoredRequest]:
    """Return every request to a citizen, and every one that she answered for a child."""
    decided = select(APPROVALS.c.consent_request_id).where(APPROVALS.c.approved_by == personal_number)
    whose = or_(REQUESTS.c.subject_number == personal_number, REQUESTS.c.consent_request_id.in_(decided))
    return [_request(row) for row in connection.execute(select(REQUESTS).where(whose))]


def approvals_of(connection: Connection, consent_request_id: str) -> list[Approval]:
    """Return who has approved a request, in the order of time."""
    return _approvals(connection, [consent_request_id])[consent_request_id]


def _approvals(connection: Connection, consent_request_ids: Iterable[str]) -> Mapping[str, list[Approval]]:
    query = select(APPROVALS).where(APPROVALS.c.consent_request_id.in_(consent_request_ids))
    found = defaultdict[str, list[Approval]](list)
    for row in connection.execute(query.order_by(APPROVALS.c.approved_at, APPROVALS.c.capacity)):
        found[row.consent_request_id].append(_approval(row))
    return found


def take_use(connection: Connection, limit: UseLimit, exchange_id: str, now: datetime) -> None:
    """Count an exchange as one use of a consent, in the transaction that records the exchange.

    Refused with CONSENT_USED_UP if it has been used as often as the citizen allowed: nothing may be released then.
    """
    # Other replicas of the gateway count one after another; SQLite has one writer anyway.
    connection.execute(select(CONSENTS.c.state).where(CONSENTS.c.consent_id == limit.consent_id).with_for_update())
    if _uses(connection, limit, now, exchange_id) >= limit.uses:
        raise used_up(limit)
    connection.execute(insert(USES).values(exchange_id=exchange_id, consent_id=limit.consent_id, used_at=now))


def _uses(connection: Connection, limit: UseLimit, now: datetime, exchange_id: str) -> int:
    query = select(func.count()).where(USES.c.consent_id == limit.consent_id, USES.c.exchange_id != exchange_id)
    if limit.per is not None:
        query = query.where(USES.c.used_at > now - limit.per)
    return connection.execute(query).scalar_one()


def terms_text(terms: Terms) -> str:
    """Return terms as they are stored, without the citizen."""
    return json.dumps(terms.claims(), ensure_ascii=False)


def _request(row: Row[Any]) -> StoredRequest:
    return StoredRequest(
        consent_request_id=row.consent_request_id,
        state=row.state,
        terms=Terms.of(row.subject_number, json.loads(row.terms)),
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        consent_id=row.consent_id,
        revision=row.revision,
    )


def _consent(row: Row[Any]) -> StoredConsent:
    return StoredConsent(
        consent_id=row.consent_id,
        consent_request_id=row.consent_request_id,
        revision=row.revision,
        digest=row.digest,
        state=row.state,
        terms=Terms.of(row.subject_number, json.loads(row.terms)),
        approved_at=row.approved_at,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        account_level=row.account_level,
    )


def _approval(row: Row[Any]) -> Approval:
    return Approval(
        approved=True,
        capacity=row.capacity,
        subject_age=SubjectAge(row.subject_age),
        approved_by=row.approved_by,
        account_level=row.account_level,
        authenticated_at=row.authenticated_at,
        decided_at=row.approved_at,
        statement_id=row.statement_id,
        statement=row.statement,
        statement_digest=row.statement_digest,
    )
