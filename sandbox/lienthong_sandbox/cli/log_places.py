"""Where `lienthong log` finds a log, the key it is signed with, and a checkpoint of it that was kept."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import grpc
import typer
from rich.console import Console

from lienthong_core.database import SchemaMismatch
from lienthong_core.read_only import DatabaseUnreadable
from lienthong_gateway.log.checkpoint import CheckpointFault, VerifierKey
from lienthong_gateway.log.export import ExportFault
from lienthong_gateway.log.tiles import LogDamaged
from lienthong_sandbox.cli.gateway_channel import channel_at
from lienthong_sandbox.containers import DATABASE_URL_FILE
from lienthong_sandbox.gateway_log import GatewayLog
from lienthong_sandbox.remote_log import PrunedMeanwhile, verifier_key
from lienthong_sandbox.stored_log import StoredLog
from lienthong_sandbox.world import World
from lienthong_seeds import members

LOG_FAILURES = (
    OSError,
    CheckpointFault,
    SchemaMismatch,
    DatabaseUnreadable,
    ExportFault,
    LogDamaged,
    PrunedMeanwhile,
    IndexError,
)
"""What keeps a command from reading a log, or from writing a file that proves itself: told without a traceback."""

Key: TypeAlias = Annotated[
    Path | None, typer.Option(help="File with the log's verifier key, if you keep your own copy of it.")
]


@dataclass(frozen=True)
class LogPlace:
    """A log that was named on the command line: that of a data folder, or of a running gateway."""

    data: Path | None
    gateway: str | None
    certificate: Path | None
    key: Path | None

    def __post_init__(self) -> None:
        """Raises typer.BadParameter if a gateway was named without a certificate, or the other way round."""
        if (self.gateway is None) != (self.certificate is None):
            raise typer.BadParameter("--gateway and --certificate go together")

    @contextmanager
    def opened(self, console: Console) -> Generator[tuple[StoredLog | GatewayLog, VerifierKey]]:
        """Open the log, and give it with the key that it is checked with.

        Raises typer.BadParameter unless one log was named, those of LOG_FAILURES, and grpc.RpcError.
        """
        if self.data is not None and self.gateway is None:
            with stored_log(self.data) as log:
                yield log, self._named_key() or stored_key(self.data)
        elif self.data is None and self.gateway is not None and self.certificate is not None:
            with channel_at(self.gateway, self.certificate) as channel:
                yield GatewayLog(channel), self._named_key() or _said_key(console, channel)
        else:
            raise typer.BadParameter("name either --data or --gateway")

    def _named_key(self) -> VerifierKey | None:
        return None if self.key is None else VerifierKey.parse(text_of(self.key))


def text_of(file: Path) -> str:
    """Return what a file with a key or a checkpoint says; raises OSError, or CheckpointFault if it is no text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointFault(f"{file} is not text in UTF-8, as keys and checkpoints are") from error


def stored_key(data: Path) -> VerifierKey:
    """Return the key that a data folder's log is signed with; raises OSError or CheckpointFault."""
    return VerifierKey.parse(text_of(_gateway_folder(data) / "log.vkey"))


def _said_key(console: Console, channel: grpc.Channel) -> VerifierKey:
    """Return the key that a gateway says its log is signed with, and say which; raises grpc.RpcError."""
    key = verifier_key(channel)
    console.print(f"The gateway says that its key is {key}; keep it and name it with --key.", soft_wrap=True)
    return key


@contextmanager
def stored_log(data: Path) -> Generator[StoredLog]:
    """Open a data folder's log to look at it.

    Raises FileNotFoundError, DatabaseUnreadable or SchemaMismatch.
    """
    file = _gateway_folder(data) / "gateway.sqlite"
    if file.with_name(DATABASE_URL_FILE).exists():
        message = "keeps its log in PostgreSQL, where no file can be looked at; name the running gateway with --gateway"
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
