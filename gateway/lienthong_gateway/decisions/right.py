"""Is there an access right for the call, and what does a legal basis other than consent allow?

Pure: everything it needs is handed in, and every refusal has its own reason.
"""

from lienthong_core.errors import denied, invalid
from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.exchange import Caller, Claim, Grant
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS, AccessRight, Registration


def find_right(caller: Caller, contract: MethodContract, claim: Claim, registration: Registration) -> AccessRight:
    """Return the right that the call makes use of.

    Refused: PURPOSE_MISSING, PURPOSE_UNKNOWN, ACCESS_RIGHT_MISSING, LEGAL_BASIS_UNKNOWN, LEGAL_BASIS_NOT_ALLOWED.
    """
    if not claim.purpose:
        raise invalid("PURPOSE_MISSING", "The call names no purpose; send its code in lienthong-purpose.")
    purpose = registration.purposes.get(claim.purpose)
    if purpose is None:
        raise invalid(
            "PURPOSE_UNKNOWN", f"No purpose {claim.purpose!r} is registered; the catalogue lists those that are."
        )
    right = registration.access_rights.get((caller.system, contract.path, claim.purpose))
    if right is None:
        message = f"{caller.system} has no right to call {contract.path} for purpose {claim.purpose}."
        raise denied("ACCESS_RIGHT_MISSING", message)
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
    return right


def decide_by_law(contract: MethodContract, claim: Claim, right: AccessRight) -> Grant:
    """Return what a legal basis other than consent allows.

    Refused: LEGAL_REFERENCE_MISSING, OFFICER_MISSING.
    """
    if not claim.legal_reference:
        message = (
            f"{claim.legal_basis} needs what it is invoked for, such as a dossier code, in lienthong-legal-reference."
        )
        raise invalid("LEGAL_REFERENCE_MISSING", message)
    if not claim.officer:
        raise invalid("OFFICER_MISSING", f"{claim.legal_basis} needs the officer who acts, in x-road-userid.")
    basis = LEGAL_BASIS_HEADERS[claim.legal_basis]
    return Grant(basis, claim.legal_reference, "", right.datasets & contract.datasets.keys())
