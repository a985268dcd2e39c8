"""One whole, isolated world in this process."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lienthong_core.clock import SandboxClock
from lienthong_sandbox.audit import read_log
from lienthong_sandbox.client import SystemClient
from lienthong_sandbox.endpoints import Endpoints, collector_address
from lienthong_sandbox.fabric import Fabric
from lienthong_sandbox.filling import Filling
from lienthong_sandbox.locks import held
from lienthong_sandbox.world import World
from lienthong_seeds import members


class Sandbox:
    """A population database, identity provider, portal and gateway, on free ports, until the `with` block ends.

        with Sandbox() as vn:
            bank = vn.system("ekyc")
            mai = bank.login("nguyen-thi-mai")
            mai.consent("ekyc", ["identity.basic"])

    Attributes: `clock` (can be set and advanced), `endpoints` (where everything listens), `world` (keys, certificates).
    """

    def __init__(
        self,
        *,
        citizens: int = 10_000,
        seed: int = 1,
        data: Path | str | None = None,
        first_port: int = 0,
        otlp_endpoint: str = "",
    ) -> None:
        """Take `citizens` synthetic people made from `seed`; the personas and their families are always among them.

        `data`: a folder to keep everything in; without it, a temporary one that is removed at the end.
        `first_port`: seven ports in a row from there on; 0: free ones.
        `otlp_endpoint`: where the gateway's traces go, OTLP over HTTP; without it none are made. Raises ValueError if
        that is no such address.
        """
        self.clock = SandboxClock()
        self._filling = Filling(seed, citizens)
        # Tests change the folder that they work in.
        self._data = Path(data).absolute() if data else None
        self._first_port = first_port
        self._otlp_endpoint = collector_address(otlp_endpoint)
        self._undo = ExitStack()
        self._started: tuple[World, Endpoints] | None = None
        self._systems: dict[str, SystemClient] = {}

    @property
    def world(self) -> World:
        """The world's keys and certificates; raises RuntimeError unless it runs."""
        return self._running()[0]

    @property
    def endpoints(self) -> Endpoints:
        """Where everything listens; raises RuntimeError unless it runs."""
        return self._running()[1]

    def start(self, tell: Callable[[str], None] = lambda _step: None) -> Self:
        """Start everything; `tell` hears what is being done.

        Raises OSError if a fixed port is taken or none, FolderInUseError if another sandbox runs on `data`,
        SchemaMismatch or sqlalchemy's DBAPIError if a database there cannot be used, ValueError for more than a million
        citizens, RuntimeError if this one runs already. Nothing is left running then.
        """
        if self._started is not None:
            raise RuntimeError("the sandbox runs already; call stop() first, or make another Sandbox()")
        with ExitStack() as undo:
            folder = self._data or Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="lienthong-")))
            undo.enter_context(held(folder))
            world = World(folder)
            fabric = Fabric(world, self.clock, self._filling, self._first_port, self._otlp_endpoint)
            undo.callback(fabric.stop)
            self._started = world, fabric.start(tell)
            self._undo = undo.pop_all()
        return self

    def stop(self) -> None:
        """Stop everything, leaving no thread, temporary file or port behind; twice is once."""
        self._started = None
        self._systems = {}
        self._undo.close()

    def system(self, subsystem: str) -> SystemClient:
        """Return one of the registered systems to act as, such as `ekyc`: the same each time, until it is closed.

        It is closed with the sandbox. Raises KeyError if no such client system is registered.
        """
        world, endpoints = self._running()
        client = self._systems.get(subsystem)
        if client is None or client.is_closed:
            client = self._systems[subsystem] = SystemClient.of(subsystem, world, endpoints)
            self._undo.callback(client.close)
        return client

    def log(self) -> list[dict[str, Any]]:
        """Return every entry of the exchange log that was not pruned, oldest first, as the auditor reads it."""
        auditor = self.system(members.AUDITOR.subsystem)
        return read_log(auditor.channel)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> tuple[World, Endpoints]:
        if self._started is None:
            raise RuntimeError("the sandbox does not run: use it as `with Sandbox() as vn:`, or call start() first")
        return self._started
