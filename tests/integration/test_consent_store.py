"""Requests and consents in the database: the table of states, chains that anybody can check, and erasing a citizen."""

import hashlib
import json
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, delete, event, inspect, select, table, text

from lienthong.api.consent.v1.consent_pb2 import Capacity, ConsentRequestState, ConsentRevision, ConsentState
from lienthong.client import chain_fault
from lienthong_core.database import open_database, writing
from lienthong_core.errors import Refusal
from lienthong_gateway import schema
from lienthong_gateway.consents import changes
from lienthong_gateway.consents.approval import Approval
from lienthong_gateway.consents.asking import new_consent
from lienthong_gateway.consents.erasure import erase_subject
from lienthong_gateway.consents.messages import revision_message
from lienthong_gateway.consents.revisions import Actor, read_revisions
from lienthong_gateway.consents.rules import REQUEST_LIFETIME, StoredRequest
from lienthong_gateway.consents.states import Change, SubjectAge
from lienthong_gateway.consents.store import ConsentStore
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.log.store import SALTS

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
CHILD, MOTHER, OTHER = "099318000005", "099190000122", "099190000001"
ACTIVE, PAUSED, REVOKED, EXPIRED = (
    ConsentState.CONSENT_STATE_ACTIVE,
    ConsentState.CONSENT_STATE_PAUSED,
    ConsentState.CONSENT_STATE_REVOKED,
    ConsentState.CONSENT_STATE_EXPIRED,
)
CONSUMER = Actor("VN-SANDBOX/GOV/G02/portal", Capacity.CAPACITY_CONSUMER)
CITIZEN = Actor("VN-SANDBOX/GOV/G01/identity", Capacity.CAPACITY_SUBJECT)
KEEPER = "VN-SANDBOX/GOV/G00/gateway"
PERIOD = timedelta(hours=1)


@contextmanager
def opened(url: str) -> Generator[Engine]:
    engine = open_database(url, schema.metadata(), version=schema.VERSION)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with opened(database_url) as engine:
        yield engine


def asked(subject_number: str) -> StoredRequest:
    terms = Terms(
        subject_number, CONSUMER.system, "VN-SANDBOX/GOV/G01/population", frozenset({"residence"}), "1.004222", PERIOD
    )
    state = ConsentRequestState.CONSENT_REQUEST_STATE_PENDING
    return StoredRequest(str(uuid.uuid4()), state, terms, NOW, NOW + REQUEST_LIFETIME)


def approval(number: str, capacity: Capacity.ValueType, age: SubjectAge) -> Approval:
    statement = f"signed by {number}: {uuid.uuid4()}"
    digest = hashlib.sha256(statement.encode()).hexdigest()
    return Approval(
        approved=True,
        capacity=capacity,
        subject_age=age,
        approved_by=number,
        account_level=2,
        authenticated_at=NOW,
        decided_at=NOW,
        statement_id=str(uuid.uuid4()),
        statement=statement,
        statement_digest=digest,
    )


def given(connection: Connection, subject_number: str, representative: str = "") -> tuple[str, str]:
    """Store a request and the consent that it led to; return their ids."""
    request = asked(subject_number)
    changes.add_request(connection, request, CONSUMER)
    who = (
        approval(representative, Capacity.CAPACITY_REPRESENTATIVE, SubjectAge.CHILD_UNDER_7)
        if representative
        else approval(subject_number, Capacity.CAPACITY_SUBJECT, SubjectAge.GROWN_UP)
    )
    consent = new_consent(str(uuid.uuid4()), request, [who])
    changes.give_consent(connection, request, [who], consent, CITIZEN, NOW)
    return request.consent_request_id, consent.consent_id


def chain(engine: Engine, record_id: str) -> list[ConsentRevision]:
    with engine.connect() as connection:
        return [revision_message(revision) for revision in read_revisions(connection, record_id)]


def everything_stored(engine: Engine) -> str:
    """Return every value of every table, as text."""
    every_column = text("*")
    with engine.connect() as connection:
        tables = [select(every_column).select_from(table(name)) for name in inspect(connection).get_table_names()]
        rows = [row for query in tables for row in connection.execute(query)]
    return "\n".join(str(value) for row in rows for value in row)


def test_a_long_page_of_consents_takes_no_more_statements_than_a_short_one(engine: Engine) -> None:
    with writing(engine) as connection:
        for _ in range(20):
            given(connection, OTHER)
    store, statements = ConsentStore(engine), list[str]()

    def note(_connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    taken: dict[int, int] = {}
    for limit in (1, 20):
        statements.clear()
        assert len(store.consents_of(OTHER, None, None, limit, include_represented=True)) == limit
        taken[limit] = len(statements)

    assert taken[20] == taken[1]


def test_a_chain_that_was_altered_anywhere_is_found(engine: Engine) -> None:
    with writing(engine) as connection:
        _, consent_id = given(connection, OTHER)
        for change in (Change.PAUSED, Change.RESUMED, Change.REVOKED):
            changes.change_consent(connection, consent_id, change, CITIZEN, NOW)
    good = chain(engine, consent_id)
    assert chain_fault(good) == ""
    assert chain_fault([]) == ""

    assert chain_fault(good[1:]) == "revision 1 is missing"
    assert chain_fault([good[0], good[2], good[3]]) == "revision 2 is missing"
    other = ConsentRevision(revision=2, document=good[1].document.replace(b"PAUSED", b"ACTIVE"), digest=good[1].digest)
    assert "not the one its digest" in chain_fault([good[0], other, *good[2:]])
    forged = ConsentRevision(revision=2, document=other.document, digest=hashlib.sha256(other.document).hexdigest())
    assert chain_fault([good[0], forged, *good[2:]]) == "revision 3 does not follow revision 2"
    other_number = good[1].document.replace(b'"revision":2', b'"revision":7')
    assert other_number != good[1].document
    of_seven = ConsentRevision(revision=2, document=other_number, digest=hashlib.sha256(other_number).hexdigest())
    assert chain_fault([good[0], of_seven]) == "revision 2 does not follow revision 1"


@pytest.mark.parametrize(
    "document", [b"", b"\xff", b"[]", b"{}", b'{"digest_before": ""}', b"[" * 100_000, b"9" * 5_000]
)
def test_a_revision_whose_document_is_none_is_a_fault_and_no_traceback(document: bytes) -> None:
    revision = ConsentRevision(revision=1, document=document, digest=hashlib.sha256(document).hexdigest())

    assert chain_fault([revision]) == "the document of revision 1 is none of a revision"


def test_erasing_a_citizen_ends_her_consents_and_leaves_nothing_that_names_her(engine: Engine) -> None:
    with writing(engine) as connection:
        request_id, consent_id = given(connection, OTHER)
        pending = asked(OTHER)
        changes.add_request(connection, pending, CONSUMER)
        _, kept = given(connection, MOTHER)
    before = chain(engine, consent_id)

    with writing(engine) as connection:
        assert erase_subject(connection, OTHER, NOW, KEEPER) == 1
        connection.execute(delete(SALTS).where(SALTS.c.personal_number == OTHER))

    assert OTHER not in everything_stored(engine)
    for record in (consent_id, request_id, pending.consent_request_id):
        assert chain_fault(chain(engine, record)) == ""
        assert chain(engine, record)[-1].change == "ERASED"
    assert chain(engine, consent_id)[:-1] == before
    store = ConsentStore(engine)
    found = store.find_consent(consent_id)
    assert found is not None
    assert (found[0].state, found[0].terms.subject_number) == (REVOKED, "")
    assert [(who.approved_by, who.statement) for who in found[1]] == [("", "")]
    assert not store.consents_of(OTHER, None, None, 1, include_represented=True)
    closed = store.find_request(pending.consent_request_id)
    assert closed is not None
    assert closed[0].state == ConsentRequestState.CONSENT_REQUEST_STATE_DENIED
    untouched = store.find_consent(kept)
    assert untouched is not None
    assert untouched[0].state == ACTIVE


@pytest.mark.parametrize("erased", [CHILD, MOTHER], ids=["the child", "the representative"])
def test_erasing_child_or_representative_ends_what_the_representative_approved(engine: Engine, erased: str) -> None:
    with writing(engine) as connection:
        _, consent_id = given(connection, CHILD, representative=MOTHER)

    with writing(engine) as connection:
        assert erase_subject(connection, erased, NOW, KEEPER) == 1

    found = ConsentStore(engine).find_consent(consent_id)
    assert found is not None
    assert found[0].state == REVOKED
    assert all(not who.statement for who in found[1])
    assert chain_fault(chain(engine, consent_id)) == ""


def test_erasing_a_representative_closes_what_she_alone_has_approved_so_far(engine: Engine) -> None:
    with writing(engine) as connection:
        request, other = asked(CHILD), asked(CHILD)
        for pending in (request, other):
            changes.add_request(connection, pending, CONSUMER)
        mothers = approval(MOTHER, Capacity.CAPACITY_REPRESENTATIVE, SubjectAge.CHILD_FROM_7)
        changes.approve_in_part(connection, request, [mothers], CITIZEN, NOW)

    with writing(engine) as connection:
        erase_subject(connection, MOTHER, NOW, KEEPER)

    def state(pending: StoredRequest) -> ConsentRequestState.ValueType:
        found = ConsentStore(engine).find_request(pending.consent_request_id)
        assert found is not None
        return found[0].state

    assert state(request) == ConsentRequestState.CONSENT_REQUEST_STATE_DENIED
    assert chain(engine, request.consent_request_id)[-1].change == "ERASED"
    assert state(other) == ConsentRequestState.CONSENT_REQUEST_STATE_PENDING


class ConsentLife(RuleBasedStateMachine):
    """Whatever is done with a consent, in any order and at any time: the table of states, and an unbroken chain."""

    new_database: Callable[[], str]

    @initialize()
    def give(self) -> None:
        self._context = opened(self.new_database())
        self.engine = self._context.__enter__()
        with writing(self.engine) as connection:
            _, self.consent_id = given(connection, OTHER)
        self.now, self.expected, self.revisions = NOW, ACTIVE, 1

    def teardown(self) -> None:
        if hasattr(self, "_context"):
            self._context.__exit__(None, None, None)

    def state(self) -> ConsentState.ValueType:
        outside = not NOW <= self.now < NOW + PERIOD and self.expected != REVOKED
        return EXPIRED if outside else self.expected

    def try_change(self, change: Change) -> str:
        try:
            with writing(self.engine) as connection:
                changes.change_consent(connection, self.consent_id, change, CITIZEN, self.now)
        except changes.Unchanged:
            return "unchanged"
        except Refusal as refusal:
            return refusal.reason
        self.revisions += 1
        return "changed"

    @rule(by=st.sampled_from([timedelta(minutes=minutes) for minutes in (1, 25, 70, -25, -70)]))
    def time_passes_or_the_clock_is_set_back(self, by: timedelta) -> None:
        self.now += by

    @rule()
    def pause(self) -> None:
        outcomes = {ACTIVE: "changed", PAUSED: "unchanged", REVOKED: "CONSENT_ENDED", EXPIRED: "CONSENT_ENDED"}
        assert self.try_change(Change.PAUSED) == outcomes[self.state()]
        if self.state() == ACTIVE:
            self.expected = PAUSED

    @rule()
    def resume(self) -> None:
        outcomes = {ACTIVE: "unchanged", PAUSED: "changed", REVOKED: "CONSENT_ENDED", EXPIRED: "CONSENT_ENDED"}
        assert self.try_change(Change.RESUMED) == outcomes[self.state()]
        if self.state() == PAUSED:
            self.expected = ACTIVE

    @rule()
    def revoke(self) -> None:
        outcomes = {ACTIVE: "changed", PAUSED: "changed", REVOKED: "unchanged", EXPIRED: "changed"}
        assert self.try_change(Change.REVOKED) == outcomes[self.state()]
        self.expected = REVOKED

    @invariant()
    def is_as_its_chain_says(self) -> None:
        if not hasattr(self, "consent_id"):
            return
        found = ConsentStore(self.engine).find_consent(self.consent_id)
        assert found is not None
        links = chain(self.engine, self.consent_id)
        assert chain_fault(links) == ""
        assert len(links) == self.revisions == found[0].revision
        assert links[-1].digest == found[0].digest
        assert found[0].state_at(self.now) == self.state()
        last = json.loads(links[-1].document)["state"]
        assert last == ConsentState.Name(self.expected).removeprefix("CONSENT_STATE_")
        assert found[0].in_force(self.now) == (self.state() == ACTIVE)


def test_a_consent_keeps_to_the_table_of_states(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("consents")

    class OnSqlite(ConsentLife):
        new_database = staticmethod(lambda: f"sqlite:///{folder / uuid.uuid4().hex}.sqlite")

    run = OnSqlite.TestCase
    run.settings = settings(max_examples=25, stateful_step_count=15)
    run("runTest").runTest()
