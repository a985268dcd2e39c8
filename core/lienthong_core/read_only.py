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


class Untouched:
    """A file as it was before it was opened: where there is no write-ahead log, SQLite does not notice who writes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._before = self._state()

    def check(self) -> None:
        """Raise DatabaseUnreadable if a service may have written what was read as if nobody would.

        What was found sound needs no such check.
        """
        # Not read once more instead: a long log takes minutes, and whoever wrote can do so again.
        _, _, was_guarded = self._before
        if not was_guarded and self._state() != self._before:
            raise DatabaseUnreadable(
                f"{self._file} may not be what was read: a gateway wrote to it meanwhile; do it again"
            )

    def _state(self) -> tuple[int, int, bool]:
        found = self._file.stat()
        return found.st_mtime_ns, found.st_size, _write_ahead_log(self._file).exists()


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
            found = connection.execute(text("SELECT version FROM schema_version")).scalars().all()
    except (DBAPIError, UnicodeDecodeError) as error:
        engine.dispose()
        # SQLite quotes what it finds, and the driver cannot read that if it is no text.
        why = error.orig if isinstance(error, DBAPIError) else "its schema is not UTF-8"
        raise DatabaseUnreadable(
            f"{file} cannot be read ({why}). If it should be a gateway's database, copy it together with the "
            "-wal file beside it to a folder that you may write to, and name that."
        ) from error
    if len(found) != 1:
        engine.dispose()
        raise DatabaseUnreadable(f"{file} does not say which version of the schema it holds: no gateway wrote it so.")
    if found != [version]:
        engine.dispose()
        raise SchemaMismatch(f"{file} holds version {found[0]} of the schema and this program reads version {version}.")
    return engine


def _connect(file: Path) -> sqlite3.Connection:
    # Without a write-ahead log nobody has the file open, and nothing but `immutable` reads it without making one.
    how = "mode=ro" if _write_ahead_log(file).exists() else "mode=ro&immutable=1"
    address = f"file:{quote(str(file.resolve()))}?{how}"
    # The engine's own begin, below, says when a transaction begins.
    return sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _write_ahead_log(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
