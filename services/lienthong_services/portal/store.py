"""What the portal keeps: sessions, logins under way, dossiers."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    Engine,
    RowMapping,
    bindparam,
    delete,
    insert,
    literal,
    select,
    text,
    update,
)

from lienthong_core.database import writing
from lienthong_core.errors import Refusal, not_found, precondition
from lienthong_services.portal import model
from lienthong_services.portal.rules import AGENCY, MOST_LOGINS, dossier_code
from lienthong_services.portal.states import Deadline, State

_SESSIONS = model.PortalTable.metadata.tables["citizensession"]
_ATTEMPTS = model.PortalTable.metadata.tables["loginattempt"]
_DOSSIERS = model.PortalTable.metadata.tables["dossier"]
_EVENTS = model.PortalTable.metadata.tables["dossierevent"]

# What is neither a UUID nor a code is not asked for: PostgreSQL refuses some texts altogether.
_POSSIBLE_IDENTIFIER = re.compile(r"[A-Za-z0-9.-]{1,40}")
# One statement, the same on SQLite and PostgreSQL, so that the first two of a day do not both insert.
_NEXT_NUMBER = text(
    "INSERT INTO codesequence (agency, day, last_number) VALUES (:agency, :day, 1) "
    "ON CONFLICT (agency, day) DO UPDATE SET last_number = codesequence.last_number + 1 RETURNING last_number"
).bindparams(bindparam("day", type_=Date))

OUTCOME_LEASE = timedelta(seconds=30)
"""How long one attempt to carry an outcome out keeps others away; longer than the call it makes can take."""


@dataclass(frozen=True)
class StoredDossier:
    """A dossier with its history."""

    row: model.Dossier
    events: Sequence[model.DossierEvent]

    @property
    def state(self) -> State:
        """Its state now."""
        return State(self.row.state)


def digest(secret: str) -> str:
    """Return what is stored of a secret with 256 random bits: its SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


class PortalStore:
    """Every question that the portal asks its database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin_login(self, attempt: model.LoginAttempt, now: datetime) -> None:
        """Keep a login under way, and forget those that are over, and the oldest beyond MOST_LOGINS."""
        newest_first = select(_ATTEMPTS.c.state_sha256).order_by(_ATTEMPTS.c.expires_at.desc())
        beyond = _ATTEMPTS.c.state_sha256.in_(newest_first.offset(MOST_LOGINS - 1))
        with writing(self._engine) as connection:
            connection.execute(delete(_ATTEMPTS).where((_ATTEMPTS.c.expires_at <= now) | beyond))
            connection.execute(insert(_ATTEMPTS).values(attempt.model_dump()))

    def take_login(self, state: str, browser: str, now: datetime) -> model.LoginAttempt | None:
        """Return a login under way and forget it, so that it works once; None if there is none for this browser."""
        own = (_ATTEMPTS.c.state_sha256 == digest(state), _ATTEMPTS.c.browser_sha256 == digest(browser))
        with writing(self._engine) as connection:
            # One statement: of two that come at once with the same state, one gets the row.
            row = connection.execute(delete(_ATTEMPTS).where(*own).returning(_ATTEMPTS)).mappings().one_or_none()
        return None if row is None or row["expires_at"] <= now else model.LoginAttempt(**row)

    def open_session(self, session: model.CitizenSession, now: datetime) -> None:
        """Keep a session, in place of one with the same token, and forget those that are over."""
        with writing(self._engine) as connection:
            over = (_SESSIONS.c.expires_at <= now) | (_SESSIONS.c.token_sha256 == session.token_sha256)
            connection.execute(delete(_SESSIONS).where(over))
            connection.execute(insert(_SESSIONS).values(session.model_dump()))

    def session(self, token_sha256: str) -> model.CitizenSession | None:
        """Return a session, whether it is over or not."""
        with self._engine.connect() as connection:
            query = select(_SESSIONS).where(_SESSIONS.c.token_sha256 == token_sha256)
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else model.CitizenSession(**row)

    def end_session(self, token_sha256: str) -> None:
        """Forget a session."""
        with writing(self._engine) as connection:
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.token_sha256 == token_sha256))

    def add_dossier(self, dossier: model.Dossier) -> None:
        """Keep a new draft."""
        with writing(self._engine) as connection:
            connection.execute(insert(_DOSSIERS).values(dossier.model_dump(exclude={"row_number"})))

    def dossier(self, identifier: str) -> StoredDossier | None:
        """Return a dossier by its id or its national code."""
        if not _POSSIBLE_IDENTIFIER.fullmatch(identifier):
            return None
        with self._engine.connect() as connection:
            where = (_DOSSIERS.c.dossier_id == identifier) | (_DOSSIERS.c.code == identifier)
            row = connection.execute(select(_DOSSIERS).where(where)).mappings().one_or_none()
            return None if row is None else _with_events(connection, row)

    def dossiers_of(self, applicant_number: str, before: int | None, limit: int) -> list[StoredDossier]:
        """Return a citizen's dossiers older than the one with the row number `before`, newest first."""
        query = select(_DOSSIERS).where(_DOSSIERS.c.applicant_number == applicant_number)
        if before is not None:
            # As wide as a cursor can be, which PostgreSQL's numbers of rows are not.
            query = query.where(_DOSSIERS.c.row_number < literal(before, BigInteger))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_DOSSIERS.c.row_number.desc()).limit(limit)).mappings().all()
            return [_with_events(connection, row) for row in rows]

    def change_draft(self, dossier_id: str, **columns: object) -> None:
        """Change a draft; refused with DOSSIER_NOT_DRAFT if it is one no longer."""
        with writing(self._engine) as connection:
            _change(connection, dossier_id, State.DRAFT, columns)

    def submit(self, dossier_id: str, day: date, form: str, event: model.DossierEvent) -> None:
        """Give a draft its code and its first state; refused with DOSSIER_NOT_DRAFT if it is one no longer."""
        with writing(self._engine) as connection:
            code = dossier_code(AGENCY, day, _next_number(connection, AGENCY, day))
            columns = {"code": code, "form": form, "state": event.state, "submitted_at": event.time}
            _change(connection, dossier_id, State.DRAFT, columns)
            connection.execute(insert(_EVENTS).values(event.model_dump(exclude={"event_number"})))

    def move(self, dossier: StoredDossier, event: model.DossierEvent, deadline: Deadline) -> None:
        """Move a dossier on from the state it was read in.

        Refused with MOVE_NOT_ALLOWED if somebody else moved it in between, or if its outcome is being carried out and
        this is not the move that it leads to.
        """
        columns = {
            "state": event.state,
            "due_date": deadline.due,
            "clock_stopped_on": deadline.stopped_on,
            "outcome_lease_until": None,
        }
        free = _DOSSIERS.c.outcome_lease_until.is_(None)
        finishing = event.state == State.FINISHED
        with writing(self._engine) as connection:
            _change(connection, dossier.row.dossier_id, dossier.state, columns, *(() if finishing else (free,)))
            connection.execute(insert(_EVENTS).values(event.model_dump(exclude={"event_number"})))

    def begin_outcome(self, dossier: StoredDossier, now: datetime) -> None:
        """Keep others away while the outcome is carried out; refused with MOVE_NOT_ALLOWED if somebody is at it."""
        lease = _DOSSIERS.c.outcome_lease_until
        with writing(self._engine) as connection:
            columns = {"outcome_lease_until": now + OUTCOME_LEASE}
            _change(connection, dossier.row.dossier_id, dossier.state, columns, lease.is_(None) | (lease <= now))

    def give_outcome_up(self, dossier: StoredDossier) -> None:
        """Let others move the dossier again: the outcome was clearly not carried out."""
        with writing(self._engine) as connection:
            where = _DOSSIERS.c.dossier_id == dossier.row.dossier_id
            connection.execute(update(_DOSSIERS).where(where).values(outcome_lease_until=None))


def _next_number(connection: Connection, agency: str, day: date) -> int:
    return int(connection.execute(_NEXT_NUMBER, {"agency": agency, "day": day}).scalar_one())


def _change(
    connection: Connection,
    dossier_id: str,
    state: State,
    columns: Mapping[str, object],
    *conditions: Any,  # noqa: ANN401
) -> None:
    where = (_DOSSIERS.c.dossier_id == dossier_id, _DOSSIERS.c.state == state, *conditions)
    if connection.execute(update(_DOSSIERS).where(*where).values(dict(columns))).rowcount == 1:
        return
    if state is State.DRAFT:
        raise not_a_draft()
    raise precondition(
        "MOVE_NOT_ALLOWED",
        "Somebody else is moving the dossier, or its outcome may have been registered already and it can only be "
        "finished. Look at it again, then decide.",
    )


def _with_events(connection: Connection, row: RowMapping) -> StoredDossier:
    query = select(_EVENTS).where(_EVENTS.c.dossier_id == row["dossier_id"]).order_by(_EVENTS.c.event_number)
    events = [model.DossierEvent(**event) for event in connection.execute(query).mappings()]
    return StoredDossier(model.Dossier(**row), events)


def not_a_draft() -> Refusal:
    """Return the refusal of a dossier that was submitted."""
    return precondition("DOSSIER_NOT_DRAFT", "The dossier has been submitted already; it cannot be changed any more.")


def unknown_dossier() -> Refusal:
    """Return the refusal of a dossier that does not exist for the caller."""
    return not_found("DOSSIER_UNKNOWN", "There is no such dossier, or it is not yours; ListDossiers lists yours.")
