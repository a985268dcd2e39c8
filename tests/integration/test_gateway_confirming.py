"""A decision is confirmed on what it was made on, whatever another thread has heard of in between."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lienthong.api.exchange.v1.administration_pb2 import WithdrawAccessRightRequest
from lienthong_core.contracts import all_contracts
from lienthong_core.database import snapshot, sqlite_url
from lienthong_core.errors import Refusal
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import load_contracts
from lienthong_gateway.decisions.question import Question
from lienthong_gateway.exchange import Caller, Claim
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.head import read_head
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registration import AccessRight
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.server import GatewayServer
from lienthong_gateway.steps.decide import Decider
from lienthong_seeds import members
from tests.support.administration import BY_OFFICER, GET_CITIZEN, administration
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, gateway_world

Key = tuple[SystemId, str, str]


class RightsInterrupted(dict[Key, AccessRight]):
    """Access rights; something happens while one is looked up."""

    def __init__(self, rights: Mapping[Key, AccessRight], meanwhile: Callable[[], None]) -> None:
        super().__init__(rights)
        self._meanwhile = meanwhile

    def get(self, key: Key, default: Any = None) -> Any:  # noqa: ANN401 (as dict has it)
        self._meanwhile()
        return super().get(key, default)


def test_a_right_that_is_withdrawn_while_it_is_looked_up_is_not_confirmed(tmp_path: Path) -> None:
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        world.consent()
        assert isinstance(world.gateway, GatewayServer)
        engine = world.gateway.engine
        registration = CurrentRegistration.of(engine)
        registered = registration.value

        def withdraw() -> None:
            request = WithdrawAccessRightRequest(consumer=str(members.PORTAL), method=GET_CITIZEN, purpose=PURPOSE)
            administration(world).WithdrawAccessRight(request, metadata=BY_OFFICER, timeout=TIMEOUT_S)
            registration.refresh()

        rights = RightsInterrupted(registered.access_rights, withdraw)
        registration.known = registration.known._replace(value=replace(registered, access_rights=rights))
        writer = LogWriter(engine, Appender(engine, world.config.checkpoint_key))
        decider = Decider(registration, engine, writer, world.clock)
        contract = load_contracts(registered, all_contracts())[GET_CITIZEN]
        question = Question(contract, Caller(members.PORTAL, "", ""), Claim(PURPOSE, "consent", "", ""), None, LAN)

        decision = asyncio.run(decider.decide(question))

        with snapshot(engine) as connection, pytest.raises(Refusal) as refused:
            decider.confirm(decision, "an-exchange", connection, read_head(connection))
        assert refused.value.reason == "ACCESS_RIGHT_NOT_IN_FORCE"
