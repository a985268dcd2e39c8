"""An HTTPS server in the gateway's own event loop that knows its clients' certificates."""

import asyncio
import ssl
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lienthong_core.certificates import TlsIdentity
from lienthong_core.http_connection import Places, QuietProtocol
from lienthong_core.web import BACKLOG, PromptServer, bound_socket, server_config, tls_context
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.web.problems import Problem, problem_response


class GatewayWebServer:
    """Serves one application on one address, with clients' certificates taken but not demanded."""

    def __init__(self, host: str, port: int, tls: TlsIdentity, app: ASGIApp, limits: Limits) -> None:
        """Bind the address; raises OSError if it cannot be had."""
        self._socket = bound_socket(host, port)
        strangers, everybody = Places(limits.anybody.connections), Places(limits.connections)
        protocol = partial(_CertificateProtocol, strangers, limits.body_s, everybody)
        self._server = PromptServer(server_config(app, protocol, _context(tls)), limits.body_s)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer requests from now on."""
        self._socket.listen(BACKLOG)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        """Finish the requests under way, within two seconds, and give the address back."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


def certificate_chain(scope: Scope) -> Iterable[str]:
    """Return the client's certificate, PEM, as the ASGI extension for TLS names it; empty if it showed none."""
    chain: Iterable[str] = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return chain


class _CertificateProtocol(QuietProtocol):
    """Hands the client's certificate on, which uvicorn itself keeps back.

    https://asgi.readthedocs.io/en/latest/specs/tls.html

    Takes only so many connections without one: they are anybody's, and must leave room for the systems.
    """

    unreadable = f"{QuietProtocol.unreadable} gRPC has a port of its own."

    def __init__(self, strangers: Places, arrival_s: float, everybody: Places, **kwargs: Any) -> None:  # noqa: ANN401 (uvicorn's own)
        super().__init__(arrival_s, everybody, **kwargs)
        self._strangers = strangers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        der = connection.getpeercert(binary_form=True) if connection else None
        chain = (ssl.DER_cert_to_PEM_cert(der),) if der else ()
        app = self.app

        async def with_certificate(scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (uvicorn's own type)
            scope.setdefault("extensions", {})["tls"] = {"client_cert_chain": chain}
            await app(scope, receive, send)

        self.app = with_certificate
        if not chain:
            otherwise = (
                f"There are {self._strangers.most} connections without a certificate, and no more are taken; connect "
                "with the certificate of a registered system, or try again later."
            )
            self.take(self._strangers, otherwise)

    def explanation(self, status: HTTPStatus, detail: str) -> Response:
        """Return a problem document."""
        return problem_response(None, Problem(status, detail))


def _context(tls: TlsIdentity) -> ssl.SSLContext:
    context = tls_context(tls)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=tls.authority.decode())
    return context
