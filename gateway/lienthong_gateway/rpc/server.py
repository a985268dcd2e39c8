"""The gateway's gRPC server: health, reflection, and every other method to the pipeline."""

from collections.abc import Sequence
from typing import cast

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from lienthong_core.certificates import TlsIdentity
from lienthong_core.failures import keep_header_values_out_of_logs
from lienthong_core.rpc import SERVER_OPTIONS
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.pipeline import Pipeline
from lienthong_gateway.rpc.calls import EveryMethod

_REFLECTION = "grpc.reflection.v1.ServerReflection"
"""The present name of the service that grpcio-reflection serves under its former one, with the same messages.

Generic clients ask for it first, and each would leave an entry of the log that says there is no such method.
"""


async def serve_grpc(
    address: str, tls: TlsIdentity, pipeline: Pipeline, limits: Limits, names: Sequence[str]
) -> grpc.aio.Server:
    """Return a server that answers calls; raises OSError if `address` (`host:port`) cannot be had.

    `names` are the full names of the services that reflection lists.
    """
    keep_header_values_out_of_logs()
    streams = ("grpc.max_concurrent_streams", limits.streams_per_connection)
    server = grpc.aio.server(options=(*SERVER_OPTIONS, streams))
    checks = health.aio.HealthServicer()
    services = cast("grpc.aio.Server", _FoundByName(server))
    health_pb2_grpc.add_HealthServicer_to_server(checks, services)
    listed = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflected = reflection.aio.ReflectionServicer(listed)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected, services)  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType]
    server.add_generic_rpc_handlers((_by_present_name(reflected), EveryMethod(pipeline, limits)))
    try:
        server.add_secure_port(address, tls.server_credentials())
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: somebody else has the port") from error
    await server.start()
    for name in ("", *names):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server


def _by_present_name(reflected: reflection.aio.ReflectionServicer) -> grpc.GenericRpcHandler:
    handler = grpc.stream_stream_rpc_method_handler(
        reflected.ServerReflectionInfo,  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_REFLECTION, {"ServerReflectionInfo": handler})


class _FoundByName:
    """Adds services to a server whose methods are all found by their name.

    With methods registered in advance, a server that ends by itself (`rpc/kept_server.py` says when) frees the memory
    in which gRPC's core is about to note that nobody asks for them any more, and the process dies some time later.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Register nothing: the same methods are among the generic handlers."""
