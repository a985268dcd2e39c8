"""The tables of the population database.

Dates of which less than the day may be known are text: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. Codes and enumerations are
stored as the contract's numbers (`lienthong.api.population.v1`). Text is NFC.
"""

from datetime import datetime

from sqlalchemy import DateTime, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 1


class PopulationTable(SQLModel, registry=registry()):
    """Base of this service's tables: one metadata, its own."""


class Citizen(PopulationTable, table=True):
    """A person, whatever numbers she has had. Relatives outside the register have a name and no number."""

    citizen_id: int = Field(primary_key=True)
    personal_number: str = Field(max_length=12, index=True)
    surname: str
    middle_name: str
    given_name: str
    other_name: str = ""
    birth_date: str = Field(max_length=10)
    sex: int
    nationality: str = Field(default="VN", max_length=2)
    ethnicity: str
    religion: str
    marital_status: int
    blood_group: int
    legacy_card_number: str = ""
    residence_card_number: str = ""
    birth_province_code: str = ""
    birth_province_name: str = ""
    birth_district_code: str = ""
    birth_district_name: str = ""
    birth_commune_code: str = ""
    birth_commune_name: str = ""
    birth_country: str = Field(default="VN", max_length=2)
    origin_province_code: str = ""
    origin_province_name: str = ""
    origin_commune_code: str = ""
    origin_commune_name: str = ""
    household_number: str = Field(default="", index=True)
    relation_to_head: str = ""
    father_number: str = ""
    father_surname: str = ""
    father_middle_name: str = ""
    father_given_name: str = ""
    father_nationality: str = Field(default="VN", max_length=2)
    mother_number: str = ""
    mother_surname: str = ""
    mother_middle_name: str = ""
    mother_given_name: str = ""
    mother_nationality: str = Field(default="VN", max_length=2)
    spouse_number: str = ""
    spouse_surname: str = ""
    spouse_middle_name: str = ""
    spouse_given_name: str = ""
    spouse_nationality: str = Field(default="VN", max_length=2)
    representative_number: str = ""
    representative_surname: str = ""
    representative_middle_name: str = ""
    representative_given_name: str = ""
    representative_nationality: str = Field(default="VN", max_length=2)
    life_status: int
    life_status_date: str = Field(default="", max_length=10)


class FormerNumber(PopulationTable, table=True):
    """A cancelled number; it is never issued again and still finds the citizen."""

    personal_number: str = Field(primary_key=True, max_length=12)
    citizen_id: int = Field(foreign_key="citizen.citizen_id", index=True)
    cancelled_on: str = Field(max_length=10)
    reason: int


class Residence(PopulationTable, table=True):
    """A residence, in the administrative units of its last day, or today's; `until_date` empty while in force.

    The current residence is a row of its own only where it differs from the temporary or permanent one. One case
    registers at most one residence of a citizen, which is what makes its registration repeatable; residences that were
    in the register from its beginning come from no case and no change.
    """

    __table_args__ = (UniqueConstraint("citizen_id", "case_reference"),)

    residence_id: int | None = Field(default=None, primary_key=True)
    citizen_id: int = Field(foreign_key="citizen.citizen_id", index=True)
    kind: int
    province_code: str
    province_name: str
    district_code: str = ""
    district_name: str = ""
    commune_code: str
    commune_name: str
    detail: str
    country: str = Field(default="VN", max_length=2)
    from_date: str = Field(max_length=10)
    until_date: str = Field(default="", max_length=10)
    case_reference: str | None = Field(default=None, max_length=64)
    change_number: int | None = Field(default=None, foreign_key="change.change_number")


class Household(PopulationTable, table=True):
    """A household (hộ gia đình) at one address.

    A household that forms when somebody moves out is numbered by its commune and the change that made it:
    `00004-0000123`.
    """

    household_number: str = Field(primary_key=True)
    head_citizen_id: int = Field(foreign_key="citizen.citizen_id")
    province_code: str
    province_name: str
    commune_code: str
    commune_name: str
    detail: str


class AdministrativeUnit(PopulationTable, table=True):
    """A province (two digits) or commune (five digits) of the two-tier division in force since 2025-07-01.

    `valid_until` is the last day in force; empty while in force. A province is its own province.
    """

    code: str = Field(primary_key=True, max_length=5)
    name: str
    province_code: str = Field(max_length=2)
    valid_from: str = Field(max_length=10)
    valid_until: str = Field(default="", max_length=10)


class Change(PopulationTable, table=True):
    """That a citizen's record changed; `datasets` are comma-separated names. Registration is the first change."""

    change_number: int | None = Field(default=None, primary_key=True)
    citizen_id: int = Field(foreign_key="citizen.citizen_id")
    datasets: str
    changed_at: datetime = Field(sa_type=DateTime(timezone=True))
