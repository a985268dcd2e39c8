"""Storing the synthetic population in the databases of the population register and the identity provider."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, DateTime, Engine, MetaData, Table

from lienthong.api.options.v1 import options_pb2
from lienthong.api.population.v1.citizen_pb2 import Citizen as CitizenMessage
from lienthong_seeds.rows import Population, Row
from lienthong_services.identity.model import IdentityTable
from lienthong_services.population.model import PopulationTable

Progress = Callable[[int], None]
"""Called after each batch with how many rows are stored so far."""

_BATCH = 10_000
_PLACEHOLDERS = {"qmark": "?", "pyformat": "%s"}


def load_population(engine: Engine, population: Population, progress: Progress | None = None) -> None:
    """Store citizens, households, residences, administrative units and the first changes, all or nothing.

    Raises sqlalchemy.exc.IntegrityError, having stored nothing, if the register holds them already.
    """
    datasets = ",".join(registered_datasets())
    changes = [(citizen[0], datasets, population.made_at) for citizen in population.citizens]
    tables = PopulationTable.metadata
    with engine.begin() as connection:
        loader = _Loader(connection, tables, progress)
        loader.insert("citizen", population.citizens)
        loader.insert("formernumber", population.former_numbers)
        loader.insert("household", population.households)
        loader.insert("residence", population.residences, given_by_database="residence_id")
        loader.insert("administrativeunit", population.administrative_units)
        loader.insert("change", changes, given_by_database="change_number")


def load_accounts(engine: Engine, population: Population, passcode_hash: str, progress: Progress | None = None) -> None:
    """Store the e-identity accounts, all or nothing; every one has the same synthetic passcode.

    Raises sqlalchemy.exc.IntegrityError, having stored nothing, if the provider holds them already.
    """
    accounts = [(*account, passcode_hash) for account in population.accounts]
    with engine.begin() as connection:
        _Loader(connection, IdentityTable.metadata, progress).insert("account", accounts)


def registered_datasets() -> list[str]:
    """Return the datasets of a citizen's record, in the contract's order: registration changes them all."""
    fields = CitizenMessage.DESCRIPTOR.fields
    names = (field.GetOptions().Extensions[options_pb2.field].dataset for field in fields)
    return list(dict.fromkeys(name for name in names if name))


class _Loader:
    """Inserts rows in bulk through the driver: the mapper, and even SQLAlchemy's own executemany, take far longer."""

    def __init__(self, connection: Connection, metadata: MetaData, progress: Progress | None) -> None:
        self._connection = connection
        self._metadata = metadata
        self._progress = progress
        self._stored = 0

    def insert(self, table_name: str, rows: Sequence[Row], *, given_by_database: str = "") -> None:
        """Insert rows that have the table's columns in order, but for the one `given_by_database`."""
        table = self._metadata.tables[table_name]
        columns = [column for column in table.columns if column.name != given_by_database]
        statement = self._statement(table, [column.name for column in columns])
        for start in range(0, len(rows), _BATCH):
            batch = list(rows[start : start + _BATCH])
            for position, column in enumerate(columns):
                if isinstance(column.type, DateTime):
                    batch = self._with_times(batch, position, column.type)
            self._connection.exec_driver_sql(statement, batch)
            self._stored += len(batch)
            if self._progress is not None:
                self._progress(self._stored)

    def _statement(self, table: Table, columns: list[str]) -> str:
        dialect = self._connection.dialect
        quote = dialect.identifier_preparer.quote
        names = ", ".join(quote(column) for column in columns)
        values = ", ".join([_PLACEHOLDERS[dialect.paramstyle]] * len(columns))
        return f"INSERT INTO {quote(table.name)} ({names}) VALUES ({values})"  # noqa: S608 (names of our own tables)

    def _with_times(self, rows: list[Row], position: int, kind: DateTime) -> list[Row]:
        """Return the rows with the times at `position` as the driver takes them."""
        dialect = self._connection.dialect
        convert = kind.dialect_impl(dialect).bind_processor(dialect)
        if convert is None:
            return rows
        times = {time: convert(time) for time in {row[position] for row in rows} if isinstance(time, datetime)}
        return [(*row[:position], times[row[position]], *row[position + 1 :]) for row in rows]
