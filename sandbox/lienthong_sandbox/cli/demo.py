"""`lienthong demo`: the citizen's journey."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import grpc
import httpx2
import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from lienthong.client import explain
from lienthong_core.clock import SystemClock
from lienthong_sandbox.cli.environment import settings_in_words
from lienthong_sandbox.cli.telling import fail, reason, told
from lienthong_sandbox.demo.evidence import accesses, proof
from lienthong_sandbox.demo.journey import Journey
from lienthong_sandbox.demo.narrators import JsonNarrator, Narrator, PlainNarrator, RichNarrator
from lienthong_sandbox.demo.place import Place
from lienthong_sandbox.demo.refusals import refusals
from lienthong_sandbox.demo.story import Step
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.login import LoginRefused
from lienthong_sandbox.sandbox import Sandbox
from lienthong_sandbox.services import SERVICES
from lienthong_sandbox.world import World


class Against(StrEnum):
    """Where the journey runs."""

    OWN = "own"
    COMPOSE = "compose"


def demo(
    plain: Annotated[bool, typer.Option("--plain", help="One plain line for each thing that happens.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a step.")] = False,
    against: Annotated[
        Against, typer.Option(help="`own`: a sandbox of its own; `compose`: the services `docker compose up` started.")
    ] = Against.OWN,
) -> None:
    """Run the citizen's journey on real sockets and tell it step by step; exit 0 only if every outcome was right."""
    if plain and as_json:
        raise typer.BadParameter("name one of --plain and --json, not both")
    narrator = _narrator(plain=plain, as_json=as_json)
    began = time.perf_counter()
    as_expected = True
    try:
        with ExitStack() as undo:
            place, where = _begun(against, undo)
            narrator.begin(where)
            for step in _steps(place):
                narrator.step(step)
                as_expected = as_expected and step.as_expected
    except (grpc.RpcError, httpx2.RequestError, LoginRefused, DBAPIError) as error:
        Console(stderr=True).print(told("The journey broke off", _why(error)), soft_wrap=True)
        as_expected = False
    narrator.end(as_expected=as_expected, seconds=time.perf_counter() - began)
    raise typer.Exit(0 if as_expected else 1)


def _begun(against: Against, undo: ExitStack) -> tuple[Place, str]:
    """Return the place of the journey, and where that is; `undo` leaves it. Raises typer.Exit if there is none."""
    try:
        return undo.enter_context(_compose() if against is Against.COMPOSE else _own())
    except (OSError, DBAPIError) as error:
        fail("Not started", error)


def _why(error: Exception) -> str:
    if isinstance(error, grpc.RpcError):
        why = explain(error)
        return f"{why.reason}: {why.message}"
    if isinstance(error, httpx2.RequestError):
        return f"{error.request.url.netloc.decode()} does not answer: {error}"
    return reason(error)


def _steps(place: Place) -> Iterator[Step]:
    journey = Journey(place)
    try:
        yield journey.log_in()
        yield journey.consent()
        yield journey.prefill()
        yield journey.submit()
        yield refusals(place)
        yield accesses(place, journey.session)
        yield proof(place)
    finally:
        journey.close()


def _narrator(*, plain: bool, as_json: bool) -> Narrator:
    if as_json:
        return JsonNarrator(sys.stdout)
    console = Console()
    return PlainNarrator(sys.stdout) if plain or not console.is_terminal else RichNarrator(console)


@contextmanager
def _own() -> Generator[tuple[Place, str]]:
    with Sandbox() as sandbox:
        place = Place.of(sandbox.world, sandbox.endpoints, sandbox.clock)
        try:
            yield place, f"Services of its own on {sandbox.endpoints.gateway} and six more ports."
        finally:
            place.close()


@contextmanager
def _compose() -> Generator[tuple[Place, str]]:
    published = {service.name: f"localhost:{service.port}" for service in SERVICES}
    endpoints = Endpoints(published, settings_in_words("Not started").endpoints().urls)
    with tempfile.TemporaryDirectory(prefix="lienthong-clients-") as folder:
        copied = subprocess.run(  # noqa: S603 (a fixed command)
            ["docker", "compose", "cp", "init:/world/clients", folder],  # noqa: S607 (as the user would call it)
            capture_output=True,
            text=True,
            check=False,
        )
        if copied.returncode:
            Console(stderr=True).print(
                "The client certificates cannot be copied out of the containers: run this where docker-compose.yml is, "
                f"after `docker compose up --wait`.\n{copied.stderr.strip()}"
            )
            raise typer.Exit(1)
        place = Place.of(World(Path(folder)), endpoints, SystemClock())
        try:
            yield place, f"The containers of docker compose, on {endpoints.gateway}."
        finally:
            place.close()
