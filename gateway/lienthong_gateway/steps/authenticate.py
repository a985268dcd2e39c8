"""Step 2, authenticate: the citizen whose access token comes with the call, if one does (RFC 9068, RFC 8705)."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from lienthong.client.context import Header
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, unauthenticated
from lienthong_core.metadata import CallHeaders
from lienthong_gateway.exchange import Caller, TokenHolder
from lienthong_gateway.issuer_keys import IssuerKeys

_SCHEME = "bearer"
_TOKEN_TYPES = {"at+jwt", "application/at+jwt"}
_CLAIMS = ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "cnf", "personal_number", "account_level"]
_CACHED = 4_096


@dataclass(frozen=True)
class _Token:
    key_id: str
    key: jwt.PyJWK
    """What its signature was checked with."""
    holder: TokenHolder
    thumbprint: str
    valid_from: float
    expires_at: float


class Authenticator:
    """Believes tokens of one issuer that are meant for one audience and bound to the caller's certificate."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys, clock: Clock) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        # A signature is checked once a token and key; everything that can change is checked at every call.
        self._verified: OrderedDict[bytes, _Token] = OrderedDict()

    async def authenticate(self, caller: Caller, headers: CallHeaders) -> TokenHolder | None:
        """Return the token's citizen, or None if no token came.

        Refused, all UNAUTHENTICATED: TOKEN_MALFORMED, TOKEN_SIGNATURE_INVALID, TOKEN_ISSUER_INVALID,
        TOKEN_AUDIENCE_INVALID, TOKEN_EXPIRED, TOKEN_NOT_YOURS; UNAVAILABLE: IDENTITY_PROVIDER_UNAVAILABLE.
        """
        header = headers.single(Header.AUTHORIZATION)
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != _SCHEME:
            raise _malformed("the header must be `Bearer` and the token")
        digest = hashlib.sha256(text.encode()).digest()
        token = self._verified.get(digest)
        key_id = _key_id(text) if token is None else token.key_id
        key = await self._keys.find(key_id)
        if token is None or token.key is not key:
            token = self._verified[digest] = self._verify(text, key_id, key)
            if len(self._verified) > _CACHED:
                self._verified.popitem(last=False)
        _check_now(token, caller, self._clock.now())
        return token.holder

    def _verify(self, text: str, key_id: str, key: jwt.PyJWK | None) -> _Token:
        if key is None:
            message = "The access token is signed with a key that is not the identity provider's."
            raise unauthenticated("TOKEN_SIGNATURE_INVALID", message)
        try:
            claims = jwt.decode(
                text,
                key,
                algorithms=["ES256"],
                issuer=self._issuer,
                audience=self._audience,
                # Times are checked against the sandbox's clock, at every call.
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.PyJWTError as error:
            raise _refusal(error) from error
        return _token(key_id, key, claims)


def _key_id(text: str) -> str:
    try:
        header = jwt.get_unverified_header(text)
    except (jwt.PyJWTError, RecursionError) as error:
        raise _malformed("it cannot be read as a signed JWT") from error
    if header.get("alg") != "ES256":
        raise unauthenticated("TOKEN_SIGNATURE_INVALID", "The access token must be signed with ES256.")
    if str(header.get("typ", "")).lower() not in _TOKEN_TYPES:
        raise _malformed("its type is not at+jwt; an id_token is not an access token")
    return str(header.get("kid", ""))


def _token(key_id: str, key: jwt.PyJWK, claims: Mapping[str, Any]) -> _Token:
    try:
        return _Token(
            key_id=key_id,
            key=key,
            holder=TokenHolder(str(claims["personal_number"]), int(claims["account_level"]), _scopes(claims)),
            thumbprint=str(claims["cnf"]["x5t#S256"]),
            valid_from=max(float(claims["iat"]), float(claims.get("nbf", 0))),
            expires_at=float(claims["exp"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed("its claims are not those of an access token for the gateway") from error


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of a token; one without the claim has none (RFC 9068 section 2.2.3)."""
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise TypeError("the claim scope must be text")
    return frozenset(scope.split())


def _check_now(token: _Token, caller: Caller, now: datetime) -> None:
    if not token.valid_from <= now.timestamp() + 1 or now.timestamp() >= token.expires_at:
        message = "The access token is over, or not valid yet; get a new one from the identity provider."
        raise unauthenticated("TOKEN_EXPIRED", message)
    if token.thumbprint != caller.thumbprint:
        message = (
            f"The access token was issued to another system than {caller.system}; each system logs citizens in itself."
        )
        raise unauthenticated("TOKEN_NOT_YOURS", message)


def _refusal(error: jwt.PyJWTError) -> Refusal:
    if isinstance(error, jwt.InvalidIssuerError):
        return unauthenticated("TOKEN_ISSUER_INVALID", "Another issuer made the access token.")
    if isinstance(error, jwt.InvalidAudienceError):
        return unauthenticated("TOKEN_AUDIENCE_INVALID", "The access token is not meant for the gateway.")
    if isinstance(error, jwt.InvalidSignatureError | jwt.InvalidAlgorithmError | jwt.InvalidKeyError):
        return unauthenticated(
            "TOKEN_SIGNATURE_INVALID", "The access token's signature is not the identity provider's."
        )
    return _malformed("its claims are not those of an access token")


def _malformed(why: str) -> Refusal:
    message = f"The access token cannot be used: {why}. Send the access_token of the identity provider, whole."
    return unauthenticated("TOKEN_MALFORMED", message)
