"""A consented read through the gateway against a bare proxy, both in front of the same population database."""

import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

import grpc

from benchmarks.envoy import CEILING, CEILING_ANSWER, adding_certificate
from benchmarks.load import Call, LoadFault, Metadata, Run, frame, repeat
from benchmarks.place import Place, gateway_and_proxy
from benchmarks.report import Figure, Report, Tell
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, GetCitizenResponse
from lienthong.client.context import Header
from lienthong_sandbox.client import SystemClient
from lienthong_sandbox.fabric import HOST
from lienthong_seeds import members

_Pair: TypeAlias = tuple[Run, Run]
"""The gateway's run and the proxy's beside it."""

_PATH = "/lienthong.api.population.v1.PopulationService/GetCitizen"
_DEADLINE_S = 10.0
_CEILINGS = 3
_REQUESTS = {1: 200, 32: 3_000}
"""Requests of one run, by how many are in flight."""
_PAIRS = {1: 31, 32: 5}
"""Pairs of runs. What else the machine does shows most in calls that are alone: more of them, and shorter."""
_WARM_UP = 2_000
"""Calls made first at each side: SQLite's write-ahead log grows to its size in these, and is written over from then on.

While it grows, the file system writes down its new length at each commit.
"""
_PROMISED_RATE = 0.75
_PROMISED_ADDED = 0.6
_NOTES = (
    "gateway: mutual TLS, token, consent, minimisation, and a signed log that is durable before each answer.",
    "proxy: the same mutual TLS on both sides, and nothing else, in asyncio's own loop (the gateway's is uvloop's).",
    "Both forward to the same population database.",
    "The two take turns; a ratio is that of two runs made one after the other.",
    "ceiling: the same load over the same TLS against a listener that answers at once: load generator and Envoy alone.",
    "Load generator, Envoy, the side measured and its provider are four processes on this machine's cores.",
    "Every answer was checked by its size, and the log has grown by exactly the calls made through the gateway.",
)


def measure(tell: Tell) -> Report:
    """Measure both sides in turns, at each number of calls in flight."""
    figures: list[Figure] = []
    tell("starting population, identity, gateway and bare proxy")
    with (
        tempfile.TemporaryDirectory(prefix="lienthong-bench-") as folder,
        gateway_and_proxy(Path(folder)) as place,
        _calls(place) as calls,
    ):
        before = _log_index(calls["gateway"])
        for in_flight, requests in _REQUESTS.items():
            tell(f"load generator and Envoy alone, {in_flight} in flight")
            ceilings = tuple(repeat(calls[CEILING], 2 * requests, in_flight).rate for _ in range(_CEILINGS))
            figures.append(Figure(f"{in_flight} in flight: ceiling", "calls/s", ceilings))
            figures += _compared(in_flight, _pairs(calls, requests, in_flight, tell))
        grown = _log_index(calls["gateway"]) - before - 1
    made = sum(_WARM_UP + _PAIRS[in_flight] * requests for in_flight, requests in _REQUESTS.items())
    if grown != made:
        raise LoadFault(f"{made} calls were made through the gateway and its log has grown by {grown} entries")
    return Report("A consented read: the gateway against a bare grpc.aio proxy", figures, _NOTES)


def _pairs(calls: Mapping[str, Call], requests: int, in_flight: int, tell: Tell) -> list[_Pair]:
    tell(f"warming up, {in_flight} in flight")
    for side in ("gateway", "proxy"):
        repeat(calls[side], _WARM_UP, in_flight)
    pairs: list[_Pair] = []
    for number in range(1, _PAIRS[in_flight] + 1):
        tell(f"pair {number} of {_PAIRS[in_flight]}, {in_flight} in flight")
        # Each side comes first as often as second: a machine that becomes slower within a pair favours neither.
        order = ("gateway", "proxy") if number % 2 else ("proxy", "gateway")
        runs = {side: repeat(calls[side], requests, in_flight) for side in order}
        pairs.append((runs["gateway"], runs["proxy"]))
    return pairs


def _compared(in_flight: int, pairs: Sequence[_Pair]) -> list[Figure]:
    where = f"{in_flight} in flight:"
    gateway, proxy = zip(*pairs, strict=True)
    return [
        Figure(f"{where} proxy", "calls/s", tuple(run.rate for run in proxy)),
        Figure(f"{where} gateway", "calls/s", tuple(run.rate for run in gateway)),
        Figure(
            f"{where} gateway / proxy",
            "of its rate",
            tuple(g.rate / p.rate for g, p in pairs),
            at_least=_PROMISED_RATE if in_flight > 1 else None,
        ),
        Figure(f"{where} median call, proxy", "ms", tuple(run.median_ms for run in proxy)),
        Figure(f"{where} median call, gateway", "ms", tuple(run.median_ms for run in gateway)),
        Figure(
            f"{where} added / proxy's own",
            "of its time",
            tuple(g.median_ms / p.median_ms - 1 for g, p in pairs),
            at_most=_PROMISED_ADDED if in_flight == 1 else None,
        ),
    ]


@contextmanager
def _calls(place: Place) -> Generator[Mapping[str, Call]]:
    """Log a citizen in, get her consent, and give the bank's read of her record at each side.

    It has been made and answered properly at both sides by then.
    """
    with ExitStack() as undo:
        bank = SystemClient.of(members.BANK.subsystem, place.world, place.endpoints)
        undo.callback(bank.close)
        citizen = bank.login("nguyen-thi-mai")
        citizen.consent(members.EKYC.code, ["identity.basic"])
        request = GetCitizenRequest(personal_number=citizen.personal_number).SerializeToString()
        metadata = citizen.metadata(members.EKYC.code)
        certificates = place.world.client_folder(members.BANK), place.world.service_folder(members.POPULATION)
        upstreams = {"gateway": place.endpoints.gateway, "proxy": place.proxy}
        ports = undo.enter_context(adding_certificate(place.world.folder, *certificates, upstreams))
        calls = {name: _call(ports[name], request, metadata) for name in upstreams}
        ceiling = Call(ports[CEILING], _PATH, metadata, request, len(CEILING_ANSWER), "application/octet-stream")
        yield {**calls, CEILING: ceiling}


def _call(port: int, request: bytes, metadata: Metadata) -> Call:
    """Make the read once, check the answer, and return it as what is to be repeated."""
    answer, _ = _ask(port, request, metadata)
    asked_for = GetCitizenRequest.FromString(request).personal_number
    if GetCitizenResponse.FromString(answer).citizen.personal_number != asked_for:
        raise LoadFault("the answer is about somebody else than was asked for")
    return Call(port, _PATH, metadata, request, len(frame(answer)))


def _log_index(call: Call) -> int:
    """Make the call once more and return the place of its entry in the gateway's log."""
    _, trailing = _ask(call.port, call.message, call.metadata)
    return int(trailing[Header.LOG_INDEX])


def _ask(port: int, request: bytes, metadata: Metadata) -> tuple[bytes, Mapping[str, str | bytes]]:
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        read: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_PATH)
        answer, call = read.with_call(request, metadata=metadata, timeout=_DEADLINE_S, wait_for_ready=True)
        return answer, dict(call.trailing_metadata())
