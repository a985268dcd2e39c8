"""An HTTPS server in a thread, for the pages and endpoints that browsers and OIDC clients use."""

import asyncio
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from lienthong_core.certificates import TlsIdentity
from lienthong_core.failures import log_failure, log_failure_in_loop
from lienthong_core.http_connection import LARGEST_HEAD, Places, QuietProtocol
from lienthong_core.request_target import OriginForm
from lienthong_core.secret_files import write_secret

BACKLOG = 128
_GRACE_S = 2
_LONGEST_ARRIVAL_S = 10.0
_MOST_CONNECTIONS = 256
_STOPS = "The server stops before there is an answer; try again later."

_log = logging.getLogger(__name__)


class WebServer:
    """Serves one ASGI application over TLS on one address."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: TlsIdentity,
        app: ASGIApp,
        arrival_s: float = _LONGEST_ARRIVAL_S,
        connections: int = _MOST_CONNECTIONS,
    ) -> None:
        """Bind the address; raises OSError if it cannot be had.

        `arrival_s`: how long the handshake may take, then a request's head to arrive, and then its body. `connections`:
        how many are taken at once; further ones get status 503.
        """
        self._socket = bound_socket(host, port)
        config = server_config(app, partial(QuietProtocol, arrival_s, Places(connections)), tls_context(tls))
        self._server = PromptServer(config, arrival_s)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Answer requests from now on; the first ones wait in the socket's queue until the thread is up."""
        self._socket.listen(BACKLOG)
        self._thread.start()

    def stop(self) -> None:
        """Finish the requests under way, within two seconds, and give the address back."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class QuietFailures:
    """Logs an application's failures without what they say, which uvicorn would write down."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is left unanswered gets uvicorn's own status 500."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops and has told the client so: uvicorn would take it for a failure.
            return
        except Exception as error:  # noqa: BLE001 (a bug in a page must not write down whom it was about)
            log_failure(_log, "answering a request", error)


class PromptServer(uvicorn.Server):
    """Does not wait for clients that merely keep a connection open, or do not come to the end of the handshake.

    Closing a TLS connection waits for the other side's goodbye, and a client that keeps it for later never reads ours.
    """

    def __init__(self, config: uvicorn.Config, handshake_s: float) -> None:
        """`handshake_s`: how long a client may take for the handshake, seconds."""
        super().__init__(config)
        self._handshake_s = handshake_s

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        asyncio.get_running_loop().set_exception_handler(log_failure_in_loop)
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Uvicorn itself would wait a minute for each handshake, and cannot be told otherwise."""
        config = self.config
        connection = cast("Any", config.http_protocol_class)
        make = partial(connection, config=config, server_state=self.server_state, app_state={})
        listen = partial(asyncio.get_running_loop().create_server, make, ssl=config.ssl, backlog=config.backlog)
        self.servers = [await listen(sock=bound, ssl_handshake_timeout=self._handshake_s) for bound in sockets or ()]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End idle connections at once, and those with a request under way once it is answered or its time is over."""
        for connection in self._connections():
            if connection.is_idle:
                connection.transport.abort()
        await super().shutdown(sockets)
        for connection in self._connections():
            connection.turn_away(HTTPStatus.SERVICE_UNAVAILABLE, _STOPS)
            connection.transport.abort()

    def _connections(self) -> list[QuietProtocol]:
        # The stubs have a protocol of any kind.
        return cast("list[QuietProtocol]", list(self.server_state.connections))


def server_config(app: ASGIApp, protocol: Callable[..., asyncio.Protocol], context: ssl.SSLContext) -> uvicorn.Config:
    """Return how an application is served; `protocol` makes one connection's."""
    config = uvicorn.Config(
        QuietFailures(OriginForm(app)),
        http=cast("type[asyncio.Protocol]", protocol),
        # With a library for it installed, others would take such connections over and leave them uncounted.
        ws="none",
        log_config=None,
        access_log=False,
        # Whoever calls from this machine would be believed about its address and scheme.
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        server_header=False,
    )
    config.load()
    config.ssl = context
    return config


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not listen yet; raises OSError if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only on sockets that name their protocol; on others an answer in two parts
    # waits 40 ms for the client to acknowledge the first.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def tls_context(tls: TlsIdentity) -> ssl.SSLContext:
    """Return the context of a server that asks nobody for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module takes the pair from a file only.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        write_secret(file, tls.private_key + tls.certificate)
        context.load_cert_chain(file)
    return context
