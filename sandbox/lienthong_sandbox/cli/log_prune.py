"""`lienthong log prune`: old entries from the log into a file that proves itself."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.text import Text

from lienthong.api.exchange.v1.log_pb2 import GetCheckpointRequest, PruneEntriesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.client import CallContext
from lienthong_core.working_days import VIETNAM
from lienthong_gateway.log.pruning import MOST_AT_ONCE
from lienthong_gateway.log.tiles import LogDamaged
from lienthong_sandbox.cli.acting_officer import Officer
from lienthong_sandbox.cli.gateway_channel import gateway_channel
from lienthong_sandbox.cli.log_places import LOG_FAILURES, Key, LogPlace
from lienthong_sandbox.cli.log_report import working
from lienthong_sandbox.cli.telling import fail, plain
from lienthong_seeds import members

_DEADLINE_S = 60.0


def prune(
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Day in Vietnam; entries from this day on stay.")
    ],
    out: Annotated[Path, typer.Option(help="File to move the entries to; it must not exist yet.")],
    data: Annotated[Path | None, typer.Option(help="Folder of a running `lienthong up --data`.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Address of any other running gateway, `HOST:PORT`.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Folder with the administrator's certificate, for --gateway.")
    ] = None,
    auditor: Annotated[
        Path | None, typer.Option(help="Folder with the auditor's certificate, which reads the entries, for --gateway.")
    ] = None,
    key: Key = None,
    officer: Officer = members.ADMINISTRATOR,
) -> None:
    """Move the oldest entries, of more than six months, to a file: exit 0, or 1 with the reason why not.

    Their hashes stay, so that the log, and every receipt, still verifies. They are taken in whole tiles of 256.
    """
    if (data is None) == (gateway is None) or [gateway, certificate, auditor].count(None) not in {0, 3}:
        raise typer.BadParameter("name either --data, or --gateway, --certificate and --auditor")
    console = Console()
    with gateway_channel(data, gateway, certificate, members.ADMINISTRATION) as channel:
        stub = ExchangeLogServiceStub(channel)
        # Before a file is written: whether there is a gateway that can delete what is in it.
        stub.GetCheckpoint(GetCheckpointRequest(), timeout=_DEADLINE_S)
        entries, digest = _archived(console, LogPlace(data, gateway, auditor, key), before.replace(tzinfo=VIETNAM), out)
        if not entries:
            console.print(f"Nothing is pruned: before {before.date()} there are no 256 entries that fill a tile.")
            return
        in_file = f"Entries {entries.start} to {entries.stop - 1} are in {plain(str(out))}"
        keep = "Keep it: nothing else has what is deleted now."
        console.print(Text(f"{in_file}, which `lienthong log verify --export` checks. {keep}"), soft_wrap=True)
        _delete(console, stub, entries, digest, officer)


def _archived(console: Console, place: LogPlace, before: datetime, out: Path) -> tuple[range, bytes]:
    """Write what can be pruned to a file; return which entries that is, and the file's SHA-256. None: no file.

    What it cannot do is printed and ends the command, but for what the gateway refuses: raises grpc.RpcError.
    """
    try:
        with _new_file(out), place.opened(console) as (log, key):
            with working(console, "verifying") as progress:
                verification = log.verify(key, None, progress)
            if (fault := verification.fault) is not None:
                # What is wrong with entries cannot be looked into once they are gone.
                raise LogDamaged(f"{fault.kind}: {fault.message}")
            entries = log.prunable(verification.pruned, before)
            if not entries:
                return entries, b""
            with working(console, "exporting") as progress:
                log.export(entries.start, entries.stop - 1, out, key, progress)
        with out.open("rb") as file:
            return entries, hashlib.file_digest(file, "sha256").digest()
    except LOG_FAILURES as error:
        fail("Not pruned", error)


@contextmanager
def _new_file(file: Path) -> Generator[None]:
    """Make a file, so that another command that runs now cannot take its name; it is gone if it stays empty."""
    try:
        file.touch(exist_ok=False)
    except FileExistsError as error:
        message = f"{file} exists already, and may be all that is left of other entries; name a new file"
        raise FileExistsError(message) from error
    try:
        yield
    finally:
        if not file.stat().st_size:
            file.unlink()


def _delete(console: Console, stub: ExchangeLogServiceStub, entries: range, digest: bytes, officer: str) -> None:
    """Have the gateway delete entries, and say how far it came, also if that is not to the end; raises RpcError."""
    by = CallContext("", officer=officer).metadata()
    steps = [*range(entries.start + MOST_AT_ONCE, entries.stop, MOST_AT_ONCE), entries.stop]
    minimum = entries.start
    try:
        for step in track(steps, "pruning", console=console, transient=True, disable=not console.is_terminal):
            request = PruneEntriesRequest(minimum_index=step, archive_digest=digest)
            minimum = stub.PruneEntries(request, metadata=by, timeout=_DEADLINE_S).minimum_index
    finally:
        if minimum > entries.start:
            console.print(f"The log has entries {entries.start} to {minimum - 1} no more.")
