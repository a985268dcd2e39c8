"""Every service of a world in one process, on ports of this machine."""

from collections.abc import Callable
from contextlib import ExitStack

from lienthong_core.clock import Clock
from lienthong_core.ports import reserved_port
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import SERVICES, Listen, Setting
from lienthong_sandbox.world import World

HOST = "127.0.0.1"


class Fabric:
    """The running services of one world."""

    def __init__(self, world: World, clock: Clock, filling: Filling, ports: "Ports") -> None:
        self._world = world
        self._clock = clock
        self._filling = filling
        self._ports = ports
        self._undo = ExitStack()

    def start(self, tell: Callable[[str], None] = lambda _step: None) -> Endpoints:
        """Start every service, filling databases that are empty, and return where they are.

        `tell` hears what is being done. Raises OSError if a fixed port is taken; nothing is left running then.
        """
        with ExitStack() as undo:
            ports = {
                name: undo.enter_context(reserved_port(HOST, port)) for name, port in self._ports.by_name().items()
            }
            endpoints = _endpoints(ports)
            if not self._world.exists():
                tell("keys and certificates")
                self._world.create(endpoints.identity_url)
            setting = Setting(self._world, endpoints, self._clock)
            for name, (_, make) in SERVICES.items():
                tell(name)
                server = make(setting, Listen(f"{HOST}:{ports[name]}", HOST, ports.get(f"{name}_web", 0)))
                undo.callback(server.stop)
                self._filling.fill(server, setting)
                server.start()
            self._filling.finish()
            self._undo = undo.pop_all()
        return endpoints

    def stop(self) -> None:
        """Stop every service, the last started first."""
        self._undo.close()


class Ports:
    """Which ports to use; 0 is any free one."""

    def __init__(self, first: int = 0) -> None:
        """Take six ports in a row from `first` on, or free ones if it is 0."""
        self._first = first

    def by_name(self) -> dict[str, int]:
        """Return the port wanted for each address."""
        names = ("gateway", "population", "identity", "portal", "identity_web", "portal_web")
        return {name: self._first + place if self._first else 0 for place, name in enumerate(names)}


def _endpoints(ports: dict[str, int]) -> Endpoints:
    return Endpoints(
        gateway=f"{HOST}:{ports['gateway']}",
        population=f"{HOST}:{ports['population']}",
        identity=f"{HOST}:{ports['identity']}",
        portal=f"{HOST}:{ports['portal']}",
        identity_url=f"https://{HOST}:{ports['identity_web']}",
        portal_url=f"https://{HOST}:{ports['portal_web']}",
    )
