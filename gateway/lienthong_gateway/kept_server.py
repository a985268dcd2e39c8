"""A gRPC server that is replaced if it ends by itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import grpc.aio

from lienthong_core.failures import log_failure

_LOOK_EVERY_S = 1.0
"""How often is looked whether the server still runs while calls hold it up; without any it is known at once."""

_log = logging.getLogger(__name__)


class KeptServer:
    """Runs a server until `stop`.

    grpc.aio reads a method's name as UTF-8, and shuts its server down at the first call whose name is not: anybody with
    a certificate could end the gateway with one call. Calls under way go on, and their callers find the new server.
    """

    def __init__(self, make: Callable[[], Awaitable[grpc.aio.Server]], grace_s: float) -> None:
        """`make` gives a server that has been started, on the same address each time."""
        self._make = make
        self._grace_s = grace_s
        self._server: grpc.aio.Server | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer calls from now on; raises what `make` raises."""
        self._server = await self._make()
        self._keeping = asyncio.create_task(self._keep(self._server), name="keep-server")

    async def stop(self) -> None:
        """Finish the calls under way, within `grace_s` seconds."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping], timeout=self._grace_s + _LOOK_EVERY_S)
        if self._server is not None:
            await self._end(self._server)

    async def _keep(self, server: grpc.aio.Server) -> None:
        while True:
            try:
                while await server.wait_for_termination(_LOOK_EVERY_S):
                    pass
            except Exception as error:  # noqa: BLE001 (whatever ended it)
                log_failure(_log, "the gRPC server, which is replaced,", error)
            ended, self._server = server, await self._make()
            server = self._server
            await self._end(ended)

    async def _end(self, server: grpc.aio.Server) -> None:
        """Stop a server; one that ended by itself may never say that it has stopped."""
        stopping = asyncio.ensure_future(server.stop(self._grace_s))
        await asyncio.wait([stopping], timeout=self._grace_s + _LOOK_EVERY_S)
        stopping.cancel()
