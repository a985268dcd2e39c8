"""An identity provider to test against: real sockets, a gateway's consent service, and a client."""

import base64
import hashlib
import ssl
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import grpc
import httpx2
from sqlalchemy.orm import Session

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2_grpc import add_ConsentServiceServicer_to_server
from lienthong.api.identity.v1.identity_pb2 import AccountKind, AccountState
from lienthong.api.population.v1.population_pb2 import VerifyRelationshipResponse
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.clock import SandboxClock
from lienthong_core.ports import reserved_port
from lienthong_core.rpc import RpcServer
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_services.identity.clients import make_client
from lienthong_services.identity.model import Account
from lienthong_services.identity.rules import PASSCODE, hash_passcode, secret_digest
from lienthong_services.identity.server import IdentityConfig, IdentityServer
from lienthong_services.identity.store import IdentityStore
from tests.support.browser import TIMEOUT_S, Browser, Page
from tests.support.consents import ConsentService
from tests.support.doubles import POPULATION_SERVICE, PopulationDouble

GATEWAY = SystemId.parse("VN-SANDBOX/GOV/G00/gateway")
IDENTITY = SystemId.parse("VN-SANDBOX/GOV/G01/identity")
PORTAL = SystemId.parse("VN-SANDBOX/GOV/G02/portal")
BANK = SystemId.parse("VN-SANDBOX/COM/BANK01/ekyc")

MAI, LEVEL_ONE, LOCKED, INACTIVE, NOBODY = (f"09919000000{digit}" for digit in (1, 2, 3, 4, 9))
CHILD, SMALL_CHILD = "099318000005", "099324000006"
"""Eight years old and two, in November 2026; both with an account of their own."""
CALLBACK = "https://localhost:9/callback"
OTHER_CALLBACK = "https://localhost:9/another"
"""Another address of the portal."""
AFTERWARDS = "https://localhost:9/logged-out?from=identity"
"""Where the portal has citizens sent who logged out; no other client has such an address."""
PORTAL_SECRET, BANK_SECRET = "portal-secret", "bank-secret"
VERIFIER = "v" * 43


def challenge(verifier: str) -> str:
    """Return the S256 challenge, computed apart from the code under test."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True)
class Relying:
    """A client's own side: what it sends the browser with, and how it exchanges the code."""

    issuer: str
    trust: ssl.SSLContext
    client_id: str = "portal"
    secret: str = PORTAL_SECRET

    def authorize(self, **changes: str | None) -> str:
        """Return the address to send the browser to; None leaves a parameter out."""
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid profile",
            "state": "st-1",
            "nonce": "n-1",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        sent = {name: value for name, value in parameters.items() if value is not None}
        return f"{self.issuer}/authorize?{urlencode(sent)}"

    def exchange(self, code: str, **changes: str | None) -> httpx2.Response:
        """Send a code to the token endpoint."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        sent = {name: value for name, value in form.items() if value is not None}
        with httpx2.Client(verify=self.trust, timeout=TIMEOUT_S) as http:
            return http.post(f"{self.issuer}/token", data=sent, auth=(self.client_id, self.secret))

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> httpx2.Response:
        """Send a form to the provider, unauthenticated."""
        with httpx2.Client(verify=self.trust, timeout=TIMEOUT_S) as http:
            return http.post(f"{self.issuer}{path}", data=dict(form), headers=headers)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Read from the provider."""
        with httpx2.Client(verify=self.trust, timeout=TIMEOUT_S) as http:
            return http.get(f"{self.issuer}{path}", headers=headers)


@dataclass(frozen=True)
class IdentityWorld:
    """A running identity provider with its neighbours."""

    clock: SandboxClock
    issuer: str
    rpc_address: str
    server: IdentityServer
    consents: ConsentService
    register: PopulationDouble
    """The population database behind the gateway; it confirms no relationship unless told."""
    key: SigningKey
    authority: Authority
    portal_tls: TlsIdentity
    trust: ssl.SSLContext
    undo: ExitStack
    """Closes what a test opens."""

    @property
    def store(self) -> IdentityStore:
        """The provider's own store."""
        return IdentityStore(self.server.engine)

    @property
    def portal(self) -> Relying:
        """The portal as a client."""
        return Relying(self.issuer, self.trust)

    def browser(self) -> Browser:
        """Open a new browser."""
        browser = Browser(self.issuer, self.trust, MAI)
        self.undo.callback(browser.http.close)
        return browser

    def tls_of(self, system: SystemId) -> TlsIdentity:
        """Return a certificate of a system."""
        return self.authority.issue(system)

    def signed_in(self, **changes: str | None) -> tuple[Browser, Page]:
        """Return a browser in which the citizen has logged in and approved the portal, and where it ended up."""
        browser = self.browser()
        page = browser.submit(browser.log_in(browser.get(self.portal.authorize(**changes))), decision="approve")
        return browser, page

    def tokens(self, **changes: str | None) -> dict[str, Any]:
        """Log a citizen in and return what the token endpoint answered."""
        _, page = self.signed_in(**changes)
        response = self.portal.exchange(page.answer["code"])
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


@contextmanager
def identity_world(database_url: str) -> Generator[IdentityWorld]:
    """Start an identity provider and a gateway's consent service on free ports."""
    authority, key, clock = Authority.create(), SigningKey.create(), SandboxClock()
    with ExitStack() as undo:
        web_port, rpc_port, gateway_port = (undo.enter_context(reserved_port("127.0.0.1")) for _ in range(3))
        issuer = f"https://localhost:{web_port}"
        register = PopulationDouble()
        register.answer("VerifyRelationship", VerifyRelationshipResponse(confirmed=False))
        consents = ConsentService(key, issuer, GATEWAY.spiffe_id, MAI, str(PORTAL))
        gateway = RpcServer(
            f"localhost:{gateway_port}",
            authority.issue(GATEWAY),
            [consent_pb2.DESCRIPTOR.services_by_name["ConsentService"].full_name, POPULATION_SERVICE.full_name],
            lambda server: _behind_the_gateway(server, consents, register),
            lambda system: system == IDENTITY,
        )
        undo.callback(gateway.stop)
        config = IdentityConfig(
            address=f"localhost:{rpc_port}",
            web_host="127.0.0.1",
            web_port=web_port,
            issuer=issuer,
            database_url=database_url,
            tls=authority.issue(IDENTITY),
            signing_key=key,
            gateway=GATEWAY,
            gateway_address=f"localhost:{gateway_port}",
        )
        server = IdentityServer(config, clock)
        undo.callback(server.stop)
        portal_tls = authority.issue(PORTAL)
        _fill(server, portal_tls, authority.issue(BANK))
        gateway.start()
        server.start()
        trust = ssl.create_default_context(cadata=authority.certificate.decode())
        yield IdentityWorld(
            clock, issuer, f"localhost:{rpc_port}", server, consents, register, key, authority, portal_tls, trust, undo
        )


def _behind_the_gateway(server: grpc.Server, consents: ConsentService, register: PopulationDouble) -> None:
    add_ConsentServiceServicer_to_server(consents, server)
    register.register(server)


def _fill(server: IdentityServer, portal: TlsIdentity, bank: TlsIdentity) -> None:
    passcode = hash_passcode(PASSCODE, b"salt of the test")
    active = AccountState.ACCOUNT_STATE_ACTIVE
    people = (
        (MAI, 2, active, "Nguyễn Thị Mai", "1990-05-17"),
        (LEVEL_ONE, 1, active, "Trần Văn Một", "1985"),
        (LOCKED, 2, AccountState.ACCOUNT_STATE_LOCKED, "Lê Thị Khóa", "1979-01-02"),
        (CHILD, 1, active, "Lê Gia Hân", "2018-05-20"),
        (SMALL_CHILD, 1, active, "Lê Gia Bảo", "2024-06-01"),
        (INACTIVE, 2, AccountState.ACCOUNT_STATE_INACTIVE, "Phạm Văn Chưa", "2001-12-31"),
    )
    with Session(server.engine) as session, session.begin():
        session.add_all(
            Account(
                personal_number=number,
                subject=f"00000000-0000-4000-8000-{number}",
                kind=AccountKind.ACCOUNT_KIND_CITIZEN,
                level=level,
                state=state,
                state_changed_at=datetime(2026, 1, 1, tzinfo=UTC),
                full_name=name,
                birth_date=born,
                passcode_hash=passcode,
            )
            for number, level, state, name, born in people
        )
    store = IdentityStore(server.engine)
    portal_name = ("Cổng dịch vụ công", "Public-service portal")
    bank_name = ("Ngân hàng Thử nghiệm", "Test bank")
    secret = secret_digest(PORTAL_SECRET)
    store.add_client(
        make_client(
            "portal", str(PORTAL), portal_name, secret, portal.thumbprint, [CALLBACK, OTHER_CALLBACK], [AFTERWARDS]
        )
    )
    store.add_client(make_client("bank", str(BANK), bank_name, secret_digest(BANK_SECRET), bank.thumbprint, [CALLBACK]))
