"""Statements of the hot path: compiled once for the engine's driver, run without being put together anew each time."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.sql.dml import UpdateBase


class Prepared:
    """One statement that writes, in the driver's own words; values are bound by the statement's names for them."""

    def __init__(self, engine: Engine, statement: UpdateBase, columns: Sequence[str] | None = None) -> None:
        """`columns` are those that an insert sets; None: the statement names its own parameters."""
        compiled = statement.compile(dialect=engine.dialect, column_keys=columns)
        self._sql = str(compiled)
        self._positions = compiled.positiontup if compiled.positional else None

    def run(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it for each row."""
        if self._positions is None:
            connection.exec_driver_sql(self._sql, [dict(row) for row in rows])
        else:
            connection.exec_driver_sql(self._sql, [tuple(row[name] for name in self._positions) for row in rows])
