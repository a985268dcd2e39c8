"""`lienthong serve` and `lienthong init`: what the containers run."""

import logging
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from lienthong_core.clock import SystemClock
from lienthong_core.database import SchemaMismatch
from lienthong_core.json_lines import write_json_lines
from lienthong_core.ports import reserved_port
from lienthong_gateway.log.checkpoint import CheckpointFault
from lienthong_sandbox.cli.ending import told_to_end
from lienthong_sandbox.cli.environment import settings_in_words
from lienthong_sandbox.containers import DATABASE_URL_FILE, prepare
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import SERVICES, Listen, Service, Setting, service_named
from lienthong_sandbox.settings import ServiceSettings
from lienthong_sandbox.world import World

_log = logging.getLogger(__name__)
_NAMES = ", ".join(service.name for service in SERVICES)


def serve(service: Annotated[str, typer.Argument(help=f"Which service: {_NAMES}.")]) -> None:
    """Run one service until it is told to stop; LIENTHONG_* variables (docs/configuration.md) set it up."""
    try:
        chosen = service_named(service)
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0])) from error
    write_json_lines(sys.stderr)
    settings = settings_in_words("not started")
    with ExitStack() as undo:
        with _refusing_in_words("not started"):
            _start(chosen, settings, undo)
        stopped = told_to_end()
        _log.info("%s ready on port %s", service, chosen.port)
        stopped.wait()


def init(
    data: Annotated[Path | None, typer.Option(help="Folder to make the world in; without it LIENTHONG_DATA.")] = None,
) -> None:
    """Make keys, certificates and database passwords for containers, once."""
    settings = settings_in_words("not made")
    with _refusing_in_words("not made"):
        made = prepare(data or settings.data, settings.endpoints().identity_url)
    typer.echo("world made" if made else "the world is there already")


def _start(service: Service, settings: ServiceSettings, undo: ExitStack) -> None:
    """Start a service; `undo` stops it."""
    world = World(settings.data)
    setting = Setting(
        world,
        settings.endpoints(),
        SystemClock(),
        settings.identity_backchannel,
        settings.limits(),
        settings.otlp_endpoint,
    )
    database_url = _stored_database_url(world.service_folder(service.system))
    server = service.make(setting, _listen(service, settings.host, database_url, undo))
    undo.callback(server.stop)
    filling = Filling(settings.seed, settings.citizens)
    filling.fill(server, setting)
    filling.finish()
    server.start()


def _listen(service: Service, host: str, database_url: str, undo: ExitStack) -> Listen:
    """Return where a service listens: nobody else does, who would get some of its calls."""
    for port in filter(None, (service.port, service.web_port)):
        undo.enter_context(reserved_port(host, port))
    name = f"[{host}]" if ":" in host else host
    return Listen(f"{name}:{service.port}", host, service.web_port, database_url)


@contextmanager
def _refusing_in_words(what: str) -> Generator[None]:
    """Say `what` was not done, and why, if a block cannot do it; raises typer.Exit then."""
    try:
        yield
    except (OSError, SchemaMismatch, CheckpointFault) as error:
        typer.echo(f"{what}: {error}", err=True)
        raise typer.Exit(1) from error
    except DBAPIError as error:
        # What it says may hold the database's address and password.
        typer.echo(f"{what}: the database cannot be opened ({type(error.orig).__name__})", err=True)
        raise typer.Exit(1) from error


def _stored_database_url(folder: Path) -> str:
    file = folder / DATABASE_URL_FILE
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""
