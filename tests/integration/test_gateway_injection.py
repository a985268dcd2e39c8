"""Values that try to be more than values: they become no header, no field of a leaf, and no line of a log."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import rfc8785

from lienthong.api.exchange.v1.log_pb2 import ListEntriesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.client import Header
from lienthong_core.database import sqlite_url
from lienthong_seeds import members
from tests.support.attacks import GET_CITIZEN, Attack, assert_refused, send
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.raw_http2 import End, raw_call
from tests.support.waiting import wait_until

GOOD = GetCitizenRequest(personal_number=LAN).SerializeToString()
FORGED = "forged-7f3a"
"""What no log may say as anything but the value that it came in."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("injection") / "gateway.sqlite")) as world:
        # Under Valgrind the keys may not be had in time at first (test_gateway_memory_safety.py).
        wait_until(lambda: refusal_of(world.read).reason == "CONSENT_MISSING")
        world.consent(valid_for=timedelta(days=1))
        yield world


def raw_leaves(world: GatewayWorld) -> list[bytes]:
    stub = ExchangeLogServiceStub(world.channel(members.AUDITOR))
    return [
        bytes(entry.leaf) for entry in stub.ListEntries(ListEntriesRequest(page_size=1_000), timeout=TIMEOUT_S).entries
    ]


def send_raw(
    world: GatewayWorld, folder: Path, *headers: tuple[bytes, bytes], path: bytes = GET_CITIZEN.encode()
) -> End:
    """Make the portal's call with headers that no client library would send."""
    usual = (b"lienthong-purpose", PURPOSE.encode())
    return raw_call(world.config.address, world.identity(members.PORTAL), folder, path, [usual, *headers], GOOD)


HEADERS: dict[str, tuple[str, Attack]] = {
    "twice": (
        "HEADER_DUPLICATED",
        lambda world: send(world, GOOD, ("x-road-userid", "officer-7"), ("x-road-userid", "officer-8")),
    ),
    "too long": ("HEADER_INVALID", lambda world: send(world, GOOD, ("x-road-id", "m" * 4_096))),
    "binary in place of text": (
        "PURPOSE_MISSING",
        lambda world: world.call((("lienthong-purpose-bin", PURPOSE.encode()),)),
    ),
    "binary beside the text": (
        "PURPOSE_UNKNOWN",
        lambda world: world.call((("lienthong-purpose-bin", PURPOSE.encode()), ("lienthong-purpose", "none"))),
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_can_be_read_in_two_ways_is_refused(world: GatewayWorld, name: str) -> None:
    reason, attack = HEADERS[name]

    assert_refused(world, attack, reason)


def test_a_call_written_byte_by_byte_is_answered_like_any_other(world: GatewayWorld, tmp_path: Path) -> None:
    end = send_raw(world, tmp_path, (b"x-road-userid", members.OFFICER.encode()))

    last = [entry for entry in world.entries() if entry["event"] != "LOG_READ"][-1]
    assert end is End.ANSWERED
    assert (last["event"], last["officer"]) == ("EXCHANGE", members.OFFICER)


LINES: dict[str, bytes] = {
    "carriage return and line feed": f"officer-7\r\nx-road-client: {FORGED}".encode(),
    "line feed": f"officer-7\n{FORGED}".encode(),
    "zero": f"officer-7\0{FORGED}".encode(),
    "escape sequence": f"\x1b[2K{FORGED}".encode(),
    "Vietnamese": f"cán bộ {FORGED}".encode(),
    "no text at all": b"\xff\xfe" + FORGED.encode(),
}


@pytest.mark.parametrize("name", LINES)
def test_a_header_with_more_than_printable_ascii_gets_nothing(
    world: GatewayWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    asked, before = len(world.population.calls), raw_leaves(world)

    end = send_raw(world, tmp_path, (b"x-road-userid", LINES[name]))

    new = raw_leaves(world)[len(before) :]
    entries = [entry for leaf in new if (entry := json.loads(leaf))["event"] != "LOG_READ"]
    assert all((entry["event"], entry["reason"]) == ("REFUSAL", "HEADER_INVALID") for entry in entries)
    assert end is not End.ANSWERED or entries
    assert not any(FORGED.encode() in leaf for leaf in new)
    assert FORGED not in caplog.text
    assert len(world.population.calls) == asked
    world.read()


LIKE_MORE_THAN_VALUES = {
    "the rest of a leaf": '","reason":"","event":"EXCHANGE","x":"',
    "an object": '{"event":"EXCHANGE"}',
    "an escaped line": f"officer-7\\n2026-01-01 INFO {FORGED}",
    "an escaped character": "\\u0022,\\u0022event\\u0022:\\u0022EXCHANGE",
    "an encoded line": f"officer-7%0d%0a{FORGED}",
    "a statement": "'; DROP TABLE log_entry; --",
    "a format": "%s%n{0}{trace.subject}",
}
RECORDED_HEADERS = {
    "officer": Header.OFFICER,
    "message_id": Header.MESSAGE_ID,
    "purpose": Header.PURPOSE,
    "legal_basis": Header.LEGAL_BASIS,
    "legal_reference": Header.LEGAL_REFERENCE,
}


@pytest.mark.parametrize("name", LIKE_MORE_THAN_VALUES)
@pytest.mark.parametrize("key", RECORDED_HEADERS)
def test_a_value_that_looks_like_more_is_recorded_as_the_value_of_its_field_and_changes_no_other(
    world: GatewayWorld, caplog: pytest.LogCaptureFixture, key: str, name: str
) -> None:
    caplog.set_level(logging.INFO)
    value = LIKE_MORE_THAN_VALUES[name]
    others = {Header.PURPOSE: "none", Header.LEGAL_BASIS: "state_19_1_c"}
    headers = {str(header): text for header, text in {**others, RECORDED_HEADERS[key]: value}.items()}

    refusal_of(lambda: world.call(tuple(headers.items())))

    leaf = next(leaf for leaf in reversed(raw_leaves(world)) if b'"LOG_READ"' not in leaf)
    entry = json.loads(leaf)
    assert entry[key] == value
    assert (entry["event"], entry["status"]) == ("REFUSAL", "INVALID_ARGUMENT")
    assert rfc8785.dumps(entry) == leaf
    assert entry.keys() == json.loads(raw_leaves(world)[0]).keys()
    assert value not in caplog.text


@pytest.mark.parametrize("path", [b'/a","event":"EXCHANGE/b', b"/a/b\nforged-7f3a", b"/a/cong-dan-\xc4\x91"])
def test_a_method_that_looks_like_more_is_nobodys_method_and_not_recorded(
    world: GatewayWorld, tmp_path: Path, path: bytes
) -> None:
    before = raw_leaves(world)

    send_raw(world, tmp_path, path=path)

    new = [leaf for leaf in raw_leaves(world)[len(before) :] if b'"LOG_READ"' not in leaf]
    for leaf in new:
        entry = json.loads(leaf)
        assert (entry["event"], entry["reason"], entry["method"]) == ("REFUSAL", "METHOD_UNKNOWN", "")
        assert rfc8785.dumps(entry) == leaf


def test_a_method_as_long_as_a_path_may_be_makes_no_long_entry(world: GatewayWorld, tmp_path: Path) -> None:
    answer = world.curl(tmp_path, members.PORTAL).call("/a/" + "%00" * 12_000, {})

    assert answer.error_info.reason == "METHOD_UNKNOWN"
    leaf = next(leaf for leaf in reversed(raw_leaves(world)) if b'"LOG_READ"' not in leaf)
    assert (json.loads(leaf)["reason"], json.loads(leaf)["method"]) == ("METHOD_UNKNOWN", "")
    assert len(leaf) < 2_000


def test_a_method_that_is_no_text_does_not_end_the_gateway(
    world: GatewayWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = len(world.population.calls)

    send_raw(world, tmp_path, path=b"/a/\xff\xfe" + FORGED.encode())

    assert len(world.population.calls) == asked
    wait_until(lambda: reads(world))
    wait_until(lambda: "never retrieved" in caplog.text)
    assert FORGED not in caplog.text


def test_a_method_that_is_no_text_does_not_end_the_gateway_while_a_call_is_held_open(
    world: GatewayWorld, tmp_path: Path
) -> None:
    watch: grpc.UnaryStreamMultiCallable[bytes, bytes] = world.channel(members.BANK).unary_stream(
        "/grpc.health.v1.Health/Watch"
    )
    held = watch(b"", timeout=TIMEOUT_S)
    try:
        assert next(held)
        # The second time before the server that the call is held at may have ended.
        for _ in range(2):
            send_raw(world, tmp_path, path=b"/a/\xff\xfe")
            wait_until(lambda: reads(world))
    finally:
        held.cancel()


def reads(world: GatewayWorld) -> bool:
    """Make the ordinary call, and return whether it was answered."""
    try:
        world.read()
    except grpc.RpcError:
        return False
    return True
