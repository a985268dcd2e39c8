"""What the gateway serves over HTTPS beside the calls: the OpenAPI document, metrics, the log's files, a page."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from lienthong.client import Header
from lienthong_core.database import sqlite_url
from lienthong_core.systems import INSTANCE, SystemId
from lienthong_gateway.log.tiles import unbundle
from lienthong_seeds import members
from tests.support.administration import administration, admit
from tests.support.curl import Curl
from tests.support.gateway_world import GatewayWorld, gateway_world

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
LIST_SYSTEMS = "/lienthong.api.exchange.v1.CatalogueService/ListSystems"
STRANGER = SystemId(INSTANCE, "COM", "NOBODY", "nothing")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("pages") / "gateway.sqlite")) as world:
        world.consent()
        world.read()
        yield world


@pytest.fixture
def nobody(world: GatewayWorld, tmp_path: Path) -> Curl:
    return world.curl(tmp_path, None)


@pytest.fixture
def auditor(world: GatewayWorld, tmp_path: Path) -> Curl:
    return world.curl(tmp_path, members.AUDITOR)


def is_of_form(schema: dict[str, Any], value: object) -> bool:
    validator: Any = OAS31Validator(schema)
    return bool(validator.is_valid(value))


def test_the_page_says_in_both_languages_that_it_is_a_simulation(nobody: Curl) -> None:
    answer = nobody.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "SIMULATION" in answer.body.decode()
    assert "MÔ PHỎNG" in answer.body.decode()
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/call"])
def test_a_page_takes_nothing_from_elsewhere_and_stands_in_no_other_page(nobody: Curl, path: str) -> None:
    policy = nobody.get(path).headers["content-security-policy"]
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))


def test_a_path_that_leads_nowhere_is_quoted_only_as_far_as_anybody_reads(nobody: Curl) -> None:
    answer = nobody.get("/" + 4_000 * "a")
    assert (answer.status, "GET / lists what is here" in answer.json["detail"]) == (404, True)
    assert len(answer.body) < 500


def test_a_database_that_fails_is_said_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite"
    with gateway_world(sqlite_url(file)) as world:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("DROP TABLE checkpoint")
        answer = world.curl(tmp_path, None).get("/checkpoint")
    assert (answer.status, answer.json["reason"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_lists_paths_that_are_there(auditor: Curl) -> None:
    paths = re.findall(r"<code>GET (\S+)</code>", auditor.get("/").body.decode())
    known = [path.replace("LEVEL", "0").replace("INDEX", "000.p/1") for path in paths]
    assert len(known) == 6
    assert [auditor.get(path).status for path in known] == [200] * 6


def test_the_openapi_document_is_valid_and_has_every_method(nobody: Curl) -> None:
    document = nobody.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert GET_CITIZEN in document["paths"]
    assert "/lienthong.api.consent.v1.ConsentService/RequestConsent" in document["paths"]


def test_the_openapi_document_can_be_imported_and_used_as_it_is(nobody: Curl) -> None:
    document = nobody.get("/openapi.json").json
    assert [server["url"] for server in document["servers"]] == [nobody.url]
    operations = {path: methods["post"] for path, methods in document["paths"].items()}
    assert all(operation["summary"] for operation in operations.values())
    own = operations["/lienthong.api.exchange.v1.ExchangeLogService/GetDailySummary"]
    assert own["summary"] == "Get daily summary"
    assert operations[GET_CITIZEN]["summary"] == "Tra cứu thông tin công dân · Read a citizen's record"
    assert operations[GET_CITIZEN]["operationId"] == GET_CITIZEN.lstrip("/").replace("/", ".")
    assert document["info"]["version"] == version("lienthong")


def test_the_openapi_document_believes_no_header_about_where_it_is_served(nobody: Curl) -> None:
    forwarded = ("--header", "X-Forwarded-Proto: http", "--header", "X-Forwarded-Host: elsewhere.test")
    document = nobody.get("/openapi.json", *forwarded).json
    assert [server["url"] for server in document["servers"]] == [nobody.url]


def test_the_openapi_document_says_what_a_call_needs_and_what_it_can_answer(nobody: Curl) -> None:
    document = nobody.get("/openapi.json").json
    operation = document["paths"][GET_CITIZEN]["post"]
    headers = {header["name"]: header for header in operation["parameters"]}
    assert {name for name, header in headers.items() if header["required"]} == {"lienthong-purpose"}
    assert "state_19_1_c" in headers["lienthong-legal-basis"]["schema"]["enum"]
    assert operation["security"] == [{"certificate": []}, {"certificate": [], "citizen": []}]
    schemas = document["components"]["schemas"]
    fields = schemas["lienthong.api.population.v1.Citizen"]["properties"].values()
    assert {field["x-lienthong-dataset"] for field in fields if "x-lienthong-dataset" in field} <= set(
        operation["x-lienthong-datasets"]
    )
    assert (operation["x-lienthong-provider"], operation["x-lienthong-account-level"]) == (str(members.POPULATION), 2)
    assert operation["requestBody"]["required"]
    told = (operation["requestBody"], operation["responses"]["200"])
    assert [body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in told] == [
        "lienthong.api.population.v1.GetCitizenRequest",
        "lienthong.api.population.v1.GetCitizenResponse",
    ]
    kinds = {
        path.rpartition("/")[2]: each["post"].get("x-lienthong-access") for path, each in document["paths"].items()
    }
    assert (kinds["GetCitizen"], kinds["VerifyCitizen"], kinds["UpdateResidence"]) == ("READ", "VERIFY", "WRITE")
    assert schemas["lienthong.api.population.v1.GetCitizenRequest"]["properties"]["personalNumber"] == {
        "type": "string"
    }
    citizen = schemas["lienthong.api.population.v1.Citizen"]["properties"]
    assert citizen["bloodGroup"]["x-lienthong-dataset"] == "health.blood_group"
    assert document["components"]["securitySchemes"]["certificate"]["type"] == "mutualTLS"
    assert document["components"]["securitySchemes"]["citizen"]["scheme"] == "bearer"


@pytest.mark.parametrize("name", [Header.MESSAGE_ID, "Connect-Timeout-Ms", "Connect-Protocol-Version"])
def test_a_header_may_be_what_the_openapi_document_says_and_nothing_else(auditor: Curl, name: str) -> None:
    operation = auditor.get("/openapi.json").json["paths"][LIST_SYSTEMS]["post"]
    (schema,) = [header["schema"] for header in operation["parameters"] if header["name"] == name]

    for value in ("1", "2", "9" * 10, "9" * 11, "a" * 128, "a" * 129):
        taken = auditor.call(LIST_SYSTEMS, {}, [(name, value)]).status == 200
        assert taken == is_of_form(schema, value), value


def test_the_openapi_document_describes_every_header_that_callers_meet(nobody: Curl) -> None:
    operation = nobody.get("/openapi.json").json["paths"][GET_CITIZEN]["post"]
    sent = {header["name"] for header in operation["parameters"]}
    told = {name.removeprefix("Trailer-") for name in operation["responses"]["200"]["headers"]}
    # The token is described as a scheme of security; the consumer is told to providers alone.
    assert set(Header) - {Header.AUTHORIZATION, Header.CONSUMER} <= sent | told


def test_the_openapi_document_describes_every_header_of_a_refusal(auditor: Curl) -> None:
    refused = auditor.post(GET_CITIZEN, b"{}")
    told = {name for name in refused.headers if name.startswith("trailer-")}
    described = auditor.get("/openapi.json").json["paths"][GET_CITIZEN]["post"]["responses"]["default"]["headers"]
    assert {"trailer-lienthong-exchange-id", "trailer-lienthong-log-index"} <= told
    assert told | {"retry-after"} <= {name.lower() for name in described}
    assert is_of_form(described["Retry-After"]["schema"], 1)


def test_a_refusal_is_of_the_form_that_the_openapi_document_gives(auditor: Curl) -> None:
    document = auditor.get("/openapi.json").json
    form = document["components"]["schemas"]["connect.error"]
    refused = auditor.post(GET_CITIZEN, b"{}").json

    assert is_of_form(form, refused), refused
    assert set(refused) <= set(form["properties"])


def test_the_openapi_document_describes_what_the_gateway_reads_of_calls_to_itself(nobody: Curl) -> None:
    paths = nobody.get("/openapi.json").json["paths"]
    operation = paths["/lienthong.api.exchange.v1.AdministrationService/AdmitOfficer"]["post"]
    headers = {header["name"]: header["required"] for header in operation["parameters"]}
    assert {Header.OFFICER, Header.MESSAGE_ID, Header.CLIENT} <= headers.keys()
    assert not any(headers.values())
    assert not {Header.PURPOSE, Header.LEGAL_BASIS} & headers.keys()


def test_the_openapi_document_describes_what_is_answered_to_what_is_no_call(auditor: Curl) -> None:
    document = auditor.get("/openapi.json").json
    answer = auditor.post(GET_CITIZEN, b"{}", content_type="text/plain")
    described = document["paths"][GET_CITIZEN]["post"]["responses"]["default"]["content"]
    assert described[answer.headers["content-type"]]["schema"] == {"$ref": "#/components/schemas/problem"}
    problem = document["components"]["schemas"]["problem"]
    assert set(problem["required"]) <= set(answer.json) <= set(problem["properties"])


def test_metrics_are_for_registered_systems(world: GatewayWorld, nobody: Curl, tmp_path: Path) -> None:
    refused = nobody.get("/metrics")
    assert (refused.status, refused.json["reason"]) == (401, "CERTIFICATE_MISSING")
    assert refused.headers["content-type"] == "application/problem+json"
    stranger = world.curl(tmp_path, STRANGER).get("/metrics")
    assert (stranger.status, stranger.json["reason"]) == (401, "SYSTEM_UNKNOWN")
    answer = world.curl(tmp_path, members.BANK).get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        (GET_CITIZEN, 405),
        ("/tile/0/999", 404),
        ("/tile/0/1", 404),
        ("/tile/../../etc/passwd", 404),
        (f"{GET_CITIZEN}/", 404),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_a_problem_that_teaches(
    nobody: Curl, path: str, status: int
) -> None:
    answer = nobody.get(path, "--path-as-is")
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json["detail"]) > 20


@pytest.mark.parametrize("path", ["/checkpoint", "/call"])
def test_the_whole_address_may_be_asked_for_and_another_servers_may_not(nobody: Curl, path: str) -> None:
    assert nobody.get("/", "--request-target", f"{nobody.url}{path}").status == 200
    assert nobody.get("/", "--request-target", f"https://attacker.example{path}").status == 404


@pytest.mark.parametrize("path", ["/call", "/static/call.js"])
@pytest.mark.parametrize(
    ("asked", "status", "length"), [("bytes=9999999-", 416, r"bytes \*/\d+"), ("bytes=x", 400, "")]
)
def test_a_range_that_a_file_has_not_got_is_a_problem_that_teaches(
    nobody: Curl, path: str, asked: str, status: int, length: str
) -> None:
    answer = nobody.get(path, "--header", f"Range: {asked}")
    assert (answer.status, answer.json["status"]) == (status, status)
    assert "the file comes whole" in answer.json["detail"]
    assert re.fullmatch(length, answer.headers.get("content-range", ""))
    assert nobody.get(path, "--header", "Range: bytes=0-3").body == nobody.get(path).body[:4]


def test_a_monitor_without_a_certificate_follows_the_tree_by_its_hashes(nobody: Curl) -> None:
    note = nobody.get("/checkpoint")
    _, size, root, *_ = note.body.decode().splitlines()
    assert note.headers["cache-control"] == "no-store"
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    tile = nobody.get(f"/tile/0/000.p/{size}")
    assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert tile.headers["content-type"] == "application/octet-stream"
    assert len(tile.body) == 32 * int(size)
    assert root
    again = nobody.get("/tile/0/000.p/1")
    assert again.body == tile.body[:32]


def test_entries_are_for_auditors_and_their_reading_is_recorded(
    world: GatewayWorld, nobody: Curl, auditor: Curl, tmp_path: Path
) -> None:
    path = "/tile/entries/000.p/2"
    assert nobody.get(path).json["reason"] == "CERTIFICATE_MISSING"
    refused = world.curl(tmp_path, members.BANK).get(path)
    assert (refused.status, refused.json["reason"]) == (403, "CALLER_NOT_ALLOWED")

    answer = auditor.get(path)
    leaves = unbundle(answer.body)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/octet-stream"
    hashes = nobody.get("/tile/0/000.p/2").body
    assert b"".join(hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves) == hashes
    read = world.entries()[-2]
    assert (read["event"], read["method"], read["consumer"]) == ("LOG_READ", path, str(members.AUDITOR))


def test_entries_whose_reading_cannot_be_recorded_are_not_answered(tmp_path: Path) -> None:
    file = tmp_path / "gateway.sqlite"
    with gateway_world(sqlite_url(file)) as world:
        world.consent()
        auditor = world.curl(tmp_path, members.AUDITOR)
        assert auditor.get("/tile/entries/000.p/2").status == 200
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute(
                "CREATE TRIGGER full BEFORE INSERT ON log_entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            )
        answer = auditor.get("/tile/entries/000.p/2")

    assert (answer.status, answer.json["reason"]) == (503, "EXCHANGE_LOG_UNAVAILABLE")


@pytest.mark.parametrize(
    ("system", "path", "status", "reason"),
    [
        (members.BANK, "/tile/entries/000.p/2", "PERMISSION_DENIED", "CALLER_NOT_ALLOWED"),
        (STRANGER, "/tile/entries/000.p/2", "UNAUTHENTICATED", "SYSTEM_UNKNOWN"),
        (members.AUDITOR, "/tile/entries/999", "NOT_FOUND", "TILE_UNKNOWN"),
    ],
)
def test_the_log_says_which_system_was_refused_its_entries(
    world: GatewayWorld, tmp_path: Path, system: SystemId, path: str, status: str, reason: str
) -> None:
    assert world.curl(tmp_path, system).get(path).json["reason"] == reason

    *_, refused, _read = world.entries()

    assert (refused["event"], refused["decision"], refused["status"]) == ("REFUSAL", "REFUSED", status)
    assert (refused["reason"], refused["method"], refused["consumer"]) == (reason, path, str(system))


def test_who_reads_the_entries_is_recorded_as_he_says_it(world: GatewayWorld, auditor: Curl) -> None:
    admit(administration(world), str(members.AUDITOR), "thanh-tra-02")
    said = {Header.OFFICER: "thanh-tra-02", Header.MESSAGE_ID: "inspection-7"}
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = [f"{name}: {value}" for name, value in said.items()]

    answer = auditor.get("/tile/entries/000.p/2", *sent(*headers, f"traceparent: 00-{trace_id}-00f067aa0ba902b7-01"))

    *_, reading, _ = world.entries()
    assert (answer.status, reading["event"], reading["method"]) == (200, "LOG_READ", "/tile/entries/000.p/2")
    assert (reading["officer"], reading["message_id"]) == ("thanh-tra-02", "inspection-7")
    assert reading["trace_id"] == trace_id


@pytest.mark.parametrize(
    ("header", "status", "reason", "officer"),
    [
        (f"{Header.OFFICER}: anybody at all", 403, "OFFICER_NOT_ALLOWED", "anybody at all"),
        (f"{Header.CLIENT}: {members.BANK}", 403, "CLIENT_MISMATCH", ""),
        (f"{Header.OFFICER}: {129 * 'a'}", 400, "HEADER_INVALID", ""),
    ],
    ids=["an officer of nobody", "another system", "a name that is too long"],
)
def test_nobody_reads_the_entries_in_the_name_of_whom_he_is_not(
    world: GatewayWorld, auditor: Curl, header: str, status: int, reason: str, officer: str
) -> None:
    answer = auditor.get("/tile/entries/000.p/2", *sent(header))

    *_, refused, _ = world.entries()
    assert (answer.status, answer.json["reason"]) == (status, reason)
    assert (refused["event"], refused["reason"], refused["officer"]) == ("REFUSAL", reason, officer)


def sent(*headers: str) -> list[str]:
    return [part for header in headers for part in ("--header", header)]
