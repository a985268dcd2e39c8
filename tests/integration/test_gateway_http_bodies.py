"""Whether a call over HTTP is taken on is decided before its body is read, and slow bodies hold nobody else up."""

import gzip
import json
import logging
import tracemalloc
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from ssl import SSLSocket

import pytest
from google.protobuf import json_format

from lienthong.api.consent.v1.consent_pb2 import RequestConsentRequest
from lienthong.api.exchange.v1.administration_pb2 import RegisterLegalGroundRequest, RegisterPurposeRequest
from lienthong.api.exchange.v1.catalogue_pb2 import LegalGround, ListSystemsRequest, Purpose
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.api.rights.v1.rights_pb2 import SubmitRequest
from lienthong_core.contracts import all_contracts
from lienthong_core.database import sqlite_url
from lienthong_core.json_lines import JsonLines
from lienthong_core.rpc import MAX_MESSAGE_BYTES
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import load_contracts
from lienthong_gateway.contract.request_bytes import MOST_FIELDS
from lienthong_gateway.edge.limits import Limits, Rate
from lienthong_gateway.telemetry.access_log import LOGGER
from lienthong_seeds import members
from tests.support.attacks import GET_CITIZEN, send
from tests.support.curl import Curl
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.https import answer_on, connected
from tests.support.waiting import wait_until

LIST_SYSTEMS = "/lienthong.api.exchange.v1.CatalogueService/ListSystems"
LIST_CONSENTS = "/lienthong.api.consent.v1.ConsentService/ListConsents"
SLOW_BODIES = 3
HEAD = (
    f"POST {LIST_SYSTEMS} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
).encode()
LIMIT = 64 << 10
COMMAS = 2_048
WORST = b'{"legalGround": {"referenceForms": [' + b",".join([b"1"] * (MAX_MESSAGE_BYTES // 2 - 40)) + b"]}}"
"""Of all JSON that is taken, this takes the longest to read."""
REGISTER = "/lienthong.api.exchange.v1.AdministrationService/RegisterLegalGround"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    """Give a gateway that takes few slow bodies of a system, works on one call at once, and waits long for bodies."""
    limits = Limits(
        bodies_per_system=SLOW_BODIES, calls_at_once=1, calls_in_line=1, body_s=60, rates={members.SHOP: Rate(0.001, 1)}
    )
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        yield world


@pytest.fixture
def portal(world: GatewayWorld, tmp_path: Path) -> Curl:
    return world.curl(tmp_path, members.PORTAL)


def connection_of(world: GatewayWorld, system: SystemId, folder: Path) -> AbstractContextManager[SSLSocket]:
    identity = (world.identity(system), folder / "connection")
    return connected(world.config.web_host, world.config.web_port, world.authority.certificate, identity)


@contextmanager
def slow_bodies(world: GatewayWorld, folder: Path) -> Generator[list[SSLSocket]]:
    """Keep as many calls of the portal under way as may be, each with half of its body there."""
    with ExitStack() as stack:
        slow = [stack.enter_context(connection_of(world, members.PORTAL, folder)) for _ in range(SLOW_BODIES)]
        for connection in slow:
            connection.sendall(HEAD + b"{")
        wait_until(lambda: calls_in_flight(world, folder) == SLOW_BODIES)
        yield slow


def calls_in_flight(world: GatewayWorld, folder: Path) -> int:
    lines = world.curl(folder, members.BANK).get("/metrics").body.decode().splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith("lienthong_gateway_calls_in_flight ")]
    return int(float(value))


def list_systems(world: GatewayWorld, system: SystemId) -> None:
    CatalogueServiceStub(world.channel(system)).ListSystems(ListSystemsRequest(), timeout=TIMEOUT_S)


def turned_away(world: GatewayWorld) -> list[tuple[str, int]]:
    return [(entry["consumer"], entry["calls"]) for entry in world.entries() if entry["reason"] == "OVERLOADED"]


def test_a_call_that_is_not_taken_on_is_refused_before_its_body_is_there(world: GatewayWorld, tmp_path: Path) -> None:
    list_systems(world, members.SHOP)
    with connection_of(world, members.SHOP, tmp_path) as connection:
        connection.sendall(HEAD)
        answer = answer_on(connection)
        assert (answer.status, json.loads(answer.read())["code"]) == (429, "resource_exhausted")


def test_one_system_has_only_so_many_requests_on_their_way_and_others_are_not_held_up(
    world: GatewayWorld, tmp_path: Path, portal: Curl
) -> None:
    with slow_bodies(world, tmp_path) as slow:
        refused = portal.call(LIST_SYSTEMS, {})
        assert (refused.status, refused.error_info.reason) == (429, "OVERLOADED")
        assert "on their way" in refused.json["message"]
        assert refused.error_info.metadata == {"origin": "gateway"}
        assert int(refused.headers["retry-after"]) >= 1
        # Nobody waits for a turn that a slow body would have.
        assert world.curl(tmp_path, members.BANK).call(LIST_SYSTEMS, {}).status == 200
        list_systems(world, members.PORTAL)

        slow[0].sendall(b"}")
        assert answer_on(slow[0]).status == 200
        assert portal.call(LIST_SYSTEMS, {}).status == 200
    wait_until(lambda: turned_away(world))
    assert turned_away(world) == [(str(members.PORTAL), 1)]


def test_the_line_of_a_call_whose_request_never_came_names_its_system(
    world: GatewayWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        with slow_bodies(world, tmp_path):
            pass
        wait_until(lambda: len([record for record in caplog.records if record.name == LOGGER]) == SLOW_BODIES)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == LOGGER]
    assert {(line["reason"], line["consumer"]) for line in lines} == {("CALLER_GONE", str(members.PORTAL))}


def test_requests_on_their_way_leave_half_of_the_places_to_calls_that_are_here(tmp_path: Path) -> None:
    slow = (members.PORTAL, members.SHOP)
    limits = Limits(calls_in_flight=2 * len(slow), body_s=60)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world, ExitStack() as stack:
        for system in slow:
            stack.enter_context(connection_of(world, system, tmp_path)).sendall(HEAD + b"{")
        wait_until(lambda: calls_in_flight(world, tmp_path) == len(slow))
        refused = world.curl(tmp_path, members.BANK).call(LIST_SYSTEMS, {})
        assert (refused.status, refused.error_info.reason) == (429, "OVERLOADED")
        assert "2 requests of all systems are still on their way" in refused.json["message"]
        list_systems(world, members.BANK)


def test_a_call_takes_a_place_at_its_provider_only_once_its_request_is_here(tmp_path: Path) -> None:
    limits = Limits(calls_per_provider=1, body_s=60)
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite"), limits=limits) as world:
        world.consent()
        with connection_of(world, members.SHOP, tmp_path) as slow, ThreadPoolExecutor() as pool:
            slow.sendall(HEAD.replace(LIST_SYSTEMS.encode(), GET_CITIZEN.encode()) + b"{")
            wait_until(lambda: calls_in_flight(world, tmp_path) == 1)
            world.read()
            with world.population.hanging("GetCitizen"):
                asked = len(world.population.calls)
                reading = pool.submit(world.read)
                wait_until(lambda: len(world.population.calls) > asked)
                slow.sendall(b"}")
                refused = answer_on(slow)
                assert (refused.status, b"1 calls to" in refused.read()) == (429, True)
            reading.result()
        assert calls_in_flight(world, tmp_path) == 0
        world.read()


def test_a_client_that_goes_away_before_its_body_was_there_gives_its_place_back(
    world: GatewayWorld, tmp_path: Path, portal: Curl
) -> None:
    with slow_bodies(world, tmp_path):
        recorded = len(world.entries())
    wait_until(lambda: calls_in_flight(world, tmp_path) == 0)
    assert portal.call(LIST_SYSTEMS, {}).status == 200
    assert [entry["event"] for entry in world.entries()[recorded:]] == ["LOG_READ"]


def test_the_callers_time_runs_while_its_body_is_on_its_way(world: GatewayWorld, tmp_path: Path) -> None:
    with connection_of(world, members.PORTAL, tmp_path) as connection:
        connection.sendall(HEAD.replace(b"host:", b"connect-timeout-ms: 200\r\nhost:") + b"{")
        answer = answer_on(connection)
        assert (answer.status, json.loads(answer.read())["code"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize("size", [LIMIT + 1, len(WORST)])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_json_above_its_limit_is_refused_unread_with_the_limit(portal: Curl, size: int, zipped: bool) -> None:
    body = WORST[:size]
    headers = [("content-encoding", "gzip")] if zipped else []
    refused = portal.post(REGISTER, gzip.compress(body) if zipped else body, headers)
    assert (refused.status, refused.error_info.reason) == (429, "MESSAGE_TOO_LARGE")
    assert f"{LIMIT} bytes that are taken as application/json" in refused.json["message"]


def test_a_body_above_its_limit_is_refused_before_the_rest_of_it_comes(world: GatewayWorld, tmp_path: Path) -> None:
    head = HEAD.replace(b"content-length: 2", b"content-length: %d" % (1 << 30))
    with connection_of(world, members.PORTAL, tmp_path) as connection:
        connection.sendall(head + b"{" + b" " * LIMIT)
        answer = answer_on(connection)
        assert (answer.status, b"MESSAGE_TOO_LARGE" in answer.read()) == (429, True)


def test_a_body_that_has_come_up_to_its_limit_is_not_taken_for_the_whole(world: GatewayWorld, tmp_path: Path) -> None:
    head = HEAD.replace(b"content-length: 2", b"content-length: %d" % (LIMIT + 1))
    with connection_of(world, members.PORTAL, tmp_path) as connection:
        connection.sendall(head + b"{}" + b" " * (LIMIT - 2))
        # What has come is read meanwhile.
        list_systems(world, members.BANK)
        connection.sendall(b"}")
        answer = answer_on(connection)
        assert (answer.status, b"MESSAGE_TOO_LARGE" in answer.read()) == (429, True)


def test_of_a_body_that_gzip_made_small_no_more_is_unpacked_than_is_taken(portal: Curl) -> None:
    body = gzip.compress(bytes(64 * MAX_MESSAGE_BYTES))
    tracemalloc.start()
    try:
        refused = portal.post(LIST_SYSTEMS, body, [("content-encoding", "gzip")], "application/proto")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.error_info.reason == "MESSAGE_TOO_LARGE"
    assert most < 16 * MAX_MESSAGE_BYTES


def test_json_up_to_its_limits_is_read(portal: Curl) -> None:
    body = WORST[: WORST.index(b"[") + 1 + 2 * COMMAS] + b"1" + b"]}}"
    assert body.count(b",") == COMMAS
    assert portal.post(REGISTER, body + b" " * (LIMIT - len(body))).error_info.reason == "CALLER_NOT_ALLOWED"


def test_json_of_more_values_than_are_taken_is_refused_unread_however_short_they_are(portal: Curl) -> None:
    refused = portal.post(REGISTER, WORST[: 2 * COMMAS + 100])
    assert (refused.status, refused.error_info.reason) == (429, "MESSAGE_TOO_LARGE")
    assert f"{COMMAS} commas" in refused.json["message"]


def test_the_binary_form_has_the_limit_of_all_messages(portal: Curl) -> None:
    a_field_nobody_knows = b"\x0a\xfc\xff\x3f"
    largest = a_field_nobody_knows + bytes(MAX_MESSAGE_BYTES - len(a_field_nobody_knows))
    for body, reason in ((largest, "REQUEST_FIELD_UNKNOWN"), (largest + b"\0", "MESSAGE_TOO_LARGE")):
        assert portal.post(LIST_SYSTEMS, body, content_type="application/proto").error_info.reason == reason


@pytest.mark.parametrize(
    ("method", "field"), [(LIST_CONSENTS, b"\x0a\x00"), (LIST_SYSTEMS, b"\x12\x00")], ids=["subjects", "unknown"]
)
def test_more_fields_than_are_taken_are_refused_whichever_way_they_come(
    world: GatewayWorld, portal: Curl, method: str, field: bytes
) -> None:
    body = field * (MAX_MESSAGE_BYTES // len(field))
    over_http = portal.post(method, gzip.compress(body), [("content-encoding", "gzip")], "application/proto")
    over_grpc = refusal_of(lambda: send(world, body, method=method))
    assert (over_http.status, over_http.error_info.reason) == (429, "MESSAGE_TOO_LARGE")
    assert over_grpc.reason == "MESSAGE_TOO_LARGE"
    assert f"{MOST_FIELDS} fields" in over_http.json["message"]
    assert [entry["reason"] for entry in world.entries()[:2]] == ["MESSAGE_TOO_LARGE"] * 2


def test_no_request_comes_near_the_json_that_is_taken() -> None:
    registration = members.registration()
    contracts = load_contracts(registration, all_contracts())
    datasets = {dataset for contract in contracts.values() for dataset in contract.datasets}
    longest = "\N{LATIN SMALL LETTER E WITH CIRCUMFLEX AND ACUTE}" * 500
    ground = LegalGround(law_vi=longest, law_en=longest, methods=list(contracts), purposes=list(registration.purposes))
    purpose = Purpose(title_vi=longest, title_en=longest, datasets=sorted(datasets))
    requests = (
        RegisterLegalGroundRequest(legal_ground=ground),
        RegisterPurposeRequest(purpose=purpose),
        RequestConsentRequest(datasets=sorted(datasets)),
        SubmitRequest(detail=4 * longest),
    )
    # As the one that makes most of each letter writes them.
    written = [json_format.MessageToJson(request, ensure_ascii=True) for request in requests]
    assert max(map(len, written)) < LIMIT / 4
    assert max(text.count(",") for text in written) < COMMAS / 4
