"""Calls that come in over gRPC: every method, as bytes, into the pipeline and out again."""

import asyncio
from functools import partial
from typing import TypeAlias, cast

import grpc
import grpc.aio

from lienthong_gateway.call import IncomingCall, Metadata, Refused
from lienthong_gateway.pipeline import Pipeline

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class EveryMethod(grpc.GenericRpcHandler):
    """Hands every call that is not health or reflection to the pipeline, as bytes."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return what answers a method, whatever its name is."""
        return grpc.unary_unary_rpc_method_handler(partial(_answer, self._pipeline, handler_call_details.method))


async def _answer(pipeline: Pipeline, method: str, request: bytes, context: Context) -> bytes:
    # The stubs know of no call without a deadline.
    remaining_s = cast("float | None", context.time_remaining())
    call = IncomingCall(
        method=method,
        request=request,
        metadata=cast("Metadata", tuple(context.invocation_metadata() or ())),
        peer=context.auth_context(),
        expires_at=None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s,
    )
    try:
        answer = await pipeline.answer(call)
    except Refused as refused:
        status = refused.refusal.rpc_status()
        trailer = (*(status.trailing_metadata or ()), *refused.trailer)
        await context.abort(status.code, status.details, trailer)
    context.set_trailing_metadata(answer.trailer)
    return answer.message
