"""Changing what is registered, as the administrators do."""

from datetime import date
from typing import Any

import grpc

from lienthong.api.exchange.v1 import administration_pb2 as pb
from lienthong.api.exchange.v1.administration_pb2_grpc import AdministrationServiceStub
from lienthong.api.exchange.v1.catalogue_pb2 import AccessRight, LegalBasis, LegalGround, Purpose, ReferenceForm
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong.client import CallContext
from lienthong_core.systems import SystemId
from lienthong_core.working_days import civil_date
from lienthong_seeds import members
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld

SHOP, BANK = str(members.SHOP), str(members.BANK)
GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
GET_ACCOUNT = "/lienthong.api.identity.v1.IdentityService/GetAccount"
BY_OFFICER = CallContext("", officer=members.ADMINISTRATOR).metadata()
CONSENT = LegalBasis.LEGAL_BASIS_CONSENT
CONTRACT = LegalBasis.LEGAL_BASIS_CONTRACT
INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
DENIED, NOT_FOUND = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND


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


def withdraw(
    stub: AdministrationServiceStub,
    consumer: str = SHOP,
    method: str = GET_CITIZEN,
    purpose: str = members.MARKETING.code,
) -> AccessRight:
    request = pb.WithdrawAccessRightRequest(consumer=consumer, method=method, purpose=purpose)
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
