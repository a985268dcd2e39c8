"""The load generator: h2load repeats one gRPC call, and every answer is checked by its size."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeAlias

from lienthong_sandbox.fabric import HOST

Metadata: TypeAlias = tuple[tuple[str, str], ...]

_DEADLINE_S = 60.0
_FINISHED = re.compile(r"finished in .*?, ([0-9.]+) req/s")
_SUCCEEDED = re.compile(r"(\d+) succeeded")
_DATA_BYTES = re.compile(r"\((\d+)\) data")


class ToolMissing(Exception):  # noqa: N818 (names what is wrong)
    """A program that the measurement needs is not installed; the message says where to get it."""


class LoadFault(Exception):  # noqa: N818 (names what is wrong)
    """A run cannot be counted."""


@dataclass(frozen=True)
class Call:
    """One gRPC call to repeat. The answer's size tells a right answer from an error, which carries no message."""

    port: int
    path: str
    metadata: Metadata
    message: bytes
    answer_bytes: int
    """How large every right answer is on the wire, frame included."""
    content_type: str = "application/grpc"


@dataclass(frozen=True)
class Run:
    """What one run gave: calls a second, and the time of the median call in milliseconds."""

    rate: float
    median_ms: float


def frame(message: bytes) -> bytes:
    """Return a message as gRPC puts it on the wire: not compressed, four bytes of length, the message."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def repeat(call: Call, requests: int, in_flight: int) -> Run:
    """Make `requests` calls on one connection, `in_flight` at a time.

    Raises ToolMissing without h2load, LoadFault unless every call was answered in time and as it should be.
    """
    if shutil.which("h2load") is None:
        raise ToolMissing("h2load is not on PATH; on Debian it is in the package nghttp2-client")
    with tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder:
        body, times = Path(folder, "body"), Path(folder, "times")
        body.write_bytes(frame(call.message))
        command = ["h2load", "-c", "1", "-m", str(in_flight), "-n", str(requests), "-d", str(body)]
        command += [f"--log-file={times}"]
        headers = (("content-type", call.content_type), ("te", "trailers"), *call.metadata)
        command += [part for key, value in headers for part in ("-H", f"{key}: {value}")]
        command.append(f"http://{HOST}:{call.port}{call.path}")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise LoadFault(f"{requests} calls were not answered within {_DEADLINE_S:.0f} s") from error
        _check(done.stdout + done.stderr, requests, call.answer_bytes)
        return Run(_only(_FINISHED, done.stdout), _median_ms(times))


def _check(output: str, requests: int, answer_bytes: int) -> None:
    succeeded, received = _only(_SUCCEEDED, output), _only(_DATA_BYTES, output)
    if succeeded != requests or received != requests * answer_bytes:
        raise LoadFault(
            f"{requests} answers of {answer_bytes} bytes were to come; {succeeded:.0f} came, "
            f"{received:.0f} bytes in all:\n{output}"
        )


def _only(pattern: re.Pattern[str], output: str) -> float:
    match = pattern.search(output)
    if match is None:
        raise LoadFault(f"h2load did not say {pattern.pattern!r}:\n{output}")
    return float(match.group(1))


def _median_ms(times: Path) -> float:
    """Return the median of the log's third column, microseconds."""
    return median(int(line.split("\t")[2]) for line in times.read_text(encoding="ascii").splitlines()) / 1_000
