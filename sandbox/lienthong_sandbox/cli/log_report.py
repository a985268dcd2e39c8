"""What `lienthong log` says while it works and when it is done: a bar on a terminal, plain lines in a pipe."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lienthong_core.whole_file import replacing
from lienthong_gateway.log import progress
from lienthong_gateway.log.export import Export
from lienthong_gateway.log.verdict import FaultKind, Verification
from lienthong_sandbox.cli.telling import plain, told


@contextmanager
def working(console: Console, work: str) -> Generator[progress.Progress]:
    """Give what is told how far the work, such as `verifying`, is."""
    columns = (TextColumn(work), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(work, total=None)
        yield lambda checked, total: bar.update(task, completed=checked, total=total)


def tell_verification(console: Console, verification: Verification, save: Path | None) -> None:
    """Say what was found and keep the last checkpoint.

    Raises typer.Exit if the log does not verify, OSError if the checkpoint cannot be kept.
    """
    fault = verification.fault
    if fault is not None:
        console.print(told(fault.kind, fault.message), soft_wrap=True)
        if fault.kind is not FaultKind.FORK:
            # Where two histories part cannot be seen from their checkpoints.
            console.print(f"Up to {verification.size} entries the log is as it was signed.")
        raise typer.Exit(1)
    console.print(f"{verification.size} entries and {verification.checkpoints} checkpoints verified.")
    if verification.pruned:
        console.print(f"Those before entry {verification.pruned} were pruned, as the log says: their hashes hold.")
    console.print(f"root {verification.root.hex()}", style="dim", soft_wrap=True)
    if save is not None:
        write_whole(save, verification.note)
        console.print(Text(f"The checkpoint of {verification.size} entries is in {plain(str(save))}."), soft_wrap=True)


def write_whole(file: Path, text: str) -> None:
    """Write a file that is the old one or the new one at every moment; raises OSError."""
    with replacing(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def tell_export(console: Console, export: Export) -> None:
    """Say what a verified export holds."""
    entries, signed = export.end - export.first, export.checkpoint
    console.print(f"{entries} entries verified, {export.first} to {export.end - 1} of {signed.size}.")
    console.print(f"root {signed.root.hex()}", style="dim", soft_wrap=True)
