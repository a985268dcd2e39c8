"""Statements that much waits for: compiled once for the engine's driver and run on the driver's own connection.

Putting them together anew at each exchange and each proof, or making objects of each entry that is verified, would take
longer than running them. They begin no transaction: whoever runs them has one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.selectable import SelectBase

from lienthong_core.database import driver_of


class PreparedInsert:
    """An insert in the driver's own words; raises the driver's errors as they are."""

    def __init__(self, dialect: Dialect, statement: Insert, columns: Sequence[str]) -> None:
        """`columns` are those that are set."""
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        self._sql = str(compiled)
        self._positions = compiled.positiontup if compiled.positional else None

    def run(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert each row."""
        cursor = driver_of(connection).cursor()
        cursor.executemany(self._sql, [_given(self._positions, row) for row in rows])
        cursor.close()


class PreparedSelect:
    """A select in the driver's own words; it gives what the driver gives, and raises OperationalError."""

    def __init__(self, dialect: Dialect, statement: SelectBase) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._constants = compiled.params
        self._positions = compiled.positiontup if compiled.positional else None
        self._driver_error = dialect.loaded_dbapi.Error

    def all(self, connection: Connection, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """Return every row; `values` are those of its parameters, by name."""
        given = _given(self._positions, {**self._constants, **values})
        try:
            rows: Sequence[tuple[Any, ...]] = driver_of(connection).execute(self._sql, given).fetchall()
        except self._driver_error as error:
            raise OperationalError(self._sql, None, error) from error
        return rows

    def one(self, connection: Connection) -> tuple[Any, ...]:
        """Return the row of a select without parameters; raises LookupError if there is none."""
        for row in self.all(connection, {}):
            return tuple(row)
        raise LookupError("the row that every log has is missing")


def _given(positions: Sequence[str] | None, values: Mapping[str, object]) -> Mapping[str, object] | Sequence[object]:
    """Return values as the driver takes them: in order, or by name where it knows of no `positions`."""
    return values if positions is None else [values[name] for name in positions]
