"""What may be registered. Pure: what is registered already, and the time, are arguments.

Every check refuses with REGISTRATION_INVALID where a field is malformed or names what is not registered, and with
REGISTERED_ALREADY where it would replace something.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.errors import Refusal, denied, invalid, not_found, precondition
from lienthong_core.systems import SystemId
from lienthong_core.working_days import ONE_DAY, civil_date
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.registration import AccessRight, LegalGround, Period, Purpose, Registration
from lienthong_gateway.registry.officers import check_named_officer
from lienthong_gateway.registry.words import LEGAL_BASIS_WORDS, REFERENCE_FORMS

_PURPOSE_CODE = re.compile(r"[0-9]\.[0-9]{6}|[a-z][a-z0-9]*(-[a-z0-9]+)*")
_GROUND_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_OFFICER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
_LONGEST_CODE = 64
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class Facts:
    """What a change is checked against."""

    registration: Registration
    contracts: Mapping[str, MethodContract]
    now: datetime

    @property
    def known_datasets(self) -> frozenset[str]:
        """Every dataset that some method answers."""
        return frozenset(name for contract in self.contracts.values() for name in contract.datasets)


def check_actor(registration: Registration, caller: SystemId, officer: str) -> None:
    """Refuse a change by anybody but an administrator's officer: CALLER_NOT_ALLOWED, or as `check_officer` says."""
    check_administrator(registration, caller)
    check_officer(registration, caller, officer)


def check_administrator(registration: Registration, caller: SystemId) -> None:
    """Refuse, with CALLER_NOT_ALLOWED, a system that is no administrator."""
    if caller not in registration.administrators:
        raise denied("CALLER_NOT_ALLOWED", f"{caller} is not registered as an administrator of the gateway.")


def check_officer(registration: Registration, caller: SystemId, officer: str) -> None:
    """Refuse a call that no registered officer of the caller makes: OFFICER_MISSING, OFFICER_NOT_ALLOWED."""
    if not officer:
        raise invalid("OFFICER_MISSING", "Name the officer who acts in x-road-userid.")
    check_named_officer(registration, caller, officer)


def check_purpose(purpose: Purpose, facts: Facts) -> None:
    """Refuse a purpose that cannot be registered: also DATASET_UNKNOWN."""
    _check_code("purpose.code", purpose.code, _PURPOSE_CODE, "a procedure's, such as 1.004222, or such as ekyc")
    _check_texts(title_vi=purpose.title_vi, title_en=purpose.title_en)
    unknown = purpose.datasets - facts.known_datasets
    if unknown or not purpose.datasets:
        raise _datasets_unknown(unknown, facts.known_datasets)
    if purpose.code in facts.registration.purposes:
        raise _registered_already(f"a purpose {purpose.code}", "choose another code")


def check_legal_ground(ground: LegalGround, facts: Facts) -> None:
    """Refuse a legal ground that cannot be registered: also PURPOSE_UNKNOWN."""
    _check_code("legal_ground.code", ground.code, _GROUND_CODE, "lower case with hyphens, such as land-registration")
    if ground.basis not in LEGAL_BASIS_WORDS or ground.basis == LegalBasis.LEGAL_BASIS_CONSENT:
        raise _malformed("legal_ground.basis must be one of the grounds of Law 91/2025 Art. 19(1)")
    _check_texts(law_vi=ground.law_vi, law_en=ground.law_en)
    if not ground.reference_forms or not ground.reference_forms <= REFERENCE_FORMS.keys():
        raise _malformed(
            "legal_ground.reference_forms must name at least one form, and none but those that a reference can have"
        )
    if not ground.methods or not ground.purposes:
        raise _malformed("A legal ground covers at least one method and one purpose")
    for method in ground.methods:
        _contract(method, facts)
    for purpose in ground.purposes:
        _purpose(purpose, facts)
    _check_period(ground.period)
    if ground.code in facts.registration.legal_grounds:
        raise _registered_already(f"a legal ground {ground.code}", "choose another code")


def ended_ground(code: str, last_day: date | None, facts: Facts) -> LegalGround:
    """Return a ground with its new end: `last_day`, or yesterday if that is None.

    Refused: NOT_REGISTERED if there is none of that code, or it is over; REGISTRATION_INVALID.
    """
    ground = facts.registration.legal_grounds.get(code)
    if ground is None or ground.period.is_over(facts.now):
        message = "No legal ground of this code is there to be ended; ListLegalGrounds lists all."
        raise not_found("NOT_REGISTERED", message)
    today = civil_date(facts.now)
    if last_day is not None:
        _check_last_day(last_day, ground.period, today)
    return replace(ground, period=Period(ground.period.first, last_day or today - ONE_DAY))


def _check_last_day(last_day: date, period: Period, today: date) -> None:
    if last_day < max(today, period.first):
        message = "last_day must be today or later, and none before the ground's first; leave it out to end it at once"
        raise _malformed(message)
    if period.last is not None and last_day > period.last:
        raise _malformed("last_day is after the day on which the ground ends anyway; register another one beside it")


def granted_right(asked: AccessRight, facts: Facts) -> AccessRight:
    """Return the right that is granted; one that names no datasets gets all that it can.

    Refused, beside the reasons above: PURPOSE_UNKNOWN, DATASET_UNKNOWN, DATASET_NOT_NEEDED.
    """
    _check_system("access_right.consumer", asked.consumer, facts)
    contract, purpose = _contract(asked.method, facts), _purpose(asked.purpose, facts)
    if not asked.legal_bases or not asked.legal_bases <= LEGAL_BASIS_WORDS.keys():
        raise _malformed(
            "access_right.legal_bases must name at least one legal basis, and none but those that the law has"
        )
    if LegalBasis.LEGAL_BASIS_CONSENT in asked.legal_bases and not contract.readable_on_consent:
        what = "Consent covers reading one citizen's data, which the method does not; name other legal bases"
        raise _malformed(what)
    _check_period(asked.period)
    known = facts.registration.access_rights.get((asked.consumer, asked.method, asked.purpose))
    if known is not None and known.withdrawn_at is None and not known.period.is_over(facts.now):
        raise _registered_already(
            f"a right of {asked.consumer} to call {asked.method} for {asked.purpose}", "withdraw it first"
        )
    return replace(asked, datasets=_granted_datasets(asked.datasets, contract, purpose))


def withdrawn_right(asked: AccessRight, facts: Facts) -> AccessRight:
    """Return the right that is to be withdrawn; refused: NOT_REGISTERED if there is none, or no longer."""
    right = facts.registration.access_rights.get((asked.consumer, asked.method, asked.purpose))
    if right is None or right.withdrawn_at is not None:
        message = f"{asked.consumer} has no such right that could be withdrawn; ListAccessRights lists those it has."
        raise not_found("NOT_REGISTERED", message)
    return right


def check_new_officer(system: SystemId, officer_id: str, facts: Facts) -> None:
    """Refuse an officer who cannot be admitted."""
    _check_system("officer.system_id", system, facts)
    if not _OFFICER.fullmatch(officer_id):
        form = "1 to 64 letters, digits, dots and hyphens, first a letter or a digit, such as can-bo-0107"
        raise _malformed(f"officer.officer_id must be {form}")
    if (system, officer_id) in facts.registration.officers:
        raise _registered_already(f"an officer for {system} with that identifier", "choose another identifier")


def check_dismissal(system: SystemId, officer_id: str, facts: Facts) -> None:
    """Refuse to dismiss nobody (NOT_REGISTERED) or the last who administers (LAST_ADMINISTRATOR)."""
    registered = facts.registration
    if (system, officer_id) not in registered.officers:
        raise not_found("NOT_REGISTERED", f"No such officer acts for {system}; ListOfficers lists those who do.")
    others = registered.officers - {(system, officer_id)}
    if system in registered.administrators and not any(of in registered.administrators for of, _ in others):
        message = "Without this officer nobody could change what is registered; admit another administrator first."
        raise precondition("LAST_ADMINISTRATOR", message)


def _granted_datasets(asked: frozenset[str], contract: MethodContract, purpose: Purpose) -> frozenset[str]:
    if unknown := asked - contract.datasets.keys():
        raise _datasets_unknown(unknown, contract.datasets)
    granted = (asked or frozenset(contract.datasets)) & purpose.datasets
    if asked - granted or (contract.datasets and not granted):
        message = (
            f"Purpose {purpose.code} is registered as needing {', '.join(sorted(purpose.datasets))}; nothing else that "
            f"{contract.path} answers can be granted under it."
        )
        raise invalid("DATASET_NOT_NEEDED", message)
    return granted


def _check_system(field: str, system: SystemId, facts: Facts) -> None:
    if system not in facts.registration.systems:
        raise _malformed(f"{field} names no registered system; CatalogueService.ListSystems lists those that are")


def _contract(method: str, facts: Facts) -> MethodContract:
    contract = facts.contracts.get(method)
    if contract is None:
        raise _malformed("The method is none that a system provides; CatalogueService.ListMethods lists those that are")
    return contract


def _purpose(code: str, facts: Facts) -> Purpose:
    purpose = facts.registration.purposes.get(code)
    if purpose is None:
        raise invalid("PURPOSE_UNKNOWN", "No such purpose is registered; register it with RegisterPurpose first.")
    return purpose


def _check_code(field: str, code: str, form: re.Pattern[str], example: str) -> None:
    if len(code) > _LONGEST_CODE or not form.fullmatch(code):
        raise _malformed(f"{field} must be {example}, of at most {_LONGEST_CODE} characters")


def _check_texts(**texts: str) -> None:
    for field, text in texts.items():
        if not 0 < len(text.strip()) <= _LONGEST_TEXT or not text.isprintable():
            raise _malformed(f"{field} must be a line of 1 to {_LONGEST_TEXT} characters")


def _check_period(period: Period) -> None:
    if period.last is not None and period.last < period.first:
        raise _malformed("The last day must not be before the first")


def _datasets_unknown(unknown: Iterable[str], known: Iterable[str]) -> Refusal:
    named = ", ".join(sorted(unknown))
    what = f"There is no dataset {named!r} to be had" if named else "Name at least one dataset"
    return invalid("DATASET_UNKNOWN", f"{what}; there are: {', '.join(sorted(known))}.")


def _registered_already(what: str, what_to_do: str) -> Refusal:
    message = f"There is {what} already; {what_to_do}."
    return precondition("REGISTERED_ALREADY", message)


def _malformed(what: str) -> Refusal:
    return invalid("REGISTRATION_INVALID", f"{what}.")
