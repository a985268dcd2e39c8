"""`lienthong log`: what an auditor does with an exchange log."""

from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console
from rich.text import Text

from lienthong_gateway.log.export import verify_export
from lienthong_gateway.log.verdict import Verification
from lienthong_sandbox.cli import log_prune, log_witness
from lienthong_sandbox.cli.gateway_channel import channel_at
from lienthong_sandbox.cli.log_places import LOG_FAILURES, LogPlace, stored_key, stored_log
from lienthong_sandbox.cli.log_report import checking, tell_export, tell_verification
from lienthong_sandbox.cli.telling import fail, plain
from lienthong_sandbox.remote_log import PrunedMeanwhile, verifier_key, verify_gateway

app = typer.Typer(help="The exchange log.", no_args_is_help=True)

_FAILURES = (*LOG_FAILURES, PrunedMeanwhile, grpc.RpcError)


app.command("prune")(log_prune.prune)
app.command("witness")(log_witness.witness)
app.command("witness-key")(log_witness.witness_key)


@app.callback()
def log() -> None:
    """The exchange log."""


@app.command()
def verify(
    data: Annotated[
        Path | None, typer.Option(help="Folder that `lienthong up --data` kept; it is read, never written.")
    ] = None,
    gateway: Annotated[str | None, typer.Option(help="Address of a running gateway, `HOST:PORT`.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Folder with the auditor's `tls.crt`, `tls.key` and `ca.crt`, for --gateway.")
    ] = None,
    exported: Annotated[Path | None, typer.Option("--export", help="File that `lienthong log export` wrote.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="File with the log's verifier key, if you keep your own copy of it.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoint that you kept; the log must continue it.")] = None,
    save: Annotated[Path | None, typer.Option(help="File to keep the last checkpoint in.")] = None,
) -> None:
    """Check a log, stored, running or exported: exit 0, or 1 with what is wrong and where."""
    console = Console()
    place = LogPlace(data, gateway, certificate, exported, key, checkpoint, save)
    place.check()
    try:
        if exported is not None:
            _verify_export(console, place, exported)
            return
        verification = _verification(console, place)
    except _FAILURES as error:
        fail("Not verified", error)
    try:
        tell_verification(console, verification, save)
    except OSError as error:
        fail("Not saved", error)


@app.command("export")
def export_range(
    data: Annotated[Path, typer.Option(help="Folder that `lienthong up --data` kept; it is read, never written.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    first: Annotated[int, typer.Option("--from", min=0, help="Index of the first entry.")] = 0,
    last: Annotated[
        int | None, typer.Option("--to", min=0, help="Index of the last entry; without it, the newest.")
    ] = None,
) -> None:
    """Write entries to a file that proves itself to whoever has the log's verifier key."""
    try:
        with stored_log(data) as log:
            end = log.export(first, last, out, stored_key(data))
    except _FAILURES as error:
        fail("Not exported", error)
    Console().print(Text(f"Entries {first} to {end - 1} are in {plain(str(out))}."), soft_wrap=True)


def _verification(console: Console, place: LogPlace) -> Verification:
    key = place.named_key()
    if place.data is not None:
        with stored_log(place.data) as log, checking(console) as progress:
            key = key or stored_key(place.data)
            return log.verify(key, place.seen(key), progress)
    if place.gateway is None or place.certificate is None:
        raise typer.BadParameter("name exactly one of --data, --gateway and --export")
    with channel_at(place.gateway, place.certificate) as channel, checking(console) as progress:
        if key is None:
            key = verifier_key(channel)
            console.print(f"The gateway says that its key is {key}; keep it and name it with --key.", soft_wrap=True)
        seen = place.seen(key)
        verification = verify_gateway(channel, key, seen, progress)
    if seen is not None and verification.fault is None:
        told = f"The log continues the checkpoint of {seen.size} entries; only what came after it was read."
        console.print(told, soft_wrap=True)
    return verification


def _verify_export(console: Console, place: LogPlace, exported: Path) -> None:
    key = place.named_key()
    if key is None:
        raise typer.BadParameter("--export needs --key")
    with checking(console) as progress:
        export = verify_export(exported, key, progress)
    tell_export(console, export)
