"""The identity provider's signed statement of what the citizen decided, checked against the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from lienthong_core.errors import Refusal, invalid
from lienthong_gateway.consents.rules import StoredRequest

TOKEN_TYPE = "lienthong-consent-approval+jwt"  # noqa: S105 (a media type)
_CLAIMS = [
    "iss", "aud", "iat", "jti", "decision", "consent_request_id", "subject_number", "approved_by", "acr", "auth_time",
    "consumer", "provider", "datasets", "purpose", "valid_for", "legal_text_version",
]  # fmt: skip
_DECISIONS = {"approved": True, "denied": False}
_ACCOUNT_LEVELS = {"1": 1, "2": 2}
_CLOCK_SKEW = timedelta(seconds=60)


@dataclass(frozen=True)
class Approval:
    """What the citizen decided."""

    approved: bool
    decided_at: datetime
    account_level: int


def key_id_of(statement: str) -> str:
    """Return which key a statement says it is signed with; refused: APPROVAL_INVALID."""
    try:
        header = jwt.get_unverified_header(statement)
    except (jwt.PyJWTError, RecursionError) as error:
        raise _invalid("it is not a compact JWS") from error
    if header.get("typ") != TOKEN_TYPE or header.get("alg") != "ES256":
        raise _invalid(f"it must be of type {TOKEN_TYPE}, signed with ES256")
    return str(header.get("kid", ""))


def read_approval(
    statement: str, key: jwt.PyJWK | None, request: StoredRequest, issuer: str, audience: str, now: datetime
) -> Approval:
    """Return the decision; refused with APPROVAL_INVALID unless it is the provider's and about exactly this request.

    `key` is the provider's key that the statement names, None if it has no such key.
    """
    if key is None:
        raise _invalid("it is signed with a key that is not the identity provider's")
    try:
        claims: Mapping[str, Any] = jwt.decode(
            statement,
            key,
            algorithms=["ES256"],
            issuer=issuer,
            audience=audience,
            options={"require": _CLAIMS, "verify_iat": False},
        )
    except jwt.PyJWTError as error:
        raise _invalid("its signature, issuer or audience is not right") from error
    try:
        terms, decided_at = _terms_signed(claims), datetime.fromtimestamp(int(claims["iat"]), UTC)
        approval = Approval(_DECISIONS[claims["decision"]], decided_at, _ACCOUNT_LEVELS[claims["acr"]])
    except (LookupError, TypeError, ValueError, ArithmeticError, OSError) as error:
        raise _invalid("its claims are not of their kind") from error
    if terms != _terms_asked(request):
        raise _invalid("it is not about this request, or not about all of it")
    if claims["approved_by"] != claims["subject_number"]:
        raise _invalid("somebody else than the citizen decided")
    if abs(now - decided_at) > _CLOCK_SKEW:
        raise _invalid("it was not signed just now")
    return approval


def _terms_signed(claims: Mapping[str, Any]) -> Mapping[str, object]:
    names = ("consent_request_id", "subject_number", "consumer", "provider", "purpose", "legal_text_version")
    datasets = sorted(str(name) for name in claims["datasets"])
    return {**{name: claims[name] for name in names}, "datasets": datasets, "valid_for": claims["valid_for"]}


def _terms_asked(request: StoredRequest) -> Mapping[str, object]:
    terms = request.terms
    return {
        "consent_request_id": request.consent_request_id,
        "subject_number": terms.subject_number,
        "consumer": terms.consumer,
        "provider": terms.provider,
        "purpose": terms.purpose,
        "legal_text_version": terms.legal_text_version,
        "datasets": sorted(terms.datasets),
        "valid_for": int(terms.valid_for.total_seconds()),
    }


def _invalid(why: str) -> Refusal:
    message = f"The statement of the citizen's decision cannot be used: {why}."
    return invalid("APPROVAL_INVALID", message)
