"""`python -m benchmarks [NAME ...] [--json FILE]`: measure, and tell."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import grpc
from rich.console import Console

from benchmarks import concurrency, exchange_log, read, start
from benchmarks.load import LoadFault, ToolMissing
from benchmarks.processes import NotReady
from benchmarks.report import Report, Tell, console, show

_BENCHMARKS: Mapping[str, Callable[[Tell], Report]] = {
    "read": read.measure,
    "start": start.measure,
    "log": exchange_log.measure,
    "concurrency": concurrency.measure,
}


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and size.")
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"one of: {', '.join(_BENCHMARKS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there as well")
    options = parser.parse_args()
    if unknown := [name for name in options.name if name not in _BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(_BENCHMARKS)}")
    # Told to stop, it leaves no process behind: the way out goes through every `with` block.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("stopped"))
    out, progress = console(), Console(stderr=True, highlight=False)
    out.print(f"{_machine()}\n")
    reports: dict[str, Report] = {}
    begun = time.perf_counter()
    for name in options.name or _BENCHMARKS:
        try:
            reports[name] = _BENCHMARKS[name](partial(_tell, progress, name))
        except (LoadFault, NotReady, ToolMissing) as fault:
            sys.exit(f"{name}: {fault}")
        show(reports[name], out)
    progress.print(f"took {time.perf_counter() - begun:.0f} s", style="dim")
    if options.json is not None:
        found = {"machine": _machine(), "benchmarks": {name: report.as_object() for name, report in reports.items()}}
        options.json.write_text(f"{json.dumps(found, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def _tell(progress: Console, name: str, step: str) -> None:
    progress.print(f"{name}: {step}", style="dim")


def _machine() -> str:
    python = f"Python {platform.python_version()}, grpcio {grpc.__version__}"
    return f"{os.cpu_count()} cores, {_processor()}; {python}; files in {tempfile.gettempdir()} on {_file_system()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system() -> str:
    """Return the kind of file system that temporary files are on: what a durable commit costs depends on it."""
    device = Path(tempfile.gettempdir()).stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if line.split()[2] == f"{os.major(device)}:{os.minor(device)}":
            return line.partition(" - ")[2].split()[0]
    return "an unknown file system"


if __name__ == "__main__":
    main()
