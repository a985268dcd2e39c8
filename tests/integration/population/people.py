"""A few citizens who differ in what matters: a family of three, a re-issued number, a death, nobody's household."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from lienthong.api.population.v1.citizen_pb2 import (
    BLOOD_GROUP_O,
    LIFE_STATUS_ALIVE,
    LIFE_STATUS_DECEASED,
    MARITAL_STATUS_MARRIED,
    MARITAL_STATUS_SINGLE,
    NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED,
    RESIDENCE_KIND_CURRENT,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
)
from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE
from lienthong_services.population.model import (
    AdministrativeUnit,
    Change,
    Citizen,
    FormerNumber,
    Household,
    Residence,
)

REGISTERED_AT = datetime(2026, 1, 1, tzinfo=UTC)

FATHER = "099070000001"
MOTHER = "099168000002"
DAUGHTER = "099304000003"
RENUMBERED = "099150000004"
RENUMBERED_BEFORE = "099152000004"
DECEASED = "099045000005"
FOREIGNER = "099180000006"
INFANT = "099326000007"
"""Born on 10 November 2026, registered nowhere yet."""
UNKNOWN = "099999999999"

HANOI: dict[str, Any] = {"province_code": "01", "province_name": "Thành phố Hà Nội"}
BA_DINH = {**HANOI, "commune_code": "00004", "commune_name": "Phường Ba Đình"}
NGOC_HA = {**HANOI, "commune_code": "00008", "commune_name": "Phường Ngọc Hà"}
PHUC_XA = {
    **HANOI,
    "district_code": "001",
    "district_name": "Quận Ba Đình",
    "commune_code": "00001",
    "commune_name": "Phường Phúc Xá",
}
HOME = "Số 12 phố Hòa Mã"


def add_people(engine: Engine) -> None:
    """Fill an empty register."""
    with Session(engine) as session:
        # Tables refer to each other by bare keys, so each generation is written before the next.
        for rows in (_citizens(), _households(), _former_numbers(), _residences(), _units(), _changes()):
            session.add_all(rows)
            session.flush()
        session.commit()


def _citizen(
    citizen_id: int, personal_number: str, name: tuple[str, str, str], birth_date: str, **more: str | int
) -> Citizen:
    surname, middle_name, given_name = name
    values: dict[str, Any] = {
        "sex": SEX_FEMALE,
        "ethnicity": "Kinh",
        "religion": "Không",
        "marital_status": MARITAL_STATUS_SINGLE,
        "blood_group": BLOOD_GROUP_O,
        "life_status": LIFE_STATUS_ALIVE,
        **more,
    }
    return Citizen(
        citizen_id=citizen_id,
        personal_number=personal_number,
        surname=surname,
        middle_name=middle_name,
        given_name=given_name,
        birth_date=birth_date,
        **values,
    )


def _relative(role: str, number: str, name: tuple[str, str, str]) -> dict[str, str]:
    parts = zip(("surname", "middle_name", "given_name"), name, strict=True)
    return {f"{role}_number": number, **{f"{role}_{part}": value for part, value in parts}}


def _citizens() -> list[Citizen]:
    father, mother = ("Trần", "Văn", "Minh"), ("Nguyễn", "Thị", "Hòa")
    married: dict[str, str | int] = {"marital_status": MARITAL_STATUS_MARRIED, "household_number": "H-1"}
    return [
        _citizen(
            1,
            FATHER,
            father,
            "1970-01-02",
            sex=SEX_MALE,
            relation_to_head="Chủ hộ",
            **married,
            **_relative("spouse", MOTHER, mother),
        ),
        _citizen(
            2, MOTHER, mother, "1968-03-04", relation_to_head="Vợ", **married, **_relative("spouse", FATHER, father)
        ),
        _citizen(
            3,
            DAUGHTER,
            ("Trần", "Thị", "Thúy"),
            "2004-05-06",
            household_number="H-1",
            relation_to_head="Con đẻ",
            birth_province_code="01",
            birth_province_name="Thành phố Hà Nội",
            origin_province_code="38",
            origin_province_name="Tỉnh Thanh Hóa",
            **_relative("father", FATHER, father),
            **_relative("mother", MOTHER, mother),
            **_relative("representative", MOTHER, mother),
        ),
        _citizen(
            4,
            RENUMBERED,
            ("Lê", "", "Đào"),
            "1950",
            household_number="H-2",
            relation_to_head="Chủ hộ",
            legacy_card_number="010000004",
        ),
        _citizen(
            5,
            DECEASED,
            ("Phạm", "Quốc", "Bảo"),
            "1945-09-02",
            life_status=LIFE_STATUS_DECEASED,
            life_status_date="2020",
        ),
        _citizen(
            6,
            FOREIGNER,
            ("Martin", "", "Claire"),
            "1980-07-14",
            nationality="FR",
            birth_country="FR",
            **_relative("mother", RENUMBERED_BEFORE, ("Lê", "", "Đào")),
        ),
        _citizen(7, INFANT, ("Lê", "Bảo", "An"), "2026-11-10"),
    ]


def _households() -> list[Household]:
    return [
        Household(household_number="H-1", head_citizen_id=1, detail=HOME, **BA_DINH),
        Household(household_number="H-2", head_citizen_id=4, detail="Thôn Đông", **BA_DINH),
    ]


def _former_numbers() -> list[FormerNumber]:
    reason = NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED
    return [
        FormerNumber(personal_number="099151000004", citizen_id=4, cancelled_on="2015-01-01", reason=reason),
        FormerNumber(personal_number=RENUMBERED_BEFORE, citizen_id=4, cancelled_on="2021", reason=reason),
    ]


def _residences() -> list[Residence]:
    def residence(citizen_id: int, kind: int, place: dict[str, Any], from_date: str, until_date: str = "") -> Residence:
        return Residence(
            citizen_id=citizen_id, kind=kind, detail=HOME, from_date=from_date, until_date=until_date, **place
        )

    return [
        residence(1, RESIDENCE_KIND_PERMANENT, BA_DINH, "2025-07-01"),
        residence(2, RESIDENCE_KIND_PERMANENT, BA_DINH, "2025-07-01"),
        residence(3, RESIDENCE_KIND_PERMANENT, BA_DINH, "2025-07-01"),
        residence(3, RESIDENCE_KIND_PERMANENT, PHUC_XA, "2004-05", "2012-08-31"),
        residence(3, RESIDENCE_KIND_PERMANENT, PHUC_XA, "2012-09-01", "2025-06-30"),
        residence(3, RESIDENCE_KIND_TEMPORARY, NGOC_HA, "2026-02-01"),
        residence(4, RESIDENCE_KIND_PERMANENT, BA_DINH, "2001"),
        residence(4, RESIDENCE_KIND_CURRENT, NGOC_HA, "2026-03-01"),
    ]


def _units() -> list[AdministrativeUnit]:
    rows = [
        ("01", "Thành phố Hà Nội", "01", ""),
        ("00004", "Phường Ba Đình", "01", ""),
        ("00008", "Phường Ngọc Hà", "01", ""),
        ("00099", "Phường Bỏ", "01", "2026-06-30"),
    ]
    return [
        AdministrativeUnit(code=code, name=name, province_code=province, valid_from="2025-07-01", valid_until=until)
        for code, name, province, until in rows
    ]


def _changes() -> list[Change]:
    return [Change(citizen_id=number, datasets="identity.basic", changed_at=REGISTERED_AT) for number in range(1, 7)]
