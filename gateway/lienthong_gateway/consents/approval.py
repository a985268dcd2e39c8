"""The identity provider's signed statement of what somebody decided, checked against the request."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import rfc8785

from lienthong.api.consent.v1.consent_pb2 import Capacity
from lienthong_core.errors import Refusal, invalid
from lienthong_gateway.consents.rules import StoredRequest
from lienthong_gateway.consents.states import APPROVERS, SubjectAge, capacity_name

TOKEN_TYPE = "lienthong-consent-approval+jwt"  # noqa: S105 (a media type)
_CLAIMS = [
    "iss", "aud", "iat", "jti", "decision", "consent_request_id", "subject_number", "subject_age", "approved_by",
    "approves_as", "acr", "auth_time",
]  # fmt: skip
_DECISIONS = {"approved": True, "denied": False}
_ACCOUNT_LEVELS = {"1": 1, "2": 2}
_CAPACITIES = {
    capacity_name(capacity): capacity for capacity in (Capacity.CAPACITY_SUBJECT, Capacity.CAPACITY_REPRESENTATIVE)
}
_CLOCK_SKEW = timedelta(seconds=60)
_LONGEST_ID = 128


@dataclass(frozen=True)
class Approval:
    """What somebody decided, and the signed statement of it; number and statement are empty once they were erased."""

    approved: bool
    capacity: Capacity.ValueType
    subject_age: SubjectAge
    approved_by: str
    account_level: int
    authenticated_at: datetime
    decided_at: datetime
    statement_id: str
    statement: str
    statement_digest: str

    def replaces(self, earlier: "Approval") -> bool:
        """Return whether it stands for what was approved while the citizen was a child: now she decides alone."""
        return self.subject_age is SubjectAge.GROWN_UP and earlier.subject_age is not SubjectAge.GROWN_UP


@dataclass(frozen=True)
class Signer:
    """Who signs statements, and for whom; `key` is the one a statement names, None if the issuer has no such key."""

    issuer: str
    audience: str
    key: jwt.PyJWK | None


def key_id_of(statement: str) -> str:
    """Return which key a statement says it is signed with; refused: APPROVAL_INVALID."""
    try:
        header = jwt.get_unverified_header(statement)
    except (jwt.PyJWTError, RecursionError) as error:
        raise _invalid("it is not a compact JWS") from error
    if header.get("typ") != TOKEN_TYPE or header.get("alg") != "ES256":
        raise _invalid(f"it must be of type {TOKEN_TYPE}, signed with ES256")
    return str(header.get("kid", ""))


def read_approval(statement: str, signer: Signer, request: StoredRequest, now: datetime) -> Approval:
    """Return the decision; refused with APPROVAL_INVALID unless it is the signer's and about exactly this request."""
    claims = _verified(statement, signer)
    _check_canonical(statement, claims)
    try:
        approval = _approval(statement, claims)
    except (LookupError, TypeError, ValueError, ArithmeticError, OSError) as error:
        raise _invalid("its claims are not of their kind") from error
    asked = {
        "consent_request_id": request.consent_request_id,
        "subject_number": request.terms.subject_number,
        **request.terms.claims(),
    }
    if {name: claims.get(name) for name in asked} != asked:
        raise _invalid("it is not about this request, or not about all of it")
    _check_capacity(approval, request.terms.subject_number)
    if abs(now - approval.decided_at) > _CLOCK_SKEW:
        raise _invalid("it was not signed just now")
    return approval


def _verified(statement: str, signer: Signer) -> Mapping[str, Any]:
    if signer.key is None:
        raise _invalid("it is signed with a key that is not the identity provider's")
    try:
        return jwt.decode(
            statement,
            signer.key,
            algorithms=["ES256"],
            issuer=signer.issuer,
            audience=signer.audience,
            options={"require": _CLAIMS, "verify_iat": False},
        )
    except (jwt.PyJWTError, RecursionError) as error:
        raise _invalid("its signature, issuer or audience is not right") from error


def _check_canonical(statement: str, claims: Mapping[str, Any]) -> None:
    """Refuse a payload that is not canonical: two readers could otherwise take it for two things."""
    payload = statement.split(".")[1]
    try:
        signed = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        canonical = rfc8785.dumps(dict(claims)) == signed
    except (binascii.Error, ValueError) as error:
        raise _invalid("its payload cannot be canonical JSON") from error
    if not canonical:
        raise _invalid("its payload is not canonical JSON (RFC 8785)")


def _approval(statement: str, claims: Mapping[str, Any]) -> Approval:
    statement_id = claims["jti"]
    if not isinstance(statement_id, str) or not 0 < len(statement_id) <= _LONGEST_ID:
        raise TypeError("jti")
    return Approval(
        approved=_DECISIONS[claims["decision"]],
        capacity=_CAPACITIES[claims["approves_as"]],
        subject_age=SubjectAge(claims["subject_age"]),
        approved_by=str(claims["approved_by"]),
        account_level=_ACCOUNT_LEVELS[claims["acr"]],
        authenticated_at=datetime.fromtimestamp(int(claims["auth_time"]), UTC),
        decided_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
        statement_id=statement_id,
        statement=statement,
        statement_digest=hashlib.sha256(statement.encode()).hexdigest(),
    )


def _check_capacity(approval: Approval, subject_number: str) -> None:
    if approval.capacity not in APPROVERS[approval.subject_age]:
        raise _invalid(f"a citizen of that age ({approval.subject_age}) is not decided for in that capacity")
    herself = approval.approved_by == subject_number
    if herself != (approval.capacity == Capacity.CAPACITY_SUBJECT):
        raise _invalid("somebody else decided than the one it names, or the citizen as her own representative")


def _invalid(why: str) -> Refusal:
    message = f"The statement of the citizen's decision cannot be used: {why}."
    return invalid("APPROVAL_INVALID", message)
