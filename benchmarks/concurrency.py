"""asyncio or threads, for an agency and for a gateway: the measurement behind docs/adr/0001-concurrency-model.md."""

import sys
from contextlib import ExitStack

from benchmarks.load import Call, frame, repeat
from benchmarks.plain_servers import METHOD
from benchmarks.processes import running, wait_for_line
from benchmarks.report import Figure, Report, Tell
from lienthong_sandbox.fabric import HOST

_READY_S = 20.0
_RUNS = 5
_REQUESTS = {1: 1_000, 32: 4_000}
"""Requests of one run, by how many are in flight."""
_MESSAGE = b"x" * 256
_NOTES = (
    "echo: answers by itself, as an agency does but for its database. pass-through: forwards, as the gateway does.",
    "Each server is a process of its own; both pass-throughs forward to the asyncio echo. No TLS, 256-byte messages.",
    "All four take turns, five times round. h2load, the server and its upstream share this machine's cores.",
)


def measure(tell: Tell) -> Report:
    """Measure both kinds of server, each in both ways."""
    with ExitStack() as undo:
        echo = _start(undo, "aio")
        calls = {
            "echo, asyncio": echo,
            "echo, threads": _start(undo, "threads"),
            "pass-through, asyncio": _start(undo, "aio", f"{HOST}:{echo.port}"),
            "pass-through, threads": _start(undo, "threads", f"{HOST}:{echo.port}"),
        }
        figures: list[Figure] = []
        for in_flight, requests in _REQUESTS.items():
            rates: dict[str, list[float]] = {name: [] for name in calls}
            # The first round warms up and is not counted.
            for number in range(_RUNS + 1):
                tell(f"round {number} of {_RUNS}, {in_flight} in flight" if number else f"warming up, {in_flight}")
                for name, call in calls.items():
                    rates[name].append(repeat(call, requests, in_flight).rate)
            figures += [
                Figure(f"{in_flight} in flight: {name}", "calls/s", tuple(counted))
                for name, (_, *counted) in rates.items()
            ]
    return Report("Concurrency: asyncio and threads, no TLS", figures, _NOTES)


def _start(undo: ExitStack, kind: str, *upstream: str) -> Call:
    process = undo.enter_context(running([sys.executable, "-m", "benchmarks.plain_servers", kind, *upstream]))
    port = int(wait_for_line(process, "ready ", _READY_S).split()[1])
    return Call(port, METHOD, (), _MESSAGE, len(frame(_MESSAGE)))
