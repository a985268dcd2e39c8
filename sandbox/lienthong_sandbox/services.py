"""Each service of a world, made from its own folder. One process may hold one of them or all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Engine

from lienthong_core.clock import Clock
from lienthong_core.database import sqlite_url
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_gateway.config import GatewayConfig
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.log.cosignature import read_witness_keys
from lienthong_gateway.server import GatewayServer
from lienthong_gateway.telemetry.telemetry import Spans
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.world import World
from lienthong_seeds import members
from lienthong_seeds.reference import UNITS_VALID_FROM, read_communes
from lienthong_services.identity.server import IdentityConfig, IdentityServer
from lienthong_services.population.server import PopulationConfig, PopulationServer
from lienthong_services.portal.residence_rules import Commune
from lienthong_services.portal.server import PortalConfig, PortalServer


class Server(Protocol):
    """A service: open from construction, answering from `start` to `stop`."""

    engine: Engine

    def start(self) -> None:
        """Answer from now on."""
        ...

    def stop(self) -> None:
        """Finish what is under way and give everything back."""
        ...


@dataclass(frozen=True)
class Listen:
    """Where a service listens, and where it keeps its data."""

    address: str
    web_host: str = ""
    web_port: int = 0
    database_url: str = ""
    """Empty: SQLite in the service's folder."""


@dataclass(frozen=True)
class Setting:
    """What the services of one world have in common."""

    world: World
    endpoints: Endpoints
    clock: Clock
    identity_backchannel: str = ""
    """Where the other services reach the identity provider's web address, if not under its issuer URL."""

    limits: Limits = field(default_factory=Limits)
    """The gateway's."""
    otlp_endpoint: str = ""
    """Where the gateway's traces go, OTLP over HTTP; empty: none are made."""

    @property
    def issuer_address(self) -> str:
        """Where the other services reach the identity provider's web address."""
        return self.identity_backchannel or self.endpoints.identity_url


def population(setting: Setting, listen: Listen) -> PopulationServer:
    """Return the population database."""
    config = PopulationConfig(
        address=listen.address,
        database_url=_database(setting, listen, members.POPULATION),
        tls=setting.world.tls(members.POPULATION),
        gateway=members.GATEWAY,
    )
    return PopulationServer(config, setting.clock)


def identity(setting: Setting, listen: Listen) -> IdentityServer:
    """Return the identity provider."""
    config = IdentityConfig(
        address=listen.address,
        web_host=listen.web_host,
        web_port=listen.web_port,
        issuer=setting.endpoints.identity_url,
        database_url=_database(setting, listen, members.IDENTITY),
        tls=setting.world.tls(members.IDENTITY),
        signing_key=SigningKey.load(setting.world.service_folder(members.IDENTITY) / "signing.pem"),
        gateway=members.GATEWAY,
        gateway_address=setting.endpoints.gateway,
    )
    return IdentityServer(config, setting.clock)


def gateway(setting: Setting, listen: Listen) -> GatewayServer:
    """Return the gateway."""
    registration = members.registration()
    config = GatewayConfig(
        system=members.GATEWAY,
        address=listen.address,
        web_host=listen.web_host,
        web_port=listen.web_port,
        database_url=_database(setting, listen, members.GATEWAY),
        tls=setting.world.tls(members.GATEWAY),
        checkpoint_key=CheckpointKey.load(setting.world.service_folder(members.GATEWAY) / "checkpoint.pem"),
        registration=registration,
        providers={
            service.system: setting.endpoints.addresses[service.name]
            for service in SERVICES
            if registration.systems[service.system].services
        },
        identity_provider=members.IDENTITY,
        issuer=setting.endpoints.identity_url,
        jwks_url=f"{setting.issuer_address}/jwks",
        limits=setting.limits,
        spans=_spans(setting.otlp_endpoint),
        witnesses=read_witness_keys(setting.world.service_folder(members.GATEWAY) / "witnesses"),
    )
    return GatewayServer(config, setting.clock)


def portal(setting: Setting, listen: Listen) -> PortalServer:
    """Return the portal."""
    config = PortalConfig(
        address=listen.address,
        web_host=listen.web_host,
        web_port=listen.web_port,
        public_url=setting.endpoints.portal_url,
        database_url=_database(setting, listen, members.PORTAL),
        tls=setting.world.tls(members.PORTAL),
        gateway_address=setting.endpoints.gateway,
        issuer=setting.endpoints.identity_url,
        issuer_address=setting.issuer_address,
        client_id="portal",
        client_secret=setting.world.client_secret(members.PORTAL),
        population=members.POPULATION,
        apps=frozenset({members.PORTAL_APP}),
        officer_systems=frozenset({members.RESIDENCE_DESK}),
        communes={
            code: Commune(place.commune_name, place.province_code, UNITS_VALID_FROM)
            for code, place in read_communes().items()
        },
    )
    return PortalServer(config, setting.clock)


@dataclass(frozen=True)
class Service:
    """A service of the sandbox: who it is, what makes it, and its ports (those of `lienthong up` and of containers)."""

    name: str
    system: SystemId
    make: Callable[[Setting, Listen], Server]
    port: int
    web_port: int = 0
    """Port of its pages; 0: it has none."""


SERVICES = (
    Service("population", members.POPULATION, population, 7441),
    Service("identity", members.IDENTITY, identity, 7442, 7444),
    Service("gateway", members.GATEWAY, gateway, 7440, 7446),
    Service("portal", members.PORTAL, portal, 7443, 7445),
)
"""Every service, in the order in which they start. A new agency is one line here."""

FIRST_PORT = min(service.port for service in SERVICES)


def service_named(name: str) -> Service:
    """Return a service; raises KeyError, naming those there are."""
    for service in SERVICES:
        if service.name == name:
            return service
    raise KeyError(f"no service {name!r}; there are: {', '.join(service.name for service in SERVICES)}")


def _spans(endpoint: str) -> Spans | None:
    if not endpoint:
        return None
    # Not before it is wanted: the exporter takes longer to import than everything else here.
    from lienthong_gateway.telemetry.spans import otlp_spans  # noqa: PLC0415

    return otlp_spans(endpoint, str(members.GATEWAY))


def _database(setting: Setting, listen: Listen, system: SystemId) -> str:
    return listen.database_url or sqlite_url(setting.world.service_folder(system) / f"{system.subsystem}.sqlite")
