"""`lienthong log`: what an auditor does with an exchange log."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import Engine

from lienthong_core.database import SchemaMismatch, open_database, sqlite_url
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import CheckpointFault, VerifierKey
from lienthong_gateway.log.verify import Verification, verify_log
from lienthong_sandbox.world import World
from lienthong_seeds import members

app = typer.Typer(help="The exchange log.", no_args_is_help=True)


@app.callback()
def log() -> None:
    """The exchange log."""


@app.command()
def verify(
    data: Annotated[Path, typer.Option(help="Folder that `lienthong up --data` kept.")],
    key: Annotated[
        Path | None, typer.Option(help="File with the log's verifier key, if you keep your own copy of it.")
    ] = None,
) -> None:
    """Check a stored log offline: exit 0, or 1 with the entry at fault named."""
    console = Console()
    folder = World(data).service_folder(members.GATEWAY)
    try:
        _require(folder / "gateway.sqlite")
        verifier = VerifierKey.parse((key or folder / "log.vkey").read_text(encoding="utf-8"))
        engine = open_database(sqlite_url(folder / "gateway.sqlite"), schema.metadata(), version=schema.VERSION)
    except (OSError, CheckpointFault, SchemaMismatch) as error:
        Console(stderr=True).print(f"[bold red]Not verified:[/] {error}")
        raise typer.Exit(1) from error
    try:
        verification = _verified(engine, verifier, console)
    finally:
        engine.dispose()
    if verification.fault is not None:
        console.print(f"[bold red]{verification.fault.kind}:[/] {verification.fault.message}")
        console.print(f"Up to {verification.size} entries the log is as it was signed.")
        raise typer.Exit(1)
    console.print(f"{verification.size} entries and {verification.checkpoints} checkpoints verified.")
    console.print(f"root {verification.root.hex()}", style="dim")


def _require(file: Path) -> None:
    if not file.exists():
        raise FileNotFoundError(f"{file} does not exist; name the folder that was given to `lienthong up --data`")


def _verified(engine: Engine, verifier: VerifierKey, console: Console) -> Verification:
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("verify", total=None)
        return verify_log(engine, verifier, lambda checked: progress.update(task, completed=checked))
