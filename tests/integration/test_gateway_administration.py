"""What is registered is changed while the gateway runs: by whom, what takes effect, and what the log says of it."""

import json
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
import rfc8785
from google.protobuf import json_format

from lienthong.api.exchange.v1 import administration_pb2 as pb
from lienthong.api.exchange.v1 import catalogue_pb2
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.client import CallContext, explain
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_seeds import members
from tests.support.administration import (
    BANK,
    BY_OFFICER,
    CONSENT,
    CONTRACT,
    DENIED,
    GET_ACCOUNT,
    GET_CITIZEN,
    INVALID,
    SHOP,
    administration,
    admit,
    day,
    dismiss,
    end_ground,
    grant,
    read_by_contract,
    register_ground,
    register_purpose,
    right,
    today,
    withdraw,
)
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of


@contextmanager
def administered(database_url: str, key: CheckpointKey | None = None) -> Generator[GatewayWorld]:
    """Run a gateway at a time of day at which no day begins while a test lasts."""
    with gateway_world(database_url, checkpoint_key=key or CheckpointKey.create()) as world:
        world.clock.set(datetime(2026, 11, 23, 5, tzinfo=UTC))
        yield world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with administered(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        yield world


def test_a_right_counts_from_its_grant_to_its_withdrawal(database_url: str) -> None:
    with administered(database_url) as world:
        stub = administration(world)
        context = CallContext(members.MARKETING.code, world.token(members.SHOP))
        assert refusal_of(lambda: world.get_citizen(context, members.SHOP)).reason == "ACCESS_RIGHT_MISSING"

        granted = grant(stub)
        world.consent(members.SHOP, purpose=members.MARKETING.code)
        world.get_citizen(context, members.SHOP)
        withdrawn = withdraw(stub)

        assert list(granted.datasets) == ["identity.basic"]
        assert withdrawn.HasField("withdrawn_at")
        assert refusal_of(lambda: world.get_citizen(context, members.SHOP)).reason == "ACCESS_RIGHT_NOT_IN_FORCE"
        assert grant(stub).valid_from == day(today(world))
        world.get_citizen(context, members.SHOP)


def test_a_right_is_granted_again_once_its_last_day_has_passed_and_not_before(world: GatewayWorld) -> None:
    stub, tomorrow = administration(world), day(today(world) + timedelta(days=1))
    grant(stub, valid_from=tomorrow, valid_until=tomorrow)

    for _ in ("before its only day", "on it"):
        assert refusal_of(lambda: grant(stub)).reason == "REGISTERED_ALREADY"
        world.clock.advance(timedelta(days=1))

    assert grant(stub).valid_from == day(today(world))


def test_what_names_no_first_day_begins_today_in_vietnam(world: GatewayWorld) -> None:
    world.clock.set(datetime(2026, 11, 22, 18, tzinfo=UTC))
    stub = administration(world)

    assert grant(stub).valid_from == day(date(2026, 11, 23))
    assert register_ground(stub).effective_from == day(date(2026, 11, 23))


def test_who_is_dismissed_at_one_system_acts_for_another_still(world: GatewayWorld) -> None:
    stub = administration(world)
    for system in (SHOP, BANK):
        admit(stub, system, "nv-01")

    dismiss(stub, SHOP, "nv-01")

    def officers(system: str) -> set[str]:
        found = stub.ListOfficers(pb.ListOfficersRequest(system_id=system), timeout=TIMEOUT_S).officers
        assert {officer.system_id for officer in found} == {system}
        return {officer.officer_id for officer in found}

    assert (officers(SHOP), officers(BANK)) == ({members.OFFICER}, {members.OFFICER, "nv-01"})


def test_rights_are_listed_of_one_system_to_one_method(world: GatewayWorld) -> None:
    request = pb.ListAccessRightsRequest(consumer=BANK, method=GET_CITIZEN)

    found = administration(world).ListAccessRights(request, timeout=TIMEOUT_S).access_rights

    assert {right.purpose for right in found} == {members.EKYC.code, members.MARKETING.code}
    assert {(right.consumer, right.method) for right in found} == {(BANK, GET_CITIZEN)}


def test_what_was_changed_is_there_after_a_restart(tmp_path: Path) -> None:
    url, key = sqlite_url(tmp_path / "gateway.sqlite"), CheckpointKey.create()
    with administered(url, key) as world:
        stub = administration(world)
        register_purpose(stub)
        register_ground(stub)
        end_ground(stub, "residence-registration")
        admit(stub)
        grant(stub, purpose="1.001193")
    with administered(url, key) as world:
        stub = administration(world)
        rights = stub.ListAccessRights(pb.ListAccessRightsRequest(consumer=SHOP), timeout=TIMEOUT_S).access_rights
        officers = stub.ListOfficers(pb.ListOfficersRequest(system_id=SHOP), timeout=TIMEOUT_S).officers
        grounds = stub.ListLegalGrounds(pb.ListLegalGroundsRequest(), timeout=TIMEOUT_S).legal_grounds

    assert [(found.purpose, found.purpose_title_vi) for found in rights] == [("1.001193", "Đăng ký khai sinh")]
    assert {officer.officer_id for officer in officers} == {"nv-01", members.OFFICER}
    by_code = {found.code: found for found in grounds}
    assert not by_code["loyalty-contract"].HasField("effective_until")
    assert by_code["residence-registration"].effective_until == day(today(world) - timedelta(days=1))


def test_every_change_is_an_entry_that_says_what_was_changed_and_by_whom(world: GatewayWorld) -> None:
    stub = administration(world)
    register_purpose(stub)
    register_ground(stub)
    end_ground(stub, "loyalty-contract")
    grant(stub)
    withdraw(stub)
    admit(stub)
    dismiss(stub)

    entries = [entry for entry in world.entries() if entry["event"] == "ACCESS_RIGHT"]

    assert [entry["reason"] for entry in entries] == [
        "PURPOSE_REGISTERED",
        "LEGAL_GROUND_REGISTERED",
        "LEGAL_GROUND_ENDED",
        "ACCESS_RIGHT_GRANTED",
        "ACCESS_RIGHT_WITHDRAWN",
        "OFFICER_ADMITTED",
        "OFFICER_DISMISSED",
    ]
    assert {(entry["officer"], entry["status"]) for entry in entries} == {(members.ADMINISTRATOR, "OK")}
    # Who made it, whomever it is about.
    assert {entry["caller"] or entry["consumer"] for entry in entries} == {str(members.ADMINISTRATION)}
    assert [entry["caller"] for entry in entries[:3]] == [""] * 3
    assert entries[0]["purpose"] == "1.001193"
    assert (entries[1]["legal_basis"], entries[1]["legal_reference"]) == ("contract_19_1_d", "loyalty-contract")
    about = {(entry["consumer"], entry["method"], entry["purpose"]) for entry in entries[3:5]}
    assert about == {(SHOP, GET_CITIZEN, members.MARKETING.code)}
    assert {entry["consumer"] for entry in entries[5:]} == {SHOP}


def test_the_log_says_what_was_registered_also_once_it_is_something_else(world: GatewayWorld) -> None:
    stub = administration(world)
    purpose, ground = register_purpose(stub), register_ground(stub)
    ended = end_ground(stub, "loyalty-contract")
    first = grant(stub, datasets=["identity.basic"])
    withdrawn = withdraw(stub)
    second = grant(stub, legal_bases=[CONTRACT])
    officer = admit(stub)
    dismiss(stub)

    entries = [entry for entry in world.entries() if entry["event"] == "ACCESS_RIGHT"]

    expected = (purpose, ground, ended, first, withdrawn, second, officer, officer)
    for entry, message in zip(entries, expected, strict=True):
        assert json_format.Parse(entry["registered"], type(message)()) == message
        assert rfc8785.dumps(json.loads(entry["registered"])).decode() == entry["registered"]
    assert first != second


def test_a_ground_an_officer_and_a_right_together_allow_a_call_without_consent(world: GatewayWorld) -> None:
    stub = administration(world)
    grant(stub, legal_bases=[CONTRACT])
    admit(stub)
    assert refusal_of(lambda: read_by_contract(world)).reason == "LEGAL_GROUND_MISSING"

    register_ground(stub)
    read_by_contract(world)
    assert refusal_of(lambda: read_by_contract(world, "nv-02")).reason == "OFFICER_NOT_ALLOWED"

    dismiss(stub)
    assert refusal_of(lambda: read_by_contract(world)).reason == "OFFICER_NOT_ALLOWED"

    admit(stub)
    end_ground(stub, "loyalty-contract", day(today(world) + timedelta(days=1)))
    read_by_contract(world)
    world.clock.advance(timedelta(days=2))
    assert refusal_of(lambda: read_by_contract(world)).reason == "LEGAL_GROUND_NOT_IN_FORCE"


def test_an_administrator_is_dismissed_once_there_is_another_to_go_on(world: GatewayWorld) -> None:
    stub, administrators = administration(world), str(members.ADMINISTRATION)
    admit(stub, administrators, "qt-02")
    dismiss(stub, administrators, members.ADMINISTRATOR)
    assert refusal_of(lambda: admit(stub)).reason == "OFFICER_NOT_ALLOWED"


def test_nobody_is_asked_for_a_consent_on_which_no_right_rests(world: GatewayWorld) -> None:
    grant(administration(world), legal_bases=[CONTRACT])

    why = refusal_of(lambda: world.request_consent(members.SHOP, purpose=members.MARKETING.code))

    assert (why.reason, why.status) == ("ACCESS_RIGHT_MISSING", DENIED)


def test_nobody_is_asked_for_more_than_could_be_read_on_her_consent(world: GatewayWorld) -> None:
    stub = administration(world)
    register_purpose(stub, code="credit", datasets=["identity.basic", "family", "account"])
    grant(stub, purpose="credit", datasets=["identity.basic"])
    grant(stub, purpose="credit", method=GET_ACCOUNT)

    def asked(provider: SystemId, *datasets: str) -> str:
        return refusal_of(
            lambda: world.request_consent(members.SHOP, purpose="credit", datasets=datasets, provider=provider)
        ).reason

    assert asked(members.POPULATION, "identity.basic", "family") == "ACCESS_RIGHT_MISSING"
    withdraw(stub, purpose="credit")
    assert asked(members.POPULATION, "identity.basic") == "ACCESS_RIGHT_MISSING"
    assert world.request_consent(
        members.SHOP, purpose="credit", datasets=["account"], provider=members.IDENTITY
    ).terms.datasets == ["account"]


def test_a_ground_is_ended_within_its_period_and_never_made_to_last_longer(world: GatewayWorld) -> None:
    stub = administration(world)
    first, last = today(world) + timedelta(days=10), today(world) + timedelta(days=20)
    register_ground(stub, effective_from=day(first), effective_until=day(last))

    for outside in (first - timedelta(days=1), last + timedelta(days=1)):
        why = refusal_of(partial(end_ground, stub, "loyalty-contract", day(outside)))
        assert (why.reason, why.status) == ("REGISTRATION_INVALID", INVALID)

    assert end_ground(stub, "loyalty-contract", day(first)).effective_until == day(first)
    world.clock.advance(timedelta(days=10))
    end_ground(stub, "loyalty-contract")
    assert refusal_of(lambda: end_ground(stub, "loyalty-contract")).reason == "NOT_REGISTERED"


def test_a_right_that_was_granted_for_some_days_ends_with_the_last(world: GatewayWorld) -> None:
    world.consent(members.BANK, purpose=members.EKYC.code, valid_for=timedelta(days=30))
    stub = administration(world)
    request = pb.WithdrawAccessRightRequest(consumer=BANK, method=GET_CITIZEN, purpose=members.EKYC.code)
    stub.WithdrawAccessRight(request, metadata=BY_OFFICER, timeout=TIMEOUT_S)
    first, last = today(world) + timedelta(days=1), today(world) + timedelta(days=2)
    grant(stub, consumer=BANK, purpose=members.EKYC.code, valid_from=day(first), valid_until=day(last))

    def read() -> None:
        world.get_citizen(CallContext(members.EKYC.code), members.BANK)

    assert refusal_of(read).reason == "ACCESS_RIGHT_NOT_IN_FORCE"
    world.clock.advance(timedelta(days=1))
    read()
    world.clock.advance(timedelta(days=2))
    assert refusal_of(read).reason == "ACCESS_RIGHT_NOT_IN_FORCE"


@pytest.mark.parametrize(
    ("system", "metadata", "reason", "status"),
    [
        (members.SHOP, (), "CALLER_NOT_ALLOWED", DENIED),
        (members.AUDITOR, (), "CALLER_NOT_ALLOWED", DENIED),
        (members.SHOP, BY_OFFICER, "OFFICER_NOT_ALLOWED", DENIED),
        (members.ADMINISTRATION, (), "OFFICER_MISSING", INVALID),
        (members.ADMINISTRATION, CallContext("", officer="officer-1").metadata(), "OFFICER_NOT_ALLOWED", DENIED),
    ],
    ids=["a consumer", "an auditor", "a consumer in her name", "no officer", "an officer of another system"],
)
def test_only_an_administrators_officer_changes_what_is_registered(
    world: GatewayWorld,
    system: SystemId,
    metadata: tuple[tuple[str, str], ...],
    reason: str,
    status: grpc.StatusCode,
) -> None:
    stub = administration(world, system)
    request = pb.GrantAccessRightRequest(access_right=right())

    why = refusal_of(lambda: stub.GrantAccessRight(request, metadata=metadata, timeout=TIMEOUT_S))

    assert (why.reason, why.status) == (reason, status)
    assert [entry["event"] for entry in world.entries()].count("ACCESS_RIGHT") == 0


def test_only_an_administrator_lists_what_is_registered_for_others(world: GatewayWorld) -> None:
    stub = administration(world, members.SHOP)

    for call in (
        lambda: stub.ListAccessRights(pb.ListAccessRightsRequest(), timeout=TIMEOUT_S),
        lambda: stub.ListLegalGrounds(pb.ListLegalGroundsRequest(), timeout=TIMEOUT_S),
        lambda: stub.ListOfficers(pb.ListOfficersRequest(), timeout=TIMEOUT_S),
    ):
        assert refusal_of(call).reason == "CALLER_NOT_ALLOWED"


def test_of_many_who_grant_the_same_right_at_once_one_does(world: GatewayWorld) -> None:
    stub = administration(world)

    def outcome(_number: int) -> str:
        try:
            grant(stub)
        except grpc.RpcError as error:
            return explain(error).reason
        return "granted"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(outcome, range(8)))

    assert outcomes == [*["REGISTERED_ALREADY"] * 7, "granted"]
    assert [entry["reason"] for entry in world.entries()].count("ACCESS_RIGHT_GRANTED") == 1


def test_the_catalogue_says_what_to_send_and_follows_every_change(world: GatewayWorld) -> None:
    stub = administration(world)
    catalogue = CatalogueServiceStub(world.channel(members.SHOP))

    def methods() -> list[catalogue_pb2.Method]:
        return list(catalogue.ListMethods(catalogue_pb2.ListMethodsRequest(), timeout=TIMEOUT_S).methods)

    def allowed() -> list[catalogue_pb2.AllowedCall]:
        return [call for method in methods() for call in method.allowed_calls]

    assert allowed() == []
    (method,) = [method for method in methods() if method.method == GET_CITIZEN]
    codes = {right.purpose for right in members.ACCESS_RIGHTS if right.method == GET_CITIZEN}
    assert [purpose.code for purpose in method.purposes] == sorted(codes)
    assert members.EKYC.title_en in {purpose.title_en for purpose in method.purposes}
    grant(stub, legal_bases=[CONSENT, CONTRACT])
    register_ground(stub)

    (call,) = allowed()
    by_consent, by_contract = call.bases
    assert (by_consent.header_value, by_consent.reference_vi, len(by_consent.grounds)) == ("consent", "", 0)
    assert (by_contract.basis, by_contract.header_value) == (CONTRACT, "contract_19_1_d")
    assert by_contract.title_vi.endswith("(Luật 91/2025/QH15, Điều 19, khoản 1, điểm d)")
    assert by_contract.title_en.endswith("(Law 91/2025/QH15, Art. 19(1)(d))")
    assert by_contract.reference_vi == "số hợp đồng, viết D thay Đ, ví dụ 125/2026/HD-BANK01"
    assert by_contract.reference_en == "the number of a contract, with D for Đ, such as 125/2026/HD-BANK01"
    assert [found.law_vi for found in by_contract.grounds] == ["Luật 91/2025/QH15, Điều 19, khoản 1, điểm d"]

    end_ground(stub, "loyalty-contract")
    (call,) = allowed()
    assert [len(basis.grounds) for basis in call.bases] == [0, 0]
    withdraw(stub)
    assert allowed() == []
