"""Ranges of the gateway's files: the library answers them, and one that a file has not got is told as problems are."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lienthong_gateway.web import problems

_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


class RangeProblems:
    """Tells of a range that a file has not got in a problem document, where the library would write plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused = False

        async def send_or_tell(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                refused = True
                await _problem(message)(scope, receive, send)
            elif not refused:
                await send(message)

        await self._app(scope, receive, send_or_tell)


def _problem(start: Message) -> Response:
    detail = "The header Range asks for no part of this file; leave it out, and the file comes whole."
    length = Headers(raw=start["headers"]).get("content-range")
    headers = {"Content-Range": length} if length else None
    return problems.problem_response(None, problems.Problem(start["status"], detail, headers))
