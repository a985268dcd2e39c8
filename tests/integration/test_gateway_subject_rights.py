"""A citizen asks about her own data, the controller answers, and what that does at the gateway."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.population.v1.population_pb2 import GetCitizenResponse
from lienthong.api.rights.v1 import rights_pb2 as pb
from lienthong.api.rights.v1.rights_pb2 import RightsRequestState as State
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_gateway.log.head import Head, read_head
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from tests.support.administration import CONTRACT, administration, grant, register_ground
from tests.support.citizens import MAI, citizen
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.rights import (
    DELETE,
    DESK,
    GATEWAY,
    OFFICE,
    POPULATION,
    RESTRICT,
    VIEW,
    acknowledge,
    as_citizen,
    by_officer,
    complied,
    extend,
    fulfil,
    listed,
    refuse,
    service,
    submit,
    update_residence,
    withdraw,
)

Refused = Callable[[GatewayWorld], object]


def test_a_request_goes_from_submission_to_its_answer_and_every_step_is_logged(database_url: str) -> None:
    with gateway_world(database_url) as world:
        request = submit(world)
        acknowledged = acknowledge(world, request.request_id)
        extended = extend(world, request.request_id)
        answered = fulfil(world, request.request_id)
        entries = [entry for entry in world.entries() if entry["event"] == "RIGHTS_REQUEST"]
        (of_hers,) = listed(world, pb.ListRequest(), members.PORTAL, as_citizen(world)).requests

    states = [each.state for each in (request, acknowledged, extended, answered)]
    assert states == [
        State.RIGHTS_REQUEST_STATE_RECEIVED,
        State.RIGHTS_REQUEST_STATE_ACKNOWLEDGED,
        State.RIGHTS_REQUEST_STATE_EXTENDED,
        State.RIGHTS_REQUEST_STATE_FULFILLED,
    ]
    assert request.due == acknowledged.due != extended.due == answered.due
    assert (extended.answer, answered.answer) == ("Hồ sơ giấy phải tìm trong kho", "Đã thực hiện")
    assert of_hers == answered
    assert [entry["reason"] for entry in entries] == [
        "VIEW_SUBMITTED",
        "VIEW_ACKNOWLEDGED",
        "VIEW_EXTENDED",
        "VIEW_FULFILLED",
    ]
    assert {(entry["provider"], entry["legal_reference"]) for entry in entries} == {(POPULATION, request.request_id)}
    assert [entry["officer"] for entry in entries] == ["", members.OFFICER, members.OFFICER, members.OFFICER]
    assert len({entry["subject"] for entry in entries}) == 1
    assert "Dữ liệu" not in str(entries)


def test_the_citizen_sees_the_steps_among_the_accesses(world: GatewayWorld) -> None:
    refuse_id = submit(world).request_id
    acknowledge(world, refuse_id)
    refuse(world, refuse_id)

    assert [access.reason for access in world.accesses()[1:]] == ["VIEW_REFUSED", "VIEW_ACKNOWLEDGED", "VIEW_SUBMITTED"]


def test_overdue_follows_the_clock_of_the_sandbox(world: GatewayWorld) -> None:
    submit(world)
    assert not listed(world, pb.ListRequest()).requests[0].overdue
    world.clock.advance(timedelta(days=14))
    assert listed(world, pb.ListRequest()).requests[0].overdue


def test_a_restriction_stops_what_rests_on_consent_and_nothing_else_until_she_ends_it(world: GatewayWorld) -> None:
    world.consent()
    world.consent(number=MAI)
    world.read()

    request = complied(world, RESTRICT)
    refused = refusal_of(world.read)
    world.population.answer("GetCitizen", GetCitizenResponse(citizen=citizen(MAI)))
    world.get_citizen(CallContext(PURPOSE), number=MAI)
    world.population.answer("GetCitizen", GetCitizenResponse(citizen=citizen()))
    update_residence(world)
    withdraw(world, request.request_id)

    assert (refused.reason, refused.status) == ("PROCESSING_RESTRICTED", grpc.StatusCode.PERMISSION_DENIED)
    world.read()


def test_a_restriction_at_a_consumer_stops_what_it_would_read_on_consent(world: GatewayWorld) -> None:
    world.consent()
    world.read()

    request = complied(world, RESTRICT, str(members.PORTAL), members.PORTAL_APP)
    refused = refusal_of(world.read)
    update_residence(world)
    withdraw(world, request.request_id)

    assert refused.reason == "PROCESSING_RESTRICTED"
    assert str(members.PORTAL) in refused.message
    world.read()


def test_who_has_no_consent_of_hers_does_not_learn_that_she_has_restricted_anything(world: GatewayWorld) -> None:
    def why() -> tuple[str, str]:
        refused = refusal_of(lambda: world.get_citizen(CallContext(PURPOSE)))
        return refused.reason, refused.message

    nothing_given = why()
    complied(world, RESTRICT)

    assert why() == nothing_given
    given = world.consent()
    assert refusal_of(world.read).reason == "PROCESSING_RESTRICTED"
    revoke = consent_pb2.RevokeConsentRequest(consent_id=given.consent_id)
    ConsentServiceStub(world.channel(members.PORTAL)).RevokeConsent(revoke, timeout=TIMEOUT_S)
    assert why()[0] == "CONSENT_REVOKED"


def test_a_restriction_outlives_the_gateways_restart(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "gateway.sqlite")
    with gateway_world(url) as world:
        key = world.config.checkpoint_key
        world.consent()
        complied(world, RESTRICT)
    with gateway_world(url, checkpoint_key=key) as world:
        assert refusal_of(world.read).reason == "PROCESSING_RESTRICTED"


def test_a_step_makes_decisions_anew_only_if_they_could_rest_on_it(world: GatewayWorld) -> None:
    assert isinstance(world.gateway, GatewayServer)
    engine = world.gateway.engine

    def changed_by(step: Callable[[], object]) -> tuple[int, int]:
        heads: list[Head] = []
        for act in (lambda: None, step):
            act()
            with engine.connect() as connection:
                heads.append(read_head(connection))
        before, after = heads
        return after.consent_epoch - before.consent_epoch, after.registration_epoch - before.registration_epoch

    view, restriction, deletion = (submit(world, kind).request_id for kind in (VIEW, RESTRICT, DELETE))
    erasure = submit(world, DELETE, GATEWAY).request_id
    acknowledge(world, erasure, OFFICE)

    assert changed_by(lambda: submit(world, RESTRICT)) == (0, 0)
    for request_id in (view, restriction, deletion):
        assert changed_by(partial(acknowledge, world, request_id)) == (0, 0)
    assert changed_by(lambda: fulfil(world, view)) == (0, 0)
    assert changed_by(lambda: fulfil(world, deletion)) == (0, 0)
    assert changed_by(lambda: fulfil(world, restriction)) == (0, 1)
    assert changed_by(lambda: withdraw(world, restriction)) == (0, 1)
    assert changed_by(lambda: fulfil(world, erasure, OFFICE)) == (1, 1)


def test_a_deletion_that_another_controller_carries_out_leaves_the_gateways_records(world: GatewayWorld) -> None:
    world.consent()
    world.read()
    before = len(world.accesses())

    complied(world, DELETE)

    assert len(world.accesses()) > before


def test_a_deletion_is_refused_on_a_ground_of_the_law_which_the_citizen_is_told(world: GatewayWorld) -> None:
    request_id = submit(world, DELETE).request_id
    acknowledge(world, request_id)

    refused = refuse(world, request_id, "residence-registration")

    assert (refused.state, refused.legal_ground) == (State.RIGHTS_REQUEST_STATE_REFUSED, "residence-registration")
    assert refused.answer == "Có căn cứ lưu giữ"


def test_a_deletion_is_refused_only_on_a_ground_under_which_its_controller_holds_data(world: GatewayWorld) -> None:
    def refused(controller: SystemId, system: SystemId, ground: str = "residence-registration") -> pb.RightsRequest:
        request_id = submit(world, DELETE, str(controller)).request_id
        acknowledge(world, request_id, system)
        return refuse(world, request_id, ground, system)

    why = refusal_of(lambda: refused(members.BANK, members.BANK))

    assert why.reason == "RIGHTS_REQUEST_INVALID"
    assert f"is about no data of {members.BANK}" in why.message
    for controller, system in ((members.PORTAL, members.PORTAL_APP), (members.GATEWAY, OFFICE)):
        assert refused(controller, system).state == State.RIGHTS_REQUEST_STATE_REFUSED

    stub = administration(world)
    register_ground(stub, code="loyalty-contract")
    grant(stub, purpose=members.EKYC.code, legal_bases=[CONTRACT])
    for system in (members.BANK, members.SHOP):
        # The one may read what the contract is about on consent alone, the other on contracts for another purpose.
        assert refusal_of(partial(refused, system, system, "loyalty-contract")).reason == "RIGHTS_REQUEST_INVALID"
    grant(stub, legal_bases=[CONTRACT])
    assert refused(members.SHOP, members.SHOP, "loyalty-contract").state == State.RIGHTS_REQUEST_STATE_REFUSED


def test_a_member_lists_what_its_systems_have_to_answer_page_by_page(world: GatewayWorld) -> None:
    asked = [submit(world).request_id for _ in range(5)]
    submit(world, controller=str(members.PORTAL))
    withdraw(world, asked[0])

    found: list[str] = []
    page = listed(world, pb.ListRequest(page_size=2, open_only=True))
    while True:
        found += [request.request_id for request in page.requests]
        if not page.next_cursor:
            break
        page = listed(world, pb.ListRequest(page_size=2, open_only=True, cursor=page.next_cursor))

    assert found == list(reversed(asked[1:]))


def test_a_cursor_beyond_every_request_begins_with_the_newest(database_url: str) -> None:
    with gateway_world(database_url) as world:
        asked = submit(world).request_id

        page = listed(world, pb.ListRequest(cursor="9" * 18))

    assert [request.request_id for request in page.requests] == [asked]


def unlike_any(_world: GatewayWorld) -> str:
    return "6a1f0f7e-6f0b-4f0e-9c53-0d6c6a3b5d11"


REFUSALS: dict[str, tuple[str, grpc.StatusCode, Refused]] = {
    "submitting without a citizen": (
        "TOKEN_MISSING",
        grpc.StatusCode.UNAUTHENTICATED,
        lambda world: service(world).Submit(pb.SubmitRequest(kind=VIEW, controller=POPULATION), timeout=TIMEOUT_S),
    ),
    "submitting to nobody": (
        "RIGHTS_REQUEST_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda world: submit(world, controller="VN-SANDBOX/GOV/G77/nobody"),
    ),
    "submitting to who holds no data": (
        "RIGHTS_REQUEST_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda world: submit(world, RESTRICT, controller=str(members.AUDITOR)),
    ),
    "having restricted what no restriction stops": (
        "RIGHTS_REQUEST_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda world: submit(world, RESTRICT, controller=GATEWAY),
    ),
    "withdrawing another citizen's": (
        "RIGHTS_REQUEST_UNKNOWN",
        grpc.StatusCode.NOT_FOUND,
        lambda world: withdraw(world, submit(world).request_id, MAI),
    ),
    "withdrawing what does not exist": (
        "RIGHTS_REQUEST_UNKNOWN",
        grpc.StatusCode.NOT_FOUND,
        lambda world: withdraw(world, unlike_any(world)),
    ),
    "answering for another member": (
        "RIGHTS_REQUEST_UNKNOWN",
        grpc.StatusCode.NOT_FOUND,
        lambda world: acknowledge(world, submit(world).request_id, members.BANK),
    ),
    "answering without an officer": (
        "OFFICER_MISSING",
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda world: service(world, DESK).Fulfil(pb.FulfilRequest(), timeout=TIMEOUT_S),
    ),
    "answering by somebody else's officer": (
        "OFFICER_NOT_ALLOWED",
        grpc.StatusCode.PERMISSION_DENIED,
        lambda world: service(world, DESK).Fulfil(pb.FulfilRequest(), metadata=by_officer(OFFICE), timeout=TIMEOUT_S),
    ),
    "fulfilling what was not acknowledged": (
        "RIGHTS_REQUEST_MOVE_NOT_ALLOWED",
        grpc.StatusCode.FAILED_PRECONDITION,
        lambda world: fulfil(world, submit(world).request_id),
    ),
    "a cursor that was never given": (
        "CURSOR_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda world: listed(world, pb.ListRequest(cursor="x")),
    ),
    "a page too long": (
        "PAGE_SIZE_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda world: listed(world, pb.ListRequest(page_size=201)),
    ),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("rights") / "gateway.sqlite")) as world:
        yield world


@pytest.mark.parametrize(("reason", "status", "call"), REFUSALS.values(), ids=REFUSALS)
def test_what_may_not_be_asked_or_answered_is_refused(
    shared: GatewayWorld, reason: str, status: grpc.StatusCode, call: Refused
) -> None:
    why = refusal_of(lambda: call(shared))

    assert (why.reason, why.status) == (reason, status)
    assert shared.entries()[-2]["reason"] == reason


def test_a_refusal_names_a_field_as_the_contract_does(shared: GatewayWorld) -> None:
    why = refusal_of(lambda: submit(shared, controller="VN-SANDBOX/GOV/G77/nobody"))
    assert why.message.startswith("controller must ")
