"""`lienthong up`: everything in one process, until Ctrl-C."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from lienthong_core.database import SchemaMismatch
from lienthong_gateway.log.checkpoint import CheckpointFault
from lienthong_sandbox.cli.telling import fail
from lienthong_sandbox.endpoints import collector_address
from lienthong_sandbox.sandbox import Sandbox
from lienthong_sandbox.services import FIRST_PORT
from lienthong_seeds import members
from lienthong_seeds.population import MOST_CITIZENS
from lienthong_services.identity.rules import PASSCODE

_LAST_FIRST_PORT = 65_529
_OPEN = ("gateway", "portal")


def _collector(text: str) -> str:
    try:
        return collector_address(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def up(
    data: Annotated[
        Path | None, typer.Option(help="Folder that keeps everything across restarts; without it nothing is kept.")
    ] = None,
    citizens: Annotated[
        int, typer.Option(min=1, max=MOST_CITIZENS, help="How many citizens an empty database is filled with.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="Same seed, same people.")] = 1,
    first_port: Annotated[
        int, typer.Option(min=0, max=_LAST_FIRST_PORT, help="Seven ports in a row from here on; 0: any free ones.")
    ] = FIRST_PORT,
    otlp_endpoint: Annotated[
        str,
        typer.Option(
            callback=_collector, help="Where the gateway's traces go, such as http://127.0.0.1:4318/v1/traces."
        ),
    ] = "",
) -> None:
    """Start every service and stay until Ctrl-C."""
    console = Console()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    sandbox = Sandbox(citizens=citizens, seed=seed, data=data, first_port=first_port, otlp_endpoint=otlp_endpoint)
    try:
        _start(sandbox, console)
        sandbox.endpoints.save(sandbox.world.folder)
    except (OSError, SchemaMismatch, CheckpointFault, DBAPIError) as error:
        sandbox.stop()
        fail("Not started", error)
    try:
        _tell(sandbox, console)
        stopped.wait()
    finally:
        console.print("stopping")
        sandbox.stop()


def _start(sandbox: Sandbox, console: Console) -> None:
    if not console.is_terminal:
        sandbox.start(lambda step: console.print(f"starting: {step}"))
        return
    with console.status("starting") as status:
        sandbox.start(lambda step: status.update(f"starting: {step}"))


def _tell(sandbox: Sandbox, console: Console) -> None:
    endpoints, world = sandbox.endpoints, sandbox.world
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_column()
    table.add_row("gateway", endpoints.gateway, "gRPC, mutual TLS: every consumer's call goes here")
    table.add_row("", endpoints.gateway_url, "the same calls as JSON, OpenAPI, metrics")
    table.add_row("identity provider", endpoints.identity_url, "OpenID Connect issuer; pages")
    table.add_row("portal", endpoints.portal_url, f"pages; gRPC for its app and officers on {endpoints.portal}")
    providers = (f"{name} {address}" for name, address in endpoints.addresses.items() if name not in _OPEN)
    table.add_row("behind the gateway", ", ".join(providers), "answer the gateway alone")
    certificate = escape(str(world.client_folder(members.YOUR_SYSTEM)))
    table.add_row("your certificate", certificate, f"as {members.YOUR_SYSTEM}")
    table.add_row("passcode", PASSCODE, "of every synthetic account; SIMULATION")
    console.print(table)
    ready = f"ready: endpoints and certificates are in {world.folder}; Ctrl-C ends"
    console.print(ready, markup=False, soft_wrap=True)
