"""Statements of the hot path: compiled once for the engine's driver and run on the driver's own connection.

Every exchange waits for these few, and putting them together anew would take longer than running them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.selectable import SelectBase

from lienthong_core.database import driver_of


class PreparedInsert:
    """An insert in the driver's own words."""

    def __init__(self, engine: Engine, statement: Insert, columns: Sequence[str]) -> None:
        """`columns` are those that are set."""
        compiled = statement.compile(dialect=engine.dialect, column_keys=columns)
        self._sql = str(compiled)
        self._positions = compiled.positiontup if compiled.positional else None

    def run(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert each row."""
        cursor = driver_of(connection).cursor()
        if self._positions is None:
            cursor.executemany(self._sql, rows)
        else:
            cursor.executemany(self._sql, [[row[name] for name in self._positions] for row in rows])
        cursor.close()


class PreparedSelect:
    """A select of one row, without parameters, in the driver's own words."""

    def __init__(self, engine: Engine, statement: SelectBase) -> None:
        self._sql = str(statement.compile(dialect=engine.dialect))

    def one(self, connection: Connection) -> tuple[Any, ...]:
        """Return the row; raises LookupError if there is none."""
        row = driver_of(connection).execute(self._sql).fetchone()
        if row is None:
            raise LookupError("the row that every log has is missing")
        return tuple(row)
