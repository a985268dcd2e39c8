"""`lienthong log`: what an auditor does with an exchange log."""

from pathlib import Path
from typing import Annotated, TypeAlias

import grpc
import typer
from rich.console import Console
from rich.text import Text

from lienthong_gateway.log.checkpoint import VerifierKey
from lienthong_gateway.log.export import verify_export
from lienthong_gateway.log.verdict import Verification
from lienthong_sandbox.cli import log_prune, log_witness
from lienthong_sandbox.cli.log_places import LOG_FAILURES, Key, LogPlace, text_of
from lienthong_sandbox.cli.log_report import tell_export, tell_verification, working
from lienthong_sandbox.cli.telling import fail, plain

app = typer.Typer(help="The exchange log.", no_args_is_help=True)

_FAILURES = (*LOG_FAILURES, grpc.RpcError)

Data: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder that `lienthong up --data` kept; it is read, never written.")
]
Gateway: TypeAlias = Annotated[str | None, typer.Option(help="Address of a running gateway, `HOST:PORT`.")]
Certificate: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder with the auditor's `tls.crt`, `tls.key` and `ca.crt`, for --gateway.")
]


app.command("prune")(log_prune.prune)
app.command("witness")(log_witness.witness)
app.command("witness-key")(log_witness.witness_key)


@app.callback()
def log() -> None:
    """The exchange log."""


@app.command()
def verify(
    data: Data = None,
    gateway: Gateway = None,
    certificate: Certificate = None,
    exported: Annotated[Path | None, typer.Option("--export", help="File that `lienthong log export` wrote.")] = None,
    key: Key = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoint that you kept; the log must continue it.")] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="File to keep the last checkpoint in; the log must continue the one that it holds already."),
    ] = None,
) -> None:
    """Check a log, stored, running or exported: exit 0, or 1 with what is wrong and where."""
    console = Console()
    if [data, gateway, exported].count(None) != 2:  # noqa: PLR2004 (all but one)
        raise typer.BadParameter("name exactly one of --data, --gateway and --export")
    place = LogPlace(data, gateway, certificate, key)
    try:
        if exported is not None:
            _verify_export(console, exported, key, checkpoint, save)
            return
        # What was kept is the only evidence of another history: it is not written over unless the log continues it.
        kept = save if checkpoint is None and save is not None and save.is_file() else checkpoint
        verification = _verification(console, place, kept)
    except _FAILURES as error:
        fail("Not verified", error)
    try:
        tell_verification(console, verification, save)
    except OSError as error:
        fail("Not saved", error)


@app.command("export")
def export_range(
    out: Annotated[Path, typer.Option(help="File to write.")],
    data: Data = None,
    gateway: Gateway = None,
    certificate: Certificate = None,
    key: Key = None,
    first: Annotated[int, typer.Option("--from", min=0, help="Index of the first entry.")] = 0,
    last: Annotated[
        int | None, typer.Option("--to", min=0, help="Index of the last entry; without it, the newest.")
    ] = None,
) -> None:
    """Write entries, stored or a running gateway's, to a file that proves itself to whoever has the verifier key."""
    console = Console()
    place = LogPlace(data, gateway, certificate, key)
    try:
        with place.opened(console) as (log, signed_with), working(console, "exporting") as progress:
            end = log.export(first, last, out, signed_with, progress)
    except _FAILURES as error:
        fail("Not exported", error)
    console.print(Text(f"Entries {first} to {end - 1} are in {plain(str(out))}."), soft_wrap=True)


def _verification(console: Console, place: LogPlace, checkpoint: Path | None) -> Verification:
    with place.opened(console) as (log, key):
        seen = None if checkpoint is None else key.open(text_of(checkpoint))
        with working(console, "verifying") as progress:
            verification = log.verify(key, seen, progress)
    if place.gateway is not None and seen is not None and verification.fault is None:
        told = f"The log continues the checkpoint of {seen.size} entries; only what came after it was read."
        console.print(told, soft_wrap=True)
    return verification


def _verify_export(
    console: Console, exported: Path, key: Path | None, checkpoint: Path | None, save: Path | None
) -> None:
    if key is None:
        raise typer.BadParameter("--export needs --key: a file cannot vouch for the key that it is checked with")
    if checkpoint is not None:
        raise typer.BadParameter("--export holds its own checkpoint; leave --checkpoint out")
    if save is not None:
        raise typer.BadParameter("--export holds the checkpoint that there is to keep; leave --save out")
    with working(console, "verifying") as progress:
        export = verify_export(exported, VerifierKey.parse(text_of(key)), progress)
    tell_export(console, export)
