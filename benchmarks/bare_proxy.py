"""What the gateway is compared with: a `grpc.aio` proxy that passes bytes on and does nothing else.

    python -m benchmarks.bare_proxy ADDRESS PROVIDER FOLDER

It listens on ADDRESS and forwards to PROVIDER (`host:port`) with the certificate in FOLDER, on both sides the same
mutual TLS as the gateway's.
"""

import asyncio
import sys
from pathlib import Path

import grpc.aio

from lienthong_core.certificates import TlsIdentity

_DEADLINE_S = 10.0


class PassThrough(grpc.GenericRpcHandler):
    """Forwards every unary call, whatever its method, as bytes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return what answers a method."""
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None:
            handler = self._handlers[method] = self._handler(method)
        return handler

    def _handler(self, method: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)

        async def forward(request: bytes, _context: object) -> bytes:
            return await call(request, timeout=_DEADLINE_S)

        return grpc.unary_unary_rpc_method_handler(forward)


async def serve(address: str, provider: str, tls: TlsIdentity) -> None:
    """Forward until whoever started this process goes away."""
    async with grpc.aio.secure_channel(provider, tls.channel_credentials()) as channel:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((PassThrough(channel),))
        server.add_secure_port(address, tls.server_credentials())
        await server.start()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await server.stop(grace=None)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], TlsIdentity.load(Path(sys.argv[3]))))
