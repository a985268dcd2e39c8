"""Where the journey runs: a sandbox of its own, or services that run already."""

from dataclasses import dataclass
from typing import Self

from lienthong.api.portal.v1.portal_pb2_grpc import PortalServiceStub
from lienthong_core.clock import Clock
from lienthong_sandbox.client import SystemClient
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.login import Citizen
from lienthong_sandbox.world import World
from lienthong_seeds import members
from lienthong_seeds.personas import persona


@dataclass(frozen=True)
class Place:
    """The systems that take part in the journey, and where the services are."""

    endpoints: Endpoints
    clock: Clock
    app: SystemClient
    desk: SystemClient
    bank: SystemClient
    shop: SystemClient
    auditor: SystemClient

    @classmethod
    def of(cls, world: World, endpoints: Endpoints, clock: Clock) -> Self:
        """Return the place whose client certificates are in `world`."""
        systems = (members.PORTAL_APP, members.RESIDENCE_DESK, members.BANK, members.SHOP, members.AUDITOR)
        return cls(endpoints, clock, *(SystemClient.of(system.subsystem, world, endpoints) for system in systems))

    def close(self) -> None:
        """Close every channel."""
        for system in (self.app, self.desk, self.bank, self.shop, self.auditor):
            system.close()

    def portal_for_citizens(self) -> PortalServiceStub:
        """Return the portal as its own app reaches it."""
        return PortalServiceStub(self.app.channel_to(self.endpoints.portal))

    def portal_for_officers(self) -> PortalServiceStub:
        """Return the portal as the residence desk reaches it."""
        return PortalServiceStub(self.desk.channel_to(self.endpoints.portal))

    def citizen(self, key: str) -> Citizen:
        """Return a persona at her browser."""
        return Citizen(persona(key).personal_number, self.app.tls.authority)
