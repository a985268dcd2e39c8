"""Opening a service's database: SQLite where everything runs in one process, PostgreSQL where it is shared."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

_VERSION_TABLE = "schema_version"
# Replicas that start at once would make the same tables and store the same rows. Each number is one lock's name.
_OPENING = 0x4C69_656E
_FILLING = 0x4C69_656F
_WRITES = "lienthong_writes"
_BEGIN_WRITING = "BEGIN IMMEDIATE"
_BUSY_TIMEOUT_MS = 5_000
# FULL: a commit that was answered survives a power cut, which the log's promise rests on.
_DURABLE = ("synchronous=FULL",)
# 8,000 changed pages (32 MB) gather before they are copied into the file, many of them changed again by then, and 8 MB
# are kept in memory.
_SIZES = ("wal_autocheckpoint=8000", "cache_size=-8000")
# What is deleted is overwritten: it may have been deleted so that nobody finds it.
_FORGETFUL = ("secure_delete=ON",)
_STATEMENT_TIMEOUT_MS = 10_000
_CONNECT_TIMEOUT_S = 5
# A server that vanished without a word is taken for gone after some 15 seconds (libpq's names).
_DEAD_PEER = {"tcp_user_timeout": 15_000, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}


class Busy(Exception):  # noqa: N818 (names what is wrong)
    """Somebody else is writing the database just now."""


class SchemaMismatch(Exception):  # noqa: N818 (names what is wrong)
    """The database was made by another version of the service."""


class UtcDateTime(TypeDecorator[datetime]):
    """A column of aware times, given back in UTC; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (theirs)
        """Turn a time into UTC before it is stored; raises ValueError if it is not aware."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a stored time must be aware, such as datetime(2026, 1, 1, tzinfo=UTC)")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (theirs)
        """Give a stored time back in UTC."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


def sqlite_url(file: Path) -> str:
    """Return the address of a SQLite database in `file`."""
    # A folder's name may hold what would mean something else in an address.
    return str(URL.create("sqlite", database=str(file)))


def open_database(url: str, metadata: MetaData, *, version: int) -> Engine:
    """Open the database at `url`, making those tables of `metadata` that it does not have.

    Raises SchemaMismatch if the tables were made by another `version` of the schema.
    """
    engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url)
    try:
        with writing(engine) as connection:
            _create_or_check(connection, metadata, version)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Generator[Connection]:
    """Open a transaction that is going to write.

    SQLite's write lock is taken at its start: a transaction that reads first and writes later would otherwise fail
    halfway if somebody else wrote in between.
    """
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


@contextmanager
def filling(engine: Engine) -> Generator[None]:
    """Let one replica after another into the block, each when what the one before did there is stored.

    SQLite's file is one service's own, so there is nobody to wait for.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect() as connection, connection.begin():
        # However many people the other one stores.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(select(func.pg_advisory_xact_lock(_FILLING)))
        yield


class WritingConnection:
    """One connection that is kept for many short transactions, for one thread; opened anew once it was closed.

    It begins and commits them on the driver's connection: SQLAlchemy's way there takes longer than what is in between.
    Whoever uses it closes it after a failure, which undoes the transaction. Raises the driver's errors as they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_local = engine.dialect.name == "sqlite"
        """Whether the database is a file, which no network is in front of."""
        self._connection: Connection | None = None
        self._waits = True

    def begin(self, *, wait: bool = True) -> Connection:
        """Open a transaction that is going to write, as `writing` does; `commit` or `close` must follow.

        Not `wait`, for a local database: raises Busy at once if somebody else is writing it, and nothing is open then.
        """
        if self._connection is None:
            self._connection, self._waits = self._engine.connect(), True
        if self.is_local:
            # PostgreSQL's driver begins with the first statement.
            self._begin(driver_of(self._connection), wait=wait)
        return self._connection

    def commit(self, connection: Connection) -> None:
        """Make durable what was written since `begin`, which gave the connection."""
        if connection.in_transaction():
            # Somebody has used it through SQLAlchemy, which has to hear of the end.
            connection.commit()
        else:
            driver_of(connection).commit()

    def close(self) -> None:
        """Close the connection, and with it what was begun and not committed."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            # Nobody else is to get it: it may not wait as the others do.
            connection.invalidate()
            connection.close()

    def _begin(self, driver: sqlite3.Connection, *, wait: bool) -> None:
        if wait != self._waits:
            driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS if wait else 0}")
            self._waits = wait
        try:
            driver.execute(_BEGIN_WRITING)
        except sqlite3.OperationalError as error:
            # The low byte is what happened, the others say more of it.
            if wait or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise Busy from error


def driver_of(connection: Connection) -> Any:  # noqa: ANN401 (whatever the driver gives)
    """Return the driver's own connection: `sqlite3.Connection` or `psycopg.Connection`."""
    return connection.connection.dbapi_connection


@contextmanager
def snapshot(engine: Engine) -> Generator[Connection]:
    """Open a transaction that reads one state of the database throughout, whatever is written meanwhile."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        # SQLite in WAL mode keeps to the state of the transaction's first read by itself.
        with connection.begin():
            yield connection


def empty_write_ahead_log(engine: Engine) -> bool:
    """Take out of SQLite's write-ahead log what was written before, deleted rows included; return whether it is empty.

    It is not while somebody reads or writes, and nobody is waited for. PostgreSQL's is the server's own business.
    Raises the driver's errors, or SQLAlchemy's.
    """
    if engine.dialect.name != "sqlite":
        return True
    with engine.connect() as connection:
        driver = driver_of(connection)
        driver.execute("PRAGMA busy_timeout=0")
        try:
            is_busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    return not is_busy


def _create_or_check(connection: Connection, metadata: MetaData, version: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_OPENING)))
    own = MetaData()
    table = Table(_VERSION_TABLE, own, Column("version", Integer, primary_key=True))
    if not connection.dialect.has_table(connection, _VERSION_TABLE):
        own.create_all(connection)
        metadata.create_all(connection)
        connection.execute(insert(table).values(version=version))
        return
    found = connection.execute(select(table.c.version)).scalar_one()
    if found != version:
        message = (
            f"The database holds version {found} of the schema and this program writes version {version}. "
            "Start with a new data folder, or use the program that made this one."
        )
        raise SchemaMismatch(message)
    # A table that came later changes none of those there are, so it needs no other version.
    metadata.create_all(connection)


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True)

    def configure(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 (whatever the driver gives)
        # Transactions begin and end where SQLAlchemy says, not where the driver guesses; savepoints need that.
        connection.isolation_level = None
        cursor = connection.cursor()
        _write_ahead(cursor)
        for pragma in (*_DURABLE, "foreign_keys=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}", *_SIZES, *_FORGETFUL):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        if not driver_of(connection).in_transaction:
            writes = connection.get_execution_options().get(_WRITES, False)
            connection.exec_driver_sql(_BEGIN_WRITING if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Have changes written to a log of their own first; raises OperationalError if that cannot be had in time."""
    until = time.monotonic() + _BUSY_TIMEOUT_MS / 1_000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
            # SQLite waits for whoever has the file, but not in order to do this.
            cursor.execute("BEGIN EXCLUSIVE")
            cursor.execute("ROLLBACK")
        else:
            return


def _postgresql(url: str) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            **_DEAD_PEER,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
        },
    )
