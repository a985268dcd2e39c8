"""Requests and consents, and what may be done with them. Pure: time and facts are arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lienthong.api.consent.v1.consent_pb2 import (
    CONSENT_STATE_ACTIVE,
    CONSENT_STATE_EXPIRED,
    CONSENT_STATE_REVOKED,
    Capacity,
    ConsentRequestState,
    ConsentState,
)
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.errors import Refusal, denied, invalid, not_found, precondition
from lienthong_core.personal_numbers import check_personal_number
from lienthong_core.systems import SystemId
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import UseLimit
from lienthong_gateway.registration import Purpose, Registration

REQUEST_LIFETIME = timedelta(minutes=30)
"""How long the citizen has to answer a request."""


@dataclass(frozen=True)
class StoredRequest:
    """A request for consent as it is stored."""

    consent_request_id: str
    state: ConsentRequestState.ValueType
    terms: Terms
    requested_at: datetime
    expires_at: datetime
    consent_id: str = ""
    revision: int = 1

    def state_at(self, now: datetime) -> ConsentRequestState.ValueType:
        """Return the state, an unanswered request's time being over or not."""
        pending = self.state == ConsentRequestState.CONSENT_REQUEST_STATE_PENDING
        return ConsentRequestState.CONSENT_REQUEST_STATE_EXPIRED if pending and now >= self.expires_at else self.state


@dataclass(frozen=True)
class StoredConsent:
    """A consent as it is stored: its last revision."""

    consent_id: str
    consent_request_id: str
    revision: int
    digest: str
    state: ConsentState.ValueType
    terms: Terms
    approved_at: datetime
    valid_until: datetime
    revoked_at: datetime | None
    account_level: int
    paused_as: Capacity.ValueType = Capacity.CAPACITY_UNSPECIFIED
    """In which capacity it was paused, where a reader is told."""
    uses_taken: int = 0
    """How often it has been used in the length of time that counts; 0 where the number is not limited."""

    @property
    def purpose(self) -> str:
        """Code of the purpose that it covers."""
        return self.terms.purpose

    @property
    def datasets(self) -> frozenset[str]:
        """Names of the datasets that it covers."""
        return self.terms.datasets

    @property
    def limit(self) -> UseLimit | None:
        """How often it may be used; None: any number of times."""
        return UseLimit(self.consent_id, self.terms.uses, self.terms.uses_per) if self.terms.uses else None

    @property
    def used_up(self) -> bool:
        """Whether it has been used as often as it may be."""
        return self.limit is not None and self.uses_taken >= self.limit.uses

    def in_force(self, now: datetime) -> bool:
        """Return whether it allows anything at that time."""
        return self.state_at(now) == CONSENT_STATE_ACTIVE

    def state_at(self, now: datetime) -> ConsentState.ValueType:
        """Return its state at that time."""
        over = not self.approved_at <= now < self.valid_until
        revoked = self.state == CONSENT_STATE_REVOKED
        return CONSENT_STATE_EXPIRED if over and not revoked else self.state


def check_terms(
    terms: Terms,
    purpose: Purpose,
    contracts: Mapping[str, MethodContract],
    registration: Registration,
    now: datetime,
) -> None:
    """Refuse what may not be asked for; `contracts` are those of the provider, by method.

    Refused: PERSONAL_NUMBER_INVALID, PROVIDER_UNKNOWN, DATASET_UNKNOWN, DATASET_NOT_NEEDED, ACCESS_RIGHT_MISSING.
    """
    check_personal_number(terms.subject_number)
    if not contracts:
        message = f"No system {terms.provider!r} provides data; CatalogueService.ListSystems says which ones do."
        raise not_found("PROVIDER_UNKNOWN", message)
    _check_datasets(terms, frozenset(name for each in contracts.values() for name in each.datasets), purpose)
    _check_readable(terms, contracts, registration, now)


def _check_readable(
    terms: Terms, contracts: Mapping[str, MethodContract], registration: Registration, now: datetime
) -> None:
    """Refuse, with ACCESS_RIGHT_MISSING, to ask for what no right on consent would let the consumer read."""
    rights = (
        right
        for right in registration.access_rights.values()
        if str(right.consumer) == terms.consumer
        and right.purpose == terms.purpose
        and right.method in contracts
        and LegalBasis.LEGAL_BASIS_CONSENT in right.legal_bases
        and right.in_force(now)
    )
    readable = {name for right in rights for name in right.datasets & contracts[right.method].datasets.keys()}
    if unreadable := terms.datasets - readable:
        message = (
            f"{terms.consumer} has no right to read {', '.join(sorted(unreadable))} of {terms.provider} on consent for "
            f"purpose {terms.purpose}, so it may not ask for consent either."
        )
        raise denied("ACCESS_RIGHT_MISSING", message)


def _check_datasets(terms: Terms, provider_datasets: frozenset[str], purpose: Purpose) -> None:
    unknown = terms.datasets - provider_datasets
    if unknown or not terms.datasets:
        known = ", ".join(sorted(provider_datasets))
        named = ", ".join(sorted(unknown))
        what = f"{terms.provider} has no dataset {named!r}; it has" if named else "Name at least one dataset; there are"
        raise invalid("DATASET_UNKNOWN", f"{what}: {known}.")
    superfluous = terms.datasets - purpose.datasets
    if superfluous:
        message = (
            f"Purpose {purpose.code} is registered as needing {', '.join(sorted(purpose.datasets))}; "
            f"consent to {', '.join(sorted(superfluous))} may not be asked for with it."
        )
        raise invalid("DATASET_NOT_NEEDED", message)


def used_up(limit: UseLimit) -> Refusal:
    """Return the refusal, CONSENT_USED_UP, of one use too many; waiting helps only where they are counted anew."""
    each = f" in {limit.per}" if limit.per else ""
    message = (
        f"The citizen allowed {limit.uses} uses{each}, and they are used up; "
        f"{'wait, or ' if limit.per else ''}ask her for another consent with RequestConsent."
    )
    return denied("CONSENT_USED_UP", message)


def check_open(request: StoredRequest, now: datetime) -> None:
    """Refuse a request that can no longer be decided: CONSENT_REQUEST_CLOSED or CONSENT_REQUEST_EXPIRED."""
    state = request.state_at(now)
    if state == ConsentRequestState.CONSENT_REQUEST_STATE_EXPIRED:
        raise precondition("CONSENT_REQUEST_EXPIRED", "The request was not answered in time; ask the citizen again.")
    if state != ConsentRequestState.CONSENT_REQUEST_STATE_PENDING:
        raise precondition("CONSENT_REQUEST_CLOSED", "The request was answered already; ask the citizen again.")


def may_see(caller: SystemId, consumer: str, identity_provider: SystemId) -> bool:
    """Return whether a system may see a request or consent of `consumer`: that one, and the identity provider."""
    return caller == identity_provider or str(caller) == consumer
