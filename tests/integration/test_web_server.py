"""The HTTPS server of pages and endpoints: it stops when it is told to, whoever still holds a connection."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from lienthong_core.certificates import Authority
from lienthong_core.ports import reserved_port
from lienthong_core.web import WebServer
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.https import HALF_A_GREETING, TIMEOUT_S, answer_on, connected, is_ended
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
    routes = [Route("/", hello), Route("/fails", fail), Route("/fails-later", fail_later), Route("/address", address)]
    pages = Starlette(routes=routes)
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), pages)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def over() -> threading.Event:
    """Give what is set when the answer without an end is not written any more."""
    return threading.Event()


@pytest.fixture
def impatient(port: int, authority: Authority, over: threading.Event) -> Iterator[WebServer]:
    """Give a server that waits for no client longer than it takes to see that it does."""

    async def without_end(_request: Request) -> StreamingResponse:
        return StreamingResponse(more_and_more(over))

    routes = [
        Route("/", hello),
        Route("/form", fill_in, methods=["POST", "HEAD"]),
        Route("/without-end", without_end, methods=["GET", "POST"]),
    ]
    pages = Starlette(routes=routes)
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), pages, arrival_s=1)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def small(port: int, authority: Authority) -> Iterator[WebServer]:
    """Give a server with two places, where a connection that asks for nothing keeps its own."""
    pages = Starlette(routes=[Route("/", hello)])
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), pages, arrival_s=60, connections=2)
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


def address(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request.url))


def fail(_request: Request) -> PlainTextResponse:
    raise LookupError(f"nobody has the number {LAN}")


async def fail_later(request: Request) -> PlainTextResponse:
    asyncio.get_running_loop().call_soon(fail, request)
    return hello(request)


async def more_and_more(over: threading.Event) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"more" * 1_024
            await asyncio.sleep(0)
    finally:
        over.set()


async def fill_in(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode())


@pytest.mark.usefixtures("server")
def test_no_header_is_believed_about_the_address_that_was_asked(client: httpx2.Client, port: int) -> None:
    forwarded = {"x-forwarded-proto": "http", "x-forwarded-for": "203.0.113.1"}
    assert client.get("/address", headers=forwarded).text == f"https://{HOST}:{port}/address"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("https://web.example/address?a=1", "web.example", 200),
        ("HTTPS://Web.Example/address?a=1", "web.EXAMPLE", 200),
        ("https://web.example", "web.example", 200),
        ("https://web.example/address", "another.example", 404),
        ("https://web.example.another/address", "web.example", 404),
        ("https://web.example@another/address", "web.example", 404),
        ("http://web.example/address", "web.example", 404),
        ("https:///address", "", 404),
    ],
)
def test_a_target_may_be_the_whole_address_if_it_is_the_one_that_host_names(
    port: int, authority: Authority, target: str, host: str, status: int
) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        answer = answer_on(connection)
        said = answer.read().decode()
    assert answer.status == status
    if "?" in target:
        assert said == f"https://{host}/address?a=1"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nho"], ids=["nothing", "half a head"])
@pytest.mark.parametrize("asked_before", [False, True], ids=["first", "second"])
def test_a_connection_whose_request_does_not_come_is_ended(
    port: int, authority: Authority, sent: bytes, asked_before: bool
) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        if asked_before:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
            assert answer_on(connection).read().decode() == "xin chào"
        connection.sendall(sent)
        assert is_ended(connection)


def test_a_connection_is_ended_that_asks_for_nothing_more_after_an_answer_that_took_long(
    port: int, authority: Authority
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer_late(_request: Request) -> PlainTextResponse:
        asked.set()
        return PlainTextResponse(str(go_on.wait(TIMEOUT_S)))

    pages = Starlette(routes=[Route("/", answer_late)])
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), pages, arrival_s=1)
    server.start()
    try:
        with connected(HOST, port, authority.certificate) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
            assert asked.wait(TIMEOUT_S)
            # It came later, so the time of the first request is over as well.
            with connected(HOST, port, authority.certificate) as later:
                assert is_ended(later)
            go_on.set()
            assert answer_on(connection).read() == b"True"
            connection.sendall(b"GET / HTTP/1.1\r\nho")
            assert is_ended(connection)
    finally:
        server.stop()


def test_whoever_does_not_say_goodbye_when_its_time_is_over_keeps_no_place(port: int, authority: Authority) -> None:
    pages = Starlette(routes=[Route("/", hello), Route("/form", fill_in, methods=["POST"])])
    server = WebServer(HOST, port, authority.issue(members.IDENTITY), pages, arrival_s=1, connections=1)
    server.start()
    try:
        with connected(HOST, port, authority.certificate) as connection:
            connection.sendall(b"POST /form HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\n\r\nab")
            assert answer_on(connection).status == 408
            wait_until(lambda: is_taken(port, authority))
    finally:
        server.stop()


@pytest.mark.usefixtures("small")
def test_connections_beyond_the_places_are_told_so_and_ended_until_a_place_is_free(
    port: int, authority: Authority
) -> None:
    with connected(HOST, port, authority.certificate), connected(HOST, port, authority.certificate):
        for _ in range(4):
            with connected(HOST, port, authority.certificate) as third:
                answer = answer_on(third)
                assert (answer.status, answer.headers["connection"]) == (503, "close")
                assert answer.read() == b"There are 2 connections, and no more are taken; try again later."
                assert is_ended(third)
    wait_until(lambda: is_taken(port, authority))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", HALF_A_GREETING], ids=["nothing", "half a greeting"])
def test_a_connection_whose_handshake_does_not_end_is_ended(port: int, sent: bytes) -> None:
    with socket.create_connection((HOST, port), TIMEOUT_S) as connection:
        connection.sendall(sent)
        assert is_ended(connection)


@pytest.mark.usefixtures("impatient")
def test_half_a_body_is_not_waited_for(port: int, authority: Authority) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(b"POST /form HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\n\r\nab")
        answer = answer_on(connection)
        assert (answer.status, b"within 1 seconds" in answer.read()) == (408, True)
        assert is_ended(connection)


@pytest.mark.usefixtures("impatient")
def test_half_a_body_that_nobody_reads_is_not_waited_for_either(port: int, authority: Authority) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\n\r\nab")
        answer = answer_on(connection)
        assert (answer.status, answer.read()) == (405, b"Method Not Allowed")
        assert is_ended(connection)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nhost: web\r\n\r\n" * 3], ids=["alone", "in a row"])
def test_a_client_that_does_not_take_its_answer_is_not_waited_for(
    port: int, authority: Authority, over: threading.Event, before: bytes
) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(before + b"GET /without-end HTTP/1.1\r\nhost: web\r\n\r\n")
        wait_until(over.is_set)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("head", [b"POST /without-end", b"HEAD /form", b"POST /form"], ids=["begun", "none", "first"])
def test_what_is_no_more_of_a_request_ends_its_connection_and_is_no_failure(
    port: int, authority: Authority, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(head + b" HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        if head == b"POST /without-end":
            assert connection.recv(1)
        connection.sendall(b"no chunk\r\n" * 2)
        while not is_ended(connection):
            pass
    assert "Error" not in caplog.text


@pytest.mark.usefixtures("server")
def test_what_follows_a_body_of_two_lengths_is_no_request(port: int, authority: Authority) -> None:
    body = b"0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n"
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(head + body + b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
        answer = answer_on(connection)
        assert (answer.status, answer.read()) == (405, b"Method Not Allowed")
        assert is_ended(connection)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        (b"nonsense\r\n\r\n", 400, "not HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nhost: web\r\nh: " + b"1" * (65 << 10), 431, "more than the 65536 bytes"),
        (b"GET / HTTP/1.1\r\nhost: web\r\nh: %b\r\n\r\n" % (b"1" * (65 << 10)), 431, "more than the 65536 bytes"),
        (b"POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501, "chunked alone"),
    ],
    ids=["nonsense", "a head without an end", "a head that comes whole", "a compressed transfer"],
)
def test_what_cannot_be_read_as_a_request_is_told_why(
    port: int, authority: Authority, sent: bytes, status: int, told: str
) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(sent)
        answer = answer_on(connection)
        assert (answer.status, told in answer.read().decode()) == (status, True)
        assert is_ended(connection)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ],
    ids=["nonsense", "upgrade"],
)
def test_nobody_outside_makes_the_server_write_lines(
    port: int, authority: Authority, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(sent)
        assert answer_on(connection).read()
    assert caplog.text == ""


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("path", "status"), [("/fails", 500), ("/fails-later", 200)])
def test_a_failure_is_logged_without_what_it_says(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    assert client.get(path).status_code == status

    # The answer goes out first.
    wait_until(lambda: "LookupError" in caplog.text)
    assert LAN not in caplog.text


@pytest.mark.usefixtures("server")
def test_no_answer_says_which_program_gave_it(client: httpx2.Client) -> None:
    assert "server" not in client.get("/").headers


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


def test_whoever_still_waits_when_the_server_stops_is_told_so_and_it_is_no_failure(
    port: int, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    async def never(_request: Request) -> PlainTextResponse:
        asked.set()
        await asyncio.Event().wait()
        return PlainTextResponse("never")

    server = WebServer(HOST, port, authority.issue(members.IDENTITY), Starlette(routes=[Route("/", never)]))
    server.start()
    try:
        with connected(HOST, port, authority.certificate) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
            assert asked.wait(TIMEOUT_S)
            server.stop()
            answer = answer_on(connection)
            assert (answer.status, b"stops" in answer.read()) == (503, True)
    finally:
        server.stop()
    assert "Traceback" not in caplog.text


def is_taken(port: int, authority: Authority) -> bool:
    """Return whether a request on a new connection is answered."""
    with connected(HOST, port, authority.certificate) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
        return answer_on(connection).status == 200


def seconds_of(client: httpx2.Client) -> float:
    """Return how long one request takes."""
    began = time.monotonic()
    assert client.get("/").text == "xin chào"
    return time.monotonic() - began
