"""A portal on real sockets with mutual TLS, its database, and doubles of its neighbours."""

import ssl
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import grpc
import httpx2
import pytest

from lienthong.api.population.v1.citizen_pb2 import Household, HouseholdMember
from lienthong.api.population.v1.population_pb2 import GetCitizenResponse, GetHouseholdResponse
from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong.api.portal.v1.portal_pb2_grpc import PortalServiceStub
from lienthong.api.types.v1.types_pb2 import PersonName
from lienthong.client import Explanation, Header, explain
from lienthong_core.certificates import Authority
from lienthong_core.clock import SandboxClock
from lienthong_core.ports import reserved_port
from lienthong_core.rpc import RpcServer
from lienthong_core.systems import SystemId
from lienthong_core.web import WebServer
from lienthong_seeds import members
from lienthong_services.portal.residence_rules import Commune
from lienthong_services.portal.server import PortalConfig, PortalServer
from tests.support.citizens import LAN, citizen
from tests.support.portal_doubles import (
    CLIENT_ID,
    CLIENT_SECRET,
    GATEWAY_SERVICES,
    GatewayDouble,
    IssuerDouble,
)

HOST = "127.0.0.1"
TIMEOUT_S = 20.0
SESSION_COOKIE = "__Host-portal-session"
PROCEDURE = "1.004222"
OFFICER = "CA-PHUONG-0042"
MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""Monday 23 November 2026, ten in the morning in Vietnam."""
NEW_ADDRESS = {
    "new_province_code": "01",
    "new_commune_code": "00004",
    "new_address_detail": "Số 7, ngõ 3",
    "from_date": "2026-11-20",
}

State = pb.DossierState


@dataclass
class PortalWorld:
    """A running portal and everything a test needs to talk to it."""

    clock: SandboxClock
    url: str
    address: str
    portal: PortalServer
    gateway: GatewayDouble
    gateway_server: RpcServer
    issuer: IssuerDouble
    issuer_server: WebServer
    authority: Authority
    undo: ExitStack
    _channels: dict[SystemId, grpc.Channel] = field(default_factory=dict[SystemId, grpc.Channel])

    def browser(self) -> httpx2.Client:
        """Open a new browser, which follows redirects and keeps cookies."""
        trust = ssl.create_default_context(cadata=self.authority.certificate.decode())
        client = httpx2.Client(verify=trust, timeout=TIMEOUT_S, follow_redirects=True, base_url=self.url)
        return self.undo.enter_context(client)

    def logged_in(self, number: str = LAN) -> "Citizen":
        """Log a citizen in with a new browser."""
        self.issuer.personal_number = number
        browser = self.browser()
        response = browser.get("/login")
        assert response.status_code == 200, response.text
        return Citizen(self, browser)

    def stub(self, system: SystemId) -> PortalServiceStub:
        """Return a stub that calls with the system's certificate."""
        if system not in self._channels:
            credentials = self.authority.issue(system).channel_credentials()
            self._channels[system] = self.undo.enter_context(grpc.secure_channel(self.address, credentials))
        return PortalServiceStub(self._channels[system])

    def officers_move(
        self, code: str, state: State.ValueType, note: str = "", officer: str = OFFICER
    ) -> pb.MoveDossierResponse:
        """Move a dossier as an officer does."""
        request = pb.MoveDossierRequest(code=code, state=state, note=note)
        metadata = ((str(Header.OFFICER), officer),)
        return self.stub(members.RESIDENCE_DESK).MoveDossier(request, metadata=metadata, timeout=TIMEOUT_S)

    def officer_sees(self, dossier: str) -> pb.Dossier:
        """Return a dossier as an officer sees it."""
        metadata = ((str(Header.OFFICER), OFFICER),)
        request = pb.GetDossierRequest(dossier=dossier)
        return self.stub(members.RESIDENCE_DESK).GetDossier(request, metadata=metadata, timeout=TIMEOUT_S).dossier

    def in_processing(self) -> tuple["Citizen", str]:
        """Return a citizen and the code of a dossier of hers that is being processed."""
        lan = self.logged_in()
        code = lan.submitted().code
        self.officers_move(code, State.DOSSIER_STATE_RECEIVED)
        self.officers_move(code, State.DOSSIER_STATE_PROCESSING)
        return lan, code


@dataclass
class Citizen:
    """A citizen: her browser, and the portal's app that calls with her session."""

    world: PortalWorld
    browser: httpx2.Client

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What the app sends: the session in the browser's cookie."""
        return ((str(Header.AUTHORIZATION), f"Bearer {self.browser.cookies[SESSION_COOKIE]}"),)

    @property
    def app(self) -> PortalServiceStub:
        """The portal's app."""
        return self.world.stub(members.PORTAL_APP)

    def start(self, procedure: str = PROCEDURE) -> pb.StartDossierResponse:
        """Open a draft."""
        request = pb.StartDossierRequest(procedure_code=procedure)
        return self.app.StartDossier(request, metadata=self.metadata, timeout=TIMEOUT_S)

    def consented(self) -> pb.Dossier:
        """Open a draft and consent to its prefilling."""
        started = self.start()
        response = self.browser.get(started.consent_url)
        assert response.status_code == 200, response.text
        return self.sees(started.dossier.dossier_id)

    def prefill(self, dossier_id: str) -> pb.PrefillDossierResponse:
        """Fill a draft from the registers."""
        request = pb.PrefillDossierRequest(dossier_id=dossier_id)
        return self.app.PrefillDossier(request, metadata=self.metadata, timeout=TIMEOUT_S)

    def submit(self, dossier_id: str, **values: str) -> pb.Dossier:
        """Submit a draft."""
        request = pb.SubmitDossierRequest(dossier_id=dossier_id, values=values)
        return self.app.SubmitDossier(request, metadata=self.metadata, timeout=TIMEOUT_S).dossier

    def submitted(self) -> pb.Dossier:
        """Open, prefill and submit a dossier."""
        dossier_id = self.consented().dossier_id
        self.prefill(dossier_id)
        return self.submit(dossier_id, **NEW_ADDRESS)

    def move(self, code: str, state: State.ValueType) -> pb.Dossier:
        """Move a dossier as its applicant."""
        request = pb.MoveDossierRequest(code=code, state=state)
        return self.app.MoveDossier(request, metadata=self.metadata, timeout=TIMEOUT_S).dossier

    def sees(self, dossier: str) -> pb.Dossier:
        """Return a dossier as she sees it."""
        request = pb.GetDossierRequest(dossier=dossier)
        return self.app.GetDossier(request, metadata=self.metadata, timeout=TIMEOUT_S).dossier

    def dossiers(self) -> list[pb.Dossier]:
        """Return her newest dossiers."""
        return list(self.page().dossiers)

    def page(self, page_size: int = 0, cursor: str = "") -> pb.ListDossiersResponse:
        """Return a page of her dossiers."""
        request = pb.ListDossiersRequest(page_size=page_size, cursor=cursor)
        return self.app.ListDossiers(request, metadata=self.metadata, timeout=TIMEOUT_S)


def values(dossier: pb.Dossier) -> dict[str, str]:
    """Return what a dossier's form holds, by the names of its fields."""
    return {field.name: field.value for field in dossier.form if field.value}


@contextmanager
def refused(reason: str, status: grpc.StatusCode) -> Generator[list[Explanation]]:
    """Expect the block's call to be refused so; gives the explanation in a list once it was."""
    found: list[Explanation] = []
    with pytest.raises(grpc.RpcError) as caught:
        yield found
    found.append(explain(caught.value))
    assert (found[0].reason, found[0].status) == (reason, status), found[0].message


@contextmanager
def portal_world(database_url: str) -> Generator[PortalWorld]:
    """Start a portal between doubles of the gateway and of the identity provider, on free ports."""
    authority, clock, gateway = Authority.create(), SandboxClock(), GatewayDouble()
    clock.set(MONDAY)
    head = HouseholdMember(personal_number=LAN, name=PersonName(full_name="Nguyễn Thị Lan"))
    gateway.answers["GetCitizen"] = GetCitizenResponse(citizen=citizen())
    gateway.answers["GetHousehold"] = GetHouseholdResponse(household=Household(members=[head]))
    with ExitStack() as undo:
        web, rpc, issuing, exchanging = (undo.enter_context(reserved_port(HOST)) for _ in range(4))
        gateway_server = RpcServer(
            f"{HOST}:{exchanging}",
            authority.issue(members.GATEWAY),
            GATEWAY_SERVICES,
            gateway.register,
            lambda caller: caller == members.PORTAL,
        )
        undo.callback(gateway_server.stop)
        issuer = IssuerDouble(clock, f"https://localhost:{issuing}", LAN)
        issuer_server = WebServer(HOST, issuing, authority.issue(members.IDENTITY), issuer.app())
        undo.callback(issuer_server.stop)
        config = PortalConfig(
            address=f"{HOST}:{rpc}",
            web_host=HOST,
            web_port=web,
            public_url=f"https://localhost:{web}",
            database_url=database_url,
            tls=authority.issue(members.PORTAL),
            gateway_address=f"{HOST}:{exchanging}",
            issuer=issuer.issuer,
            issuer_address=issuer.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            population=members.POPULATION,
            apps=frozenset({members.PORTAL_APP}),
            officer_systems=frozenset({members.RESIDENCE_DESK}),
            communes={"00004": Commune("Phường Ba Đình", "01", "2025-07-01")},
        )
        portal = PortalServer(config, clock)
        undo.callback(portal.stop)
        for server in (gateway_server, issuer_server, portal):
            server.start()
        # Closed first: clients go before the servers they talk to.
        with ExitStack() as clients:
            yield PortalWorld(
                clock,
                config.public_url,
                config.address,
                portal,
                gateway,
                gateway_server,
                issuer,
                issuer_server,
                authority,
                clients,
            )


def assert_refused(response: httpx2.Response, status: int, reason: str) -> None:
    """Assert that a page tells of a refusal, and logs nobody in."""
    assert response.status_code == status, response.text
    assert f"<code>{reason}</code>" in response.text
    assert SESSION_COOKIE not in response.cookies
