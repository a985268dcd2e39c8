"""Refusals over HTTP: `application/problem+json` (RFC 9457) with the same reasons as over gRPC."""

from http import HTTPStatus

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse

from lienthong_core.errors import Refusal

_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}


def http_status(status: grpc.StatusCode) -> HTTPStatus:
    """Return the HTTP status that stands for a gRPC status; 500 for those without one."""
    return _HTTP.get(status, HTTPStatus.INTERNAL_SERVER_ERROR)


async def problem_response(_request: Request, refusal: Exception) -> JSONResponse:
    """Answer a refusal; made to be a Starlette exception handler for `Refusal`."""
    if not isinstance(refusal, Refusal):
        raise refusal
    status = http_status(refusal.status)
    body = {
        "type": f"urn:lienthong:error:{refusal.reason}",
        "title": status.phrase,
        "status": status.value,
        "detail": refusal.message,
        "reason": refusal.reason,
        "metadata": refusal.metadata,
    }
    return JSONResponse(body, status.value, media_type="application/problem+json")
