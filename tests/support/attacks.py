"""What holds of every attack that was refused, and how to make one."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from lienthong.client import CallContext, Header, explain
from lienthong_core.systems import SystemId
from lienthong_seeds import members
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, trailing_metadata

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"

Attack = Callable[[GatewayWorld], object]


def assert_refused(world: GatewayWorld, attack: Attack, reason: str, *, asked: int = 0) -> dict[str, Any]:
    """Make a call that must be refused, and return its entry in the log.

    The caller and the log hear the same reason, nothing is released, and the provider was `asked` so often.
    """
    before = len(world.population.calls)
    with pytest.raises(grpc.RpcError) as caught:
        attack(world)

    trailing = trailing_metadata(caught.value)
    entry = world.entries()[int(trailing[Header.LOG_INDEX])]
    assert explain(caught.value).reason == entry["reason"] == reason
    assert (entry["event"], entry["exchange_id"]) == ("REFUSAL", trailing[Header.EXCHANGE_ID])
    assert entry["datasets_released"] == entry["fields_released"] == []
    assert len(world.population.calls) == before + asked
    return entry


def send(world: GatewayWorld, request: bytes, *headers: tuple[str, str | bytes], method: str = GET_CITIZEN) -> bytes:
    """Make the portal's call with exactly these bytes, and these headers beside the purpose."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = world.channel(members.PORTAL).unary_unary(method)
    return call(request, metadata=(("lienthong-purpose", PURPOSE), *headers), timeout=TIMEOUT_S)


def show(world: GatewayWorld, token: str, consumer: SystemId = members.PORTAL) -> None:
    """Read the citizen's record with a token."""
    world.get_citizen(CallContext(PURPOSE, token), consumer)
