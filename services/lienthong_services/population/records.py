"""Rows of the population database as the messages of its contract."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from lienthong.api.population.v1.citizen_pb2 import (
    RESIDENCE_KIND_CURRENT,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
    Citizen,
    FormerNumber,
    Household,
    HouseholdMember,
    RelatedPerson,
    Residence,
)
from lienthong.api.population.v1.population_pb2 import Change
from lienthong.api.types.v1.types_pb2 import Address, PersonName
from lienthong_core.dates import partial_date, timestamp
from lienthong_services.population.store import CitizenRecord


def citizen_message(record: CitizenRecord) -> Citizen:
    """Return a citizen's whole record; the gateway reduces it to what was granted."""
    row = record.citizen
    message = Citizen(
        personal_number=row.personal_number,
        name=person_name(row.surname, row.middle_name, row.given_name),
        other_name=row.other_name,
        birth_date=partial_date(row.birth_date),
        sex=row.sex,
        nationality=row.nationality,
        former_numbers=former_numbers(record.former_numbers),
        legacy_card_number=row.legacy_card_number,
        residence_card_number=row.residence_card_number,
        birth_registration_place=_birth_registration_place(row),
        place_of_origin=_place_of_origin(row),
        ethnicity=row.ethnicity,
        religion=row.religion,
        marital_status=row.marital_status,
        father=_related(row, "father"),
        mother=_related(row, "mother"),
        spouse=_related(row, "spouse"),
        representative=_related(row, "representative"),
        relation_to_head=row.relation_to_head,
        household_number=row.household_number,
        blood_group=row.blood_group,
        life_status=row.life_status,
        life_status_date=partial_date(row.life_status_date) if row.life_status_date else None,
    )
    _add_residences(message, record.residences)
    return message


def registered_residence(row: Row[Any]) -> Residence:
    """Return a residence as it was when it was registered: in force, whatever has become of it since."""
    message = _residence(row)
    message.ClearField("until_date")
    return message


def household_message(rows: Sequence[Row[Any]]) -> Household:
    """Return a household and its members, in the order of the rows; there is at least one."""
    row = rows[0]
    return Household(
        household_number=row.household_household_number,
        address=Address(
            province_code=row.household_province_code,
            province_name=row.household_province_name,
            commune_code=row.household_commune_code,
            commune_name=row.household_commune_name,
            detail=row.household_detail,
            country_code="VN",
        ),
        members=[
            HouseholdMember(
                personal_number=member.personal_number,
                name=person_name(member.surname, member.middle_name, member.given_name),
                birth_date=partial_date(member.birth_date),
                relation_to_head=member.relation_to_head,
            )
            for member in rows
        ],
    )


def change_message(row: Row[Any]) -> Change:
    """Return one change."""
    return Change(
        change_number=row.change_number,
        personal_number=row.personal_number,
        datasets=row.datasets.split(","),
        changed_at=timestamp(row.changed_at),
    )


def former_numbers(rows: Iterable[Row[Any]]) -> list[FormerNumber]:
    """Return the numbers that a citizen had before (`former_...`), newest first."""
    return [
        FormerNumber(
            personal_number=row.former_personal_number,
            cancelled_on=partial_date(row.former_cancelled_on),
            reason=row.former_reason,
        )
        for row in sorted(rows, key=lambda row: str(row.former_cancelled_on), reverse=True)
    ]


def full_name(surname: str, middle_name: str, given_name: str) -> str:
    """Return a whole name in its usual order; parts may be empty."""
    return " ".join(part for part in (surname, middle_name, given_name) if part)


def person_name(surname: str, middle_name: str, given_name: str) -> PersonName:
    """Return a name in its parts and as a whole."""
    whole = full_name(surname, middle_name, given_name)
    return PersonName(surname=surname, middle_name=middle_name, given_name=given_name, full_name=whole)


def _birth_registration_place(row: Row[Any]) -> Address:
    return Address(
        province_code=row.birth_province_code,
        province_name=row.birth_province_name,
        district_code=row.birth_district_code,
        district_name=row.birth_district_name,
        commune_code=row.birth_commune_code,
        commune_name=row.birth_commune_name,
        country_code=row.birth_country,
    )


def _place_of_origin(row: Row[Any]) -> Address | None:
    if not row.origin_province_code:
        return None
    return Address(
        province_code=row.origin_province_code,
        province_name=row.origin_province_name,
        commune_code=row.origin_commune_code,
        commune_name=row.origin_commune_name,
        country_code="VN",
    )


def _related(row: Row[Any], role: str) -> RelatedPerson | None:
    parts = [str(getattr(row, f"{role}_{part}")) for part in ("surname", "middle_name", "given_name")]
    if not any(parts):
        return None
    return RelatedPerson(
        personal_number=getattr(row, f"{role}_number"),
        name=person_name(*parts),
        nationality=getattr(row, f"{role}_nationality"),
    )


def _add_residences(message: Citizen, rows: Sequence[Row[Any]]) -> None:
    latest_last = sorted(rows, key=lambda row: (str(row.residence_until_date), str(row.residence_from_date)))
    in_force = {row.residence_kind: row for row in latest_last if not row.residence_until_date}
    if permanent := in_force.get(RESIDENCE_KIND_PERMANENT):
        message.permanent_residence.CopyFrom(_residence(permanent))
    if temporary := in_force.get(RESIDENCE_KIND_TEMPORARY):
        message.temporary_residence.CopyFrom(_residence(temporary))
    lives_at = in_force.get(RESIDENCE_KIND_CURRENT) or temporary or permanent
    if lives_at is not None:
        current = message.current_residence
        current.CopyFrom(_residence(lives_at))
        current.kind = RESIDENCE_KIND_CURRENT
    message.former_residences.extend(_residence(row) for row in reversed(latest_last) if row.residence_until_date)


def _residence(row: Row[Any]) -> Residence:
    return Residence(
        kind=row.residence_kind,
        address=Address(
            province_code=row.residence_province_code,
            province_name=row.residence_province_name,
            district_code=row.residence_district_code,
            district_name=row.residence_district_name,
            commune_code=row.residence_commune_code,
            commune_name=row.residence_commune_name,
            detail=row.residence_detail,
            country_code=row.residence_country,
        ),
        from_date=partial_date(row.residence_from_date),
        until_date=partial_date(row.residence_until_date) if row.residence_until_date else None,
    )
