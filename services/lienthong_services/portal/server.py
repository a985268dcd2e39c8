"""The portal, wired: pages for the login round-trip, gRPC for its app and for officers."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

from lienthong.api.portal.v1 import portal_pb2
from lienthong.api.portal.v1.portal_pb2_grpc import add_PortalServiceServicer_to_server
from lienthong_core.certificates import TlsIdentity
from lienthong_core.clock import Clock
from lienthong_core.database import open_database
from lienthong_core.rpc import RpcServer
from lienthong_core.systems import SystemId
from lienthong_core.web import WebServer
from lienthong_services.portal.desk import DossierDesk
from lienthong_services.portal.gateway_client import GatewayClient
from lienthong_services.portal.model import SCHEMA_VERSION, PortalTable
from lienthong_services.portal.oidc import ClientRegistration, OidcClient
from lienthong_services.portal.residence_rules import Commune
from lienthong_services.portal.servicer import PortalServicer
from lienthong_services.portal.store import PortalStore
from lienthong_services.portal.web.app import create_app
from lienthong_services.portal.web.visits import Visits

SERVICE = portal_pb2.DESCRIPTOR.services_by_name["PortalService"].full_name


@dataclass(frozen=True)
class PortalConfig:
    """What a portal is started with. Addresses are `host:port`, URLs have no slash at the end."""

    address: str
    web_host: str
    web_port: int
    public_url: str
    """The address that citizens' browsers know it by."""
    database_url: str
    tls: TlsIdentity
    gateway_address: str
    issuer: str
    issuer_address: str
    """Where the portal itself reaches the issuer."""
    client_id: str
    client_secret: str
    population: SystemId
    apps: frozenset[SystemId]
    """Systems that call on a citizen's behalf."""
    officer_systems: frozenset[SystemId]
    """Systems whose callers are officers."""
    communes: Mapping[str, Commune]
    """The communes that the register takes, by code."""


class PortalServer:
    """A running portal."""

    def __init__(self, config: PortalConfig, clock: Clock) -> None:
        """Open the database and bind both addresses; raises OSError if one cannot be had."""
        self.engine: Engine = open_database(config.database_url, PortalTable.metadata, version=SCHEMA_VERSION)
        with ExitStack() as undo:
            undo.callback(self.engine.dispose)
            store = PortalStore(self.engine)
            gateway = GatewayClient(config.gateway_address, config.tls, config.population)
            undo.callback(gateway.close)
            registration = ClientRegistration(
                config.client_id,
                config.client_secret,
                f"{config.public_url}/oidc/callback",
                f"{config.public_url}/logged-out",
            )
            oidc = OidcClient(config.issuer, config.issuer_address, config.tls.authority, registration, clock)
            undo.callback(oidc.close)
            desk = DossierDesk(store, gateway, config.communes, clock)
            visits = Visits(store, desk, oidc, clock)
            self._web = WebServer(config.web_host, config.web_port, config.tls, create_app(visits))
            undo.callback(self._web.stop)
            servicer = PortalServicer(store, desk, gateway, clock, config.officer_systems, config.public_url)
            callers = config.apps | config.officer_systems
            self._rpc = RpcServer(
                config.address,
                config.tls,
                [SERVICE],
                partial(add_PortalServiceServicer_to_server, servicer),
                lambda system: system in callers,
            )
            undo.callback(self._rpc.stop)
            self._undo = undo.pop_all()

    def start(self) -> None:
        """Answer from now on."""
        self._rpc.start()
        self._web.start()

    def stop(self) -> None:
        """Finish what is under way and give everything back."""
        self._undo.close()
