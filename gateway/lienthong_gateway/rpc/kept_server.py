"""A gRPC server that is replaced if it ends by itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import grpc.aio

from lienthong_core.failures import log_failure

_LOOK_EVERY_S = 0.1
"""How often is looked whether the server still runs while calls hold it up; without any it is known at once."""
_AGAIN_AFTER_S = 1.0
_MARGIN_S = 1.0
"""How much longer than its grace a server may take to stop."""

_log = logging.getLogger(__name__)


class KeptServer:
    """Runs a server until `stop`.

    grpc.aio reads a method's name as UTF-8, and shuts its server down at the first call whose name is not: anybody with
    a certificate could end the gateway with one call. Calls under way have their grace, and their callers find the new
    server.
    """

    def __init__(self, make: Callable[[], Awaitable[grpc.aio.Server]], grace_s: float) -> None:
        """`make` gives a server that has been started, on the same address each time."""
        self._make = make
        self._grace_s = grace_s
        self._server: grpc.aio.Server | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Answer calls from now on; raises what `make` raises."""
        self._server = await self._make()
        self._keeping = asyncio.create_task(self._keep(self._server), name="keep-server")

    async def stop(self) -> None:
        """Finish the calls under way, within `grace_s` seconds."""
        self._stopping = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._server is not None:
            self._end(self._server)
        if self._ending:
            await asyncio.wait(self._ending)

    async def _keep(self, server: grpc.aio.Server) -> None:
        while await self._ended_by_itself(server):
            ended, server = server, await self._another()
            self._server = server
            self._end(ended)

    async def _ended_by_itself(self, server: grpc.aio.Server) -> bool:
        """Wait until a server has ended; return whether nobody asked for it."""
        try:
            # Waiting may end in the same moment as it is cancelled, and then nothing else tells.
            while not self._stopping and await server.wait_for_termination(_LOOK_EVERY_S):
                pass
        except Exception as error:  # noqa: BLE001 (whatever ended it)
            log_failure(_log, "the gRPC server, which is replaced,", error)
        return not self._stopping

    async def _another(self) -> grpc.aio.Server:
        while True:
            try:
                return await self._make()
            except Exception as error:  # noqa: BLE001 (without a server there is no gateway, whatever the reason)
                log_failure(_log, "replacing the gRPC server, which is tried again,", error)
                await asyncio.sleep(_AGAIN_AFTER_S)

    def _end(self, server: grpc.aio.Server) -> None:
        """Stop a server beside whatever else is done: its calls may take as long as they are allowed to."""
        ending = asyncio.create_task(self._stop(server), name="end-server")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _stop(self, server: grpc.aio.Server) -> None:
        """Stop a server; one that ended by itself may never say that it has stopped."""
        stopping = asyncio.ensure_future(server.stop(self._grace_s))
        await asyncio.wait([stopping], timeout=self._grace_s + _MARGIN_S)
        stopping.cancel()
