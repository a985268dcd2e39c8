"""A gRPC call written byte by byte: a client library would refuse to send what an attacker sends."""

import socket
import ssl
import struct
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

from lienthong_core.certificates import TlsIdentity

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM = _ACK = 0x1
_END_HEADERS = 0x4
_STREAM = 1
_TIMEOUT_S = 10.0

Header = tuple[bytes, bytes]


class End(Enum):
    """How the server ended the call."""

    ANSWERED = "answered, with a status"
    RESET = "the stream was reset"
    CLOSED = "the connection was closed"


def raw_call(
    address: str, identity: TlsIdentity, folder: Path, path: bytes, headers: Iterable[Header], message: bytes
) -> End:
    """Make a unary gRPC call over HTTP/2 with exactly these headers; `folder` is for the certificate's files."""
    identity.save(folder)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.set_alpn_protocols(["h2"])
    host, port = address.rsplit(":", 1)
    usual = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":path", path),
        (b":authority", address.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    body = struct.pack(">BI", 0, len(message)) + message
    with (
        socket.create_connection((host, int(port)), timeout=_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        connection.sendall(_frame(_HEADERS, _END_HEADERS, _STREAM, b"".join(map(_literal, [*usual, *headers]))))
        connection.sendall(_frame(_DATA, _END_STREAM, _STREAM, body))
        return _end(connection)


def _end(connection: ssl.SSLSocket) -> End:
    for kind, flags in _frames(connection):
        if kind == _SETTINGS and not flags & _ACK:
            connection.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind in {_HEADERS, _DATA} and flags & _END_STREAM:
            return End.ANSWERED
        elif kind == _RESET:
            return End.RESET
        elif kind == _GOAWAY:
            return End.CLOSED
    return End.CLOSED


def _frames(connection: ssl.SSLSocket) -> Iterator[tuple[int, int]]:
    """Give kind and flags of each frame until the connection ends."""
    received = b""
    while part := connection.recv(65_536):
        received += part
        while len(received) >= 9 and len(received) >= 9 + (length := int.from_bytes(received[:3], "big")):
            yield received[3], received[4]
            received = received[9 + length :]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literal(header: Header) -> bytes:
    """Return a header as HPACK writes one that is in no table (RFC 7541 section 6.2.2)."""
    return b"\x00" + b"".join(_integer(len(text)) + text for text in header)


def _integer(value: int) -> bytes:
    """Return a number as HPACK writes it after one flag bit (RFC 7541 section 5.1)."""
    limit = 0x7F
    if value < limit:
        return bytes([value])
    rest, encoded = value - limit, bytes([limit])
    while rest >= 0x80:
        encoded += bytes([rest % 0x80 + 0x80])
        rest //= 0x80
    return encoded + bytes([rest])
