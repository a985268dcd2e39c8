"""Everything that the gateway serves over HTTPS, by path."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from lienthong_core.errors import Refusal, unauthenticated
from lienthong_core.metadata import CallHeaders
from lienthong_gateway.call import Peer
from lienthong_gateway.steps.identify import Identifier
from lienthong_gateway.telemetry.metrics import CONTENT_TYPE, Metrics
from lienthong_gateway.web import problems
from lienthong_gateway.web.calls import ConnectCalls
from lienthong_gateway.web.home import home_page
from lienthong_gateway.web.log_files import LogFiles
from lienthong_gateway.web.peer import Peers
from lienthong_gateway.web.ranges import RangeProblems
from lienthong_gateway.web.server import certificate_chain

_STATIC = Path(__file__).parent / "static"
_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}


class GatewayPages:
    """What is served beside the calls."""

    def __init__(
        self, identifier: Identifier, peers: Peers, metrics: Metrics, openapi: Callable[[], Mapping[str, Any]]
    ) -> None:
        """`openapi` gives the OpenAPI document, but for where it is served."""
        self._identifier = identifier
        self._peers = peers
        self._metrics = metrics
        self._openapi = openapi

    async def home(self, _request: Request) -> Response:
        """Answer what is here, to anybody."""
        return HTMLResponse(home_page(), headers=_POLICY)

    async def call(self, _request: Request) -> Response:
        """Answer the page that makes calls from a browser, to anybody; the calls need a certificate."""
        return FileResponse(_STATIC / "call.html", headers=_POLICY)

    async def openapi(self, request: Request) -> Response:
        """Answer the OpenAPI document, to anybody; its server is the address that it was asked for at."""
        server = {"url": str(request.base_url).rstrip("/")}
        return Response(
            b'{"servers": [' + json.dumps(server).encode() + b"], " + self._document[1:], media_type="application/json"
        )

    async def metrics(self, request: Request) -> Response:
        """Answer the metrics, to registered systems. Refused: CERTIFICATE_MISSING, SYSTEM_UNKNOWN."""
        self._identifier.identify(self._peer(request), CallHeaders())
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    @cached_property
    def _document(self) -> bytes:
        # Encoded once: it takes milliseconds, and anybody may ask for it.
        return json.dumps(self._openapi(), ensure_ascii=False).encode()

    def _peer(self, request: Request) -> Peer:
        peer = self._peers.peer(certificate_chain(request.scope))
        if not peer:
            message = "This is for registered systems: connect with the client certificate of one."
            raise unauthenticated("CERTIFICATE_MISSING", message)
        return peer


def create_app(calls: ConnectCalls, pages: GatewayPages, log: LogFiles) -> ASGIApp:
    """Return the application, to whose every answer its server adds headers, and which lets anybody in."""
    app = Starlette(
        routes=[
            # First, so that every path of its form is a call.
            Route("/{service}/{method}", calls.answer, methods=["POST"]),
            Route("/", pages.home),
            Route("/call", pages.call, middleware=[Middleware(RangeProblems)]),
            Mount("/static", StaticFiles(directory=_STATIC), middleware=[Middleware(RangeProblems)]),
            Route("/openapi.json", pages.openapi),
            Route("/metrics", pages.metrics),
            Route("/checkpoint", log.checkpoint),
            Route("/tile/{path:path}", log.tile),
        ],
        exception_handlers={
            problems.Problem: problems.problem_response,
            Refusal: problems.refusal_response,
            404: problems.not_found,
            405: problems.wrong_method,
            Exception: problems.failure_response,
        },
    )
    # A path is what it is: nobody is sent on to one without the slash at its end.
    app.router.redirect_slashes = False
    return app
