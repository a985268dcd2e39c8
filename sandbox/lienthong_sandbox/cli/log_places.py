"""Where `lienthong log` finds a log, the key it is signed with, and a checkpoint of it that was kept."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from lienthong_core.database import SchemaMismatch
from lienthong_core.read_only import DatabaseUnreadable
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, VerifierKey
from lienthong_gateway.log.export import ExportFault
from lienthong_gateway.log.tiles import LogDamaged
from lienthong_sandbox.containers import DATABASE_URL_FILE
from lienthong_sandbox.stored_log import StoredLog
from lienthong_sandbox.world import World
from lienthong_seeds import members

LOG_FAILURES = (OSError, CheckpointFault, SchemaMismatch, DatabaseUnreadable, ExportFault, LogDamaged, IndexError)
"""What keeps a command from reading a log, or from writing a file that proves itself: told without a traceback."""


@dataclass(frozen=True)
class LogPlace:
    """What was named on the command line."""

    data: Path | None
    gateway: str | None
    certificate: Path | None
    export: Path | None
    key: Path | None
    checkpoint: Path | None
    save: Path | None

    def check(self) -> None:
        """Raise typer.BadParameter unless it names one log and what is needed to verify it."""
        if [self.data, self.gateway, self.export].count(None) != 2:  # noqa: PLR2004 (all but one)
            raise typer.BadParameter("name exactly one of --data, --gateway and --export")
        if (self.gateway is None) != (self.certificate is None):
            raise typer.BadParameter("--gateway and --certificate go together")
        if self.export is not None and self.key is None:
            raise typer.BadParameter("--export needs --key: a file cannot vouch for the key that it is checked with")
        if self.export is not None and self.checkpoint is not None:
            raise typer.BadParameter("--export holds its own checkpoint; leave --checkpoint out")
        if self.export is not None and self.save is not None:
            raise typer.BadParameter("--export holds the checkpoint that there is to keep; leave --save out")

    def named_key(self) -> VerifierKey | None:
        """Return the key that was named, None if none was; raises OSError or CheckpointFault."""
        return None if self.key is None else VerifierKey.parse(text_of(self.key))

    def seen(self, key: VerifierKey) -> Checkpoint | None:
        """Return the checkpoint that was kept, None if none was named; raises OSError or CheckpointFault."""
        return None if self.checkpoint is None else key.open(text_of(self.checkpoint))


def text_of(file: Path) -> str:
    """Return what a file with a key or a checkpoint says; raises OSError, or CheckpointFault if it is no text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointFault(f"{file} is not text in UTF-8, as keys and checkpoints are") from error


def stored_key(data: Path) -> VerifierKey:
    """Return the key that a data folder's log is signed with; raises OSError or CheckpointFault."""
    return VerifierKey.parse(text_of(_gateway_folder(data) / "log.vkey"))


@contextmanager
def stored_log(data: Path) -> Generator[StoredLog]:
    """Open a data folder's log to look at it.

    Raises FileNotFoundError, DatabaseUnreadable or SchemaMismatch.
    """
    file = _gateway_folder(data) / "gateway.sqlite"
    if file.with_name(DATABASE_URL_FILE).exists():
        message = "keeps its log in PostgreSQL, where no command exports or prunes it; verify it with --gateway instead"
        raise FileNotFoundError(f"the gateway of {data} {message}")
    if not file.exists():
        raise FileNotFoundError(f"{file} does not exist; name the folder that was given to `lienthong up --data`")
    log = StoredLog(file)
    try:
        yield log
    finally:
        log.close()


def _gateway_folder(data: Path) -> Path:
    return World(data).service_folder(members.GATEWAY)
