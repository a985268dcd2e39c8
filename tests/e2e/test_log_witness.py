"""`lienthong log witness`: what it remembers, and when, and another run with the same memory that is not over."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.database import sqlite_url
from lienthong_gateway.log.checkpoint import CheckpointKey, VerifierKey
from lienthong_gateway.log.cosignature import CosigningKey
from tests.support.log import extend, filled
from tests.support.log_double import LogDouble, serving

DEADLINE_S = 40.0
KEY = CheckpointKey.create()


class Meanwhile(LogDouble):
    """Runs a command before it answers the first who asks for the newest checkpoint."""

    def __init__(self, key: VerifierKey, log: Engine, size: int, memory: Path) -> None:
        super().__init__(key, log, log, size)
        self.command: list[str] = []
        self.done: subprocess.CompletedProcess[str] | None = None
        self.cosigned: list[str] = []
        self.remembered: list[int] = []
        self.memory = memory

    def GetCheckpoint(  # noqa: N802 (gRPC's name)
        self, request: pb.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> pb.GetCheckpointResponse:
        """Show the newest checkpoint."""
        command, self.command = self.command, []
        if command:
            self.done = run(command)
        return super().GetCheckpoint(request, context)

    def AddCosignature(  # noqa: N802 (gRPC's name)
        self,
        request: pb.AddCosignatureRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 (gRPC gives it)
    ) -> pb.AddCosignatureResponse:
        """Keep a cosignature, and how many entries the witness remembers when it is handed in."""
        self.cosigned.append(request.cosignature)
        note = self.memory.read_text(encoding="utf-8") if self.memory.exists() else None
        self.remembered.append(0 if note is None else self._key.open(note).size)
        return pb.AddCosignatureResponse()


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Engine]:
    log = filled(sqlite_url(tmp_path / "log.sqlite"), 60, KEY)
    yield log
    log.dispose()


@pytest.fixture
def double(log: Engine, tmp_path: Path) -> Meanwhile:
    return Meanwhile(KEY.verifier, log, 60, tmp_path / "seen.txt")


@pytest.fixture
def command(lienthong: str, double: Meanwhile, tmp_path: Path) -> Iterator[list[str]]:
    """Give the command of a witness at a gateway that answers."""
    (tmp_path / "log.vkey").write_text(str(KEY.verifier), encoding="utf-8")
    CosigningKey.create("witness.test/w1").save(tmp_path / "witness.pem")
    with serving(double, tmp_path / "auditor") as address:
        yield (
            f"{lienthong} log witness --gateway {address} --certificate {tmp_path}/auditor --key {tmp_path}/log.vkey "
            f"--name witness.test/w1 --witness-key {tmp_path}/witness.pem --seen {tmp_path}/seen.txt"
        ).split()


def test_of_two_runs_at_once_with_one_memory_one_cosigns_and_the_other_is_told_to_wait(
    command: list[str], double: Meanwhile
) -> None:
    double.command = command
    first = run(command)
    second = double.done
    assert second is not None
    assert (first.returncode, second.returncode, len(double.cosigned)) == (0, 1, 1), first.stderr
    assert f"{double.memory} is in use by another run" in second.stderr
    assert run(command).returncode == 0


def test_what_is_cosigned_is_remembered_before_anybody_gets_the_cosignature(
    command: list[str], double: Meanwhile, log: Engine
) -> None:
    first = run(command)
    assert "Cosigned 60 entries, 60 of them new." in first.stdout, first.stderr
    extend(log, 60, 70, KEY)
    second = run(command)
    assert "Cosigned 70 entries, 10 of them new." in second.stdout, second.stderr
    assert double.remembered == [60, 70]
