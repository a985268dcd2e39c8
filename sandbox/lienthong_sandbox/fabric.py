"""Every service of a world in one process, on ports of this machine."""

from collections.abc import Callable
from contextlib import ExitStack

from lienthong_core.clock import Clock
from lienthong_core.ports import reserved_port
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.services import FIRST_PORT, SERVICES, Listen, Service, Setting
from lienthong_sandbox.world import World

HOST = "127.0.0.1"


class Fabric:
    """The running services of one world."""

    def __init__(self, world: World, clock: Clock, filling: Filling, first_port: int, otlp_endpoint: str) -> None:
        """`first_port`: each service's port as far from it as in the registry; 0: free ports.

        `otlp_endpoint`: where the gateway's traces go, OTLP over HTTP; empty: none are made.
        """
        self._otlp_endpoint = otlp_endpoint
        self._world = world
        self._clock = clock
        self._filling = filling
        self._first_port = first_port
        self._undo = ExitStack()

    def start(self, tell: Callable[[str], None]) -> Endpoints:
        """Start every service, filling databases that are empty, and return where they are.

        `tell` hears what is being done. Raises OSError if a fixed port is taken; nothing is left running then.
        """
        with ExitStack() as undo:
            listens = {service.name: self._listen(service, undo) for service in SERVICES}
            endpoints = Endpoints(
                addresses={name: listen.address for name, listen in listens.items()},
                urls={name: f"https://{HOST}:{listen.web_port}" for name, listen in listens.items() if listen.web_port},
            )
            if not self._world.exists():
                tell("keys and certificates")
                self._world.create(endpoints.identity_url)
            setting = Setting(self._world, endpoints, self._clock, otlp_endpoint=self._otlp_endpoint)
            for service in SERVICES:
                tell(service.name)
                server = service.make(setting, listens[service.name])
                undo.callback(server.stop)
                self._filling.fill(server, setting, tell)
                server.start()
            self._filling.finish()
            self._undo = undo.pop_all()
        return endpoints

    def stop(self) -> None:
        """Stop every service, the last started first."""
        self._undo.close()

    def _listen(self, service: Service, undo: ExitStack) -> Listen:
        port = undo.enter_context(reserved_port(HOST, self._wanted(service.port)))
        web_port = undo.enter_context(reserved_port(HOST, self._wanted(service.web_port))) if service.web_port else 0
        return Listen(f"{HOST}:{port}", HOST, web_port)

    def _wanted(self, port: int) -> int:
        return self._first_port + port - FIRST_PORT if self._first_port else 0
