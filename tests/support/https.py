"""Connections over TLS on which a test says what no library would."""

import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

from lienthong_core.certificates import TlsIdentity

TIMEOUT_S = 20.0
HALF_A_GREETING = b"\x16\x03\x01\x02\x00\x01\x00"
"""The beginning of a TLS handshake."""


@contextmanager
def connected(
    host: str, port: int, authority: bytes, identity: tuple[TlsIdentity, Path] | None = None
) -> Generator[ssl.SSLSocket]:
    """Connect; `authority` is the server's, `identity` the client's certificate and a folder for it; None: without."""
    context = ssl.create_default_context(cadata=authority.decode())
    if identity is not None:
        tls, folder = identity
        tls.save(folder)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with (
        socket.create_connection((host, port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        yield connection


def is_ended(connection: socket.socket) -> bool:
    """Wait for the other side to say something, and return whether it closed the connection instead."""
    try:
        return connection.recv(1) == b""
    except (ssl.SSLEOFError, ConnectionResetError):
        return True


def answer_on(connection: ssl.SSLSocket) -> HTTPResponse:
    """Return the next answer; its body is read with `read`."""
    answer = HTTPResponse(connection)
    answer.begin()
    return answer
