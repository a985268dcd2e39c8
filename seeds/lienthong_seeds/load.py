"""Storing the synthetic population in the databases of the population register and the identity provider."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, DateTime, Engine, MetaData, Table, insert, literal, select

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
    with engine.begin() as connection:
        loader = _Loader(connection, PopulationTable.metadata, progress)
        loader.insert("citizen", population.citizens)
        loader.insert("formernumber", population.former_numbers)
        loader.insert("household", population.households)
        loader.insert("residence", population.residences, given_by_database="residence_id")
        loader.insert("administrativeunit", population.administrative_units)
        loader.register_changes(len(population.citizens), population.made_at)


def load_accounts(engine: Engine, population: Population, passcode_hash: str) -> None:
    """Store the e-identity accounts, all or nothing; every one has the same synthetic passcode.

    Raises sqlalchemy.exc.IntegrityError, having stored nothing, if the provider holds them already.
    """
    with engine.begin() as connection:
        loader = _Loader(connection, IdentityTable.metadata)
        loader.insert("account", population.accounts, same={"passcode_hash": passcode_hash})


def registered_datasets() -> list[str]:
    """Return the datasets of a citizen's record, in the contract's order: registration changes them all."""
    fields = CitizenMessage.DESCRIPTOR.fields
    names = (field.GetOptions().Extensions[options_pb2.field].dataset for field in fields)
    return list(dict.fromkeys(name for name in names if name))


class _Loader:
    """Inserts rows in bulk through the driver: the mapper, and even SQLAlchemy's own executemany, take far longer."""

    def __init__(self, connection: Connection, metadata: MetaData, progress: Progress | None = None) -> None:
        self._connection = connection
        self._metadata = metadata
        self._progress = progress
        self._stored = 0

    def insert(
        self, name: str, rows: Sequence[Row], *, given_by_database: str = "", same: Mapping[str, object] | None = None
    ) -> None:
        """Insert rows that have a table's columns in order, but for those with the `same` value in every row."""
        table = self._metadata.tables[name]
        same = same or {}
        varying = [column.name for column in table.columns if column.name not in {given_by_database, *same}]
        statement = self._statement(table, varying, same)
        times = [place for place, column in enumerate(varying) if isinstance(table.columns[column].type, DateTime)]
        for start in range(0, len(rows), _BATCH):
            batch = list(rows[start : start + _BATCH])
            for place in times:
                batch = self._with_times(batch, place)
            self._connection.exec_driver_sql(statement, batch)
            self._report(len(batch))

    def register_changes(self, citizens: int, made_at: datetime) -> None:
        """Insert the first change of each citizen, in the order of the citizens."""
        citizen, change = self._metadata.tables["citizen"], self._metadata.tables["change"]
        datasets, changed_at = literal(",".join(registered_datasets())), literal(made_at, change.c.changed_at.type)
        registered = select(citizen.c.citizen_id, datasets, changed_at)
        columns = ["citizen_id", "datasets", "changed_at"]
        for start in range(0, citizens, _BATCH):
            batch = registered.where(citizen.c.citizen_id.between(start + 1, start + _BATCH))
            self._connection.execute(insert(change).from_select(columns, batch.order_by(citizen.c.citizen_id)))
            self._report(min(_BATCH, citizens - start))

    def _report(self, stored: int) -> None:
        self._stored += stored
        if self._progress is not None:
            self._progress(self._stored)

    def _statement(self, table: Table, varying: Sequence[str], same: Mapping[str, object]) -> str:
        dialect = self._connection.dialect
        quote = dialect.identifier_preparer.quote
        values = [_PLACEHOLDERS[dialect.paramstyle]] * len(varying)
        for name, value in same.items():
            constant = literal(value, table.columns[name].type)
            values.append(str(constant.compile(dialect=dialect, compile_kwargs={"literal_binds": True})))
        names = ", ".join(quote(name) for name in (*varying, *same))
        return f"INSERT INTO {quote(table.name)} ({names}) VALUES ({', '.join(values)})"  # noqa: S608 (our own names)

    def _with_times(self, rows: list[Row], place: int) -> list[Row]:
        """Return the rows with the times at `place` as the driver takes them."""
        dialect = self._connection.dialect
        convert = DateTime(timezone=True).dialect_impl(dialect).bind_processor(dialect)
        if convert is None:
            return rows
        times: dict[object, object] = {time: convert(time) for time in {row[place] for row in rows}}
        return [(*row[:place], times[row[place]], *row[place + 1 :]) for row in rows]
