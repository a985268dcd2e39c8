"""Servers for comparing ways of concurrency, without TLS: an echo and a pass-through, each in asyncio and in threads.

    python -m benchmarks.plain_servers aio|threads [UPSTREAM]

With an UPSTREAM (`host:port`) it forwards every call there, without one it echoes. Says `ready PORT`, and ends with
whoever started it.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import grpc.aio

from benchmarks.bare_proxy import PassThrough
from lienthong_sandbox.fabric import HOST

METHOD = "/benchmark/Call"
_DEADLINE_S = 10.0
# As many as calls are ever in flight: a call that blocks must not wait for a thread.
_THREADS = 32


class _Every(grpc.GenericRpcHandler):
    """Answers every method in the same way."""

    def __init__(self, answer: Callable[[bytes, object], bytes | Awaitable[bytes]]) -> None:
        self._handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":  # noqa: ARG002 (all alike)
        """Return the one answer."""
        return self._handler


async def serve_in_asyncio(upstream: str) -> None:
    """Serve from one event loop."""
    server = grpc.aio.server()
    channel = grpc.aio.insecure_channel(upstream or HOST)
    server.add_generic_rpc_handlers((PassThrough(channel) if upstream else _Every(_echo_in_asyncio),))
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    print(f"ready {port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(grace=None)
    await channel.close()


def serve_in_threads(upstream: str) -> None:
    """Serve each call in a thread, which waits."""
    with ExitStack() as undo:
        server = grpc.server(undo.enter_context(ThreadPoolExecutor(_THREADS)))
        channel = undo.enter_context(grpc.insecure_channel(upstream or HOST))
        server.add_generic_rpc_handlers((_Every(_forward_to(channel) if upstream else _echo),))
        port = server.add_insecure_port(f"{HOST}:0")
        server.start()
        print(f"ready {port}", flush=True)
        sys.stdin.read()
        server.stop(grace=None).wait()


def _forward_to(channel: grpc.Channel) -> Callable[[bytes, object], bytes]:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

    def forward(request: bytes, _context: object) -> bytes:
        return call(request, timeout=_DEADLINE_S)

    return forward


def _echo(request: bytes, _context: object) -> bytes:
    return request


async def _echo_in_asyncio(request: bytes, _context: object) -> bytes:
    return request


if __name__ == "__main__":
    kind, to = sys.argv[1], "".join(sys.argv[2:])
    if kind == "aio":
        asyncio.run(serve_in_asyncio(to))
    else:
        serve_in_threads(to)
