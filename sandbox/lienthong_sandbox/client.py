"""Acting as one of the registered systems: its certificate, its channel to the gateway, the citizens it logs in."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Self, TypedDict, Unpack

import grpc

from lienthong.api.consent.v1 import consent_pb2
from lienthong.api.consent.v1.consent_pb2 import Consent, ConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import CallContext
from lienthong_core.certificates import TlsIdentity
from lienthong_core.channels import DIRECT
from lienthong_core.personal_numbers import is_personal_number
from lienthong_core.systems import SystemId
from lienthong_sandbox.endpoints import Endpoints
from lienthong_sandbox.login import Citizen, ClientRegistration, LoginRefused, OidcLogin
from lienthong_sandbox.world import CLIENTS, World
from lienthong_seeds import members
from lienthong_seeds.personas import persona

_DEADLINE_S = 10.0


class SystemClient:
    """A consumer's system. `channel` leads to the gateway; generated stubs work on it as on any channel."""

    def __init__(
        self, system: SystemId, tls: TlsIdentity, registration: ClientRegistration | None, endpoints: Endpoints
    ) -> None:
        """`registration` is the system's own at the identity provider; None if it logs nobody in."""
        self.system = system
        self.tls = tls
        self._registration = registration
        self._endpoints = endpoints
        self._undo = ExitStack()
        self.is_closed = False
        self.channel = self.channel_to(endpoints.gateway)

    @classmethod
    def of(cls, subsystem: str, world: World, endpoints: Endpoints) -> Self:
        """Return the registered client system with that subsystem name; raises KeyError, naming those there are."""
        for system in CLIENTS:
            if system.subsystem == subsystem:
                return cls(system, world.tls(system), _registration(system, world), endpoints)
        known = ", ".join(system.subsystem for system in CLIENTS)
        raise KeyError(f"no client system {subsystem!r}; there are: {known}")

    def login(self, citizen: str, *, rights: bool = False) -> "CitizenSession":
        """Log a citizen in: the key of a persona, or a personal number.

        With `rights` the system asks her to let it see who has used her data, and make requests about them for her.

        Raises LoginRefused if the identity provider says no, and KeyError, naming the personas, for what is neither.
        """
        self._check_open()
        if self._registration is None:
            raise LoginRefused(f"{self.system} is no client of the identity provider, so it logs nobody in")
        personal_number = _number_of(citizen)
        visitor = Citizen(personal_number, self.tls.authority)
        self._undo.callback(visitor.browser.close)
        scope = "openid profile rights" if rights else "openid profile"
        login = OidcLogin(self._registration, self._endpoints.identity_url, self.tls.authority, scope)
        return CitizenSession(self, visitor, login.log_in(visitor).access_token, login)

    def channel_to(self, address: str) -> grpc.Channel:
        """Return a channel with this system's certificate to another address, closed with this client."""
        self._check_open()
        return self._undo.enter_context(grpc.secure_channel(address, self.tls.channel_credentials(), DIRECT))

    def close(self) -> None:
        """Close every channel and connection; twice is once. Opening more raises RuntimeError from now on."""
        self.is_closed = True
        self._undo.close()

    def _check_open(self) -> None:
        if self.is_closed:
            raise RuntimeError(f"{self.system} was closed here; Sandbox.system() opens it anew")


class MoreTerms(TypedDict, total=False):
    """What a consent can be asked for beside its purpose and datasets; what is left out is not limited."""

    valid_for: timedelta
    """How long it lasts; one hour if left out."""
    uses: int
    """How often it may be used: in each `uses_per`, or in all."""
    uses_per: timedelta
    retention: timedelta
    """How long the system keeps what it reads."""
    reference: str
    """What it is for, such as a dossier code."""


class CitizenSession:
    """A citizen logged in at one system. `token` is her access token, bound to that system."""

    def __init__(self, system: SystemClient, citizen: Citizen, token: str, login: OidcLogin) -> None:
        self.token = token
        self.personal_number = citizen.personal_number
        self._citizen = citizen
        self._login = login
        self._consents = ConsentServiceStub(system.channel)

    def metadata(self, purpose: str) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call on her behalf for a purpose."""
        return CallContext(purpose, token=self.token).metadata()

    def consent(
        self,
        purpose: str,
        datasets: Sequence[str],
        *,
        provider: SystemId = members.POPULATION,
        approve: bool = True,
        **terms: Unpack[MoreTerms],
    ) -> Consent:
        """Ask her for consent, have her answer at the identity provider, and return the consent.

        Raises grpc.RpcError if the gateway refuses the request, LoginRefused if she denies it.
        """
        request_id = self.ask_consent(purpose, datasets, provider=provider, **terms)
        decided = self.answer_consent(request_id, approve=approve)
        found = consent_pb2.GetConsentRequest(consent_id=decided.consent_id)
        return self._consents.GetConsent(found, timeout=_DEADLINE_S).consent

    def ask_consent(
        self,
        purpose: str,
        datasets: Sequence[str],
        *,
        about: str = "",
        provider: SystemId = members.POPULATION,
        **terms: Unpack[MoreTerms],
    ) -> str:
        """Ask for consent and return the request's id; `about` is a child, as a persona's key or a personal number.

        Raises grpc.RpcError if the gateway refuses the request, TypeError for a term that is none of MoreTerms, and
        KeyError, naming the personas, for a child who is neither.
        """
        _check_terms(terms)
        asked = consent_pb2.RequestConsentRequest(
            subject_number=_number_of(about) if about else self.personal_number,
            provider=str(provider),
            datasets=datasets,
            purpose=purpose,
            uses=terms.get("uses", 0),
            purpose_reference=terms.get("reference", ""),
        )
        for name, length in (
            ("valid_for", terms.get("valid_for")),
            ("uses_per", terms.get("uses_per")),
            ("retention", terms.get("retention")),
        ):
            if length is not None:
                getattr(asked, name).FromTimedelta(length)
        return self._consents.RequestConsent(asked, timeout=_DEADLINE_S).consent_request.consent_request_id

    def answer_consent(self, consent_request_id: str, *, approve: bool = True) -> ConsentRequest:
        """Have her answer at the identity provider, for herself or a child she represents; return the request then.

        It stays pending while somebody else must approve as well. Raises LoginRefused if she denies it, or may not
        answer.
        """
        details = [{"type": "lienthong_consent", "consent_request_id": consent_request_id}]
        self.token = self._login.log_in(self._citizen, details, approve=approve).access_token
        fetch = consent_pb2.FetchConsentRequestRequest(consent_request_id=consent_request_id)
        return self._consents.FetchConsentRequest(fetch, timeout=_DEADLINE_S).consent_request

    def revoke(self, consent: Consent) -> Consent:
        """End a consent on her word, which her token stands for; one that was revoked already stays as it is.

        Raises grpc.RpcError if her token is over: then she has to log in again.
        """
        request = consent_pb2.RevokeConsentRequest(consent_id=consent.consent_id)
        metadata = CallContext("", token=self.token).metadata()
        return self._consents.RevokeConsent(request, metadata=metadata, timeout=_DEADLINE_S).consent


def _check_terms(terms: MoreTerms) -> None:
    # At run time anything is taken for a term, and a consent without the limit that was meant would look given.
    known = sorted(MoreTerms.__annotations__)
    for term in terms:
        if term not in known:
            raise TypeError(f"no term {term!r}; there are: {', '.join(known)}")


def _registration(system: SystemId, world: World) -> ClientRegistration | None:
    for client in members.OIDC_CLIENTS:
        if client.system_id == system:
            return ClientRegistration(client.client_id, world.client_secret(system), members.TEST_REDIRECT_URI)
    return None


def _number_of(citizen: str) -> str:
    return citizen if is_personal_number(citizen) else persona(citizen).personal_number
