"""Calls that come in over gRPC: every method, as bytes, into the pipeline and out again."""

import asyncio
from contextlib import aclosing
from functools import partial
from typing import NoReturn, TypeAlias, cast

import grpc
import grpc.aio

from lienthong_core.metadata import CallHeaders
from lienthong_gateway.call import IncomingCall, Metadata, Nothing, Refused
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.pipeline import Pipeline

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class EveryMethod(grpc.GenericRpcHandler):
    """Hands every call that is not health or reflection to the pipeline, as bytes."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._handlers = {method: self._handler(method) for method in pipeline.methods()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return what answers a method, whatever its name is."""
        method = handler_call_details.method
        return self._handlers.get(method) or self._handler(method)

    def _handler(self, method: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        if self._pipeline.streams(method):
            return grpc.unary_stream_rpc_method_handler(partial(_stream, self._pipeline, self._limits, method))
        return grpc.unary_unary_rpc_method_handler(partial(_answer, self._pipeline, self._limits, method))


async def _answer(pipeline: Pipeline, limits: Limits, method: str, request: bytes, context: Context) -> bytes:
    try:
        answer = await pipeline.answer(_incoming(limits, method, request, context))
    except Refused as refused:
        await _abort(refused, context)
    context.set_trailing_metadata(answer.trailer)
    return answer.message


async def _stream(pipeline: Pipeline, limits: Limits, method: str, request: bytes, context: Context) -> None:
    try:
        async with aclosing(pipeline.stream(_incoming(limits, method, request, context))) as answers:
            async for answer in answers:
                context.set_trailing_metadata(answer.trailer)
                if isinstance(answer, Nothing):
                    continue
                # Not left to gRPC: it tells a caller nothing whose time is over while this waits for him to read.
                await context.write(answer.message)
    except Refused as refused:
        await _abort(refused, context)


def _incoming(limits: Limits, method: str, request: bytes, context: Context) -> IncomingCall:
    # The stubs know of no call without a deadline.
    remaining_s = cast("float | None", context.time_remaining())
    metadata = cast("Metadata", tuple(context.invocation_metadata() or ()))
    return IncomingCall(
        method=method,
        request=request,
        headers=CallHeaders(metadata),
        peer=context.auth_context(),
        expires_at=None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s,
        fault=limits.header_fault(metadata),
    )


async def _abort(refused: Refused, context: Context) -> NoReturn:
    status = refused.refusal.rpc_status()
    await context.abort(status.code, status.details, (*(status.trailing_metadata or ()), *refused.trailer))
