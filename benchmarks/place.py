"""The gateway, the bare proxy and the population database behind both, each in a process of its own."""

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import running, wait_for_line
from lienthong_core.ports import reserved_port
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.fabric import HOST
from lienthong_sandbox.world import World
from lienthong_seeds import members

_READY_S = 60.0


@dataclass(frozen=True)
class Place:
    """What runs, and where; `proxy` is the bare proxy's address (`host:port`), `processes` are ids by service."""

    world: World
    endpoints: Endpoints
    proxy: str
    processes: Mapping[str, int]


@contextmanager
def gateway_and_proxy(folder: Path, prepare: Callable[[World], None] = lambda _world: None) -> Generator[Place]:
    """Start everything in a new world in `folder`, until the block ends; `prepare` is given the world before that."""
    with ExitStack() as undo:
        free = [undo.enter_context(reserved_port(HOST)) for _ in range(6)]
        gateway, population, identity, web, gateway_web, proxy = free
        ports = {"gateway": gateway, "population": population, "identity": identity}
        endpoints = Endpoints(
            addresses={name: f"{HOST}:{port}" for name, port in ports.items()},
            # No portal runs here; the identity provider only has to know an address for it.
            urls={
                "identity": f"https://{HOST}:{web}",
                "gateway": f"https://{HOST}:{gateway_web}",
                "portal": f"https://{HOST}:1",
            },
        )
        world = World(folder)
        world.create(endpoints.identity_url)
        endpoints.save(folder)
        prepare(world)
        names = ("population", "identity", "gateway")
        processes = {name: _start(undo, "benchmarks.service", name, str(folder)) for name in names}
        place = Place(world, endpoints, f"{HOST}:{proxy}", processes)
        # The population database answers the gateway's certificate and no other.
        certificate = world.service_folder(members.GATEWAY)
        _start(undo, "benchmarks.bare_proxy", place.proxy, endpoints.addresses["population"], str(certificate))
        yield place


def _start(undo: ExitStack, module: str, *arguments: str) -> int:
    process = undo.enter_context(running([sys.executable, "-m", module, *arguments]))
    wait_for_line(process, "ready", _READY_S)
    return process.pid
