"""A gateway in front of a second provider, which answers with streams, and a citizen who consented to it."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong.client import CallContext
from lienthong_core.contracts import all_contracts
from lienthong_core.database import sqlite_url
from lienthong_core.ports import reserved_port
from lienthong_core.systems import SystemId
from lienthong_gateway.registration import AccessRight, Purpose, Registration, System
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import BASIC, HOST, TIMEOUT_S, GatewayWorld, gateway_world
from tests.support.streaming import FOLLOW, SERVICE, FollowDouble, message, stream_contract

PROVIDER = SystemId("VN-SANDBOX", "GOV", "G97", "follow")
PURPOSE = Purpose("follow", "Theo dõi", "Follow", frozenset({"identity.basic", "family"}))
RIGHT = AccessRight(members.PORTAL, FOLLOW, PURPOSE.code, frozenset({LegalBasis.LEGAL_BASIS_CONSENT}), PURPOSE.datasets)


def registration() -> Registration:
    """Return the usual registration with the second provider added."""
    systems = (*members.SYSTEMS, System(PROVIDER, "Theo dõi", "Follow", (SERVICE,)))
    return Registration.of(
        systems,
        (*members.PURPOSES, PURPOSE),
        (*members.ACCESS_RIGHTS, RIGHT),
        officers=members.OFFICERS,
        auditors=(members.AUDITOR,),
    )


class Following:
    """A gateway in front of a provider that streams, and a citizen who has consented to datasets of hers being read."""

    def __init__(self, world: GatewayWorld, double: FollowDouble, uses: int, datasets: Sequence[str]) -> None:
        self.world = world
        self.double = double
        request = world.request_consent(purpose=PURPOSE.code, provider=PROVIDER, uses=uses, datasets=datasets)
        self.consent = world.decide(request.consent_request_id, world.approval(request)).consent

    def follow(self) -> Any:  # noqa: ANN401 (a call that can be iterated over)
        """Begin to read the stream about the citizen."""
        call: grpc.UnaryStreamMultiCallable[bytes, bytes] = self.world.channel(members.PORTAL).unary_stream(FOLLOW)
        context = CallContext(PURPOSE.code, self.world.token())
        request = message("FollowRequest", personal_number=LAN).SerializeToString()
        return call(request, metadata=context.metadata(), timeout=TIMEOUT_S)

    def recorded(self) -> list[tuple[str, int, str]]:
        """Return event, place in its stream and reason of every entry about a stream."""
        followed = [entry for entry in self.world.entries() if entry["method"] == FOLLOW]
        return [(entry["event"], entry["sequence"], entry["reason"]) for entry in followed]


@contextmanager
def following(
    folder: Path,
    answers: Sequence[Any],
    uses: int = 0,
    datasets: Sequence[str] = (BASIC,),
    **changes: Any,  # noqa: ANN401 (any field's value)
) -> Generator[Following]:
    """Run it all; the provider answers with `answers`.

    `uses`: how often the consent may be used, 0: any number of times; `datasets`: what it covers. `changes` are fields
    of the gateway's configuration.
    """
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port(HOST))
        world = stack.enter_context(
            gateway_world(
                sqlite_url(folder / "gateway.sqlite"),
                registration=registration(),
                contracts=[*all_contracts(), stream_contract()],
                more_providers={PROVIDER: f"{HOST}:{port}"},
                **changes,
            )
        )
        double = FollowDouble(answers)
        server = double.server(f"{HOST}:{port}", world.authority.issue(PROVIDER), members.GATEWAY)
        stack.callback(server.stop)
        stack.callback(double.go_on.set)
        server.start()
        yield Following(world, double, uses, datasets)


def about(number: str, name: str) -> Any:  # noqa: ANN401 (a class made at run time)
    """Return an answer about a citizen, with kin that she has not consented to show."""
    return message("FollowResponse", personal_number=number, name=name, kin="secret kin")
