"""Statements that much waits for: compiled once for the engine's driver and run on the driver's own connection.

Putting them together anew at each exchange, or making objects of each entry that is verified, would take longer than
running them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, Table, insert
from sqlalchemy.sql.selectable import SelectBase

from lienthong_core.database import driver_of


class PreparedInsert:
    """An insert into some columns of a table, in the driver's own words."""

    def __init__(self, engine: Engine, table: Table, columns: Sequence[str]) -> None:
        """`columns` are those that are set, in the table's order."""
        compiled = insert(table).compile(dialect=engine.dialect, column_keys=columns)
        self._sql = str(compiled)
        self._names = None if compiled.positional else columns

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert each row, its values in the order of the columns."""
        cursor = driver_of(connection).cursor()
        if self._names is None:
            cursor.executemany(self._sql, rows)
        else:
            cursor.executemany(self._sql, [dict(zip(self._names, row, strict=True)) for row in rows])
        cursor.close()


class PreparedSelect:
    """A select in the driver's own words; what it gives is as the driver gives it."""

    def __init__(self, dialect: Dialect, statement: SelectBase) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._values = compiled.params
        self._positions = compiled.positiontup if compiled.positional else None

    def all(self, connection: Connection, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """Return every row; `values` are those of its parameters, by name."""
        every = {**self._values, **values}
        given = every if self._positions is None else [every[name] for name in self._positions]
        rows: Sequence[tuple[Any, ...]] = driver_of(connection).execute(self._sql, given).fetchall()
        return rows

    def one(self, connection: Connection) -> tuple[Any, ...]:
        """Return the row of a select without parameters; raises LookupError if there is none."""
        row = driver_of(connection).execute(self._sql).fetchone()
        if row is None:
            raise LookupError("the row that every log has is missing")
        return tuple(row)
