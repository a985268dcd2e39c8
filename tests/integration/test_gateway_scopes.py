"""What a system may do in the name of a citizen whom it logged in: no more than she let it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from lienthong.api.exchange.v1.log_pb2 import ListAccessesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.rights.v1 import rights_pb2 as pb
from lienthong.api.rights.v1.rights_pb2_grpc import SubjectRightsServiceStub
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_seeds import members
from tests.support.gateway_world import BASIC, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.rights import DELETE, GATEWAY, RESTRICT, complied

BANK = members.BANK
Metadata = tuple[tuple[str, str], ...]
Call = Callable[[GatewayWorld, Metadata], object]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("scopes") / "gateway.sqlite")) as world:
        yield world


def rights(world: GatewayWorld) -> SubjectRightsServiceStub:
    return SubjectRightsServiceStub(world.channel(BANK))


def list_accesses(world: GatewayWorld, metadata: Metadata) -> object:
    stub = ExchangeLogServiceStub(world.channel(BANK))
    return stub.ListAccesses(ListAccessesRequest(), metadata=metadata, timeout=TIMEOUT_S)


def list_requests(world: GatewayWorld, metadata: Metadata) -> object:
    return rights(world).List(pb.ListRequest(), metadata=metadata, timeout=TIMEOUT_S)


def have_her_erased(world: GatewayWorld, metadata: Metadata) -> object:
    request = pb.SubmitRequest(kind=DELETE, controller=GATEWAY)
    return rights(world).Submit(request, metadata=metadata, timeout=TIMEOUT_S)


def end_her_restriction(world: GatewayWorld, metadata: Metadata) -> object:
    request = pb.WithdrawRequest(request_id=complied(world, RESTRICT).request_id)
    return rights(world).Withdraw(request, metadata=metadata, timeout=TIMEOUT_S)


CALLS: dict[str, Call] = {
    "list who has used her data": list_accesses,
    "list her requests": list_requests,
    "have her erased": have_her_erased,
    "end her restriction": end_her_restriction,
}


def metadata_of(world: GatewayWorld, scope: str) -> Metadata:
    return CallContext("", world.token(BANK, scope=scope)).metadata()


@pytest.mark.parametrize("scope", ["openid", "openid profile", "", "rights2", "RIGHTS", "openid,rights"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_system_that_she_only_logged_in_at_does_not_act_for_her(world: GatewayWorld, call: Call, scope: str) -> None:
    why = refusal_of(lambda: call(world, metadata_of(world, scope)))

    assert (why.reason, why.status) == ("SCOPE_MISSING", grpc.StatusCode.PERMISSION_DENIED)
    refusal = world.accesses()[1]
    assert (refusal.consumer, refusal.reason) == (str(BANK), "SCOPE_MISSING")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_system_that_she_let_do_so_acts_for_her(world: GatewayWorld, call: Call) -> None:
    call(world, metadata_of(world, "openid profile rights"))


def test_a_token_that_says_nothing_of_its_scope_has_none(world: GatewayWorld) -> None:
    claims = world.claims(BANK)
    del claims["scope"]
    token = world.key_set.keys[0].sign(claims, token_type="at+jwt")

    why = refusal_of(lambda: list_accesses(world, CallContext("", token).metadata()))

    assert why.reason == "SCOPE_MISSING"


def test_data_that_she_consented_to_need_no_such_scope(tmp_path: Path) -> None:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        world.consent(BANK, datasets=[BASIC], purpose=members.EKYC.code)
        token = world.token(BANK, scope="openid")

        answer, _ = world.get_citizen(CallContext(members.EKYC.code, token), BANK)

    assert answer.citizen.personal_number
