"""The portal as a client of the identity provider: OpenID Connect, authorization code with PKCE."""

import base64
import hashlib
import json
import secrets
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx2
import jwt

from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, unauthenticated, unavailable

_TIMEOUT_S = 5.0
_SCOPE = "openid profile rights"


@dataclass(frozen=True)
class ClientRegistration:
    """The portal's registration at the identity provider."""

    client_id: str
    client_secret: str
    redirect_uri: str
    post_logout_redirect_uri: str


@dataclass(frozen=True)
class Attempt:
    """What is remembered while the citizen is at the identity provider."""

    state: str
    nonce: str
    code_verifier: str

    @classmethod
    def create(cls) -> "Attempt":
        """Make one nobody can guess."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


@dataclass(frozen=True)
class LoggedIn:
    """Who came back, and the access token for the gateway."""

    subject: str
    personal_number: str
    full_name: str
    account_level: int
    id_token: str
    access_token: str
    access_token_expires_at: datetime
    consents: Mapping[str, str]
    """Id of each consent approved on the way, by the id of the request for it."""


class OidcClient:
    """Sends citizens to the identity provider and takes them back. Every method answers within ten seconds."""

    def __init__(
        self, issuer: str, issuer_address: str, authority: bytes, registration: ClientRegistration, clock: Clock
    ) -> None:
        """`issuer_address` is where this server reaches the issuer; in a container network it may be another."""
        self._issuer = issuer
        self._address = issuer_address
        self._registration = registration
        self._clock = clock
        context = ssl.create_default_context(cadata=authority.decode())
        self._client = httpx2.Client(verify=context, timeout=_TIMEOUT_S, trust_env=False)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetching = threading.Lock()

    @property
    def issuer(self) -> str:
        """The provider's address, as browsers know it."""
        return self._issuer

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def authorization_url(self, attempt: Attempt, details: Sequence[Mapping[str, str]] = ()) -> str:
        """Return where to send the citizen's browser; `details` are RFC 9396 `authorization_details`."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.code_verifier.encode()).digest()).rstrip(b"=")
        parameters = {
            "response_type": "code",
            "client_id": self._registration.client_id,
            "redirect_uri": self._registration.redirect_uri,
            "scope": _SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
            **({"authorization_details": json.dumps(list(details))} if details else {}),
        }
        return f"{self._issuer}/authorize?{urlencode(parameters)}"

    def logout_url(self, id_token: str) -> str:
        """Return where to send the browser to be logged out, and back; with an empty id_token the citizen is asked."""
        parameters = {
            "client_id": self._registration.client_id,
            "post_logout_redirect_uri": self._registration.post_logout_redirect_uri,
            **({"id_token_hint": id_token} if id_token else {}),
        }
        return f"{self._issuer}/end-session?{urlencode(parameters)}"

    def exchange(self, code: str, attempt: Attempt) -> LoggedIn:
        """Exchange a code for tokens and believe the id_token only after checking it.

        Raises refusals with reason LOGIN_REFUSED (the provider takes no such code), ID_TOKEN_INVALID or
        IDENTITY_PROVIDER_UNAVAILABLE.
        """
        registration = self._registration
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": registration.redirect_uri,
            "code_verifier": attempt.code_verifier,
        }
        try:
            response = self._client.post(
                f"{self._address}/token", data=form, auth=(registration.client_id, registration.client_secret)
            )
            body = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise _provider_unavailable() from error
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _provider_unavailable()
        if response.status_code != HTTPStatus.OK:
            raise login_refused()
        return self._believed(body, attempt)

    def _believed(self, body: Mapping[str, Any], attempt: Attempt) -> LoggedIn:
        try:
            id_token = str(body["id_token"])
            claims = self._checked(id_token, attempt.nonce)
            access_token = str(body["access_token"])
            lifetime = int(body["expires_in"])
            details: Sequence[Mapping[str, Any]] = body.get("authorization_details") or ()
            return LoggedIn(
                subject=str(claims["sub"]),
                personal_number=str(claims["personal_number"]),
                full_name=str(claims["name"]),
                account_level=int(claims["acr"]),
                id_token=id_token,
                access_token=access_token,
                access_token_expires_at=datetime.fromtimestamp(self._clock.now().timestamp() + lifetime, UTC),
                consents={str(d["consent_request_id"]): str(d["consent_id"]) for d in details if "consent_id" in d},
            )
        except (KeyError, TypeError, ValueError, jwt.PyJWTError) as error:
            message = "The identity provider's id_token cannot be believed; begin again at /login."
            raise unauthenticated("ID_TOKEN_INVALID", message) from error

    def _checked(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        header = jwt.get_unverified_header(id_token)
        claims: dict[str, Any] = jwt.decode(
            id_token,
            self._key(str(header.get("kid", ""))),
            algorithms=["ES256"],
            audience=self._registration.client_id,
            issuer=self._issuer,
            # Times are checked below, against the sandbox's clock.
            options={"require": ["exp", "iat", "nonce"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        now = self._clock.now().timestamp()
        if not secrets.compare_digest(str(claims["nonce"]), nonce) or not claims["iat"] - 1 <= now < claims["exp"]:
            raise jwt.InvalidTokenError("not for this login, or not now")
        return claims

    def _key(self, key_id: str) -> jwt.PyJWK:
        with self._fetching:
            if key_id not in self._keys:
                try:
                    response = self._client.get(f"{self._address}/jwks")
                    keys = jwt.PyJWKSet.from_dict(response.raise_for_status().json()).keys
                except (httpx2.HTTPError, AttributeError, ValueError, jwt.PyJWTError) as error:
                    raise _provider_unavailable() from error
                self._keys = {key.key_id: key for key in keys if key.key_id}
        return self._keys[key_id]


def login_refused() -> Refusal:
    """Return the refusal of a login that the provider did not carry through."""
    message = "The identity provider did not accept the login; begin again at /login."
    return unauthenticated("LOGIN_REFUSED", message)


def _provider_unavailable() -> Refusal:
    message = "The identity provider does not answer; try again in a moment."
    return unavailable("IDENTITY_PROVIDER_UNAVAILABLE", message)
