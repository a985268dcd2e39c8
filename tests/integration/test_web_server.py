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
from tests.support.citizens import LAN
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
GRACE_S = 2.0
DELAYED_ACKNOWLEDGEMENT_S = 0.04


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port(HOST) as port:
        yield port


@pytest.fixture
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def server(port: int, authority: Authority) -> Iterator[WebServer]:
    pages = Starlette(routes=[Route("/", hello), Route("/fails", fail)])
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), pages)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(port: int, authority: Authority) -> Iterator[httpx2.Client]:
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    with httpx2.Client(verify=context, trust_env=False, base_url=f"https://{HOST}:{port}") as client:
        yield client


def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("xin chào")


def fail(_request: Request) -> PlainTextResponse:
    raise LookupError(f"nobody has the number {LAN}")


@pytest.mark.usefixtures("server")
def test_a_failure_is_logged_without_what_it_says(client: httpx2.Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.get("/fails").status_code == 500

    # The answer goes out first.
    wait_until(lambda: "LookupError" in caplog.text)
    assert LAN not in caplog.text


@pytest.mark.usefixtures("server")
def test_an_answer_on_a_kept_connection_does_not_wait_to_be_acknowledged(client: httpx2.Client) -> None:
    assert min(seconds_of(client) for _ in range(20)) < DELAYED_ACKNOWLEDGEMENT_S / 2


def test_a_client_that_keeps_its_connection_does_not_delay_the_stop(server: WebServer, client: httpx2.Client) -> None:
    assert client.get("/").text == "xin chào"

    began = time.monotonic()
    server.stop()

    assert time.monotonic() - began < GRACE_S
    with pytest.raises(httpx2.TransportError):
        client.get("/")


def seconds_of(client: httpx2.Client) -> float:
    """Return how long one request takes."""
    began = time.monotonic()
    assert client.get("/").text == "xin chào"
    return time.monotonic() - began
