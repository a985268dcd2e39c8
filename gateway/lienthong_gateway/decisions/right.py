"""Is there an access right for the call, and what does a legal basis other than consent allow?

Pure: everything it needs is handed in, and every refusal has its own reason.
"""

from datetime import datetime

from lienthong_core.errors import denied, invalid
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Caller, Claim, Grant
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS, AccessRight, LegalGround, Registration
from lienthong_gateway.registry.officers import check_named_officer
from lienthong_gateway.registry.words import describe, has_form


def find_right(
    caller: Caller, contract: MethodContract, claim: Claim, registration: Registration, now: datetime
) -> AccessRight:
    """Return the right that the call makes use of.

    Refused: PURPOSE_MISSING, PURPOSE_UNKNOWN, ACCESS_RIGHT_MISSING, ACCESS_RIGHT_NOT_IN_FORCE, LEGAL_BASIS_UNKNOWN,
    LEGAL_BASIS_NOT_ALLOWED, OFFICER_NOT_ALLOWED.
    """
    if not claim.purpose:
        raise invalid("PURPOSE_MISSING", "The call names no purpose; send its code in lienthong-purpose.")
    registration.checked_purpose(claim.purpose)
    right = registration.access_rights.get((caller.system, contract.path, claim.purpose))
    if right is None:
        message = f"{caller.system} has no right to call {contract.path} for purpose {claim.purpose}."
        raise denied("ACCESS_RIGHT_MISSING", message)
    if not right.in_force(now):
        message = (
            f"The right of {caller.system} to call {contract.path} for purpose {claim.purpose} is not in force: it "
            "was withdrawn, is over, or begins later. The gateway's administrator can grant it anew."
        )
        raise denied("ACCESS_RIGHT_NOT_IN_FORCE", message)
    basis = LEGAL_BASIS_HEADERS.get(claim.legal_basis)
    if basis is None:
        known = ", ".join(LEGAL_BASIS_HEADERS)
        raise invalid("LEGAL_BASIS_UNKNOWN", f"lienthong-legal-basis must be one of: {known}.")
    if basis not in right.legal_bases:
        allowed = ", ".join(sorted(name for name, value in LEGAL_BASIS_HEADERS.items() if value in right.legal_bases))
        message = (
            f"The right to call {contract.path} for {claim.purpose} rests on {allowed}, not on {claim.legal_basis}."
        )
        raise denied("LEGAL_BASIS_NOT_ALLOWED", message)
    # On consent nobody need be named, but whoever is named acts.
    check_named_officer(registration, caller.system, claim.officer)
    return right


def decide_by_law(
    contract: MethodContract, claim: Claim, right: AccessRight, registration: Registration, now: datetime
) -> Grant:
    """Return what a legal basis other than consent allows: one of Law 91/2025 Art. 19(1).

    Refused: LEGAL_REFERENCE_MISSING, OFFICER_MISSING, LEGAL_GROUND_MISSING, LEGAL_GROUND_NOT_IN_FORCE,
    LEGAL_REFERENCE_INVALID.
    """
    if not claim.legal_reference:
        message = (
            f"{claim.legal_basis} needs what it is invoked for, such as a dossier code, in lienthong-legal-reference."
        )
        raise invalid("LEGAL_REFERENCE_MISSING", message)
    if not claim.officer:
        raise invalid("OFFICER_MISSING", f"{claim.legal_basis} needs the officer who acts, in x-road-userid.")
    grounds = _grounds_in_force(contract, claim, registration, now)
    _check_reference(contract, claim, grounds)
    basis = LEGAL_BASIS_HEADERS[claim.legal_basis]
    holds_until = min(right.period.over_at, *(ground.period.over_at for ground in grounds))
    datasets = right.datasets & contract.datasets.keys()
    return Grant(basis, claim.legal_reference, "", datasets, holds_until=holds_until)


def _grounds_in_force(
    contract: MethodContract, claim: Claim, registration: Registration, now: datetime
) -> list[LegalGround]:
    basis = LEGAL_BASIS_HEADERS[claim.legal_basis]
    grounds = registration.legal_grounds.values()
    covering = [ground for ground in grounds if ground.covers(basis, contract.path, claim.purpose)]
    if not covering:
        message = (
            f"No ground of the law is registered on which {contract.path} may be called for {claim.purpose} with "
            f"{claim.legal_basis}; the catalogue lists those that are."
        )
        raise denied("LEGAL_GROUND_MISSING", message)
    in_force = [ground for ground in covering if ground.period.holds(now)]
    if not in_force:
        codes = ", ".join(sorted(ground.code for ground in covering))
        message = f"The ground {codes} is not in force today: it is over, or begins later. Name another legal basis."
        raise denied("LEGAL_GROUND_NOT_IN_FORCE", message)
    return in_force


def _check_reference(contract: MethodContract, claim: Claim, grounds: list[LegalGround]) -> None:
    forms = frozenset(form for ground in grounds for form in ground.reference_forms)
    if not has_form(claim.legal_reference, forms):
        message = (
            f"To call {contract.path} for {claim.purpose} with {claim.legal_basis}, lienthong-legal-reference must be "
            f"{describe(forms).en}."
        )
        raise invalid("LEGAL_REFERENCE_INVALID", message)
