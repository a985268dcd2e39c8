"""Logging a citizen in at the identity provider, as her browser and a client's server do it together."""

import base64
import hashlib
import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from lienthong_sandbox.browser import Browser, Page
from lienthong_services.identity.rules import PASSCODE

_TIMEOUT_S = 10.0


class LoginRefused(Exception):  # noqa: N818 (an outcome of a login)
    """The identity provider did not log the citizen in, or she said no; the message says what it said."""


@dataclass(frozen=True)
class ClientRegistration:
    """An OIDC client as its own system knows it."""

    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True)
class Tokens:
    """What logging in gives a client: the access token for the gateway and the id_token about the citizen."""

    access_token: str
    id_token: str


class Citizen:
    """A citizen with her browser: she types her passcode and answers what she is asked."""

    def __init__(self, personal_number: str, authority: bytes, *, passcode: str = PASSCODE) -> None:
        self.personal_number = personal_number
        self.browser = Browser(authority)
        self._passcode = passcode

    def answer(self, url: str, *, stop_at: str, approve: bool = True) -> Page:
        """Open a page of the identity provider and answer until she is sent to an address beginning with `stop_at`.

        Raises LoginRefused if a page asks nothing, which is how the provider says no.
        """
        decision = {"decision": "approve" if approve else "deny"}
        page = self.browser.visit(url, stop_at=stop_at)
        seen: set[str] = set()
        while not page.url.startswith(stop_at):
            if not page.action or page.path in seen:
                raise LoginRefused(f"the identity provider answered {page.status} at {page.path}: {_said(page)}")
            seen.add(page.path)
            own = {"personal_number": self.personal_number, "passcode": self._passcode}
            # Consent is where she may say no; a login she began herself she approves.
            values = own if page.path == "/login" else {"decision": "approve"} if page.path == "/approve" else decision
            page = self.browser.submit(page, values, stop_at=stop_at)
        return page


class OidcLogin:
    """The server side of a client: sends the citizen to the provider and exchanges the code she brings back."""

    def __init__(self, registration: ClientRegistration, issuer: str, authority: bytes, scope: str) -> None:
        """`scope` is what the client asks for; it is shown to the citizen."""
        self._registration = registration
        self._scope = scope
        self._issuer = issuer
        self._context = ssl.create_default_context(cadata=authority.decode())

    def log_in(self, citizen: Citizen, details: Sequence[Mapping[str, Any]] = (), *, approve: bool = True) -> Tokens:
        """Log a citizen in, asking her for the consents in `details` (RFC 9396 `authorization_details`).

        Raises LoginRefused if the provider or the citizen says no.
        """
        verifier = secrets.token_urlsafe(48)
        state = secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self._registration.client_id,
            "redirect_uri": self._registration.redirect_uri,
            "scope": self._scope,
            "state": state,
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"authorization_details": json.dumps(list(details))} if details else {}),
        }
        url = f"{self._issuer}/authorize?{urlencode(parameters)}"
        try:
            redirect = citizen.answer(url, stop_at=self._registration.redirect_uri, approve=approve)
        finally:
            # Whoever logs in many citizens would run out of files, and they seldom come back soon.
            citizen.browser.rest()
        answer = {name: values[0] for name, values in parse_qs(urlsplit(redirect.url).query).items()}
        if "error" in answer or answer.get("state") != state:
            raise LoginRefused(f"{answer.get('error', 'another state')}: {answer.get('error_description', '')}")
        return self._exchange(answer["code"], verifier)

    def _exchange(self, code: str, verifier: str) -> Tokens:
        registration = self._registration
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": registration.redirect_uri,
            "code_verifier": verifier,
        }
        basic = (registration.client_id, registration.client_secret)
        with httpx2.Client(verify=self._context, timeout=_TIMEOUT_S, trust_env=False) as client:
            response = client.post(f"{self._issuer}/token", data=form, auth=basic)
        body = response.json()
        if response.status_code != HTTPStatus.OK:
            raise LoginRefused(f"{body.get('error')}: {body.get('error_description', '')}")
        return Tokens(body["access_token"], body["id_token"])


def _said(page: Page) -> str:
    main = page.html.partition("<main")[2] or page.html
    text = " ".join(part.partition(">")[2] for part in main.split("<"))
    return " ".join(text.split())[:500]
