"""What is registered is changed while the gateway runs: by whom, what takes effect, and what the log says of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.exchange.v1 import administration_pb2 as pb
from lienthong.api.exchange.v1 import catalogue_pb2
from lienthong.api.exchange.v1.administration_pb2_grpc import AdministrationServiceStub
from lienthong.api.exchange.v1.catalogue_pb2 import AccessRight, LegalBasis, LegalGround, Purpose, ReferenceForm
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong.client import CallContext, explain
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_core.working_days import civil_date
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

SHOP, BANK = str(members.SHOP), str(members.BANK)
GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
BY_OFFICER = CallContext("", officer=members.ADMINISTRATOR).metadata()
CONSENT = LegalBasis.LEGAL_BASIS_CONSENT
CONTRACT = LegalBasis.LEGAL_BASIS_CONTRACT
INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
DENIED, NOT_FOUND = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND
Call = Callable[[AdministrationServiceStub], object]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        yield world


def administration(world: GatewayWorld, system: SystemId = members.ADMINISTRATION) -> AdministrationServiceStub:
    return AdministrationServiceStub(world.channel(system))


def right(**changes: Any) -> AccessRight:  # noqa: ANN401 (any field's value)
    fields: dict[str, Any] = {
        "consumer": SHOP,
        "method": GET_CITIZEN,
        "purpose": members.MARKETING.code,
        "legal_bases": [CONSENT],
    }
    return AccessRight(**{**fields, **changes})


def ground(**changes: Any) -> LegalGround:  # noqa: ANN401 (any field's value)
    fields: dict[str, Any] = {
        "code": "loyalty-contract",
        "basis": CONTRACT,
        "law_vi": "Luật 91/2025/QH15, Điều 19, khoản 1, điểm d",
        "law_en": "Law 91/2025/QH15, Art. 19(1)(d)",
        "reference_forms": [ReferenceForm.REFERENCE_FORM_CONTRACT],
        "methods": [GET_CITIZEN],
        "purposes": [members.MARKETING.code],
    }
    return LegalGround(**{**fields, **changes})


def grant(stub: AdministrationServiceStub, **changes: Any) -> AccessRight:  # noqa: ANN401 (any field's value)
    request = pb.GrantAccessRightRequest(access_right=right(**changes))
    return stub.GrantAccessRight(request, metadata=BY_OFFICER, timeout=TIMEOUT_S).access_right


def withdraw(stub: AdministrationServiceStub, consumer: str = SHOP, method: str = GET_CITIZEN) -> AccessRight:
    request = pb.WithdrawAccessRightRequest(consumer=consumer, method=method, purpose=members.MARKETING.code)
    return stub.WithdrawAccessRight(request, metadata=BY_OFFICER, timeout=TIMEOUT_S).access_right


def register_ground(stub: AdministrationServiceStub, **changes: Any) -> LegalGround:  # noqa: ANN401 (any field's value)
    request = pb.RegisterLegalGroundRequest(legal_ground=ground(**changes))
    return stub.RegisterLegalGround(request, metadata=BY_OFFICER, timeout=TIMEOUT_S).legal_ground


def end_ground(stub: AdministrationServiceStub, code: str, last_day: PartialDate | None = None) -> LegalGround:
    request = pb.EndLegalGroundRequest(code=code, last_day=last_day)
    return stub.EndLegalGround(request, metadata=BY_OFFICER, timeout=TIMEOUT_S).legal_ground


def register_purpose(stub: AdministrationServiceStub, **changes: Any) -> Purpose:  # noqa: ANN401 (any field's value)
    fields: dict[str, Any] = {
        "code": "1.001193",
        "title_vi": "Đăng ký khai sinh",
        "title_en": "Registering a birth",
        "datasets": ["identity.basic"],
    }
    request = pb.RegisterPurposeRequest(purpose=Purpose(**{**fields, **changes}))
    return stub.RegisterPurpose(request, metadata=BY_OFFICER, timeout=TIMEOUT_S).purpose


def admit(stub: AdministrationServiceStub, system: str = SHOP, officer: str = "nv-01") -> pb.Officer:
    request = pb.AdmitOfficerRequest(officer=pb.Officer(system_id=system, officer_id=officer))
    return stub.AdmitOfficer(request, metadata=BY_OFFICER, timeout=TIMEOUT_S).officer


def dismiss(stub: AdministrationServiceStub, system: str = SHOP, officer: str = "nv-01") -> None:
    request = pb.DismissOfficerRequest(officer=pb.Officer(system_id=system, officer_id=officer))
    stub.DismissOfficer(request, metadata=BY_OFFICER, timeout=TIMEOUT_S)


def read_by_contract(world: GatewayWorld, officer: str = "nv-01") -> None:
    context = CallContext(
        members.MARKETING.code, legal_basis="contract_19_1_d", legal_reference="125/2026/HD-SHOP01", officer=officer
    )
    world.get_citizen(context, members.SHOP)


def day(value: date) -> PartialDate:
    return PartialDate(year=value.year, month=value.month, day=value.day)


def today(world: GatewayWorld) -> date:
    return civil_date(world.clock.now())


def test_a_right_counts_from_its_grant_to_its_withdrawal(database_url: str) -> None:
    with gateway_world(database_url) as world:
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


def test_what_was_changed_is_there_after_a_restart(tmp_path: Path) -> None:
    url, key = sqlite_url(tmp_path / "gateway.sqlite"), CheckpointKey.create()
    with gateway_world(url, checkpoint_key=key) as world:
        stub = administration(world)
        register_purpose(stub)
        register_ground(stub)
        end_ground(stub, "residence-registration")
        admit(stub)
        grant(stub, purpose="1.001193")
    with gateway_world(url, checkpoint_key=key) as world:
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
    assert entries[0]["purpose"] == "1.001193"
    assert (entries[1]["legal_basis"], entries[1]["legal_reference"]) == ("contract_19_1_d", "loyalty-contract")
    about = {(entry["consumer"], entry["method"], entry["purpose"]) for entry in entries[3:5]}
    assert about == {(SHOP, GET_CITIZEN, members.MARKETING.code)}
    assert {entry["consumer"] for entry in entries[5:]} == {SHOP}


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
        (members.SHOP, BY_OFFICER, "CALLER_NOT_ALLOWED", DENIED),
        (members.AUDITOR, BY_OFFICER, "CALLER_NOT_ALLOWED", DENIED),
        (members.ADMINISTRATION, (), "OFFICER_MISSING", INVALID),
        (members.ADMINISTRATION, CallContext("", officer="officer-1").metadata(), "OFFICER_NOT_ALLOWED", DENIED),
    ],
    ids=["a consumer", "an auditor", "no officer", "an officer of another system"],
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


TOMORROW, YESTERDAY = date(2100, 1, 2), date(2100, 1, 1)
REFUSED: dict[str, tuple[str, grpc.StatusCode, Call]] = {
    "a right of nobody": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, consumer="VN-SANDBOX/GOV/G77/nobody")),
    "a right of no system": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, consumer="shop")),
    "a right to no method": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, method="/a.B/C")),
    "a right for no purpose": ("PURPOSE_UNKNOWN", INVALID, lambda s: grant(s, purpose="0.000000")),
    "a right on no basis": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, legal_bases=[])),
    "a right on an unknown basis": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, legal_bases=[77])),
    "a right to datasets of others": ("DATASET_UNKNOWN", INVALID, lambda s: grant(s, datasets=["account"])),
    "a right beyond its purpose": ("DATASET_NOT_NEEDED", INVALID, lambda s: grant(s, datasets=["residence"])),
    "a right to nothing": (
        "DATASET_NOT_NEEDED",
        INVALID,
        lambda s: grant(s, method="/lienthong.api.identity.v1.IdentityService/GetAccount"),
    ),
    "a right that ends before it begins": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: grant(s, valid_from=day(TOMORROW), valid_until=day(YESTERDAY)),
    ),
    "a right from half a date": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: grant(s, valid_from=PartialDate(year=2026)),
    ),
    "a right that is there": (
        "REGISTERED_ALREADY",
        PRECONDITION,
        lambda s: grant(s, consumer=BANK, purpose=members.MARKETING.code),
    ),
    "withdrawing nothing": ("NOT_REGISTERED", NOT_FOUND, withdraw),
    "a ground that is consent": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, basis=CONSENT)),
    "a ground of no basis": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, basis=0)),
    "a ground without a law": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, law_vi=" ")),
    "a ground without a form": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, reference_forms=[])),
    "a ground of an unknown form": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: register_ground(s, reference_forms=[99]),
    ),
    "a ground for nothing": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, methods=[])),
    "a ground for no method": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, methods=["/a.B/C"])),
    "a ground for no purpose": ("PURPOSE_UNKNOWN", INVALID, lambda s: register_ground(s, purposes=["0.000000"])),
    "a ground with a bad code": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, code="Nợ, xấu")),
    "a ground that is there": (
        "REGISTERED_ALREADY",
        PRECONDITION,
        lambda s: register_ground(s, code="residence-registration"),
    ),
    "ending nothing": ("NOT_REGISTERED", NOT_FOUND, lambda s: end_ground(s, "nothing")),
    "ending in the past": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: end_ground(s, "residence-registration", day(date(2026, 1, 1))),
    ),
    "a purpose with a bad code": ("REGISTRATION_INVALID", INVALID, lambda s: register_purpose(s, code="a b")),
    "a purpose without a title": ("REGISTRATION_INVALID", INVALID, lambda s: register_purpose(s, title_en="")),
    "a purpose of two lines": ("REGISTRATION_INVALID", INVALID, lambda s: register_purpose(s, title_vi="a\nb")),
    "a purpose without data": ("DATASET_UNKNOWN", INVALID, lambda s: register_purpose(s, datasets=[])),
    "a purpose of unknown data": ("DATASET_UNKNOWN", INVALID, lambda s: register_purpose(s, datasets=["shoe.size"])),
    "a purpose that is there": ("REGISTERED_ALREADY", PRECONDITION, lambda s: register_purpose(s, code="ekyc")),
    "an officer of nobody": ("REGISTRATION_INVALID", INVALID, lambda s: admit(s, "VN-SANDBOX/GOV/G77/nobody")),
    "an officer with a bad name": ("REGISTRATION_INVALID", INVALID, lambda s: admit(s, officer="Nguyễn Văn A")),
    "an officer who is there": ("REGISTERED_ALREADY", PRECONDITION, lambda s: admit(s, officer=members.OFFICER)),
    "dismissing nobody": ("NOT_REGISTERED", NOT_FOUND, dismiss),
}


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("administration") / "gateway.sqlite")) as world:
        yield world


@pytest.mark.parametrize(("reason", "status", "call"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_registered_is_refused_and_changes_nothing(
    unchanged: GatewayWorld, reason: str, status: grpc.StatusCode, call: Call
) -> None:
    stub = administration(unchanged)

    why = refusal_of(lambda: call(stub))

    assert (why.reason, why.status) == (reason, status)
    assert why.message.endswith(".")
    assert unchanged.entries()[-2]["reason"] == reason
    rights = stub.ListAccessRights(pb.ListAccessRightsRequest(), timeout=TIMEOUT_S).access_rights
    assert len(rights) == len(members.ACCESS_RIGHTS)


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
    assert by_contract.header_value == "contract_19_1_d"
    assert by_contract.reference_vi == "số hợp đồng, viết D thay Đ, ví dụ 125/2026/HD-BANK01"
    assert [found.law_vi for found in by_contract.grounds] == ["Luật 91/2025/QH15, Điều 19, khoản 1, điểm d"]

    end_ground(stub, "loyalty-contract")
    (call,) = allowed()
    assert [len(basis.grounds) for basis in call.bases] == [0, 0]
    withdraw(stub)
    assert allowed() == []
