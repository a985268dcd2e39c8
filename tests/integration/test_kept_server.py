"""A gRPC server that ended by itself is replaced, and as often as it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc.aio

from lienthong_core.ports import reserved_port
from lienthong_gateway.rpc.kept_server import KeptServer

_GRACE_S = 2.0
_LONGEST_S = 20.0
Make = Callable[[], Awaitable[grpc.aio.Server]]


async def started(address: str) -> grpc.aio.Server:
    server = grpc.aio.server()
    server.add_insecure_port(address)
    await server.start()
    return server


async def answered(address: str) -> bool:
    """Return whether a server answers there, if only that it has no such method."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/a.B/C")
        try:
            await call(b"", timeout=_LONGEST_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
    return False


def in_turn(address: str, failures: Sequence[Exception | None]) -> tuple[Make, list[grpc.aio.Server]]:
    """Return what makes servers, and fails in turn as `failures` say; and the servers that it has made."""
    made: list[grpc.aio.Server] = []
    left = list(failures)

    async def make() -> grpc.aio.Server:
        failure = left.pop(0) if left else None
        if failure is not None:
            raise failure
        made.append(await started(address))
        return made[-1]

    return make, made


def test_a_server_that_ended_is_replaced_though_its_address_cannot_be_had_at_once() -> None:
    async def run() -> None:
        with reserved_port("127.0.0.1") as port:
            address = f"127.0.0.1:{port}"
            make, made = in_turn(address, [None, OSError("taken"), RuntimeError("what nobody thought of")])
            kept = KeptServer(make, _GRACE_S)
            await kept.start()
            await made[0].stop(None)

            assert await answered(address)
            assert len(made) == 2
            await kept.stop()

    asyncio.run(run())


def test_a_server_that_was_stopped_is_not_replaced() -> None:
    async def run() -> None:
        with reserved_port("127.0.0.1") as port:
            make, made = in_turn(f"127.0.0.1:{port}", [])
            kept = KeptServer(make, _GRACE_S)
            await kept.start()
            await kept.stop()

            assert not await made[0].wait_for_termination(_LONGEST_S)
            assert len(made) == 1

    asyncio.run(run())
