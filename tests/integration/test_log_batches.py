"""A batch of the log: what is wrong with one job is its own affair, what is wrong with the database is everybody's."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from lienthong_core.database import WritingConnection, open_database
from lienthong_core.errors import Refusal
from lienthong_gateway import schema
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.batch import BatchWriter, Job, Outcome
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.head import Head, Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.store import SALTS, all_entries, commitment, find_salt
from lienthong_gateway.log.verify import verify_log
from tests.support.log import entry

KEY = CheckpointKey.create()
SOMEBODY = "000000000099"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url, schema.metadata(), version=schema.VERSION)
    yield engine
    engine.dispose()


@pytest.fixture
def batches(engine: Engine) -> Iterator[BatchWriter]:
    batches = BatchWriter(engine, Appender(engine, KEY))
    yield batches
    batches.close()


def storing(personal_number: str) -> Callable[[Connection], None]:
    """Return a change that stores a text."""
    return lambda connection: _store(connection, personal_number)


def _store(connection: Connection, personal_number: str) -> None:
    connection.execute(insert(SALTS), {"personal_number": personal_number, "salt": b""})


def stumbling(_connection: Connection, _head: Head) -> None:
    """Check nothing, because of a bug."""
    raise KeyError("a bug")


def about(personal_number: str) -> Entry:
    made = entry(0)
    return replace(made, trace=replace(made.trace, subject=personal_number))


def write_beside(batches: BatchWriter, job: Job) -> tuple[Outcome, Outcome, Outcome]:
    """Write a batch of three, of which the job is the second."""
    before, outcome, after = batches.write([Job(entry(1)), job, Job(entry(2))])
    return before, outcome, after


FAULTS: dict[str, Job] = {
    "a change that stores what is no text": Job(entry(0), storing("\ud800")),
    "a check that stumbles": Job(entry(0), check=stumbling),
    "a subject that is no text": Job(about("\ud800")),
    "an entry that is no text": Job(replace(entry(0), reason="\ud800")),
    "an entry that is too long": Job(replace(entry(0), reason="A" * 33_000)),
    "a change whose entry is too long": Job(replace(entry(0), reason="A" * 33_000), storing(SOMEBODY)),
}


@pytest.mark.parametrize("job", FAULTS.values(), ids=FAULTS)
def test_a_job_that_cannot_be_written_fails_alone_and_leaves_nothing(
    engine: Engine, batches: BatchWriter, job: Job
) -> None:
    before, outcome, after = write_beside(batches, job)

    assert (before, after) == (0, 1)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "EXCHANGE_LOG_UNAVAILABLE"
    assert outcome.message.endswith(".")
    verification = verify_log(engine, KEY.verifier)
    assert (verification.size, verification.fault) == (2, None)
    with engine.connect() as connection:
        assert not connection.execute(select(SALTS).where(SALTS.c.personal_number == SOMEBODY)).all()
    assert batches.write([Job(entry(3))]) == [2]


ZEROS: dict[str, Job] = {
    "a change that stores a zero": Job(entry(0), storing("a\0b")),
    "a subject with a zero": Job(about("a\0b")),
    "a subject that is too long": Job(about("0" * 99)),
}


@pytest.mark.parametrize("job", ZEROS.values(), ids=ZEROS)
def test_a_text_that_only_some_databases_take_withholds_nobody_elses_answer(
    engine: Engine, batches: BatchWriter, job: Job
) -> None:
    before, _, after = write_beside(batches, job)

    assert isinstance(before, int)
    assert isinstance(after, int)
    assert verify_log(engine, KEY.verifier).fault is None


def test_an_entry_may_be_as_long_as_32_kib(batches: BatchWriter) -> None:
    spare = 32 * 1_024 - len(entry(0).leaf("", "0" * 64)) + len(entry(0).reason)
    fits = [Job(replace(about(""), reason="A" * spare)), Job(replace(about(""), reason="A" * (spare + 1)))]

    longest, too_long = batches.write(fits)

    assert longest == 0
    assert isinstance(too_long, Refusal)


def test_nothing_follows_upon_an_entry_that_was_not_written(batches: BatchWriter) -> None:
    done: list[str] = []
    too_long = replace(entry(1), reason="A" * 33_000)

    batches.write(
        [Job(entry(0), then=lambda: done.append("written")), Job(too_long, then=lambda: done.append("refused"))]
    )

    assert done == ["written"]


def test_a_check_sees_what_was_changed_before_it_in_its_batch_and_nothing_later(batches: BatchWriter) -> None:
    seen: list[Head] = []
    before = batches.head

    def check(_connection: Connection, head: Head) -> None:
        seen.append(head)

    looking, changing = Job(entry(0), check=check), Job(entry(1), storing(SOMEBODY), Touches.CONSENTS)
    batches.write([looking, changing, looking])

    assert seen == [before, before.after(Touches.CONSENTS)]


def failing(connection: Connection) -> None:
    """Ask the database for what it has lost."""
    connection.execute(text("SELECT 1 FROM a_table_that_is_gone"))


def test_a_database_that_fails_withholds_the_answers_of_the_whole_batch(engine: Engine, batches: BatchWriter) -> None:
    outcomes = write_beside(batches, Job(entry(0), failing))

    assert [isinstance(outcome, Refusal) and outcome.reason for outcome in outcomes] == ["EXCHANGE_LOG_UNAVAILABLE"] * 3
    assert verify_log(engine, KEY.verifier).size == 0
    assert batches.write([Job(entry(0))]) == [0]


def test_a_change_whose_commit_fails_has_never_been(batches: BatchWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[None] = []
    before = batches.head
    job = Job(entry(0), storing(SOMEBODY), Touches.CONSENTS, then=lambda: done.append(None))

    def full(_connection: WritingConnection, _transaction: Connection) -> None:
        raise OperationalError("COMMIT", None, OSError("the disk is full"))

    with monkeypatch.context() as changed:
        changed.setattr(WritingConnection, "commit", full)
        (failed,) = batches.write([job])

    assert isinstance(failed, Refusal)
    assert (batches.head, done) == (before, [])
    assert batches.write([job]) == [0]
    assert (batches.head, done) == (before.after(Touches.CONSENTS), [None])


def test_a_batch_that_gets_no_connection_waits_for_it_once_and_not_for_each_of_its_jobs(
    engine: Engine, batches: BatchWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []

    def connect() -> Connection:
        asked.append(None)
        raise NoConnection("the pool has no connection left")

    with monkeypatch.context() as changed:
        changed.setattr(engine, "connect", connect)
        outcomes = write_beside(batches, Job(entry(0)))

    assert [isinstance(outcome, Refusal) and outcome.reason for outcome in outcomes] == ["EXCHANGE_LOG_UNAVAILABLE"] * 3
    assert len(asked) == 1
    assert batches.write([Job(entry(0))]) == [0]


def of_somebody(number: int, trace: Trace) -> Job:
    return Job(replace(entry(number), trace=trace))


def erasing(appender: Appender) -> Callable[[Connection], None]:
    """Return the change that erases somebody."""

    def erase(connection: Connection) -> None:
        connection.execute(delete(SALTS).where(SALTS.c.personal_number == SOMEBODY))
        appender.forget(SOMEBODY)

    return erase


def subjects(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [stored.subject for stored in all_entries(connection)]


def test_an_exchange_that_ends_after_an_erasure_gives_her_number_no_salt_again(engine: Engine) -> None:
    appender = Appender(engine, KEY)
    batches = BatchWriter(engine, appender)
    trace = about(SOMEBODY).trace

    batches.write([of_somebody(0, trace), Job(about(""), erasing(appender))])
    ended = batches.write([of_somebody(1, trace)])
    batches.close()

    assert ended == [2]
    with engine.connect() as connection:
        assert find_salt(connection, SOMEBODY) is None


def test_the_entry_about_an_erasure_is_about_her_and_gives_her_number_no_salt_again(engine: Engine) -> None:
    appender = Appender(engine, KEY)
    batches = BatchWriter(engine, appender)

    batches.write([Job(about(SOMEBODY))])
    batches.write([Job(about(SOMEBODY), erasing(appender))])
    batches.close()

    one, other = subjects(engine)
    assert one == other != ""
    with engine.connect() as connection:
        assert find_salt(connection, SOMEBODY) is None


def test_two_entries_of_one_exchange_around_an_erasure_are_not_both_about_her(engine: Engine) -> None:
    appender = Appender(engine, KEY)
    batches = BatchWriter(engine, appender)
    trace, later = about(SOMEBODY).trace, about(SOMEBODY).trace

    erasure = Job(about(""), erasing(appender))
    under_way = [of_somebody(number, trace) for number in (1, 3)]
    batches.write([of_somebody(0, trace), erasure, under_way[0], of_somebody(2, later), under_way[1]])
    batches.close()

    before, _, first, after, second = subjects(engine)
    assert before
    assert (first, second) == ("", "")
    assert after not in {"", before}


def test_an_entry_is_about_her_also_if_the_batch_that_it_was_in_first_was_not_written(
    engine: Engine, batches: BatchWriter
) -> None:
    trace = about(SOMEBODY).trace

    first, failed = batches.write([of_somebody(0, trace), Job(entry(0), check=stumbling)])
    second = batches.write([of_somebody(1, trace)])

    assert (first, second) == (0, [1])
    assert isinstance(failed, Refusal)
    one, other = subjects(engine)
    assert one == other != ""


def test_an_exchange_that_has_a_durable_entry_about_her_keeps_to_it_when_a_later_batch_is_not_written(
    engine: Engine,
) -> None:
    appender = Appender(engine, KEY)
    batches = BatchWriter(engine, appender)
    trace = about(SOMEBODY).trace

    batches.write([of_somebody(0, trace)])
    batches.write([of_somebody(1, trace), Job(entry(0), failing)])
    batches.write([Job(about(""), erasing(appender)), of_somebody(1, trace)])
    batches.close()

    before, _, after = subjects(engine)
    assert before
    assert after == ""


def test_a_commitment_whose_salt_was_not_written_is_used_no_more(engine: Engine, batches: BatchWriter) -> None:
    batches.write([Job(about(SOMEBODY)), Job(entry(0), failing)])
    batches.write([Job(about(SOMEBODY))])

    with engine.connect() as connection:
        salt = find_salt(connection, SOMEBODY)
    assert salt is not None
    assert subjects(engine) == [commitment(salt, SOMEBODY)]


def test_a_commitment_that_a_replica_knew_is_used_no_more_once_another_has_erased_her(engine: Engine) -> None:
    appenders = Appender(engine, KEY), Appender(engine, KEY)
    one, other = (BatchWriter(engine, appender) for appender in appenders)

    one.write([Job(about(SOMEBODY))])
    other.write([Job(about(""), erasing(appenders[1]), Touches.REGISTRATION)])
    one.write([Job(about(SOMEBODY))])
    one.close()
    other.close()

    before, _, after = subjects(engine)
    assert after not in {"", before}
