"""`lienthong log witness`, run while another run with the same memory is not over."""

import subprocess
from pathlib import Path

import grpc
from sqlalchemy import Engine

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.database import sqlite_url
from lienthong_gateway.log.checkpoint import CheckpointKey, VerifierKey
from lienthong_gateway.log.cosignature import CosigningKey
from tests.support.log import filled
from tests.support.log_double import LogDouble, serving

DEADLINE_S = 40.0
KEY = CheckpointKey.create()


class Meanwhile(LogDouble):
    """Runs a command before it answers the first who asks for the newest checkpoint."""

    def __init__(self, key: VerifierKey, log: Engine, size: int) -> None:
        super().__init__(key, log, log, size)
        self.command: list[str] = []
        self.done: subprocess.CompletedProcess[str] | None = None
        self.cosigned: list[str] = []

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
        """Keep a cosignature."""
        self.cosigned.append(request.cosignature)
        return pb.AddCosignatureResponse()


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def test_of_two_runs_at_once_with_one_memory_one_cosigns_and_the_other_is_told_to_wait(
    lienthong: str, tmp_path: Path
) -> None:
    log = filled(sqlite_url(tmp_path / "log.sqlite"), 60, KEY)
    (tmp_path / "log.vkey").write_text(str(KEY.verifier), encoding="utf-8")
    CosigningKey.create("witness.test/w1").save(tmp_path / "witness.pem")
    double = Meanwhile(KEY.verifier, log, 60)
    with serving(double, tmp_path / "auditor") as address:
        command = (
            f"{lienthong} log witness --gateway {address} --certificate {tmp_path}/auditor --key {tmp_path}/log.vkey "
            f"--name witness.test/w1 --witness-key {tmp_path}/witness.pem --seen {tmp_path}/seen.txt"
        ).split()
        double.command = command
        first = run(command)
        second = double.done
        assert second is not None
        assert (first.returncode, second.returncode, len(double.cosigned)) == (0, 1, 1), first.stderr
        assert f"{tmp_path}/seen.txt is in use by another run" in second.stderr
        assert run(command).returncode == 0
    log.dispose()
