"""docs/errors.md is what the contracts say, and the contracts name what the code refuses with."""

from pathlib import Path

import pytest
from google.protobuf.descriptor import FileDescriptor

from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import GATEWAY_REASONS, SHARED_REASONS
from lienthong_seeds import members
from tests.support.refusals import PREFIX, refusals_in
from tools.errors_page import PAGE, declared_reasons, own_reasons, page, shared_reasons

ROOT = Path(__file__).parents[2]
SERVICES = sorted(file.parent.name for file in ROOT.glob("services/lienthong_services/*/servicer.py"))
SHARED = {(shared.status, shared.reason) for shared in shared_reasons()}
PROVIDED = {name for system in members.SYSTEMS for name in system.services}
FORWARDED = [
    contract
    for contract in all_contracts()
    if PROVIDED & {service.full_name for service in contract.services_by_name.values()}
]
OF_THE_GATEWAY = refusals_in(ROOT / "gateway") | refusals_in(ROOT / "core")


def named_in_contract(area: str) -> set[tuple[str, str]]:
    return {(own.status, reason) for own in own_reasons(area) for reason in own.reasons}


def test_the_page_is_what_the_contracts_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs` and commit docs/errors.md"


def test_the_page_knows_every_reason_of_the_contract() -> None:
    names = {name.removeprefix(PREFIX) for name in ErrorReason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118 (an enumeration)
    assert names == {reason for _, reason in SHARED}


def test_the_gateway_refuses_with_nothing_but_the_reasons_of_the_contract() -> None:
    assert not OF_THE_GATEWAY - SHARED


def test_the_contract_has_no_reason_that_the_gateway_never_gives() -> None:
    assert not SHARED - OF_THE_GATEWAY


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_refuses_with_nothing_but_what_its_contract_names(service: str) -> None:
    raised = refusals_in(ROOT / "services" / "lienthong_services" / service)
    assert not raised - SHARED - named_in_contract(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_contract_names_no_reason_that_its_service_never_gives(service: str) -> None:
    raised = refusals_in(ROOT / "services" / "lienthong_services" / service)
    assert not named_in_contract(service) - SHARED - raised


@pytest.mark.parametrize("contract", FORWARDED, ids=lambda contract: contract.package)
def test_a_providers_contract_declares_the_reasons_that_it_names_and_no_others(contract: FileDescriptor) -> None:
    declared = set(declared_reasons(contract))
    named = {reason for _, reason in named_in_contract(contract.package.split(".")[2])}
    assert named
    assert named - GATEWAY_REASONS <= declared | SHARED_REASONS
    assert declared <= named | {reason for _, reason in SHARED}


def test_a_reason_and_its_advice_fit_where_callers_read_them() -> None:
    advice = [text for contract in all_contracts() for text in declared_reasons(contract).values()]
    assert advice
    assert all(text.endswith(".") and len(text) < 250 for text in advice)


@pytest.mark.parametrize("area", ["consent", "exchange"])
def test_the_gateways_own_contracts_name_its_reasons_with_their_status(area: str) -> None:
    assert not named_in_contract(area) - OF_THE_GATEWAY
