"""Reading an authorization request: what RFC 6749, RFC 7636, RFC 9396 and OpenID Connect Core ask of it."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from lienthong_services.identity.errors import OAuthError, PageError
from lienthong_services.identity.model import Client

RIGHTS_SCOPE = "rights"
"""What lets a client see, at the gateway, who has used the citizen's data, and make requests about them in her name."""
SCOPES = ("openid", "profile", RIGHTS_SCOPE)
PROMPTS = ("login", "none")
CONSENT_DETAIL = "lienthong_consent"
"""The type of `authorization_details` that asks for a consent."""
LARGEST_REQUEST = 8 << 10
"""How much the parameters of a request may be, bytes of their names and values: they are kept until the code is."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_AGE = re.compile(r"[0-9]{1,9}")
_UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that may be shown to a citizen. Everything in it has been checked."""

    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str
    state: str | None
    nonce: str | None
    prompt: str
    max_age: int | None
    acr_values: str
    consent_request_id: str
    """Empty unless the client asks for a consent."""

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(**stored)


@dataclass(frozen=True)
class ReturnAddress:
    """Where the answer to a request goes, once the request has shown that it may go there."""

    client: Client
    redirect_uri: str
    state: str | None


def read_return_address(
    parameters: Iterable[tuple[str, str]], find_client: Callable[[str], Client | None]
) -> ReturnAddress:
    """Return the client's registered address that the answer goes to.

    Raises PageError if there is none: an unknown client or an unregistered address is never redirected to.
    """
    pairs = list(parameters)
    client_id, redirect_uri, state = (_only(pairs, name) for name in ("client_id", "redirect_uri", "state"))
    client = find_client(client_id) if client_id and is_printable(client_id) else None
    if client is None:
        raise PageError(
            HTTPStatus.BAD_REQUEST,
            "Ứng dụng đã chuyển bạn đến đây không được đăng ký.",
            "The application that sent you here is not registered: client_id must be given once and be that of a "
            "registered client.",
        )
    if redirect_uri not in client.redirect_uris.split():
        raise PageError(
            HTTPStatus.BAD_REQUEST,
            "Địa chỉ quay lại của ứng dụng không được đăng ký.",
            "The address to return to is not registered: redirect_uri must be given once and equal a registered one, "
            "character by character.",
        )
    return ReturnAddress(client, redirect_uri, state if state is not None and is_printable(state) else None)


def read_request(parameters: Iterable[tuple[str, str]], to: ReturnAddress) -> AuthorizationRequest:
    """Return the request, checked; raises OAuthError, which goes back to the client."""
    pairs = list(parameters)
    if sum(len(text.encode()) for pair in pairs for text in pair) > LARGEST_REQUEST:
        raise OAuthError("invalid_request", f"The parameters are more than {LARGEST_REQUEST} bytes; send less.")
    values = _single(pairs)
    for name, error in _UNSUPPORTED.items():
        if name in values:
            raise OAuthError(error, f"The parameter {name} is not supported; send each parameter by itself.")
    if values.get("response_type") != "code":
        error = "unsupported_response_type" if values.get("response_type") else "invalid_request"
        raise OAuthError(error, "response_type must be code: only the authorization code flow is offered.")
    if values.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "response_mode must be query, or left out.")
    return AuthorizationRequest(
        client_id=to.client.client_id,
        redirect_uri=to.redirect_uri,
        scope=_scope(values.get("scope", "")),
        code_challenge=_challenge(values),
        state=to.state,
        nonce=values.get("nonce"),
        prompt=_prompt(values.get("prompt", "")),
        max_age=_max_age(values.get("max_age")),
        acr_values=values.get("acr_values", ""),
        consent_request_id=_consent_request_id(values.get("authorization_details")),
    )


def answer_url(redirect_uri: str, state: str | None, issuer: str, **answer: str) -> str:
    """Return where the browser is sent with `answer`; `state`, if there was one, and `iss` (RFC 9207) go along."""
    echoed = {} if state is None else {"state": state}
    return with_parameters(redirect_uri, {**answer, **echoed, "iss": issuer})


def with_parameters(address: str, parameters: Mapping[str, str]) -> str:
    """Return `address` with `parameters` after those that it has."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))


def is_printable(text: str) -> bool:
    """Say whether `text` keeps to the characters RFC 6749 appendix A allows (VSCHAR): printable ASCII."""
    return text.isascii() and text.isprintable()


def _only(pairs: Iterable[tuple[str, str]], wanted: str) -> str | None:
    values = [value for name, value in pairs if name == wanted]
    return values[0] if len(values) == 1 else None


def _single(pairs: list[tuple[str, str]]) -> dict[str, str]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise OAuthError("invalid_request", "A parameter came more than once; send each once (RFC 6749 section 3.1).")
    for name in ("state", "nonce"):
        if not is_printable(values.get(name, "")):
            raise OAuthError("invalid_request", f"{name} must be printable ASCII (RFC 6749 appendix A).")
    return values


def _scope(text: str) -> str:
    scopes = text.split(" ")
    if "openid" not in scopes or len(set(scopes)) != len(scopes) or not set(scopes) <= set(SCOPES):
        raise OAuthError("invalid_scope", "scope must be openid, and may add profile and rights, each once.")
    return text


def _challenge(values: Mapping[str, str]) -> str:
    challenge = values.get("code_challenge", "")
    if not _CHALLENGE.fullmatch(challenge) or values.get("code_challenge_method") != "S256":
        raise OAuthError(
            "invalid_request",
            "PKCE is required: send code_challenge_method=S256 and as code_challenge the SHA-256 of the code_verifier "
            "in base64url, 43 characters (RFC 7636). The plain method is not offered.",
        )
    return challenge


def _prompt(text: str) -> str:
    if text and text not in PROMPTS:
        raise OAuthError("invalid_request", "prompt must be login or none, or left out.")
    return text


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not _MAX_AGE.fullmatch(text):
        raise OAuthError("invalid_request", "max_age must be a number of seconds.")
    return int(text)


def _consent_request_id(text: str | None) -> str:
    if text is None:
        return ""
    try:
        match json.loads(text):
            # One at a time: the law wants every consent given by itself (Law 91/2025 Art. 9, no bundling).
            case [{"type": kind, "consent_request_id": str(value), **rest}] if kind == CONSENT_DETAIL and not rest:
                return str(UUID(value))
            case _:
                pass
    except (ValueError, RecursionError):
        pass
    raise OAuthError(
        "invalid_authorization_details",
        "authorization_details must be a JSON array with one object: type lienthong_consent and the consent_request_id "
        "that RequestConsent returned. For another consent, send the citizen here again.",
    )
