"""What the portal decides about dossiers and sessions, without I/O; the time is an argument."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lienthong.api.portal.v1.portal_pb2 import FormFieldSource
from lienthong_core.dates import partial_date
from lienthong_core.errors import Refusal, invalid, unauthenticated
from lienthong_services.portal.model import CitizenSession
from lienthong_services.portal.procedures import FieldDefinition, Kind
from lienthong_services.portal.states import Mover, State

AGENCY = "G01.99"
"""Agency in dossier codes: a unit that the ministry with code G01 does not have, so that no code can be a real one."""
SESSION_LIFETIME = timedelta(hours=8)
LOGIN_LIFETIME = timedelta(minutes=10)
MOST_LOGINS = 4096
"""How many citizens are on their way to the identity provider; the longest there is forgotten when another goes.

The newest is not refused instead: then few requests a second would keep everybody out.
"""
_MAX_VALUE_LENGTH = 500
_MAX_NOTE_LENGTH = 2_000
_LINES_AND_COLUMNS = str.maketrans("\n\r\t", "   ")
_MOST_NAMED = 20
_PAGE_SIZE = 50
"""Most dossiers on a page: with the notes of their histories they fit into one message."""
_CURSOR = re.compile(r"[0-9]{1,18}")
_FORMS: Mapping[Kind, tuple[str, str]] = {
    Kind.SEX: (r"Nam|Nữ", "`Nam` or `Nữ`"),
    Kind.DATE: (r"\d{4}-\d{2}-\d{2}", "a date, YYYY-MM-DD"),
    Kind.PARTIAL_DATE: (r"\d{4}(-\d{2}(-\d{2})?)?", "a date, YYYY-MM-DD, YYYY-MM or YYYY"),
    Kind.PERSONAL_NUMBER: (r"\d{12}", "a personal number of twelve digits"),
    Kind.OWN_NUMBER: (r"\d{12}", "your own personal number"),
    Kind.PROVINCE_CODE: (r"\d{2}", "a province's code of two digits"),
    Kind.COMMUNE_CODE: (r"\d{5}", "a commune's code of five digits"),
    Kind.ADDRESS_DETAIL: (r".{1,200}", "house, street or hamlet, in at most 200 printable characters"),
    Kind.PHONE: (r"0\d{9}", "a telephone number of ten digits, the first 0"),
    Kind.EMAIL: (r"[^@\s]+@[^@\s]+", "an e-mail address"),
}


@dataclass(frozen=True)
class Applicant:
    """A citizen, who sees and moves her own dossiers."""

    personal_number: str
    mover = Mover.CITIZEN


@dataclass(frozen=True)
class Officer:
    """An officer of the agency that processes dossiers."""

    identifier: str
    mover = Mover.OFFICER


Actor = Applicant | Officer


@dataclass(frozen=True)
class Value:
    """What stands in a form field, and where it came from."""

    text: str
    source: FormFieldSource.ValueType


Form = Mapping[str, Value]


def form_to_json(form: Form) -> str:
    """Return a form as it is stored."""
    return json.dumps({name: {"value": v.text, "source": v.source} for name, v in form.items()}, ensure_ascii=False)


def form_from_json(text: str) -> Form:
    """Return a stored form."""
    return {name: Value(entry["value"], entry["source"]) for name, entry in json.loads(text).items()}


def may_see(actor: Actor, applicant_number: str, state: State) -> bool:
    """Say whether a dossier exists for `actor`: her own for a citizen, any that was submitted for an officer."""
    if isinstance(actor, Applicant):
        return actor.personal_number == applicant_number
    return state is not State.DRAFT


def dossier_code(agency: str, day: date, number: int) -> str:
    """Return a national dossier code, such as `G01.99-20261121-0000001`.

    Form `<agency>-<yyyyMMdd>-<7 digits>`, as seen in use [R]; `day` is Vietnam's civil date and `number` counts from 1
    for each agency and day.
    """
    return f"{agency}-{day:%Y%m%d}-{number:07}"


def check_session(session: CitizenSession | None, now: datetime) -> CitizenSession:
    """Return a session in force; raises refusals with reason SESSION_INVALID or SESSION_EXPIRED."""
    if session is None:
        raise unauthenticated("SESSION_INVALID", "The portal does not know this session; log in again at /login.")
    if session.expires_at <= now:
        raise _expired()
    return session


def live_access_token(session: CitizenSession, now: datetime) -> str:
    """Return the session's access token; raises a refusal with reason SESSION_EXPIRED if it is over."""
    if session.access_token_expires_at <= now:
        raise _expired()
    return session.access_token


def check_page_size(size: int) -> int:
    """Return how many dossiers a page holds; raises a refusal with reason PAGE_SIZE_INVALID."""
    if not 0 <= size <= _PAGE_SIZE:
        raise invalid("PAGE_SIZE_INVALID", f"page_size must be from 1 to {_PAGE_SIZE}, or 0 for {_PAGE_SIZE}.")
    return size or _PAGE_SIZE


def check_cursor(cursor: str) -> int | None:
    """Return the number before which a page begins, None if it is the first; raises a refusal: CURSOR_INVALID."""
    if cursor and not _CURSOR.fullmatch(cursor):
        raise invalid("CURSOR_INVALID", "The cursor is not one that ListDossiers gave; send next_cursor as it came.")
    return int(cursor) if cursor else None


def check_note(note: str) -> str:
    """Return an officer's or applicant's note, NFC; raises a refusal with reason NOTE_INVALID."""
    text = unicodedata.normalize("NFC", note.strip())
    if len(text) > _MAX_NOTE_LENGTH or not _is_text(text.translate(_LINES_AND_COLUMNS)):
        message = (
            f"A note is plain text of at most {_MAX_NOTE_LENGTH} characters, without control characters but line "
            "breaks and tabs."
        )
        raise invalid("NOTE_INVALID", message)
    return text


def completed_form(
    fields: Iterable[FieldDefinition], form: Form, given: Mapping[str, str], applicant_number: str
) -> Form:
    """Return the form with what the citizen gives in place of what was there, NFC and trimmed.

    Raises refusals with reason FORM_INVALID, naming the fields whose value is not of its kind or that the form does not
    have, and FORM_INCOMPLETE, naming the required fields without a value.
    """
    definitions = {field.name: field for field in fields}
    values = {name: unicodedata.normalize("NFC", text.strip()) for name, text in given.items()}
    faults = {name: "no field of this form" for name in values if name not in definitions}
    for name, text in values.items():
        if name in definitions and text and not _is_valid(definitions[name].kind, text, applicant_number):
            faults[name] = _FORMS.get(definitions[name].kind, ("", "text of at most 500 characters on one line"))[1]
    if faults:
        raise form_invalid(faults)
    citizen = FormFieldSource.FORM_FIELD_SOURCE_CITIZEN
    merged = {**form, **{name: Value(text, citizen) for name, text in values.items()}}
    filled = {name: value for name, value in merged.items() if value.text}
    missing = {name: field.label_vi for name, field in definitions.items() if field.required and name not in filled}
    if missing:
        message = f"The form cannot be submitted without: {_listed(missing)}."
        raise invalid("FORM_INCOMPLETE", message).with_metadata(fields=_names(missing))
    return filled


def form_invalid(faults: Mapping[str, str]) -> Refusal:
    """Return the refusal of a form; `faults` say by field what is wrong."""
    return invalid("FORM_INVALID", f"Correct these fields: {_listed(faults)}.").with_metadata(fields=_names(faults))


def _listed(fields: Mapping[str, str]) -> str:
    return "; ".join(f"{_name(name)} ({fields[name]})" for name in _first(fields))


def _names(fields: Mapping[str, str]) -> str:
    return ",".join(map(_name, _first(fields)))


def _first(fields: Mapping[str, str]) -> list[str]:
    return sorted(fields)[:_MOST_NAMED]


def _name(name: str) -> str:
    return name if re.fullmatch(r"[a-z0-9_]{1,40}", name) else repr(name[:40])


def _is_valid(kind: Kind, text: str, applicant_number: str) -> bool:
    if not _is_text(text) or len(text) > _MAX_VALUE_LENGTH:
        return False
    if kind in _FORMS and re.fullmatch(_FORMS[kind][0], text, re.ASCII) is None:
        return False
    if kind in (Kind.DATE, Kind.PARTIAL_DATE):
        return _is_possible_date(text)
    if kind is Kind.ADDRESS_DETAIL:
        return " ".join(text.split()).isprintable()
    return kind is not Kind.OWN_NUMBER or text == applicant_number


def _is_possible_date(text: str) -> bool:
    message = partial_date(text)
    try:
        date(message.year, message.month or 1, message.day or 1)
    except ValueError:
        return False
    return True


def _is_text(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _expired() -> Refusal:
    return unauthenticated("SESSION_EXPIRED", "The session is over; log in again at /login.")
