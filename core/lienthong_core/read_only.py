"""Opening a SQLite database to look at it alone: nothing is written, not even a lock, so a read-only folder will do."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from lienthong_core.database import SchemaMismatch

_BUSY_TIMEOUT_S = 5.0


class DatabaseUnreadable(Exception):  # noqa: N818 (names what is wrong)
    """The file cannot be read as a database of this program; the message says why and what to do."""


def open_read_only(file: Path, *, version: int) -> Engine:
    """Open a service's SQLite file; raises FileNotFoundError, DatabaseUnreadable or SchemaMismatch.

    Where a service is running or was killed, SQLite's write-ahead log lies beside the file and belongs to it; reading
    it needs the service's `-shm` file, or a folder that one can be made in.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist")
    engine = create_engine("sqlite://", creator=lambda: _connect(file), poolclass=StaticPool, hide_parameters=True)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            found = connection.execute(text("SELECT version FROM schema_version")).scalar_one()
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseUnreadable(
            f"{file} cannot be read ({error.orig}). If it should be a gateway's database, copy it together with the "
            "-wal file beside it to a folder that you may write to, and name that."
        ) from error
    if found != version:
        engine.dispose()
        raise SchemaMismatch(f"{file} holds version {found} of the schema and this program reads version {version}.")
    return engine


def _connect(file: Path) -> sqlite3.Connection:
    # Without a write-ahead log nobody has the file open, and nothing but `immutable` reads it without making one.
    how = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "mode=ro&immutable=1"
    address = f"file:{quote(str(file.resolve()))}?{how}"
    # The engine's own begin, below, says when a transaction begins.
    return sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
