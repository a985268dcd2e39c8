"""What clients without a certificate may ask for over HTTP: a share of their own, and nothing of the systems'."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from ssl import SSLSocket

import pytest

from lienthong_core.database import sqlite_url
from lienthong_gateway.edge.limits import Anybody, Limits, Rate
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.curl import Curl
from tests.support.gateway_world import GatewayWorld, gateway_world, refusal_of
from tests.support.https import answer_on, connected, is_ended
from tests.support.waiting import wait_until

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
PATHS = ("/", "/call", "/static/style.css", "/openapi.json", "/checkpoint", "/tile/0/000.p/1", "/metrics", "/nothing")
ONCE = Rate(0.001, 1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    """Give a gateway that answers as many requests without a certificate as there are paths, and one of the bank's."""
    limits = Limits(anybody=Anybody(rate=Rate(0.001, len(PATHS))), rates={members.BANK: ONCE})
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        world.consent()
        yield world


@pytest.fixture
def nobody(world: GatewayWorld, tmp_path: Path) -> Curl:
    return world.curl(tmp_path, None)


def test_all_requests_without_a_certificate_share_one_rate_and_the_systems_keep_theirs(
    world: GatewayWorld, nobody: Curl, tmp_path: Path
) -> None:
    recorded = len(world.entries())
    answered = [nobody.get(path).status for path in PATHS]
    assert answered == [200] * 6 + [401, 404]

    for refused in (*(nobody.get(path) for path in PATHS), nobody.call(GET_CITIZEN, {})):
        assert (refused.status, refused.json["reason"]) == (429, "RATE_LIMITED")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert int(refused.headers["retry-after"]) > 900
        assert "with the certificate of a registered system" in refused.json["detail"]

    assert world.curl(tmp_path, members.PORTAL).get("/checkpoint").status == 200
    assert world.read()[0].citizen.personal_number == LAN
    assert {entry["consumer"] for entry in world.entries()[recorded:]} == {str(members.AUDITOR), str(members.PORTAL)}


@pytest.mark.parametrize("path", PATHS[:-2])
def test_what_a_system_reads_over_http_counts_among_its_calls(world: GatewayWorld, tmp_path: Path, path: str) -> None:
    bank = world.curl(tmp_path, members.BANK)
    assert bank.get(path).status == 200

    refused = bank.get(path)

    assert (refused.status, refused.json["reason"]) == (429, "RATE_LIMITED")
    assert "This system may make" in refused.json["detail"]
    assert refusal_of(lambda: world.request_consent(members.BANK)).reason == "RATE_LIMITED"
    assert bank.get("/metrics").status == 200


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/nothing/at/all", "application/json", 404),
        ("/checkpoint", "application/json", 405),
        (GET_CITIZEN, "text/plain", 415),
    ],
)
def test_what_a_system_posts_that_is_no_call_counts_among_its_calls_too(
    world: GatewayWorld, tmp_path: Path, path: str, content_type: str, status: int
) -> None:
    bank = world.curl(tmp_path, members.BANK)
    assert bank.post(path, b"{}", content_type=content_type).status == status

    refused = bank.post(path, b"{}", content_type=content_type)

    assert (refused.status, refused.json["reason"]) == (429, "RATE_LIMITED")


def test_what_a_system_gets_where_calls_are_posted_counts_among_its_calls_too(
    world: GatewayWorld, tmp_path: Path
) -> None:
    bank = world.curl(tmp_path, members.BANK)
    as_a_call_has_it = ("--header", "content-type: application/json")
    assert bank.get(GET_CITIZEN, *as_a_call_has_it).status == 405

    refused = bank.get(GET_CITIZEN, *as_a_call_has_it)

    assert (refused.status, refused.json["reason"]) == (429, "RATE_LIMITED")


def test_the_metrics_have_a_rate_of_their_own_for_each_system(tmp_path: Path) -> None:
    limits = Limits(metrics=ONCE)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        bank = world.curl(tmp_path, members.BANK)
        assert bank.get("/metrics").status == 200
        refused = bank.get("/metrics")
        assert (refused.status, refused.json["reason"]) == (429, "RATE_LIMITED")
        assert "read the metrics 0.001 times a second" in refused.json["detail"]
        assert bank.get("/checkpoint").status == 200
        assert world.curl(tmp_path, members.PORTAL).get("/metrics").status == 200


def as_nobody(world: GatewayWorld) -> AbstractContextManager[SSLSocket]:
    return connected(world.config.web_host, world.config.web_port, world.authority.certificate)


def test_connections_without_a_certificate_leave_room_for_the_systems(tmp_path: Path) -> None:
    limits = Limits(connections=4, anybody=Anybody(connections=2), body_s=60)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        with as_nobody(world), as_nobody(world):
            for _ in range(4):
                with as_nobody(world) as third:
                    answer = answer_on(third)
                    problem = json.loads(answer.read())
                    assert is_ended(third)
                assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
                assert "There are 2 connections without a certificate" in problem["detail"]
            assert world.curl(tmp_path, members.BANK).get("/metrics").status == 200
        wait_until(lambda: is_taken(world))


def test_connections_that_are_turned_away_and_do_not_say_goodbye_leave_room_for_the_systems(tmp_path: Path) -> None:
    limits = Limits(connections=4, anybody=Anybody(connections=2), body_s=60)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world, ExitStack() as stay:
        for _ in range(2):
            taken = stay.enter_context(as_nobody(world))
            taken.sendall(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
            assert answer_on(taken).status == 200
        for _ in range(4):
            assert answer_on(stay.enter_context(as_nobody(world))).status == 503
        wait_until(lambda: world.curl(tmp_path, members.BANK).get("/metrics").status == 200)


class _TakesOver(asyncio.Protocol):
    """What a library for WebSockets puts in the place of the connection's own protocol."""

    def __init__(self, **_kwargs: object) -> None:
        pass

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def test_whoever_asks_for_a_websocket_gets_an_ordinary_answer_and_is_counted_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvicorn.protocols.websockets.auto.AutoWebSocketsProtocol", _TakesOver)
    limits = Limits(anybody=Anybody(connections=1))
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        for _ in range(3):
            wait_until(lambda: is_taken(world, b"connection: upgrade\r\nupgrade: websocket\r\n"))


def is_taken(world: GatewayWorld, headers: bytes = b"") -> bool:
    """Return whether a request without a certificate is answered."""
    with as_nobody(world) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: gateway\r\n" + headers + b"\r\n")
        return answer_on(connection).status == 200
