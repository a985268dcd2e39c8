"""`lienthong up`: everything in one process, until Ctrl-C."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from lienthong_core.database import SchemaMismatch
from lienthong_gateway.log.checkpoint import CheckpointFault
from lienthong_sandbox.cli.ending import told_to_end
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
    sandbox = Sandbox(citizens=citizens, seed=seed, data=data, first_port=first_port, otlp_endpoint=otlp_endpoint)
    try:
        _start(sandbox, console)
        stopped = told_to_end()
        _tell(sandbox, console)
        stopped.wait()
        console.print("stopping")
    finally:
        sandbox.stop()


def _start(sandbox: Sandbox, console: Console) -> None:
    """Start everything and write down where it is; if that cannot be, it is said, and raises typer.Exit."""
    try:
        if console.is_terminal:
            with console.status("starting") as status:
                sandbox.start(lambda step: status.update(f"starting: {step}"))
        else:
            sandbox.start(lambda step: console.print(f"starting: {step}"))
        sandbox.endpoints.save(sandbox.world.folder)
    except (OSError, SchemaMismatch, CheckpointFault, DBAPIError) as error:
        fail("Not started", error)


def _tell(sandbox: Sandbox, console: Console) -> None:
    if console.is_terminal:
        table = Table(Column(), Column(overflow="fold"), Column(), box=None, show_header=False, pad_edge=False)
        for fact in _facts(sandbox):
            table.add_row(*map(Text, fact))
        console.print(table)
    else:
        for fact in _facts(sandbox):
            # Not the console's: a path stays whole, however long it is.
            typer.echo("\t".join(fact))
    ready = f"ready: endpoints and certificates are in {sandbox.world.folder}; Ctrl-C ends"
    console.print(ready, markup=False, soft_wrap=True)


def _facts(sandbox: Sandbox) -> Iterator[tuple[str, str, str]]:
    """Give what runs where, each with its name and what it is for."""
    endpoints = sandbox.endpoints
    yield "gateway", endpoints.gateway, "gRPC, mutual TLS: every consumer's call goes here"
    yield "gateway (HTTPS)", endpoints.gateway_url, "the same calls as JSON, OpenAPI, metrics"
    yield "identity provider", endpoints.identity_url, "OpenID Connect issuer; pages"
    yield "portal", endpoints.portal_url, f"pages; gRPC for its app and officers on {endpoints.portal}"
    providers = (f"{name} {address}" for name, address in endpoints.addresses.items() if name not in _OPEN)
    yield "behind the gateway", ", ".join(providers), "answer the gateway alone"
    certificate = sandbox.world.client_folder(members.YOUR_SYSTEM)
    yield "your certificate", str(certificate), f"as {members.YOUR_SYSTEM}"
    yield "passcode", PASSCODE, "of every synthetic account; SIMULATION"
