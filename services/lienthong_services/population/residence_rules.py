"""Who may register a residence where, decided without looking anything up.

Dates are text, as in `rules.py`.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lienthong.api.population.v1.citizen_pb2 import (
    LIFE_STATUS_ALIVE,
    LIFE_STATUS_DECEASED,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
)
from lienthong.api.population.v1.population_pb2 import UpdateResidenceRequest
from lienthong.api.types.v1.types_pb2 import Address
from lienthong_core.errors import invalid, precondition
from lienthong_core.personal_numbers import check_personal_number
from lienthong_core.working_days import civil_date
from lienthong_services.population.rules import date_text, same_text

_CASE_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_COMMUNE_CODE = re.compile(r"[0-9]{5}")
_MAX_DETAIL = 200


@dataclass(frozen=True)
class NewResidence:
    """A residence somebody asks to have registered, its form checked; `from_date` is a full date."""

    personal_number: str
    kind: int
    province_code: str
    commune_code: str
    detail: str
    from_date: str
    case_reference: str


@dataclass(frozen=True)
class Commune:
    """A commune, and the first and last day of its being in force; `valid_until` empty if there is no last day."""

    code: str
    name: str
    province_code: str
    province_name: str
    valid_from: str
    valid_until: str


@dataclass(frozen=True)
class Resident:
    """What counts about a household's member when its head leaves."""

    citizen_id: int
    birth_date: str
    life_status: int


def check_new_residence(request: UpdateResidenceRequest) -> NewResidence:
    """Return what a request asks to have registered if its form is right; what it refers to is not looked up here."""
    if request.kind not in {RESIDENCE_KIND_PERMANENT, RESIDENCE_KIND_TEMPORARY}:
        message = "Only a permanent or a temporary residence is registered; set kind to one of the two."
        raise invalid("RESIDENCE_KIND_INVALID", message)
    if not _CASE_REFERENCE.fullmatch(request.case_reference):
        message = (
            "case_reference names the dossier that the residence results from: 1 to 64 ASCII letters, digits, dots, "
            "hyphens, underscores or slashes, first a letter or a digit."
        )
        raise invalid("CASE_REFERENCE_INVALID", message)
    from_date = date_text(request.from_date, "from_date")
    if len(from_date) != len("YYYY-MM-DD"):
        raise invalid("DATE_INVALID", "from_date must be a full date, with month and day.")
    return NewResidence(
        personal_number=check_personal_number(request.personal_number),
        kind=request.kind,
        province_code=request.address.province_code,
        commune_code=_check_commune_code(request.address),
        detail=_check_detail(request.address.detail),
        from_date=from_date,
        case_reference=request.case_reference,
    )


def _check_commune_code(address: Address) -> str:
    if address.country_code not in {"", "VN"} or address.district_code:
        message = "A residence is registered in Vietnam, at a commune of a province: leave country and district out."
        raise invalid("ADDRESS_INVALID", message)
    if not _COMMUNE_CODE.fullmatch(address.commune_code):
        raise invalid("ADDRESS_INVALID", "address.commune_code is five digits, such as 00004.")
    return address.commune_code


def _check_detail(detail: str) -> str:
    text = " ".join(unicodedata.normalize("NFC", detail).split())
    if not text or len(text) > _MAX_DETAIL or not text.isprintable():
        message = f"address.detail names the house, street or hamlet, in 1 to {_MAX_DETAIL} printable characters."
        raise invalid("ADDRESS_INVALID", message)
    return text


def check_not_future(from_date: str, now: datetime) -> None:
    """Refuse a residence that begins after today, by the calendar of Vietnam."""
    today = civil_date(now).isoformat()
    if from_date > today:
        message = f"A residence is registered from today at the latest; today is {today} in Vietnam."
        raise invalid("DATE_INVALID", message)


def check_born(from_date: str, birth_date: str) -> None:
    """Refuse a residence that begins before its citizen's birth, as far as that is known."""
    if from_date[: len(birth_date)] < birth_date:
        raise invalid("DATE_INVALID", "The citizen was not born on from_date yet; give the day on which she moved in.")


def check_commune(residence: NewResidence, commune: Commune | None) -> Commune:
    """Return the commune of an address if it is one of the province, and in force when the residence begins."""
    if commune is None:
        message = "No commune has this commune_code; give the five digits of one in force since 2025-07-01."
        raise invalid("ADDRESS_INVALID", message)
    if commune.province_code != residence.province_code:
        message = f"{commune.name} ({commune.code}) lies in province {commune.province_code}; give that province_code."
        raise invalid("ADDRESS_INVALID", message)
    in_force = commune.valid_from <= residence.from_date and residence.from_date <= (commune.valid_until or "9999")
    if not in_force:
        period = f"from {commune.valid_from}" + (f" to {commune.valid_until}" if commune.valid_until else "")
        message = f"{commune.name} ({commune.code}) is in force {period}; give a commune in force on from_date."
        raise invalid("ADDRESS_INVALID", message)
    return commune


def check_alive(life_status: int) -> None:
    """Refuse to register a residence for somebody who has died."""
    if life_status == LIFE_STATUS_DECEASED:
        message = "The register holds this citizen as deceased, and the deceased take no residence; check the number."
        raise precondition("CITIZEN_DECEASED", message)


def last_day_before(successor_from: str, replaced_from: str) -> str:
    """Return the last day of the residence that one beginning on `successor_from` replaces.

    A residence is replaced by a later one, or by one that begins on the same day and corrects it.
    """
    if successor_from < replaced_from:
        message = "The residence in force began later than from_date; give the day on which the new one really began."
        raise precondition("RESIDENCE_OUT_OF_ORDER", message)
    day_before = (date.fromisoformat(successor_from) - timedelta(days=1)).isoformat()
    return max(day_before, replaced_from)


def same_address(commune_code: str, detail: str, other_commune_code: str, other_detail: str) -> bool:
    """Say whether two addresses are one: the same commune, and details that agree as names do."""
    return commune_code == other_commune_code and same_text(detail, other_detail)


def next_head(members: Sequence[Resident]) -> int:
    """Return who heads a household after its head left: the oldest of the living, else the oldest on record.

    The law lets the members agree on somebody (Law 68/2020/QH14 Art. 10, from memory); the register is told of nobody,
    so it takes the one they would most likely name.
    """
    return min(members, key=lambda m: (m.life_status != LIFE_STATUS_ALIVE, m.birth_date, m.citizen_id)).citizen_id
