"""Calling the gateway, through which the identity provider reaches everybody else."""

from collections.abc import Sequence
from typing import TypeVar

import grpc

from lienthong_core.channels import SOON_BACK
from lienthong_core.errors import refusal_from

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_DEADLINE_S = 5.0


def gateway_channel(address: str, credentials: grpc.ChannelCredentials) -> grpc.Channel:
    """Return a channel to the gateway at `address`, `host:port`."""
    return grpc.secure_channel(address, credentials, SOON_BACK)


def ask(
    method: "grpc.UnaryUnaryMultiCallable[_Request, _Response]",
    request: _Request,
    metadata: Sequence[tuple[str, str]] = (),
) -> _Response:
    """Make a call; raises Refusal, within 5 seconds."""
    try:
        return method(request, timeout=_DEADLINE_S, metadata=tuple(metadata))
    except grpc.RpcError as error:
        raise refusal_from(error) from error
