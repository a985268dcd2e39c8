"""Asking services whether they are ready to answer."""

from collections.abc import Iterable

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from lienthong_core.certificates import TlsIdentity

_DEADLINE_S = 5.0


def check(addresses: Iterable[str], tls: TlsIdentity) -> None:
    """Return once the service at each address (`host:port`) has said it is serving; raises grpc.RpcError if not."""
    for address in addresses:
        with grpc.secure_channel(address, tls.channel_credentials()) as channel:
            # The published types of the health stub lack its methods.
            ask: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_unary(
                "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )
            answer = ask(HealthCheckRequest(), timeout=_DEADLINE_S)
        if answer.status != HealthCheckResponse.SERVING:
            raise RuntimeError(f"{address} answers, but is not serving")
