"""A gateway on real sockets with mutual TLS, its database, and doubles of its neighbours."""

import json
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, cast

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1.log_pb2 import Access, GetCheckpointRequest, ListAccessesRequest, ListEntriesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, GetCitizenResponse
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext, Explanation, Receipt, explain
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.clock import Clock, SandboxClock
from lienthong_core.ports import reserved_port
from lienthong_core.rpc import RpcServer
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_gateway.config import GatewayConfig
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from lienthong_services.population.rules import citizen_unknown
from tests.support.citizens import LAN, citizen
from tests.support.curl import Curl
from tests.support.doubles import KeySetDouble, PopulationDouble, population_server

HOST = "127.0.0.1"
ISSUER = "https://identity.test"
AUDIENCE = members.GATEWAY.spiffe_id
TIMEOUT_S = 20.0
"""Deadline of every call that is not about deadlines: long, so that a busy machine fails no test."""

_RECONNECT_SOON = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))

PURPOSE = members.PERMANENT_RESIDENCE.code
BASIC = "identity.basic"


class Gateway(Protocol):
    """A gateway that can be started and stopped, in this process or another."""

    def start(self) -> None:
        """Answer calls from now on."""
        ...

    def stop(self) -> None:
        """Give everything back."""
        ...


@dataclass
class GatewayWorld:
    """A running gateway and everything a test needs to talk to it."""

    config: GatewayConfig
    clock: SandboxClock
    gateway: Gateway
    authority: Authority
    population: PopulationDouble
    population_server: RpcServer
    key_set: KeySetDouble
    _channels: ExitStack
    _identities: dict[SystemId, TlsIdentity] = field(default_factory=dict[SystemId, TlsIdentity])
    _open: dict[SystemId, grpc.Channel] = field(default_factory=dict[SystemId, grpc.Channel])

    def identity(self, system: SystemId) -> TlsIdentity:
        """Return the certificate of a system, the same each time."""
        if system not in self._identities:
            self._identities[system] = self.authority.issue(system)
        return self._identities[system]

    def channel(self, system: SystemId) -> grpc.Channel:
        """Return a channel to the gateway that shows the system's certificate."""
        if system not in self._open:
            self._open[system] = self.channel_with(self.identity(system).channel_credentials())
        return self._open[system]

    def channel_with(self, credentials: grpc.ChannelCredentials) -> grpc.Channel:
        """Return a channel to the gateway with any credentials; it is closed with the world."""
        return self._channels.enter_context(grpc.secure_channel(self.config.address, credentials, _RECONNECT_SOON))

    def curl(self, folder: Path, system: SystemId | None) -> Curl:
        """Return curl with the system's certificate, or none, in front of the gateway's HTTPS address."""
        tls = self.identity(system) if system else None
        url = f"https://{self.config.web_host}:{self.config.web_port}"
        return Curl(url, folder / (system.subsystem if system else "nobody"), tls, self.authority.certificate)

    def claims(self, consumer: SystemId, number: str = LAN, level: int = 2) -> dict[str, Any]:
        """Return the claims of a good access token of a citizen, issued to `consumer` now."""
        now = int(self.clock.now().timestamp())
        return {
            "iss": ISSUER,
            "sub": str(uuid.uuid4()),
            "aud": AUDIENCE,
            "exp": now + 900,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "client_id": consumer.subsystem,
            "scope": "openid",
            "auth_time": now,
            "acr": str(level),
            "amr": ["pin"],
            "cnf": {"x5t#S256": self.identity(consumer).thumbprint},
            "personal_number": number,
            "account_level": level,
            "simulation": True,
        }

    def token(self, consumer: SystemId = members.PORTAL, number: str = LAN, level: int = 2, **changes: object) -> str:
        """Return a signed access token, with some claims changed."""
        claims = self.claims(consumer, number, level) | changes
        return self.key_set.keys[0].sign(claims, token_type="at+jwt")

    def rights_token(self, consumer: SystemId = members.PORTAL, number: str = LAN) -> str:
        """Return the access token of a citizen who lets a system see who has used her data, and make requests."""
        return self.token(consumer, number, scope="openid rights")

    def request_consent(
        self,
        consumer: SystemId = members.PORTAL,
        number: str = LAN,
        datasets: Sequence[str] = (BASIC,),
        purpose: str = PURPOSE,
        valid_for: timedelta = timedelta(hours=1),
        provider: SystemId = members.POPULATION,
        **more: Any,  # noqa: ANN401 (any other field of the request)
    ) -> consent_pb2.ConsentRequest:
        """Ask for consent as the consumer does."""
        period = Duration()
        period.FromTimedelta(valid_for)
        request = consent_pb2.RequestConsentRequest(
            subject_number=number,
            provider=str(provider),
            datasets=datasets,
            purpose=purpose,
            valid_for=period,
            **more,
        )
        stub = ConsentServiceStub(self.channel(consumer))
        return stub.RequestConsent(request, timeout=TIMEOUT_S).consent_request

    def approval(self, request: consent_pb2.ConsentRequest, level: int = 2, **changes: object) -> str:
        """Return the identity provider's signed statement that the citizen approved, with some claims changed."""
        claims = self.approval_claims(request, level) | changes
        return self.key_set.keys[0].sign_canonical(claims, token_type="lienthong-consent-approval+jwt")

    def approval_claims(self, request: consent_pb2.ConsentRequest, level: int = 2) -> dict[str, object]:
        """Return the claims of a good statement that a grown-up citizen approved."""
        now = int(self.clock.now().timestamp())
        terms = request.terms
        return {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "decision": "approved",
            "consent_request_id": request.consent_request_id,
            "subject_number": terms.subject_number,
            "subject_age": "grown_up",
            "approved_by": terms.subject_number,
            "approves_as": "subject",
            "acr": str(level),
            "auth_time": now,
            "consumer": terms.consumer,
            "provider": terms.provider,
            "datasets": list(terms.datasets),
            "purpose": terms.purpose,
            "purpose_title_vi": terms.purpose_title_vi,
            "purpose_title_en": terms.purpose_title_en,
            "purpose_reference": terms.purpose_reference,
            "valid_for": terms.valid_for.seconds,
            "uses": terms.uses,
            "uses_per": terms.uses_per.seconds,
            "retention": terms.retention.seconds,
            "legal_text_version": terms.legal_text_version,
            "legal_text_digest": terms.legal_text_digest,
        }

    def decide(self, consent_request_id: str, statement: str) -> consent_pb2.RecordDecisionResponse:
        """Hand a signed decision in as the identity provider does."""
        request = consent_pb2.RecordDecisionRequest(consent_request_id=consent_request_id, decision=statement)
        stub = ConsentServiceStub(self.channel(members.IDENTITY))
        return stub.RecordDecision(request, timeout=TIMEOUT_S)

    def consent(
        self,
        consumer: SystemId = members.PORTAL,
        number: str = LAN,
        datasets: Sequence[str] = (BASIC,),
        purpose: str = PURPOSE,
        valid_for: timedelta = timedelta(hours=1),
        level: int = 2,
        **more: Any,  # noqa: ANN401 (any other field of the request)
    ) -> consent_pb2.Consent:
        """Have a citizen consent: asked for by the consumer, approved at the identity provider."""
        request = self.request_consent(consumer, number, datasets, purpose, valid_for, **more)
        return self.decide(request.consent_request_id, self.approval(request, level)).consent

    def get_citizen(
        self,
        context: CallContext,
        consumer: SystemId = members.PORTAL,
        number: str = LAN,
        timeout: float = TIMEOUT_S,
    ) -> tuple[GetCitizenResponse, Receipt]:
        """Read a citizen's record through the gateway."""
        stub = PopulationServiceStub(self.channel(consumer))
        request = GetCitizenRequest(personal_number=number)
        answer, call = stub.GetCitizen.with_call(request, metadata=context.metadata(), timeout=timeout)
        return answer, Receipt.of(call.trailing_metadata())

    def call(self, metadata: Sequence[tuple[str, str | bytes]], consumer: SystemId = members.PORTAL) -> None:
        """Read a citizen's record with exactly these headers."""
        stub = PopulationServiceStub(self.channel(consumer))
        stub.GetCitizen(GetCitizenRequest(personal_number=LAN), metadata=tuple(metadata), timeout=TIMEOUT_S)

    def read(self) -> tuple[GetCitizenResponse, Receipt]:
        """Make the ordinary call, which succeeds once `consent` was given: the portal reads the citizen's record."""
        return self.get_citizen(CallContext(PURPOSE, self.token()))

    def entries(self) -> list[dict[str, Any]]:
        """Return every entry of the exchange log, read as the auditor does."""
        stub = ExchangeLogServiceStub(self.channel(members.AUDITOR))
        found: list[dict[str, Any]] = []
        size = stub.GetCheckpoint(GetCheckpointRequest(), timeout=TIMEOUT_S).checkpoint.tree_size
        while True:
            request = ListEntriesRequest(start=len(found), page_size=1_000)
            page = stub.ListEntries(request, timeout=TIMEOUT_S).entries
            found += [json.loads(entry.leaf) for entry in page]
            if len(found) >= size:
                return found

    def accesses(self, number: str = LAN) -> list[Access]:
        """Return who accessed a citizen's data, newest first, as the portal shows it to her."""
        context = CallContext("", self.rights_token(members.PORTAL, number))
        stub = ExchangeLogServiceStub(self.channel(members.PORTAL))
        request = ListAccessesRequest(page_size=500)
        return list(stub.ListAccesses(request, metadata=context.metadata(), timeout=TIMEOUT_S).accesses)


def refusal_of(call: Callable[[], object]) -> Explanation:
    """Make a call that must be refused, and return why it was."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return explain(caught.value)


def trailing_metadata(error: grpc.RpcError) -> dict[str, str]:
    """Return what came with a refusal beside its status."""
    # The stubs do not say that a pair is one.
    pairs = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata())
    return {key: value for key, value in pairs if isinstance(value, str)}


@contextmanager
def gateway_world(
    database_url: str,
    make: Callable[[GatewayConfig, Clock], Gateway] = GatewayServer,
    more_providers: Mapping[SystemId, str] | None = None,
    **changes: Any,  # noqa: ANN401 (any field's value)
) -> Generator[GatewayWorld]:
    """Run a gateway and its neighbours.

    `more_providers` are the addresses of a test's own providers, `changes` fields of the gateway's configuration.
    """
    with ExitStack() as stack:
        ports = [stack.enter_context(reserved_port(HOST)) for _ in range(4)]
        authority = Authority.create()
        key_set = KeySetDouble([SigningKey.create()])
        population = PopulationDouble()
        population.answer("GetCitizen", GetCitizenResponse(citizen=citizen()))
        population.answer("ListPersonalNumbers", citizen_unknown())
        provider = _started(
            stack,
            population_server(population, f"{HOST}:{ports[1]}", authority.issue(members.POPULATION), members.GATEWAY),
        )
        _started(stack, key_set.server(HOST, ports[2], authority.issue(members.IDENTITY)))
        settings: Mapping[str, Any] = {
            "system": members.GATEWAY,
            "address": f"{HOST}:{ports[0]}",
            "web_host": HOST,
            "web_port": ports[3],
            "database_url": database_url,
            "tls": authority.issue(members.GATEWAY),
            "checkpoint_key": CheckpointKey.create(),
            "registration": members.registration(),
            "providers": {members.POPULATION: f"{HOST}:{ports[1]}", **(more_providers or {})},
            "identity_provider": members.IDENTITY,
            "issuer": ISSUER,
            "jwks_url": f"https://{HOST}:{ports[2]}/jwks.json",
        }
        config = GatewayConfig(**{**settings, **changes})
        clock = SandboxClock()
        gateway = _started(stack, make(config, clock))
        channels = stack.enter_context(ExitStack())
        yield GatewayWorld(config, clock, gateway, authority, population, provider, key_set, channels)


def _started(stack: ExitStack, server: Any) -> Any:  # noqa: ANN401 (any of the servers)
    stack.callback(server.stop)
    server.start()
    return server
