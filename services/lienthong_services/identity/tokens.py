"""What the identity provider signs: access tokens, id tokens, and citizens' decisions about consents."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jwt

from lienthong.api.consent.v1.consent_pb2 import ConsentTerms
from lienthong_core.signing import SigningKey
from lienthong_services.identity.errors import OAuthError
from lienthong_services.identity.model import Account, AuthorizationCode, BrowserSession, Client
from lienthong_services.identity.representation import Part
from lienthong_services.identity.rules import TOKEN_LIFETIME, authentication_methods

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 (a media type, RFC 9068 §2.1)
ID_TOKEN_TYPE = "JWT"  # noqa: S105 (likewise)
DECISION_TYPE = "lienthong-consent-approval+jwt"


@dataclass(frozen=True)
class TokenIssuer:
    """Signs and reads what this identity provider says. Times are seconds since 1970."""

    issuer: str
    audience: str
    """Who access tokens and decisions are for: the gateway."""
    key: SigningKey

    def access_token(self, code: AuthorizationCode, account: Account, client: Client, token_id: str, now: int) -> str:
        """Return an access token (RFC 9068), bound to the client's certificate (RFC 8705)."""
        claims = {
            **self._claims(code, account, now),
            "aud": self.audience,
            "jti": token_id,
            "client_id": code.client_id,
            "scope": code.scope,
            "cnf": {"x5t#S256": client.certificate_thumbprint},
            "personal_number": account.personal_number,
            "account_level": code.level,
        }
        if code.authorization_details:
            claims["authorization_details"] = code.authorization_details
        return self.key.sign(claims, token_type=ACCESS_TOKEN_TYPE)

    def id_token(self, code: AuthorizationCode, account: Account, now: int) -> str:
        """Return an id token (OpenID Connect Core §2)."""
        about = scope_claims(code.scope, account, code.level)
        claims = {**self._claims(code, account, now), "aud": code.client_id, **about}
        if code.nonce is not None:
            claims["nonce"] = code.nonce
        return self.key.sign(claims, token_type=ID_TOKEN_TYPE)

    def decision(
        self,
        request_id: str,
        terms: ConsentTerms,
        session: BrowserSession,
        part: Part,
        decision_id: str,
        now: int,
        *,
        approved: bool,
    ) -> str:
        """Return the statement that the citizen of `session` saw `terms` and approved or denied them, as `part` says.

        Its payload is canonical JSON (RFC 8785): it is kept as evidence, and whoever reads it reads the same.
        """
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": now,
            "jti": decision_id,
            "decision": "approved" if approved else "denied",
            "consent_request_id": request_id,
            "subject_number": terms.subject_number,
            "subject_age": str(part.subject_age),
            "approved_by": session.personal_number,
            "approves_as": part.capacity_name,
            "acr": str(session.level),
            "auth_time": session.auth_time,
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
            "simulation": True,
        }
        return self.key.sign_canonical(claims, token_type=DECISION_TYPE)

    def read_access_token(self, token: str, now: int) -> dict[str, Any]:
        """Return the claims of an access token of this issuer; raises OAuthError if it is none, or over.

        Its binding to a certificate is for the gateway to check: browsers and OpenID Connect libraries read
        `/userinfo` without one.
        """
        required = ("exp", "jti", "sub", "scope", "personal_number", "account_level")
        try:
            claims = self._read(token, ACCESS_TOKEN_TYPE, self.audience, required)
        except jwt.InvalidTokenError:
            raise _not_ours() from None
        if now >= claims["exp"]:
            raise invalid_token("The access token is over; log the citizen in again.")
        return claims

    def read_id_token(self, token: str) -> dict[str, Any]:
        """Return the claims of an id token of this issuer, for whichever client and however old.

        Raises jwt.InvalidTokenError if it is none.
        """
        return self._read(token, ID_TOKEN_TYPE, None, ("sub", "aud"))

    def _read(self, token: str, token_type: str, audience: str | None, required: Sequence[str]) -> dict[str, Any]:
        decoded = jwt.decode_complete(
            token,
            jwt.PyJWK(self.key.jwk),
            algorithms=["ES256"],
            audience=audience,
            issuer=self.issuer,
            options={
                "verify_aud": audience is not None,
                # PyJWT would compare the times with the machine's, and the sandbox's clock decides.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "require": list(required),
            },
        )
        if decoded["header"].get("typ") != token_type:
            raise jwt.InvalidTokenError("a token of another kind")
        claims: dict[str, Any] = decoded["payload"]
        return claims

    def _claims(self, code: AuthorizationCode, account: Account, now: int) -> dict[str, Any]:
        return {
            "iss": self.issuer,
            "sub": account.subject,
            "iat": now,
            "exp": now + int(TOKEN_LIFETIME.total_seconds()),
            "auth_time": code.auth_time,
            "acr": str(code.level),
            "amr": authentication_methods(code.level),
            "simulation": True,
        }


def invalid_token(description: str) -> OAuthError:
    """Return the refusal of an access token (RFC 6750 §3.1)."""
    return OAuthError("invalid_token", description, HTTPStatus.UNAUTHORIZED)


def _not_ours() -> OAuthError:
    return invalid_token("This is not an access token of this issuer; send the access_token that /token returned.")


def scope_claims(scope: str, account: Account, level: int) -> dict[str, str | int]:
    """Return what `scope` lets a client know about the holder of an account, who logged in with `level`."""
    if "profile" not in scope.split():
        return {}
    # OpenID Connect Core §5.1 knows whole dates and years alone.
    birth_date = account.birth_date if len(account.birth_date) == len("YYYY-MM-DD") else account.birth_date[:4]
    return {
        "name": account.full_name,
        "birthdate": birth_date,
        "personal_number": account.personal_number,
        "account_level": level,
    }
