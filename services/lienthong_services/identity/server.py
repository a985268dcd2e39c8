"""The identity provider, wired: HTTPS for citizens and clients, gRPC for the gateway."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from lienthong.api.identity.v1 import identity_pb2
from lienthong.api.identity.v1.identity_pb2_grpc import add_IdentityServiceServicer_to_server
from lienthong_core.certificates import TlsIdentity
from lienthong_core.clock import Clock
from lienthong_core.contracts import declared_datasets
from lienthong_core.database import open_database
from lienthong_core.rpc import RpcServer
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_core.web import WebServer
from lienthong_services.identity.approvals import ConsentDesk
from lienthong_services.identity.gateway import gateway_channel
from lienthong_services.identity.model import SCHEMA_VERSION, IdentityTable
from lienthong_services.identity.register import Register
from lienthong_services.identity.servicer import IdentityServicer
from lienthong_services.identity.store import IdentityStore
from lienthong_services.identity.tokens import TokenIssuer
from lienthong_services.identity.web.app import create_app
from lienthong_services.identity.web.pages import Pages
from lienthong_services.identity.web.provider import Provider

SERVICE = identity_pb2.DESCRIPTOR.services_by_name["IdentityService"].full_name


@dataclass(frozen=True)
class IdentityConfig:
    """What an identity provider needs to know."""

    address: str
    """Where agencies' calls arrive, through the gateway: `host:port`."""
    web_host: str
    web_port: int
    issuer: str
    """The https address that citizens and clients know it by, without a slash at the end."""
    database_url: str
    tls: TlsIdentity
    signing_key: SigningKey
    """Signs tokens and citizens' decisions."""
    gateway: SystemId
    """The only system that may call, and the audience of what is signed."""
    gateway_address: str


class IdentityServer:
    """A running identity provider."""

    def __init__(self, config: IdentityConfig, clock: Clock) -> None:
        """Open the database and bind both addresses; raises OSError if one cannot be had."""
        self.engine = open_database(config.database_url, IdentityTable.metadata, version=SCHEMA_VERSION)
        with ExitStack() as undo:
            undo.callback(self.engine.dispose)
            store = IdentityStore(self.engine)
            gateway = gateway_channel(config.gateway_address, config.tls.channel_credentials())
            undo.callback(gateway.close)
            provider = Provider(
                issuer=config.issuer,
                store=store,
                tokens=TokenIssuer(config.issuer, config.gateway.spiffe_id, config.signing_key),
                consents=ConsentDesk(gateway),
                register=Register(gateway),
                datasets=declared_datasets(),
                clock=clock,
                pages=Pages(),
            )
            self._web = WebServer(config.web_host, config.web_port, config.tls, create_app(provider))
            undo.callback(self._web.stop)
            self._rpc = RpcServer(
                config.address,
                config.tls,
                [SERVICE],
                partial(add_IdentityServiceServicer_to_server, IdentityServicer(store, clock)),
                lambda system: system == config.gateway,
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
