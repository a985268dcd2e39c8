"""Asking a service on this machine whether it serves: `python -m lienthong_core.health FOLDER PORT`.

A program of its own, with few imports: a container's health check runs it every few seconds.
"""

import sys
from pathlib import Path

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from lienthong_core.channels import DIRECT

_DEADLINE_S = 3.0


def is_serving(folder: Path, port: int) -> bool:
    """Return whether a service on this machine serves on `port`, calling with the certificate in `folder`."""
    authority, key, certificate = ((folder / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, DIRECT) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            return check(HealthCheckRequest(), timeout=_DEADLINE_S).status == HealthCheckResponse.SERVING
        except grpc.RpcError:
            return False


if __name__ == "__main__":
    sys.exit(0 if is_serving(Path(sys.argv[1]), int(sys.argv[2])) else 1)
