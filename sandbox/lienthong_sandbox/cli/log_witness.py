"""`lienthong log witness` and `witness-key`: what somebody outside does to hold the log to one history."""

from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console

from lienthong_core.clock import SystemClock
from lienthong_gateway.log.checkpoint import EMPTY, CheckpointFault, VerifierKey
from lienthong_gateway.log.cosignature import CosigningKey
from lienthong_gateway.log.witness import NotConsistent, Witness
from lienthong_sandbox.cli.gateway_channel import channel_at
from lienthong_sandbox.cli.log_places import text_of
from lienthong_sandbox.cli.log_report import write_whole
from lienthong_sandbox.cli.telling import fail
from lienthong_sandbox.locks import held_file
from lienthong_sandbox.remote_witness import cosign_newest


def witness_key(
    name: Annotated[str, typer.Option(help="Name of the witness, such as `witness.test/w1`: no space, no plus.")],
    out: Annotated[Path, typer.Option(help="File for the private key; it must not exist yet.")],
) -> None:
    """Make a witness's key and print its verifier key, a line for the gateway's file `witnesses`."""
    try:
        key = CosigningKey.create(name)
        key.save(out)
    except (OSError, CheckpointFault) as error:
        fail("Not made", error)
    typer.echo(str(key.verifier))


def witness(
    gateway: Annotated[str, typer.Option(help="Address of the gateway, `HOST:PORT`.")],
    certificate: Annotated[Path, typer.Option(help="Folder with a system's `tls.crt`, `tls.key` and `ca.crt`.")],
    key: Annotated[Path, typer.Option(help="File with the log's verifier key.")],
    name: Annotated[str, typer.Option(help="Name of the witness.")],
    witness_key: Annotated[Path, typer.Option(help="File with the witness's private key.")],
    seen: Annotated[Path, typer.Option(help="File with the last checkpoint that was cosigned; made at the first.")],
) -> None:
    """Cosign the newest checkpoint once, if it continues the last one that was cosigned."""
    try:
        log = VerifierKey.parse(text_of(key))
        cosigner = Witness(CosigningKey.load(name, witness_key), log)
        # Two runs that read the same checkpoint could each cosign another continuation of it.
        with held_file(seen), channel_at(gateway, certificate) as channel:
            before = log.open(text_of(seen)) if seen.exists() else EMPTY
            now = SystemClock().now()
            shown = cosign_newest(channel, cosigner, before, now, lambda note: write_whole(seen, note))
    except (OSError, CheckpointFault, NotConsistent, grpc.RpcError) as error:
        fail("Not cosigned", error)
    Console().print(f"Cosigned {shown.size} entries, {shown.size - before.size} of them new.")
