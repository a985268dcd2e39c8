"""The gateway's calls as JSON over HTTPS, driven with curl: the same answers, refusals and entries as over gRPC."""

import gzip
import json
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo

from lienthong.api.exchange.v1.catalogue_pb2 import ListSystemsResponse
from lienthong.api.population.v1.population_pb2 import (
    Change,
    GetCitizenRequest,
    GetCitizenResponse,
    ListChangesResponse,
)
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext, Header, Receipt
from lienthong_core.certificates import Authority
from lienthong_core.database import sqlite_url
from lienthong_core.errors import not_found
from lienthong_core.rpc import MAX_MESSAGE_BYTES
from lienthong_core.systems import INSTANCE, SystemId
from lienthong_gateway.web.codecs import JsonCodec
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI, citizen
from tests.support.curl import Curl, HttpAnswer
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
VERIFY_CITIZEN = "/lienthong.api.population.v1.PopulationService/VerifyCitizen"
LIST_CHANGES = "/lienthong.api.population.v1.PopulationService/ListChanges"
LIST_SYSTEMS = "/lienthong.api.exchange.v1.CatalogueService/ListSystems"
STRANGER = SystemId(INSTANCE, "COM", "NOBODY", "nothing")
OWN = {"after_checkpoint", "time", "exchange_id", "step_us", "trace_id", "request_digest", "response_digest"}
"""What two entries about the same call may differ in."""
Headers = list[tuple[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("json") / "gateway.sqlite")) as world:
        world.consent()
        yield world


@pytest.fixture
def portal(world: GatewayWorld, tmp_path: Path) -> Curl:
    return world.curl(tmp_path, members.PORTAL)


def consented(world: GatewayWorld, **changes: str) -> Headers:
    return list(CallContext(**{"purpose": PURPOSE, "token": world.token(), **changes}).metadata())


def receipt_of(answer: HttpAnswer) -> Receipt:
    prefix = "trailer-"
    return Receipt.of([(k.removeprefix(prefix), v) for k, v in answer.headers.items() if k.startswith(prefix)])


def test_a_consented_read_answers_the_same_over_json_as_over_grpc(world: GatewayWorld, portal: Curl) -> None:
    over_grpc, grpc_receipt = world.read()

    answer = portal.call(GET_CITIZEN, {"personalNumber": LAN}, consented(world))

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert json_format.ParseDict(answer.json, GetCitizenResponse()) == over_grpc
    receipt = receipt_of(answer)
    assert receipt.datasets_released == grpc_receipt.datasets_released
    assert receipt.datasets_withheld == grpc_receipt.datasets_withheld
    assert receipt.request_hash == grpc_receipt.request_hash
    first, second = (world.entries()[index] for index in (grpc_receipt.log_index, receipt.log_index))
    assert {k: v for k, v in first.items() if k not in OWN} == {k: v for k, v in second.items() if k not in OWN}


def test_the_binary_form_is_spoken_as_well(world: GatewayWorld, portal: Curl) -> None:
    request = GetCitizenRequest(personal_number=LAN).SerializeToString()
    answer = portal.post(GET_CITIZEN, request, consented(world), "application/proto")
    assert answer.headers["content-type"] == "application/proto"
    assert GetCitizenResponse.FromString(answer.body) == world.read()[0]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP"])
def test_a_body_may_be_compressed_with_gzip(world: GatewayWorld, portal: Curl, encoding: str) -> None:
    body = gzip.compress(json.dumps({"personal_number": LAN}).encode())
    answer = portal.post(GET_CITIZEN, body, [*consented(world), ("content-encoding", encoding)])
    assert answer.json["citizen"]["personalNumber"] == LAN


def test_a_body_may_be_said_to_be_as_it_is(portal: Curl) -> None:
    assert portal.call(LIST_SYSTEMS, {}, [("content-encoding", "identity")]).status == 200


@pytest.mark.parametrize("charset", ["utf-8", '"utf-8"', "UTF-8"])
def test_the_character_set_may_be_named(portal: Curl, charset: str) -> None:
    answer = portal.post(LIST_SYSTEMS, b"{}", content_type=f"application/json; charset={charset}")
    assert answer.status == 200


@pytest.mark.parametrize("timeout_ms", ["5000", "9999999999"])
def test_the_gateways_own_methods_are_called_in_the_same_way(portal: Curl, timeout_ms: str) -> None:
    answer = portal.call(LIST_SYSTEMS, {}, [("connect-protocol-version", "1"), ("connect-timeout-ms", timeout_ms)])
    assert answer.status == 200
    assert str(members.PORTAL) in {system["systemId"] for system in answer.json["systems"]}


def over_grpc(world: GatewayWorld, number: str, headers: Headers, consumer: SystemId) -> tuple[str, str]:
    stub = PopulationServiceStub(world.channel(consumer))
    request = GetCitizenRequest(personal_number=number)
    why = refusal_of(lambda: stub.GetCitizen(request, metadata=tuple(headers), timeout=TIMEOUT_S))
    return why.status.name, why.reason


PORTAL, BANK = members.PORTAL, members.BANK


@pytest.mark.parametrize(
    ("refused_with", "status", "number", "changes", "more", "consumer"),
    [
        ("PURPOSE_MISSING", 400, LAN, {"purpose": ""}, [], PORTAL),
        ("PURPOSE_UNKNOWN", 400, LAN, {"purpose": "nonsense"}, [], PORTAL),
        ("PERSONAL_NUMBER_INVALID", 400, "12", {}, [], PORTAL),
        ("TOKEN_MALFORMED", 401, LAN, {"token": "x"}, [], PORTAL),
        ("SUBJECT_MISMATCH", 403, MAI, {}, [], PORTAL),
        ("LEGAL_BASIS_UNKNOWN", 400, LAN, {"legal_basis": "because"}, [], PORTAL),
        ("HEADER_DUPLICATED", 400, LAN, {}, [(Header.PURPOSE, "again")], PORTAL),
        ("CLIENT_MISMATCH", 403, LAN, {}, [(Header.CLIENT, "A/B/C/D")], PORTAL),
        ("TOKEN_NOT_YOURS", 401, LAN, {}, [], BANK),
        ("SYSTEM_UNKNOWN", 401, LAN, {}, [], STRANGER),
        ("HEADERS_TOO_MANY", 429, LAN, {}, [(f"h-{number}", "1") for number in range(64)], PORTAL),
    ],
)
def test_a_refusal_has_the_same_reason_status_and_entry_over_json_as_over_grpc(
    world: GatewayWorld,
    tmp_path: Path,
    refused_with: str,
    status: int,
    number: str,
    changes: dict[str, str],
    more: Headers,
    consumer: SystemId,
) -> None:
    sent = [*consented(world, **changes), *more]
    code, reason = over_grpc(world, number, sent, consumer)

    answer = world.curl(tmp_path, consumer).call(GET_CITIZEN, {"personalNumber": number}, sent)

    assert (answer.status, reason, answer.error_info.reason) == (status, refused_with, refused_with)
    assert answer.json["code"] == code.lower()
    assert answer.error_info.metadata["exchange_id"] == answer.headers["trailer-lienthong-exchange-id"]
    first, second = world.entries()[-3:-1]
    assert (first["event"], first["reason"], first["status"]) == ("REFUSAL", refused_with, code)
    assert {k: v for k, v in first.items() if k not in OWN} == {k: v for k, v in second.items() if k not in OWN}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"personalNumber": "099190000001", "nickname": "Lan"}', 'no field named "nickname"'),
        (b'{"personalNumber": 12}', "personalNumber"),
        (b'{"personalNumber": "1", "personalNumber": "2"}', "personalNumber"),
        (b'{"personalNumber": "099190000001", "personal_number": "079186000012"}', "personal_number"),
        (b"[]", "no JSON object"),
        (b"", "no JSON object"),
        (b"{", "JSON"),
        (b'{"\xff"', "UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (rb'{"\ud800": 1}', "half of a surrogate pair"),
        (b"[" * 50_000, "no JSON object"),
        (b'{"birthDate":' * 5_000, "JSON"),
    ],
)
def test_json_that_is_no_request_is_refused_with_what_is_wrong(portal: Curl, body: bytes, said: str) -> None:
    answer = portal.post(GET_CITIZEN, body)
    assert (answer.status, answer.error_info.reason) == (400, "REQUEST_MALFORMED")
    assert said in answer.json["message"]
    assert len(answer.json["message"]) < 600


@pytest.mark.parametrize("empty", [b"[]", b'""'])
def test_what_is_no_object_where_a_message_should_be_is_refused_and_recorded(
    world: GatewayWorld, portal: Curl, empty: bytes
) -> None:
    answer = portal.post(VERIFY_CITIZEN, b'{"birthDate": ' + empty + b"}")
    assert (answer.status, answer.error_info.reason) == (400, "REQUEST_MALFORMED")
    assert "PartialDate is no JSON object" in answer.json["message"]
    assert world.entries()[receipt_of(answer).log_index]["reason"] == "REQUEST_MALFORMED"


def test_a_body_that_fails_in_a_way_nobody_foresaw_is_refused_and_recorded(
    world: GatewayWorld, portal: Curl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> bytes:
        raise LookupError(LAN)

    monkeypatch.setattr(JsonCodec, "request", fail)
    answer = portal.call(GET_CITIZEN, {"personalNumber": LAN})
    assert (answer.status, answer.error_info.reason) == (500, "INTERNAL")
    assert world.entries()[receipt_of(answer).log_index]["reason"] == "INTERNAL"


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ([("connect-protocol-version", "2")], 400, "HEADER_INVALID"),
        ([("connect-protocol-version", "1"), ("connect-protocol-version", "1")], 400, "HEADER_DUPLICATED"),
        ([("connect-timeout-ms", "soon")], 400, "HEADER_INVALID"),
        ([("connect-timeout-ms", "5000 ms")], 400, "HEADER_INVALID"),
        ([("connect-timeout-ms", "-1")], 400, "HEADER_INVALID"),
        ([("connect-timeout-ms", "10000000000")], 400, "HEADER_INVALID"),
        ([("connect-timeout-ms", "1"), ("connect-timeout-ms", "2")], 400, "HEADER_INVALID"),
        ([("content-encoding", "br")], 501, "ENCODING_UNKNOWN"),
        ([("content-encoding", "deflate")], 501, "ENCODING_UNKNOWN"),
        ([("content-encoding", "gzip, gzip")], 501, "ENCODING_UNKNOWN"),
        ([("content-encoding", "gzip")], 400, "REQUEST_MALFORMED"),
        ([("content-encoding", "identity"), ("content-encoding", "gzip")], 400, "HEADER_DUPLICATED"),
    ],
)
def test_headers_of_the_protocol_are_held_to_their_form(
    portal: Curl, headers: Headers, status: int, reason: str
) -> None:
    answer = portal.call(LIST_SYSTEMS, {}, headers)
    assert (answer.status, answer.error_info.reason) == (status, reason)


def test_a_body_of_nothing_is_not_taken_for_gzip_whatever_its_header_says(portal: Curl) -> None:
    answer = portal.post(LIST_SYSTEMS, b"", [("content-encoding", "gzip")], "application/proto")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/proto")
    assert ListSystemsResponse.FromString(answer.body).systems


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"{}")[:-9],
        gzip.compress(b"{}".ljust(JsonCodec.most_bytes))[:-8],
        gzip.compress(b"{}")[:-8] + bytes(8),
        zlib.compress(b"{}"),
    ],
    ids=["early", "early, as large as may be", "another checksum", "zlib"],
)
def test_what_is_no_whole_gzip_is_refused(portal: Curl, body: bytes) -> None:
    answer = portal.post(LIST_SYSTEMS, body, [("content-encoding", "gzip")])
    assert answer.error_info.reason == "REQUEST_MALFORMED"


@pytest.mark.parametrize("rest", [gzip.compress(b'{"nickname": "Lan"}'), b"rest"], ids=["gzip again", "no gzip"])
def test_gzip_that_something_follows_is_refused(portal: Curl, rest: bytes) -> None:
    answer = portal.post(LIST_SYSTEMS, gzip.compress(b"{}") + rest, [("content-encoding", "gzip")])
    assert (answer.status, answer.error_info.reason) == (400, "REQUEST_MALFORMED")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b" " * (MAX_MESSAGE_BYTES + 1), []),
        (gzip.compress(b" " * (64 * MAX_MESSAGE_BYTES)), [("content-encoding", "gzip")]),
    ],
    ids=["plain", "gzip"],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(portal: Curl, body: bytes, headers: Headers) -> None:
    answer = portal.post(LIST_SYSTEMS, body, headers)
    assert (answer.status, answer.error_info.reason) == (429, "MESSAGE_TOO_LARGE")


@pytest.mark.parametrize("content_type", ["text/plain", "application/grpc-web", "application/json; charset=latin-1"])
def test_other_content_types_are_refused_and_nothing_is_recorded(
    world: GatewayWorld, portal: Curl, content_type: str
) -> None:
    before = len(world.entries())
    answer = portal.post(GET_CITIZEN, b"{}", content_type=content_type)
    assert (answer.status, answer.headers["content-type"]) == (415, "application/problem+json")
    assert answer.headers["accept-post"] == "application/json, application/proto"
    assert len(world.entries()) == before + 1


def test_a_call_without_a_certificate_is_refused_and_not_recorded(world: GatewayWorld, tmp_path: Path) -> None:
    before = len(world.entries())
    answer = world.curl(tmp_path, None).call(GET_CITIZEN, {"personalNumber": LAN}, consented(world))
    assert (answer.status, answer.error_info.reason) == (401, "CERTIFICATE_MISSING")
    assert len(world.entries()) == before + 1


def test_a_certificate_of_another_authority_does_not_get_through_the_handshake(
    world: GatewayWorld, tmp_path: Path
) -> None:
    foreign = Authority.create().issue(members.PORTAL)
    curl = Curl(f"https://127.0.0.1:{world.config.web_port}", tmp_path, foreign, world.authority.certificate)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        curl.call(LIST_SYSTEMS, {})
    assert caught.value.stdout == b""
    # 35 is curl's word for a failed handshake. In TLS 1.3 the client has finished before the server has looked at its
    # certificate, so curl may learn of it only by a connection that is reset (56) or closed (52) instead of answered.
    assert caught.value.returncode in {35, 52, 56}


def test_a_method_that_nobody_provides_is_refused_as_over_grpc(portal: Curl) -> None:
    answer = portal.call("/lienthong.test.v1.Nothing/Nothing", {})
    assert (answer.status, answer.json["code"], answer.error_info.reason) == (501, "unimplemented", "METHOD_UNKNOWN")


def test_a_call_ends_when_its_callers_time_is_over(world: GatewayWorld, portal: Curl) -> None:
    headers = [*consented(world), ("connect-timeout-ms", "400")]
    with world.population.hanging("GetCitizen"):
        began = time.monotonic()
        answer = portal.call(GET_CITIZEN, {"personalNumber": LAN}, headers)
    assert time.monotonic() - began > 0.2
    assert answer.status == 504
    assert answer.json["code"] == "deadline_exceeded"
    assert answer.error_info.reason in {"PROVIDER_TIMEOUT", "DEADLINE_PASSED"}


def test_an_answer_that_json_cannot_say_is_recorded_as_refused_and_not_as_released(
    world: GatewayWorld, tmp_path: Path
) -> None:
    time = Timestamp(seconds=-62135596801)
    before_all_time = Change(personal_number=LAN, datasets=["identity.basic"], changed_at=time)
    world.population.answer("ListChanges", ListChangesResponse(changes=[before_all_time]))
    headers = CallContext("integration-test", "", "state_19_1_c", "TEST-1", "officer-1").metadata()

    answer = world.curl(tmp_path, members.YOUR_SYSTEM).call(LIST_CHANGES, {}, list(headers))

    assert (answer.status, answer.error_info.reason) == (500, "PROVIDER_ANSWER_INVALID")
    entry = world.entries()[int(answer.error_info.metadata["log_index"])]
    assert entry["exchange_id"] == answer.error_info.metadata["exchange_id"]
    assert (entry["event"], entry["reason"]) == ("REFUSAL", "PROVIDER_ANSWER_INVALID")
    assert (entry["datasets_released"], entry["response_digest"]) == ([], "")


def test_what_a_provider_refuses_with_comes_through_unchanged(world: GatewayWorld, portal: Curl) -> None:
    world.population.answer("GetCitizen", not_found("CITIZEN_UNKNOWN", "No such citizen."))
    try:
        answer = portal.call(GET_CITIZEN, {"personalNumber": LAN}, consented(world))
    finally:
        world.population.answer("GetCitizen", GetCitizenResponse(citizen=citizen()))
    assert (answer.status, answer.error_info.reason) == (404, "CITIZEN_UNKNOWN")
    assert answer.error_info.metadata["origin"] == str(members.POPULATION)


def test_the_debug_part_of_a_detail_says_what_its_bytes_say(portal: Curl) -> None:
    answer = portal.call(GET_CITIZEN, {})
    (detail,) = answer.json["details"]
    assert json_format.ParseDict(detail["debug"], ErrorInfo()) == answer.error_info
