"""The HTTPS server of pages and endpoints: it stops when it is told to, whoever still holds a connection."""

import ssl
import time
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lienthong_core.certificates import Authority
from lienthong_core.ports import reserved_port
from lienthong_core.web import WebServer
from lienthong_seeds import members

HOST = "127.0.0.1"
GRACE_S = 2.0


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port(HOST) as port:
        yield port


def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("xin chào")


def test_a_client_that_keeps_its_connection_does_not_delay_the_stop(port: int) -> None:
    authority = Authority.create()
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), Starlette(routes=[Route("/", hello)]))
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    server.start()
    with httpx2.Client(verify=context, trust_env=False) as client:
        assert client.get(f"https://{HOST}:{port}/").text == "xin chào"

        began = time.monotonic()
        server.stop()

        assert time.monotonic() - began < GRACE_S
        with pytest.raises(httpx2.TransportError):
            client.get(f"https://{HOST}:{port}/")
