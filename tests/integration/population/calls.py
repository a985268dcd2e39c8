"""Calling the service and understanding its refusals."""

from typing import TypeVar

import grpc
import pytest

from lienthong.client import Explanation, explain

Request = TypeVar("Request")
Response = TypeVar("Response")
DEADLINE_S = 10


def call(method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
    """Call a method with a deadline."""
    return method(request, timeout=DEADLINE_S)


def refusal_of(method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Explanation:
    """Call a method that must refuse, and return why it did."""
    with pytest.raises(grpc.RpcError) as refused:
        method(request, timeout=DEADLINE_S)
    return explain(refused.value)
