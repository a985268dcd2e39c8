"""Calls that come in over gRPC: every method, as bytes, into the pipeline and out again."""

import asyncio
from functools import partial
from typing import TypeAlias, cast

import grpc
import grpc.aio

from lienthong_gateway.call import IncomingCall, Metadata, Refused
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.pipeline import Pipeline

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class EveryMethod(grpc.GenericRpcHandler):
    """Hands every call that is not health or reflection to the pipeline, as bytes."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return what answers a method, whatever its name is."""
        answer = partial(_answer, self._pipeline, self._limits, handler_call_details.method)
        return grpc.unary_unary_rpc_method_handler(answer)


async def _answer(pipeline: Pipeline, limits: Limits, method: str, request: bytes, context: Context) -> bytes:
    # The stubs know of no call without a deadline.
    remaining_s = cast("float | None", context.time_remaining())
    metadata = cast("Metadata", tuple(context.invocation_metadata() or ()))
    call = IncomingCall(
        method=method,
        request=request,
        metadata=metadata,
        peer=context.auth_context(),
        expires_at=None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s,
        fault=limits.header_fault(metadata),
    )
    try:
        answer = await pipeline.answer(call)
    except Refused as refused:
        status = refused.refusal.rpc_status()
        trailer = (*(status.trailing_metadata or ()), *refused.trailer)
        await context.abort(status.code, status.details, trailer)
    context.set_trailing_metadata(answer.trailer)
    return answer.message
