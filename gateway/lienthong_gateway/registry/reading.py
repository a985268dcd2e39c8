"""Requests to change what is registered, read into what would be registered. Whether it may be is for `rules`."""

from datetime import date, datetime

from lienthong.api.exchange.v1 import administration_pb2
from lienthong.api.exchange.v1 import catalogue_pb2 as pb
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong_core.errors import invalid
from lienthong_core.systems import SystemId
from lienthong_core.working_days import civil_date
from lienthong_gateway.registration import AccessRight, LegalGround, Period, Purpose


def read_purpose(message: pb.Purpose) -> Purpose:
    """Return a purpose to be registered."""
    return Purpose(message.code, message.title_vi, message.title_en, frozenset(message.datasets))


def read_legal_ground(message: pb.LegalGround, now: datetime) -> LegalGround:
    """Return a legal ground to be registered; refused: REGISTRATION_INVALID if a day is none."""
    first = read_date("effective_from", message.effective_from) if message.HasField("effective_from") else None
    last = read_date("effective_until", message.effective_until) if message.HasField("effective_until") else None
    return LegalGround(
        code=message.code,
        basis=message.basis,
        law_vi=message.law_vi,
        law_en=message.law_en,
        reference_forms=frozenset(message.reference_forms),
        methods=frozenset(message.methods),
        purposes=frozenset(message.purposes),
        period=Period(first or civil_date(now), last),
    )


def read_access_right(message: pb.AccessRight, now: datetime) -> AccessRight:
    """Return a right to be granted; refused: REGISTRATION_INVALID if its system or a day is none."""
    first = read_date("valid_from", message.valid_from) if message.HasField("valid_from") else None
    last = read_date("valid_until", message.valid_until) if message.HasField("valid_until") else None
    return AccessRight(
        consumer=read_system("consumer", message.consumer),
        method=message.method,
        purpose=message.purpose,
        legal_bases=frozenset(message.legal_bases),
        datasets=frozenset(message.datasets),
        period=Period(first or civil_date(now), last),
    )


def read_officer(message: administration_pb2.Officer) -> tuple[SystemId, str]:
    """Return system and identifier of an officer; refused: REGISTRATION_INVALID if the system is none."""
    return read_system("system_id", message.system_id), message.officer_id


def read_system(field: str, text: str) -> SystemId:
    """Return the system that a field names; refused: REGISTRATION_INVALID if that is not the form of one."""
    try:
        return SystemId.parse(text)
    except ValueError:
        message = f"{field} must be a system, such as VN-SANDBOX/GOV/G02/portal."
        raise invalid("REGISTRATION_INVALID", message) from None


def read_date(field: str, message: PartialDate) -> date:
    """Return a whole date; refused: REGISTRATION_INVALID."""
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise invalid("REGISTRATION_INVALID", f"{field} must be a whole date that exists.") from None
