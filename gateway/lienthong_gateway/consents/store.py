"""Requests and consents in the gateway's tables. Changes take a connection: the log writer's transaction."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Engine, Row, Table, bindparam, insert, select, update

from lienthong.api.consent.v1.consent_pb2 import ConsentRequestState
from lienthong_core.errors import not_found, precondition
from lienthong_gateway.consents.model import ConsentRequestRow, ConsentRow
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest, Terms

_REQUESTS = cast("Table", ConsentRequestRow.__table__)  # type: ignore[attr-defined]
_CONSENTS = cast("Table", ConsentRow.__table__)  # type: ignore[attr-defined]
NOT_IN_FORCE = "CONSENT_UNKNOWN"
_PENDING = ConsentRequestState.CONSENT_REQUEST_STATE_PENDING


# Asked at every exchange: building the statement anew would take longer than running it.
_BETWEEN = select(_CONSENTS).where(
    _CONSENTS.c.subject_number == bindparam("subject"),
    _CONSENTS.c.consumer == bindparam("consumer"),
    _CONSENTS.c.provider == bindparam("provider"),
)


class ConsentStore:
    """Reads requests and consents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_request(self, consent_request_id: str) -> StoredRequest | None:
        """Return a request, or None if there is none of that id."""
        query = select(_REQUESTS).where(_REQUESTS.c.consent_request_id == consent_request_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _request(row)

    def find_consent(self, consent_id: str) -> StoredConsent | None:
        """Return a consent, or None if there is none of that id."""
        with self._engine.connect() as connection:
            row = connection.execute(select(_CONSENTS).where(_CONSENTS.c.consent_id == consent_id)).one_or_none()
        return None if row is None else _consent(row)

    def consents_of(self, subject_number: str) -> list[StoredConsent]:
        """Return every consent that a citizen gave, newest first."""
        query = select(_CONSENTS).where(_CONSENTS.c.subject_number == subject_number)
        with self._engine.connect() as connection:
            return [_consent(row) for row in connection.execute(query.order_by(_CONSENTS.c.approved_at.desc()))]


def consents_between(connection: Connection, subject_number: str, consumer: str, provider: str) -> list[StoredConsent]:
    """Return every consent that a citizen gave a consumer for a provider, whatever became of it."""
    parties = {"subject": subject_number, "consumer": consumer, "provider": provider}
    return [_consent(row) for row in connection.execute(_BETWEEN, parties)]


def add_request(connection: Connection, request: StoredRequest) -> None:
    """Store a new request."""
    values = {
        "consent_request_id": request.consent_request_id,
        "state": request.state,
        "requested_at": request.requested_at,
        "expires_at": request.expires_at,
        "consent_id": "",
        **_terms_columns(request.terms),
    }
    connection.execute(insert(_REQUESTS).values(values))


def close_request(
    connection: Connection, consent_request_id: str, state: ConsentRequestState.ValueType, consent_id: str = ""
) -> None:
    """Close a pending request; refused with CONSENT_REQUEST_CLOSED if somebody else closed it first."""
    where = (_REQUESTS.c.consent_request_id == consent_request_id, _REQUESTS.c.state == _PENDING)
    closed = connection.execute(update(_REQUESTS).where(*where).values(state=state, consent_id=consent_id))
    if closed.rowcount != 1:
        raise precondition("CONSENT_REQUEST_CLOSED", "The request was answered already; ask the citizen again.")


def add_consent(connection: Connection, consent: StoredConsent) -> None:
    """Store a new consent."""
    values = {
        "consent_id": consent.consent_id,
        "revision": consent.revision,
        "approved_at": consent.approved_at,
        "valid_until": consent.valid_until,
        "account_level": consent.account_level,
        "approval": consent.approval,
        **_terms_columns(consent.terms),
    }
    connection.execute(insert(_CONSENTS).values(values))


def revoke_consent(connection: Connection, consent_id: str, now: datetime) -> None:
    """End a consent; refused with NOT_IN_FORCE if it is not there or has been revoked already."""
    where = (_CONSENTS.c.consent_id == consent_id, _CONSENTS.c.revoked_at.is_(None))
    values = {"revoked_at": now, "revision": _CONSENTS.c.revision + 1}
    revoked = connection.execute(update(_CONSENTS).where(*where).values(values))
    if revoked.rowcount != 1:
        raise not_found(NOT_IN_FORCE, "No such consent is in force.")


def _terms_columns(terms: Terms) -> dict[str, object]:
    return {
        "subject_number": terms.subject_number,
        "consumer": terms.consumer,
        "provider": terms.provider,
        "datasets": ",".join(sorted(terms.datasets)),
        "purpose": terms.purpose,
        "valid_for_s": int(terms.valid_for.total_seconds()),
        "legal_text_version": terms.legal_text_version,
    }


def _terms(row: Row[Any]) -> Terms:
    return Terms(
        subject_number=row.subject_number,
        consumer=row.consumer,
        provider=row.provider,
        datasets=frozenset(row.datasets.split(",")),
        purpose=row.purpose,
        valid_for=timedelta(seconds=row.valid_for_s),
        legal_text_version=row.legal_text_version,
    )


def _request(row: Row[Any]) -> StoredRequest:
    return StoredRequest(
        consent_request_id=row.consent_request_id,
        state=row.state,
        terms=_terms(row),
        requested_at=_utc(row.requested_at),
        expires_at=_utc(row.expires_at),
        consent_id=row.consent_id,
    )


def _consent(row: Row[Any]) -> StoredConsent:
    return StoredConsent(
        consent_id=row.consent_id,
        revision=row.revision,
        terms=_terms(row),
        approved_at=_utc(row.approved_at),
        valid_until=_utc(row.valid_until),
        revoked_at=None if row.revoked_at is None else _utc(row.revoked_at),
        account_level=row.account_level,
        approval=row.approval,
    )


def _utc(time: datetime) -> datetime:
    # SQLite keeps no zone; everything is written in UTC.
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
