"""A provider that answers with a stream: each message is minimised, confirmed and recorded before it is released."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import RevokeConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong.client import CallContext, Receipt, explain
from lienthong_core.contracts import all_contracts
from lienthong_core.database import sqlite_url
from lienthong_core.ports import reserved_port
from lienthong_core.systems import SystemId
from lienthong_gateway.registration import AccessRight, Purpose, Registration, System
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import HOST, TIMEOUT_S, GatewayWorld, gateway_world
from tests.support.streaming import FOLLOW, SERVICE, FollowDouble, message, name_in, stream_contract
from tests.support.waiting import wait_until

PROVIDER = SystemId("VN-SANDBOX", "GOV", "G97", "follow")
PURPOSE = Purpose("follow", "Theo dõi", "Follow", frozenset({"identity.basic", "family"}))
RIGHT = AccessRight(members.PORTAL, FOLLOW, PURPOSE.code, frozenset({LegalBasis.LEGAL_BASIS_CONSENT}), PURPOSE.datasets)


def registration() -> Registration:
    systems = (*members.SYSTEMS, System(PROVIDER, "Theo dõi", "Follow", (SERVICE,)))
    return Registration.of(
        systems, (*members.PURPOSES, PURPOSE), (*members.ACCESS_RIGHTS, RIGHT), auditors=(members.AUDITOR,)
    )


class Following:
    """A gateway in front of a provider that streams, and a citizen who has consented to her name being read."""

    def __init__(self, world: GatewayWorld, double: FollowDouble) -> None:
        self.world = world
        self.double = double
        request = world.request_consent(purpose=PURPOSE.code, provider=PROVIDER)
        self.consent = world.decide(request.consent_request_id, world.approval(request)).consent

    def follow(self) -> Any:  # noqa: ANN401 (a call that can be iterated over)
        call: grpc.UnaryStreamMultiCallable[bytes, bytes] = self.world.channel(members.PORTAL).unary_stream(FOLLOW)
        context = CallContext(PURPOSE.code, self.world.token())
        request = message("FollowRequest", personal_number=LAN).SerializeToString()
        return call(request, metadata=context.metadata(), timeout=TIMEOUT_S)

    def recorded(self) -> list[tuple[str, int, str]]:
        followed = [entry for entry in self.world.entries() if entry["method"] == FOLLOW]
        return [(entry["event"], entry["sequence"], entry["reason"]) for entry in followed]


@contextmanager
def following(folder: Path, answers: Sequence[Any]) -> Generator[Following]:
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port(HOST))
        contracts = [*all_contracts(), stream_contract()]
        world = stack.enter_context(
            gateway_world(
                sqlite_url(folder / "gateway.sqlite"),
                registration=registration(),
                contracts=contracts,
                more_providers={PROVIDER: f"{HOST}:{port}"},
            )
        )
        double = FollowDouble(answers)
        server = double.server(f"{HOST}:{port}", world.authority.issue(PROVIDER), members.GATEWAY)
        stack.callback(server.stop)
        stack.callback(double.go_on.set)
        server.start()
        yield Following(world, double)


def about(number: str, name: str) -> Any:  # noqa: ANN401 (a class made at run time)
    return message("FollowResponse", personal_number=number, name=name, kin="secret kin")


def two_answers() -> list[Any]:
    return [about(LAN, name) for name in ("Lan", "Lan Anh")]


def test_every_message_is_minimised_and_recorded_by_itself(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        place.double.go_on.set()
        call = place.follow()
        received = list(call)

        assert [name_in(raw) for raw in received] == ["Lan", "Lan Anh"]
        assert all(b"secret" not in raw for raw in received)
        assert place.recorded() == [("EXCHANGE", 0, ""), ("EXCHANGE", 1, "")]
        assert Receipt.of(call.trailing_metadata()).datasets_withheld == ("family",)


def test_a_consent_revoked_in_the_middle_ends_the_stream(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        call = place.follow()
        assert next(call)
        stub = ConsentServiceStub(place.world.channel(members.IDENTITY))
        stub.RevokeConsent(RevokeConsentRequest(consent_id=place.consent.consent_id), timeout=TIMEOUT_S)
        place.double.go_on.set()

        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        assert explain(caught.value).reason == "CONSENT_REVOKED"
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "CONSENT_REVOKED")]


def test_a_message_about_another_citizen_ends_the_stream_and_is_not_released(tmp_path: Path) -> None:
    with following(tmp_path, [about(LAN, "Lan"), about(MAI, "Mai")]) as place:
        place.double.go_on.set()
        call = place.follow()
        assert name_in(next(call)) == "Lan"

        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        assert explain(caught.value).reason == "PROVIDER_ANSWER_MISMATCH"
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "PROVIDER_ANSWER_MISMATCH")]


def test_a_stream_of_nothing_is_recorded_too(tmp_path: Path) -> None:
    with following(tmp_path, []) as place:
        assert list(place.follow()) == []

        assert place.recorded() == [("EXCHANGE", 0, "")]


def test_a_caller_who_goes_away_in_the_middle_is_noted(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        call = place.follow()
        assert next(call)
        call.cancel()

        wait_until(lambda: len(place.recorded()) > 1)
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "CALLER_GONE")]


def test_a_stream_without_consent_does_not_begin(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        stub = ConsentServiceStub(place.world.channel(members.IDENTITY))
        stub.RevokeConsent(RevokeConsentRequest(consent_id=place.consent.consent_id), timeout=TIMEOUT_S)

        with pytest.raises(grpc.RpcError) as caught:
            next(place.follow())

        assert explain(caught.value).reason == "CONSENT_REVOKED"
        assert place.recorded() == [("REFUSAL", 0, "CONSENT_REVOKED")]
