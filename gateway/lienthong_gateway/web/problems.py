"""What is answered where there is no call to refuse: problem documents (RFC 9457)."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from lienthong_core.errors import Refusal
from lienthong_core.http_status import http_status
from lienthong_gateway.failures import refusal_of

_MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 (an answer, with its own name)
    """A request that cannot be answered; `detail` says what to do."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.headers = headers


def problem_response(_request: Request | None, error: Exception) -> Response:
    """Answer a Problem; there is no request where none could be read."""
    if not isinstance(error, Problem):
        raise error
    return _response(error.status, error.detail, {}, error.headers)


def refusal_response(_request: Request, error: Exception) -> Response:
    """Answer a Refusal outside a call, with its reason."""
    if not isinstance(error, Refusal):
        raise error
    retry_s = error.retry_after_s
    headers = None if retry_s is None else {"Retry-After": str(math.ceil(retry_s))}
    return _response(http_status(error.status), error.message, {"reason": error.reason}, headers)


def failure_response(request: Request, error: Exception) -> Response:
    """Answer for a failure nobody foresaw; the server logs it (core/lienthong_core/web.py)."""
    return refusal_response(request, refusal_of(error))


def not_found(request: Request, _error: Exception) -> Response:
    """Answer a path that leads nowhere."""
    detail = f"There is nothing at {request.scope['path'][:200]!r}; GET / lists what is here."
    return _response(HTTPStatus.NOT_FOUND, detail, {}, None)


def wrong_method(_request: Request, error: Exception) -> Response:
    """Answer a path that is there, but for another HTTP method."""
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    detail = f"This path takes {headers.get('Allow', 'another method')}; calls are made with POST."
    return _response(HTTPStatus.METHOD_NOT_ALLOWED, detail, {}, headers)


def _response(status: HTTPStatus, detail: str, more: Mapping[str, str], headers: Mapping[str, str] | None) -> Response:
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **more}
    return Response(json.dumps(document, ensure_ascii=False), status, headers, _MEDIA_TYPE)
