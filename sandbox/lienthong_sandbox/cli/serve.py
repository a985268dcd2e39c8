"""`lienthong serve`, `health` and `init`: what the containers run."""

import logging
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lienthong_core.clock import SystemClock
from lienthong_core.database import SchemaMismatch
from lienthong_sandbox import settings as ports
from lienthong_sandbox.containers import DATABASE_URL_FILE, prepare
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import SERVICES, Listen, Setting
from lienthong_sandbox.settings import ServiceSettings
from lienthong_sandbox.world import World

_HEALTH_DEADLINE_S = 3.0

Service = StrEnum("Service", {name.upper(): name for name in SERVICES})
_PORTS = {
    "gateway": (ports.GATEWAY_PORT, 0),
    "population": (ports.POPULATION_PORT, 0),
    "identity": (ports.IDENTITY_PORT, ports.IDENTITY_WEB_PORT),
    "portal": (ports.PORTAL_PORT, ports.PORTAL_WEB_PORT),
}


def serve(service: Annotated[Service, typer.Argument(help="Which service this process is.")]) -> None:
    """Run one service until it is told to stop; settings come from LIENTHONG_* variables (see docs/containers.md)."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    settings = ServiceSettings()
    world = World(settings.data)
    setting = Setting(world, settings.endpoints(), SystemClock(), settings.identity_backchannel)
    system, make = SERVICES[service.value]
    port, web_port = _PORTS[service.value]
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
        typer.echo(f"{service.value} ready on port {port}", err=True)
        stopped.wait()
    finally:
        server.stop()


def health(service: Annotated[Service, typer.Argument(help="The service that runs beside this command.")]) -> None:
    """Ask a service on this machine whether it is serving; exit 0 if it is."""
    system, _ = SERVICES[service.value]
    tls = World(ServiceSettings().data).tls(system)
    port, _ = _PORTS[service.value]
    with grpc.secure_channel(f"127.0.0.1:{port}", tls.channel_credentials()) as channel:
        try:
            request = health_pb2.HealthCheckRequest()
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_HEALTH_DEADLINE_S)
        except grpc.RpcError as error:
            typer.echo(f"{service.value} does not answer: {error}", err=True)
            raise typer.Exit(1) from error
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    raise typer.Exit(0 if serving else 1)


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
