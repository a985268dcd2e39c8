"""How soon a sandbox is ready, and how much memory it takes: `Sandbox()` and `lienthong up`, 10,000 citizens."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import running, wait_for_line
from benchmarks.ready import require_serving
from benchmarks.report import Figure, Report, Tell
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong_sandbox.client import SystemClient
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.world import World
from lienthong_seeds import members

_SANDBOXES = 5
_UPS = 3
_READS = 1_000
_READY_S = 60.0
_DEADLINE_S = 10.0
_MEGABYTE = 1_000_000
_NOTES = (
    "Sandbox(): from the call to answered health checks of all four services, in a fresh process, imports done.",
    "lienthong up: from the start of the process to its line `ready` and an answered health check of the gateway.",
    f"memory: resident memory of that process, the whole fabric, after it answered {_READS:,} consented reads.",
)


def measure(tell: Tell) -> Report:
    """Start each several times, in fresh processes."""
    sandboxes: list[float] = []
    for number in range(1, _SANDBOXES + 1):
        tell(f"Sandbox(), {number} of {_SANDBOXES}")
        sandboxes.append(_sandbox())
    ups: list[_Up] = []
    for number in range(1, _UPS + 1):
        tell(f"lienthong up, {number} of {_UPS}")
        ups.append(_up())
    figures = (
        Figure("Sandbox() ready to answer", "s", tuple(sandboxes), at_most=1.0),
        Figure("lienthong up, ready to answer", "s", tuple(up.seconds for up in ups), at_most=2.5),
        Figure("lienthong up, memory", "MB", tuple(up.megabytes for up in ups), at_most=200),
    )
    return Report("Start and size, 10,000 citizens", figures, _NOTES)


def _sandbox() -> float:
    command = [sys.executable, "-m", "benchmarks.sandbox_start"]
    return float(subprocess.run(command, capture_output=True, text=True, timeout=_READY_S, check=True).stdout)


class _Up(NamedTuple):
    seconds: float
    megabytes: float


def _up() -> _Up:
    command = Path(sys.executable).with_name("lienthong")
    with tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder:
        begun = time.perf_counter()
        with running([str(command), "up", "--first-port", "0", "--data", folder]) as process:
            wait_for_line(process, "ready", _READY_S)
            world, endpoints = World(Path(folder)), Endpoints.load(Path(folder))
            require_serving(world, endpoints.gateway)
            seconds = time.perf_counter() - begun
            _read(world, endpoints)
            return _Up(seconds, _resident_bytes(process.pid) / _MEGABYTE)


def _read(world: World, endpoints: Endpoints) -> None:
    bank = SystemClient.of(members.BANK.subsystem, world, endpoints)
    try:
        citizen = bank.login("nguyen-thi-mai")
        citizen.consent(members.EKYC.code, ["identity.basic"])
        request = GetCitizenRequest(personal_number=citizen.personal_number)
        metadata = citizen.metadata(members.EKYC.code)
        population = PopulationServiceStub(bank.channel)
        for _ in range(_READS):
            population.GetCitizen(request, metadata=metadata, timeout=_DEADLINE_S)
    finally:
        bank.close()


def _resident_bytes(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {process} has ended")
