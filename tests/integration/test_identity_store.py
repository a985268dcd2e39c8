"""What the identity provider's store promises when several threads ask at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from sqlmodel import col

from lienthong.api.identity.v1.identity_pb2 import AccountKind, AccountState
from lienthong_core.database import open_database
from lienthong_services.identity.model import (
    SCHEMA_VERSION,
    Account,
    AuthorizationCode,
    BrowserSession,
    IdentityTable,
    Interaction,
    LoginAttempts,
    ScopeApproval,
)
from lienthong_services.identity.rules import LOGIN_LOCK, MAX_FAILURES
from lienthong_services.identity.store import IdentityStore

NOW = 1_800_000_000
NUMBER = "099190000001"
LOCK_S = int(LOGIN_LOCK.total_seconds())


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url, IdentityTable.metadata, version=SCHEMA_VERSION)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> IdentityStore:
    return IdentityStore(engine)


def at_once(ask: Callable[[int], bool], times: int = 8) -> int:
    """Return how many of `times` simultaneous questions were answered with yes."""
    with ThreadPoolExecutor(times) as pool:
        return sum(pool.map(ask, range(times)))


def code(digest: str) -> AuthorizationCode:
    return AuthorizationCode(
        code_digest=digest,
        client_id="portal",
        redirect_uri="https://localhost:9/",
        code_challenge="challenge",
        scope="openid",
        nonce=None,
        personal_number=NUMBER,
        level=2,
        auth_time=NOW,
        authorization_details=[],
        expires_at=NOW + 60,
    )


def an_account() -> Account:
    return Account(
        personal_number=NUMBER,
        subject="subject",
        kind=AccountKind.ACCOUNT_KIND_CITIZEN,
        level=2,
        state=AccountState.ACCOUNT_STATE_ACTIVE,
        state_changed_at=datetime.fromtimestamp(NOW, UTC),
        full_name="Nguyễn Thị Mai",
        birth_date="1990-05-17",
        passcode_hash="",
    )


def an_interaction(store: IdentityStore) -> str:
    store.open_session(BrowserSession(session_digest="session", csrf_token="token", expires_at=NOW + 60), NOW)
    store.start_interaction(
        Interaction(interaction_id="way", session_digest="session", request={}, must_log_in=False, expires_at=NOW + 60)
    )
    return "way"


def test_logins_tried_at_the_same_moment_cannot_outrun_the_limit(store: IdentityStore) -> None:
    assert at_once(lambda _: store.count_attempt(NUMBER, NOW), 2 * MAX_FAILURES) == MAX_FAILURES


def test_a_lock_counts_from_the_last_attempt_that_was_made(store: IdentityStore) -> None:
    for second in range(MAX_FAILURES):
        assert store.count_attempt(NUMBER, NOW + second)
    last = NOW + MAX_FAILURES - 1
    assert not store.count_attempt(NUMBER, last + LOCK_S - 1)
    assert [store.count_attempt(NUMBER, last + LOCK_S) for _ in range(MAX_FAILURES + 1)] == [*[True] * 5, False]


def test_wrong_passcodes_of_long_ago_are_neither_counted_nor_kept(store: IdentityStore, engine: Engine) -> None:
    for number in (NUMBER, "099190000002"):
        for _ in range(MAX_FAILURES - 1):
            assert store.count_attempt(number, NOW)
    later = NOW + LOCK_S
    assert [store.count_attempt(NUMBER, later) for _ in range(MAX_FAILURES + 1)] == [*[True] * 5, False]
    store.open_session(BrowserSession(session_digest="new", csrf_token="token", expires_at=later + 60), later)
    with engine.connect() as connection:
        kept = connection.execute(select(col(LoginAttempts.personal_number))).scalars().all()
    assert kept == [NUMBER]


def test_a_code_is_exchanged_once_however_many_ask(store: IdentityStore) -> None:
    store.finish_interaction(an_interaction(store), code("digest"))
    assert at_once(lambda index: store.redeem_code("digest", f"token-{index}")) == 1


def test_an_interaction_gives_one_code_however_often_its_form_is_sent(store: IdentityStore) -> None:
    way = an_interaction(store)
    assert at_once(lambda index: store.finish_interaction(way, code(f"digest-{index}"))) == 1


def test_a_login_that_ends_after_its_account_was_locked_opens_no_session(store: IdentityStore, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(an_account())
    way = an_interaction(store)
    before = store.browser_session("session", NOW)
    assert before is not None
    store.lock_account(NUMBER, "her phone was stolen", datetime.fromtimestamp(NOW, UTC))
    after = BrowserSession(session_digest="new", csrf_token="token", personal_number=NUMBER, expires_at=NOW + 60)

    store.log_in(before, after, way)

    assert store.browser_session("new", NOW) is None


def test_what_hangs_on_a_session_ends_with_it(store: IdentityStore, engine: Engine) -> None:
    an_interaction(store)
    store.approve_client("session", "portal", "openid")

    store.end_session("session")

    with engine.connect() as connection:
        kept = [connection.execute(select(table)).all() for table in (Interaction, ScopeApproval)]
    assert kept == [[], []]


def test_what_is_over_is_forgotten_when_somebody_new_comes(store: IdentityStore) -> None:
    store.finish_interaction(an_interaction(store), code("digest"))
    an_hour_later = NOW + 3_600
    new = BrowserSession(session_digest="new", csrf_token="token", expires_at=an_hour_later + 60)
    store.open_session(new, an_hour_later)
    assert store.code("digest") is None
    assert store.browser_session("session", NOW) is None
    assert store.browser_session("new", an_hour_later) == new
