"""Programs that run while something is measured, each in a process of its own."""

import os
import select
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

_STOP_DEADLINE_S = 15.0


class NotReady(Exception):  # noqa: N818 (names what is wrong)
    """A program did not say that it was ready; the message holds what it said instead."""


@contextmanager
def running(command: Sequence[str]) -> "Generator[subprocess.Popen[bytes]]":
    """Run a program until the block ends.

    Its standard input is a pipe that ends with this process, whatever becomes of it: programs of our own watch that.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        yield process
    finally:
        process.terminate()
        try:
            # Read to the end, or a program that says goodbye could wait for ever for a full pipe.
            process.communicate(timeout=_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def wait_for_line(process: "subprocess.Popen[bytes]", prefix: str, deadline_s: float) -> str:
    """Return the first line of a program's output that begins with `prefix`; raises NotReady if none came in time."""
    if process.stdout is None:
        raise ValueError("its output is not a pipe")
    until = time.perf_counter() + deadline_s
    said = b""
    while (left := until - time.perf_counter()) > 0 and select.select([process.stdout], [], [], left)[0]:
        part = os.read(process.stdout.fileno(), 4096)
        if not part:
            break
        said += part
        for line in said.decode(errors="replace").splitlines(keepends=True):
            if line.startswith(prefix) and line.endswith("\n"):
                return line.rstrip("\n")
    raise NotReady(f"{process.args!r} did not say {prefix!r} within {deadline_s:.0f} s; it said: {said.decode()!r}")
