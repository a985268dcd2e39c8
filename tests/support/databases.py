"""Databases for tests: every store runs on SQLite and on PostgreSQL."""

import gc
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import docker.errors
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, make_url
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config

from lienthong_core.database import sqlite_url
from tests.support.line import Line

IMAGE = "postgres:17-trixie"
_DATA = "/var/lib/postgresql/data"
NO_ENGINE = "left out: no container engine answers, so there is no PostgreSQL"


def engine_answers() -> bool:
    """Return whether containers can be started here."""
    with warnings.catch_warnings():
        # When nobody answers, the docker package leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        answers = _pinged()
        gc.collect()
    return answers


def _pinged() -> bool:
    try:
        client = docker.from_env()
        try:
            client.ping()  # pyright: ignore[reportUnknownMemberType] (the stubs leave its arguments open)
        finally:
            client.close()
    except docker.errors.DockerException:
        return False
    return True


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Give the address of a PostgreSQL server's own database, in a container of this test run."""
    if not engine_answers():
        pytest.skip(NO_ENGINE)
    # The reaper's image would have to be pulled; the context manager below stops the container as well.
    testcontainers_config.ryuk_disabled = True
    # Nothing of it is to outlive the run, and a disk takes a minute to forget some hundred databases.
    with PostgresContainer(IMAGE, driver=None).with_tmpfs_mount(_DATA) as container:
        yield container.get_connection_url(host="127.0.0.1")


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Give what makes a new, empty database and returns its address: once all in SQLite, once all in PostgreSQL."""
    if request.param == "sqlite":
        yield lambda: sqlite_url(tmp_path / f"{uuid.uuid4().hex}.sqlite")
        return
    server = request.getfixturevalue("postgresql_server")
    made: list[sql.Identifier] = []

    def create() -> str:
        name = f"test_{uuid.uuid4().hex}"
        made.append(sql.Identifier(name))
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(made[-1]))
        return f"{server.replace('postgresql://', 'postgresql+psycopg://').rsplit('/', 1)[0]}/{name}"

    yield create
    with psycopg.connect(server, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """Give the address of a new, empty database."""
    return new_database()


@pytest.fixture
def line(new_database: Callable[[], str]) -> Iterator[tuple[Line, str]]:
    """Give the line to a PostgreSQL database, and the database's address at the line's near end."""
    url = make_url(new_database())
    assert url.host is not None
    assert url.port is not None
    with Line(url.host, url.port) as line:
        near = url.set(host="127.0.0.1", port=line.port)
        yield line, near.render_as_string(hide_password=False)


@contextmanager
def file_away(engine: Engine) -> Generator[None]:
    """Have the file of a SQLite database be elsewhere for a block, and nothing be made in its place."""
    file = Path(engine.url.database or "")
    engine.dispose()
    elsewhere = file.rename(file.with_suffix(".elsewhere"))
    file.mkdir()
    try:
        yield
    finally:
        file.rmdir()
        elsewhere.rename(file)
