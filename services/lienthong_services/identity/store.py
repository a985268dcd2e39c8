"""What the identity provider keeps, and every question it asks its database. Times are seconds since 1970."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, UpdateBase, and_, case, delete, func, inspect, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from lienthong.api.identity.v1.identity_pb2 import AccountState
from lienthong_core.database import writing
from lienthong_services.identity.model import (
    Account,
    AuthorizationCode,
    BrowserSession,
    Client,
    Interaction,
    LoginAttempts,
    ScopeApproval,
)
from lienthong_services.identity.rules import (
    LOGIN_LOCK,
    MAX_FAILURES,
    MOST_INTERACTIONS,
    MOST_UNKNOWN_BROWSERS,
    TOKEN_LIFETIME,
    check_unlockable,
)


class IdentityStore:
    """Accounts, clients, and logins under way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def account(self, personal_number: str) -> Account | None:
        """Return the account of a number, if it has one."""
        with self._session() as session:
            return session.get(Account, personal_number)

    def lock_account(self, personal_number: str, reason: str, at: datetime) -> Account | None:
        """Lock an account and end its sessions; a locked one stays as it is. None if there is no account."""
        with self._writing() as session:
            account = session.get(Account, personal_number, with_for_update=True)
            if account is not None and account.state != AccountState.ACCOUNT_STATE_LOCKED:
                account.state_before_lock = account.state
                _change_state(account, AccountState.ACCOUNT_STATE_LOCKED, reason, at)
                session.add(account)
            session.execute(delete(BrowserSession).where(col(BrowserSession.personal_number) == personal_number))
            return account

    def unlock_account(self, personal_number: str, reason: str, at: datetime) -> Account | None:
        """Put a locked account back into the state it was locked in; others stay as they are. None if there is none.

        Refused: HOLDER_DECEASED.
        """
        with self._writing() as session:
            account = session.get(Account, personal_number, with_for_update=True)
            if account is not None and account.state == AccountState.ACCOUNT_STATE_LOCKED:
                check_unlockable(account.state_before_lock)
                _change_state(account, account.state_before_lock or AccountState.ACCOUNT_STATE_ACTIVE, reason, at)
                account.state_before_lock = 0
                session.add(account)
            return account

    def client(self, client_id: str) -> Client | None:
        """Return a registered client."""
        with self._session() as session:
            return session.get(Client, client_id)

    def client_of(self, system_id: str) -> Client | None:
        """Return the client of a system of the exchange."""
        with self._session() as session:
            return session.scalars(select(Client).where(col(Client.system_id) == system_id)).first()

    def add_client(self, client: Client) -> None:
        """Register a client, or register it anew with other addresses or another certificate."""
        with self._writing() as session:
            session.merge(client)

    def count_attempt(self, personal_number: str, now: int) -> bool:
        """Count a login as failed before it is tried, and say whether it may be; False while the number is locked.

        Counting first means that logins tried at the same moment cannot outrun the limit.
        """
        same_number = col(LoginAttempts.personal_number) == personal_number
        long_ago = _attempts_of_long_ago(now)
        failures = case((long_ago, 1), else_=col(LoginAttempts.failures) + 1)
        counted = (
            update(LoginAttempts)
            .where(same_number, or_(col(LoginAttempts.failures) < MAX_FAILURES, long_ago))
            .values(failures=failures, last_attempt_at=now)
        )
        if self._changes_a_row(counted):
            return True
        try:
            with self._writing() as session:
                session.add(LoginAttempts(personal_number=personal_number, failures=1, last_attempt_at=now))
        except IntegrityError:
            # The row is there: locked, unless another login made it a moment ago.
            return self._changes_a_row(counted)
        return True

    def clear_attempts(self, personal_number: str) -> None:
        """Forget the failed logins of a number, because one succeeded."""
        with self._writing() as session:
            session.execute(delete(LoginAttempts).where(col(LoginAttempts.personal_number) == personal_number))

    def open_session(self, opened: BrowserSession, now: int) -> None:
        """Keep a new session that is nobody's yet, and forget whatever is over, or too much."""
        with self._writing() as session:
            _forget_what_is_over(session, now)
            _keep_newest(session, BrowserSession, col(BrowserSession.personal_number) == "", MOST_UNKNOWN_BROWSERS - 1)
            session.add(opened)

    def browser_session(self, session_digest: str, now: int) -> BrowserSession | None:
        """Return a session that is in force; one of an account that cannot log in any more is not."""
        with self._session() as session:
            found = session.get(BrowserSession, session_digest)
            if found is None or found.expires_at <= now:
                return None
            if found.personal_number:
                account = session.get(Account, found.personal_number)
                if account is None or account.state != AccountState.ACCOUNT_STATE_ACTIVE:
                    return None
            return found

    def log_in(self, before: BrowserSession, after: BrowserSession, interaction_id: str) -> None:
        """Exchange a browser's session for the one it has logged in with; its interactions go along.

        Without what they showed: it was meant for whoever was logged in before.
        """
        with self._writing() as session:
            session.add(after)
            session.flush()
            of_browser = col(Interaction.session_digest) == before.session_digest
            moved = update(Interaction).where(of_browser).values(session_digest=after.session_digest)
            session.execute(moved.values(consent_terms=b"", consent_part={}))
            this = col(Interaction.interaction_id) == interaction_id
            session.execute(update(Interaction).where(this).values(must_log_in=False))
            session.execute(_the_session(before.session_digest))

    def end_session(self, session_digest: str) -> None:
        """End a session with all that hangs on it."""
        self._changes_a_row(_the_session(session_digest))

    def approve_client(self, session_digest: str, client_id: str, scope: str) -> None:
        """Remember that the citizen of a session approved a client, for all of a space-separated scope."""
        with suppress(IntegrityError), self._writing() as session:  # approved in another tab at the same moment
            for each in scope.split():
                session.merge(ScopeApproval(session_digest=session_digest, client_id=client_id, scope=each))

    def is_approved(self, session_digest: str, client_id: str, scope: str) -> bool:
        """Say whether the citizen of a session approved a client, for all of a space-separated scope."""
        with self._session() as session:
            keys = [(session_digest, client_id, each) for each in scope.split()]
            return all(session.get(ScopeApproval, key) is not None for key in keys)

    def start_interaction(self, interaction: Interaction) -> None:
        """Keep a new interaction, and forget the oldest of its browser beyond MOST_INTERACTIONS."""
        of_browser = col(Interaction.session_digest) == interaction.session_digest
        with self._writing() as session:
            _keep_newest(session, Interaction, of_browser, MOST_INTERACTIONS - 1)
            session.add(interaction)

    def interaction(self, interaction_id: str, session_digest: str, now: int) -> Interaction | None:
        """Return an interaction under way in this session."""
        with self._session() as session:
            found = session.get(Interaction, interaction_id)
            mine = found is not None and found.session_digest == session_digest and found.expires_at > now
            return found if mine else None

    def keep_terms(self, interaction_id: str, terms: bytes, part: dict[str, Any]) -> None:
        """Keep the terms of the consent that the citizen is shown, and in which capacity she decides."""
        this = col(Interaction.interaction_id) == interaction_id
        self._changes_a_row(update(Interaction).where(this).values(consent_terms=terms, consent_part=part))

    def drop_interaction(self, interaction_id: str) -> None:
        """Forget an interaction that led to no code."""
        self._changes_a_row(delete(Interaction).where(col(Interaction.interaction_id) == interaction_id))

    def finish_interaction(self, interaction_id: str, code: AuthorizationCode) -> bool:
        """End an interaction with a code; False, and nothing kept, if it had ended already."""
        this = col(Interaction.interaction_id) == interaction_id
        with self._writing() as session:
            ended = session.connection().execute(delete(Interaction).where(this)).rowcount == 1
            if ended:
                session.add(code)
            return ended

    def code(self, code_digest: str) -> AuthorizationCode | None:
        """Return a code."""
        with self._session() as session:
            return session.get(AuthorizationCode, code_digest)

    def redeem_code(self, code_digest: str, token_id: str) -> bool:
        """Exchange a code for the token of this id; False if it was exchanged already."""
        unused = and_(col(AuthorizationCode.code_digest) == code_digest, col(AuthorizationCode.token_id).is_(None))
        return self._changes_a_row(update(AuthorizationCode).where(unused).values(token_id=token_id))

    def mark_replayed(self, code_digest: str) -> None:
        """Remember that a code came again; its access token is good for nothing here from now on."""
        this = col(AuthorizationCode.code_digest) == code_digest
        self._changes_a_row(update(AuthorizationCode).where(this).values(replayed=True))

    def is_revoked(self, token_id: str) -> bool:
        """Say whether the code that an access token came from was used again."""
        with self._session() as session:
            of_token = col(AuthorizationCode.token_id) == token_id
            return session.scalar(select(col(AuthorizationCode.replayed)).where(of_token)) is not False

    def _session(self) -> Session:
        return Session(self._engine, expire_on_commit=False)

    @contextmanager
    def _writing(self) -> Generator[Session]:
        with writing(self._engine) as connection, Session(connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    def _changes_a_row(self, statement: UpdateBase) -> bool:
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount > 0


def _the_session(session_digest: str) -> UpdateBase:
    return delete(BrowserSession).where(col(BrowserSession.session_digest) == session_digest)


def _change_state(account: Account, state: int, reason: str, at: datetime) -> None:
    account.state, account.state_reason, account.state_changed_at = state, reason, at


def _attempts_of_long_ago(now: int) -> ColumnElement[bool]:
    return col(LoginAttempts.last_attempt_at) <= now - int(LOGIN_LOCK.total_seconds())


def _forget_what_is_over(session: Session, now: int) -> None:
    session.execute(delete(BrowserSession).where(col(BrowserSession.expires_at) <= now))
    session.execute(delete(Interaction).where(col(Interaction.expires_at) <= now))
    session.execute(delete(LoginAttempts).where(_attempts_of_long_ago(now)))
    tokens_over = now - int(TOKEN_LIFETIME.total_seconds())
    session.execute(delete(AuthorizationCode).where(col(AuthorizationCode.expires_at) <= tokens_over))


def _keep_newest(
    session: Session, table: type[BrowserSession | Interaction], among: ColumnElement[bool], most: int
) -> None:
    excess = (session.scalar(select(func.count()).select_from(table).where(among)) or 0) - most
    if excess > 0:
        key = inspect(table).primary_key[0]
        oldest = select(key).where(among).order_by(col(table.expires_at)).limit(excess)
        session.execute(delete(table).where(key.in_(oldest)))
