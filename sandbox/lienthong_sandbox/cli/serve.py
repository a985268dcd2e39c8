"""`lienthong serve` and `lienthong init`: what the containers run."""

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from lienthong_core.clock import SystemClock
from lienthong_core.database import SchemaMismatch
from lienthong_sandbox import settings as ports
from lienthong_sandbox.containers import DATABASE_URL_FILE, prepare
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import SERVICES, Listen, Setting
from lienthong_sandbox.settings import ServiceSettings
from lienthong_sandbox.world import World

_PORTS = {
    "gateway": (ports.GATEWAY_PORT, 0),
    "population": (ports.POPULATION_PORT, 0),
    "identity": (ports.IDENTITY_PORT, ports.IDENTITY_WEB_PORT),
    "portal": (ports.PORTAL_PORT, ports.PORTAL_WEB_PORT),
}


def serve(service: Annotated[str, typer.Argument(help=f"Which service: {', '.join(SERVICES)}.")]) -> None:
    """Run one service until it is told to stop; LIENTHONG_* variables (docs/configuration.md) set it up."""
    if service not in SERVICES:
        raise typer.BadParameter(f"{service!r} is no service; there are: {', '.join(SERVICES)}")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    settings = ServiceSettings()
    world = World(settings.data)
    setting = Setting(world, settings.endpoints(), SystemClock(), settings.identity_backchannel)
    system, make = SERVICES[service]
    port, web_port = _PORTS[service]
    database_url = _stored_database_url(world.service_folder(system))
    try:
        server = make(setting, Listen(f"{settings.host}:{port}", settings.host, web_port, database_url))
    except (OSError, SchemaMismatch) as error:
        typer.echo(f"not started: {error}", err=True)
        raise typer.Exit(1) from error
    try:
        filling = Filling(settings.seed, settings.citizens)
        filling.fill(server, setting)
        filling.finish()
        server.start()
        typer.echo(f"{service} ready on port {port}", err=True)
        stopped.wait()
    finally:
        server.stop()


def init(
    data: Annotated[Path | None, typer.Option(help="Folder to make the world in; without it LIENTHONG_DATA.")] = None,
) -> None:
    """Make keys, certificates and database passwords for containers, once."""
    settings = ServiceSettings()
    made = prepare(data or settings.data, settings.identity_url)
    typer.echo("world made" if made else "the world is there already")


def _stored_database_url(folder: Path) -> str:
    file = folder / DATABASE_URL_FILE
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""
