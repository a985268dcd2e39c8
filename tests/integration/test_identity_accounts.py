"""What the identity provider answers to agencies, through the gateway alone."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import grpc
import pytest

from lienthong.api.identity.v1 import identity_pb2 as messages
from lienthong.api.identity.v1.identity_pb2_grpc import IdentityServiceStub
from lienthong.client import explain
from lienthong_core.systems import SystemId
from tests.support.browser import TIMEOUT_S
from tests.support.identity import (
    GATEWAY,
    INACTIVE,
    LEVEL_ONE,
    LOCKED,
    MAI,
    NOBODY,
    PORTAL,
    IdentityWorld,
    identity_world,
)

Call = Callable[[IdentityServiceStub], messages.Account]


@pytest.fixture
def world(database_url: str) -> Iterator[IdentityWorld]:
    with identity_world(database_url) as started:
        yield started


@contextmanager
def calling(world: IdentityWorld, system: SystemId = GATEWAY) -> Generator[IdentityServiceStub]:
    with grpc.secure_channel(world.rpc_address, world.tls_of(system).channel_credentials()) as channel:
        yield IdentityServiceStub(channel)


def reading(number: str) -> Call:
    request = messages.GetAccountRequest(personal_number=number)
    return lambda stub: stub.GetAccount(request, timeout=TIMEOUT_S).account


def locking(number: str, reason: str) -> Call:
    request = messages.LockAccountRequest(personal_number=number, reason=reason)
    return lambda stub: stub.LockAccount(request, timeout=TIMEOUT_S).account


def unlocking(number: str, reason: str) -> Call:
    request = messages.UnlockAccountRequest(personal_number=number, reason=reason)
    return lambda stub: stub.UnlockAccount(request, timeout=TIMEOUT_S).account


def test_an_account_is_read_with_its_level_and_state(world: IdentityWorld) -> None:
    with calling(world) as stub:
        account = reading(LEVEL_ONE)(stub)
    assert (account.personal_number, account.level) == (LEVEL_ONE, 1)
    assert account.kind == messages.ACCOUNT_KIND_CITIZEN
    assert account.state == messages.ACCOUNT_STATE_ACTIVE
    assert account.state_changed_at.ToJsonString() == "2026-01-01T00:00:00Z"


def test_locking_an_account_ends_its_sessions_and_unlocking_does_not_bring_them_back(world: IdentityWorld) -> None:
    browser, _ = world.signed_in()
    unused, _ = world.signed_in()
    with calling(world) as stub:
        locked = locking(MAI, "her phone was stolen")(stub)
        assert locked.state == messages.ACCOUNT_STATE_LOCKED
        assert locked.state_changed_at.ToSeconds() == pytest.approx(world.clock.now().timestamp(), abs=60)
        assert browser.get(world.portal.authorize()).path == "/login"
        assert unlocking(MAI, "she has it back")(stub).state == messages.ACCOUNT_STATE_ACTIVE
    assert unused.get(world.portal.authorize()).path == "/login"


def test_unlocking_activates_nobody(world: IdentityWorld) -> None:
    with calling(world) as stub:
        assert unlocking(INACTIVE, "by mistake")(stub).state == messages.ACCOUNT_STATE_INACTIVE
        locking(INACTIVE, "a court's order")(stub)
        assert unlocking(INACTIVE, "the order was lifted")(stub).state == messages.ACCOUNT_STATE_INACTIVE


def test_locking_a_locked_account_changes_nothing(world: IdentityWorld) -> None:
    with calling(world) as stub:
        assert locking(LOCKED, "again")(stub).state_changed_at.ToJsonString() == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        (reading(NOBODY), grpc.StatusCode.NOT_FOUND, "ACCOUNT_UNKNOWN"),
        (reading("12"), grpc.StatusCode.INVALID_ARGUMENT, "PERSONAL_NUMBER_INVALID"),
        (locking(MAI, " "), grpc.StatusCode.INVALID_ARGUMENT, "REASON_MISSING"),
        (locking("12", "theft"), grpc.StatusCode.INVALID_ARGUMENT, "PERSONAL_NUMBER_INVALID"),
        (unlocking(NOBODY, "found"), grpc.StatusCode.NOT_FOUND, "ACCOUNT_UNKNOWN"),
        (locking(MAI, "theft\x00"), grpc.StatusCode.INVALID_ARGUMENT, "REASON_INVALID"),
        (locking(MAI, "x" * 501), grpc.StatusCode.INVALID_ARGUMENT, "REASON_INVALID"),
        (unlocking(MAI, "found\x00"), grpc.StatusCode.INVALID_ARGUMENT, "REASON_INVALID"),
        (unlocking(MAI, ""), grpc.StatusCode.INVALID_ARGUMENT, "REASON_MISSING"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why(
    world: IdentityWorld, call: Call, status: grpc.StatusCode, reason: str
) -> None:
    with calling(world) as stub, pytest.raises(grpc.RpcError) as failed:
        call(stub)
    why = explain(failed.value)
    assert (why.status, why.reason) == (status, reason)
    with calling(world) as stub:
        assert reading(MAI)(stub).state == messages.ACCOUNT_STATE_ACTIVE


def test_only_the_gateway_may_call(world: IdentityWorld) -> None:
    for call in (reading(MAI), locking(MAI, "theft"), unlocking(LOCKED, "found")):
        with calling(world, PORTAL) as stub, pytest.raises(grpc.RpcError) as failed:
            call(stub)
        assert explain(failed.value).reason == "CALLER_NOT_ALLOWED"
    with calling(world) as stub:
        assert reading(MAI)(stub).state == messages.ACCOUNT_STATE_ACTIVE
        assert reading(LOCKED)(stub).state == messages.ACCOUNT_STATE_LOCKED
