"""What cannot be registered is refused, and nothing is changed."""

from collections.abc import Callable, Iterator
from datetime import date

import grpc
import pytest

from lienthong.api.exchange.v1 import administration_pb2 as pb
from lienthong.api.exchange.v1.administration_pb2_grpc import AdministrationServiceStub
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong_core.database import sqlite_url
from lienthong_seeds import members
from tests.support.administration import (
    BANK,
    CONSENT,
    INVALID,
    NOT_FOUND,
    PRECONDITION,
    administration,
    admit,
    day,
    dismiss,
    end_ground,
    grant,
    register_ground,
    register_purpose,
    withdraw,
)
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

Call = Callable[[AdministrationServiceStub], object]
TOMORROW, YESTERDAY = date(2100, 1, 2), date(2100, 1, 1)
REFUSED: dict[str, tuple[str, grpc.StatusCode, Call]] = {
    "a right of nobody": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, consumer="VN-SANDBOX/GOV/G77/nobody")),
    "a right of no system": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, consumer="shop")),
    "a right to no method": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, method="/a.B/C")),
    "a right for no purpose": ("PURPOSE_UNKNOWN", INVALID, lambda s: grant(s, purpose="0.000000")),
    "a right on no basis": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, legal_bases=[])),
    "a right on an unknown basis": ("REGISTRATION_INVALID", INVALID, lambda s: grant(s, legal_bases=[77])),
    "a right to change a register on consent": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: grant(s, method="/lienthong.api.population.v1.PopulationService/UpdateResidence"),
    ),
    "a right to read about nobody on consent": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: grant(s, method="/lienthong.api.population.v1.PopulationService/ListChanges"),
    ),
    "a right to datasets of others": ("DATASET_UNKNOWN", INVALID, lambda s: grant(s, datasets=["account"])),
    "a right beyond its purpose": ("DATASET_NOT_NEEDED", INVALID, lambda s: grant(s, datasets=["residence"])),
    "a right partly beyond its purpose": (
        "DATASET_NOT_NEEDED",
        INVALID,
        lambda s: grant(s, datasets=["identity.basic", "residence"]),
    ),
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
    "a ground for no purpose at all": ("REGISTRATION_INVALID", INVALID, lambda s: register_ground(s, purposes=[])),
    "a ground that ends before it begins": (
        "REGISTRATION_INVALID",
        INVALID,
        lambda s: register_ground(s, effective_from=day(TOMORROW), effective_until=day(YESTERDAY)),
    ),
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
    "a purpose with a long code": ("REGISTRATION_INVALID", INVALID, lambda s: register_purpose(s, code="a" * 65)),
    "a purpose without a title": ("REGISTRATION_INVALID", INVALID, lambda s: register_purpose(s, title_en="")),
    "a purpose of two lines": ("REGISTRATION_INVALID", INVALID, lambda s: register_purpose(s, title_vi="a\nb")),
    "a purpose without data": ("DATASET_UNKNOWN", INVALID, lambda s: register_purpose(s, datasets=[])),
    "a purpose of unknown data": ("DATASET_UNKNOWN", INVALID, lambda s: register_purpose(s, datasets=["shoe.size"])),
    "a purpose that is there": ("REGISTERED_ALREADY", PRECONDITION, lambda s: register_purpose(s, code="ekyc")),
    "an officer of nobody": ("REGISTRATION_INVALID", INVALID, lambda s: admit(s, "VN-SANDBOX/GOV/G77/nobody")),
    "an officer with a bad name": ("REGISTRATION_INVALID", INVALID, lambda s: admit(s, officer="Nguyễn Văn A")),
    "an officer who is there": ("REGISTERED_ALREADY", PRECONDITION, lambda s: admit(s, officer=members.OFFICER)),
    "dismissing nobody": ("NOT_REGISTERED", NOT_FOUND, dismiss),
    "dismissing the last administrator": (
        "LAST_ADMINISTRATOR",
        PRECONDITION,
        lambda s: dismiss(s, str(members.ADMINISTRATION), members.ADMINISTRATOR),
    ),
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


NAMED: dict[str, Call] = {
    "access_right.legal_bases": lambda s: grant(s, legal_bases=[]),
    "legal_ground.basis": lambda s: register_ground(s, basis=0),
    "legal_ground.reference_forms": lambda s: register_ground(s, reference_forms=[]),
    "last_day": lambda s: end_ground(s, "residence-registration", day(date(2026, 1, 1))),
    "purpose.code": lambda s: register_purpose(s, code="a b"),
    "title_vi": lambda s: register_purpose(s, title_vi=""),
    "officer.officer_id": lambda s: admit(s, officer="Nguyễn Văn A"),
}


@pytest.mark.parametrize("field", NAMED)
def test_a_refusal_names_a_field_as_the_contract_does(unchanged: GatewayWorld, field: str) -> None:
    stub = administration(unchanged)
    assert refusal_of(lambda: NAMED[field](stub)).message.startswith(f"{field} must ")


def test_a_refusal_of_who_is_there_is_a_sentence(unchanged: GatewayWorld) -> None:
    stub = administration(unchanged)
    why = refusal_of(lambda: admit(stub, officer=members.OFFICER))
    assert why.message.startswith("There is an officer ")


@pytest.mark.parametrize("officer", ["-01", ".01"])
def test_an_officer_whose_identifier_begins_with_a_mark_is_refused_with_what_it_begins_with(
    unchanged: GatewayWorld, officer: str
) -> None:
    stub = administration(unchanged)
    assert "first a letter or a digit" in refusal_of(lambda: admit(stub, officer=officer)).message


def test_whoever_registers_a_purpose_for_no_dataset_is_told_to_name_one_and_which_there_are(
    unchanged: GatewayWorld,
) -> None:
    stub = administration(unchanged)
    why = refusal_of(lambda: register_purpose(stub, datasets=[]))
    assert why.message.startswith("Name at least one dataset; ")
    assert "identity.basic" in why.message
