"""What does the citizen's consent allow?

Pure: everything it needs is handed in, and every refusal has its own reason.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from lienthong.api.consent.v1.consent_pb2 import ConsentState
from lienthong.api.exchange.v1.catalogue_pb2 import LEGAL_BASIS_CONSENT
from lienthong_core.errors import Refusal, denied
from lienthong_gateway.consents.rules import StoredConsent, used_up
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Claim, Grant, TokenHolder
from lienthong_gateway.registration import AccessRight


def decide_by_consent(
    contract: MethodContract,
    subject: str,
    claim: Claim,
    right: AccessRight,
    holder: TokenHolder | None,
    consents: Sequence[StoredConsent],
    now: datetime,
) -> Grant:
    """Return what the citizen's consent allows; `consents` are all she gave this consumer for this provider.

    Refused: CONSENT_NOT_APPLICABLE, SUBJECT_MISMATCH, ACCOUNT_LEVEL_TOO_LOW, CONSENT_MISSING,
    CONSENT_FOR_OTHER_PURPOSE, CONSENT_FOR_OTHER_DATASETS, CONSENT_USED_UP, CONSENT_PAUSED, CONSENT_REVOKED,
    CONSENT_EXPIRED.
    """
    if not contract.readable_on_consent:
        why = "changes the register" if contract.changes else "is about no citizen in particular"
        message = f"{contract.path} {why}, so consent cannot cover it; name another legal basis."
        raise denied("CONSENT_NOT_APPLICABLE", message)
    if holder is not None:
        _check_holder(contract, subject, holder)
    # A consent can be used while the citizen is away; then the level she approved it with is what counts.
    level = contract.policy.account_level if holder is None else 0
    consent = _covering(consents, contract, right, claim.purpose, level, now)
    if consent.account_level < level:
        message = (
            f"{contract.path} needs an e-identity account of level {level} and the consent was approved with level "
            f"{consent.account_level}; the citizen raises it in person at the police. Then send her token, or ask her "
            "again with RequestConsent."
        )
        raise denied("ACCOUNT_LEVEL_TOO_LOW", message)
    datasets = consent.datasets & right.datasets & contract.datasets.keys()
    # One that begins later may allow more; clocks differ, and can be set back.
    beginnings = [other.approved_at for other in consents if other.approved_at > now]
    holds_until = min(consent.valid_until, right.period.over_at, *beginnings)
    return Grant(LEGAL_BASIS_CONSENT, "", consent.consent_id, datasets, consent.digest, consent.limit, holds_until)


def _check_holder(contract: MethodContract, subject: str, holder: TokenHolder) -> None:
    if holder.personal_number != subject:
        message = "The access token is one citizen's and the request is about another; ask about the token's citizen."
        raise denied("SUBJECT_MISMATCH", message)
    needed = contract.policy.account_level
    if holder.account_level < needed:
        message = (
            f"{contract.path} needs an e-identity account of level {needed} and the citizen has logged in with level "
            f"{holder.account_level}; she raises it in person at the police, and logs in again."
        )
        raise denied("ACCOUNT_LEVEL_TOO_LOW", message)


def _covering(
    consents: Sequence[StoredConsent],
    contract: MethodContract,
    right: AccessRight,
    purpose: str,
    level: int,
    now: datetime,
) -> StoredConsent:
    wanted = right.datasets & contract.datasets.keys()
    usable = [
        consent
        for consent in consents
        if consent.purpose == purpose and consent.in_force(now) and consent.datasets & wanted and not consent.used_up
    ]
    if usable:
        # Of those that allow as much, one that is not used up by it.
        return max(
            usable,
            key=lambda consent: (
                consent.account_level >= level,
                len(consent.datasets & wanted),
                consent.limit is None,
                consent.approved_at,
            ),
        )
    raise _why_not(consents, contract, wanted, purpose, now)


def _why_not(
    consents: Sequence[StoredConsent],
    contract: MethodContract,
    wanted: AbstractSet[str],
    purpose: str,
    now: datetime,
) -> Refusal:
    """Return the refusal that tells the consumer most about what it can do."""
    for_purpose = [consent for consent in consents if consent.purpose == purpose]
    in_force = [consent for consent in for_purpose if consent.in_force(now)]
    limits = [consent.limit for consent in in_force if consent.limit is not None and consent.datasets & wanted]
    if limits:
        # All are used up; one whose uses come back is worth waiting for.
        return used_up(max(limits, key=lambda limit: limit.per is not None))
    paused = [consent for consent in for_purpose if consent.state_at(now) == ConsentState.CONSENT_STATE_PAUSED]
    if any(consent.datasets & wanted for consent in paused):
        message = "The consent is paused; who has paused it resumes it, on the account page at the identity provider."
        return denied("CONSENT_PAUSED", message)
    if in_force or paused:
        message = f"The citizen consented, but to none of what {contract.path} answers; ask for the datasets it needs."
        return denied("CONSENT_FOR_OTHER_DATASETS", message)
    if for_purpose:
        newest = max(for_purpose, key=lambda consent: consent.approved_at)
        if newest.state_at(now) == ConsentState.CONSENT_STATE_REVOKED:
            return denied("CONSENT_REVOKED", "The citizen has revoked her consent; ask her again with RequestConsent.")
        if newest.approved_at > now:
            return denied("CONSENT_EXPIRED", "By the gateway's clock the consent begins later; wait, or set the clock.")
        return denied("CONSENT_EXPIRED", "The consent's period is over; ask the citizen again with RequestConsent.")
    if any(consent.in_force(now) for consent in consents):
        message = f"The citizen consented, but for another purpose than {purpose}; each purpose needs its own consent."
        return denied("CONSENT_FOR_OTHER_PURPOSE", message)
    message = "The citizen has not consented to this; ask her with ConsentService.RequestConsent."
    return denied("CONSENT_MISSING", message)
