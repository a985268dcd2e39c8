"""Clients over HTTP that do not behave: they go away, dawdle, or show odd certificates."""

import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from ssl import SSLSocket

import pytest

from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_gateway.edge.limits import Limits
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world
from tests.support.https import HALF_A_GREETING, TIMEOUT_S, answer_on, connected, is_ended
from tests.support.waiting import wait_until

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
ARRIVAL_S = 2
BODY = f'{{"personalNumber": "{LAN}"}}'.encode()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=Limits(body_s=ARRIVAL_S)) as world:
        world.consent()
        yield world


def as_portal(world: GatewayWorld, folder: Path) -> AbstractContextManager[SSLSocket]:
    config, tls = world.config, world.identity(members.PORTAL)
    return connected(config.web_host, config.web_port, world.authority.certificate, (tls, folder / "portal"))


def head(world: GatewayWorld, length: int) -> bytes:
    headers = [("host", "gateway"), ("content-type", "application/json"), ("content-length", str(length))]
    headers += CallContext(PURPOSE, world.token()).metadata()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"POST {GET_CITIZEN} HTTP/1.1\r\n{lines}\r\n".encode()


def test_when_the_client_goes_away_the_work_ends_the_log_says_so_and_it_is_no_failure(
    world: GatewayWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with world.population.hanging("GetCitizen"):
        with as_portal(world, tmp_path) as connection:
            connection.sendall(head(world, len(BODY)) + BODY)
            wait_until(lambda: world.population.calls)
        wait_until(lambda: "CALLER_GONE" in {entry["reason"] for entry in world.entries()})
    assert world.read()[0].citizen.personal_number == LAN
    assert "Error" not in caplog.text


def test_a_body_that_dawdles_is_not_waited_for(world: GatewayWorld, tmp_path: Path) -> None:
    with as_portal(world, tmp_path) as connection:
        connection.sendall(head(world, len(BODY)) + BODY[:5])
        answer = answer_on(connection)
        problem = json.loads(answer.read())
        assert is_ended(connection)
    assert (answer.status, answer.headers["content-type"]) == (408, "application/problem+json")
    assert f"within {ARRIVAL_S} seconds" in problem["detail"]
    assert not world.population.calls


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nhost: gate"], ids=["nothing", "half a head"])
def test_a_connection_that_asks_for_nothing_is_ended(world: GatewayWorld, tmp_path: Path, sent: bytes) -> None:
    with as_portal(world, tmp_path) as connection:
        connection.sendall(sent)
        assert is_ended(connection)


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nhost: gate"], ids=["nothing", "half a head"])
def test_a_connection_that_asks_for_nothing_more_after_an_answer_is_ended(
    world: GatewayWorld, tmp_path: Path, sent: bytes
) -> None:
    with as_portal(world, tmp_path) as connection:
        connection.sendall(head(world, len(BODY)) + BODY)
        assert answer_on(connection).read()
        connection.sendall(sent)
        assert is_ended(connection)


def test_connections_with_a_certificate_that_ask_for_nothing_are_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    limits = Limits(connections=2, body_s=60)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        with as_portal(world, tmp_path), as_portal(world, tmp_path), as_portal(world, tmp_path) as third:
            answer = answer_on(third)
            problem = json.loads(answer.read())
            assert is_ended(third)
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "There are 2 connections" in problem["detail"]
        wait_until(lambda: world.curl(tmp_path, members.PORTAL).get("/metrics").status == 200)


@pytest.mark.parametrize("sent", [b"", HALF_A_GREETING], ids=["nothing", "half a greeting"])
def test_a_connection_whose_handshake_does_not_end_is_ended(world: GatewayWorld, sent: bytes) -> None:
    with socket.create_connection((world.config.web_host, world.config.web_port), TIMEOUT_S) as connection:
        connection.sendall(sent)
        assert is_ended(connection)


def test_requests_on_one_connection_are_answered_one_after_the_other(world: GatewayWorld, tmp_path: Path) -> None:
    with as_portal(world, tmp_path) as connection:
        for _ in range(3):
            connection.sendall(head(world, len(BODY)) + BODY)
            answer = answer_on(connection)
            assert (answer.status, json.loads(answer.read())["citizen"]["personalNumber"]) == (200, LAN)


@pytest.mark.parametrize(
    ("sent", "status", "word"),
    [
        (b"\x00\x01 nonsense\r\n\r\n", 400, "gRPC has a port of its own"),
        (b"POST / HTTP/1.1\r\nh: " + b"1" * (65 << 10), 431, "65536 bytes"),
    ],
    ids=["nonsense", "a head without an end"],
)
def test_what_is_no_request_gets_a_problem_document_and_is_forgotten(
    world: GatewayWorld, tmp_path: Path, sent: bytes, status: int, word: str
) -> None:
    with as_portal(world, tmp_path) as connection:
        connection.sendall(sent)
        answer = answer_on(connection)
        problem = json.loads(answer.read())
        assert is_ended(connection)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert problem["status"] == status
    assert word in problem["detail"]
    assert world.read()[0].citizen.personal_number == LAN
