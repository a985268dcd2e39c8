"""The administrative units, read from the reference tables in `data/` (sources: `data/NOTICE.md`)."""

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, NamedTuple

Region = Literal["north", "central", "south"]

UNITS_VALID_FROM = "2025-07-01"
"""First day of the two-tier division (QĐ 19/2025/QĐ-TTg)."""

_LAST_NORTHERN_CODE = "37"
_LAST_CENTRAL_CODE = "68"


class Province(NamedTuple):
    """A province or centrally-run city since 2025-07-01; `population` in thousands."""

    code: str
    name: str
    population: float

    @property
    def region(self) -> Region:
        """The part of the country, which names and religions differ by."""
        if self.code <= _LAST_NORTHERN_CODE:
            return "north"
        return "central" if self.code <= _LAST_CENTRAL_CODE else "south"


class Place(NamedTuple):
    """A commune with what it belongs to; the district is empty since 2025-07-01."""

    province_code: str
    province_name: str
    district_code: str
    district_name: str
    commune_code: str
    commune_name: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The units of today, and the wards that today's communes were made of."""

    provinces: tuple[Province, ...]
    communes: dict[str, Place]
    """By commune code."""
    former_wards: dict[str, list[Place]]
    """By commune code; missing for the islands that had no ward."""


def read_table(name: str) -> list[list[str]]:
    """Return the rows of a reference table without its header."""
    with (files("lienthong_seeds") / "data" / name).open(encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return list(rows)


def read_reference() -> Reference:
    """Read the administrative units."""
    provinces = tuple(
        Province(code, name, float(population))
        for code, name, _short_name, population, _prefixes, _merged in read_table("provinces_2025.csv")
    )
    names = {province.code: province.name for province in provinces}
    communes = {
        code: Place(province, names[province], "", "", code, name)
        for code, province, name, _type, _area in read_table("communes_2025.csv")
    }
    return Reference(provinces, communes, _former_wards())


def _former_wards() -> dict[str, list[Place]]:
    wards: dict[str, list[Place]] = {}
    for code, name, district_code, district, province_code, province, successors in read_table("legacy_wards.csv"):
        if not code:
            continue
        ward = Place(province_code, province, district_code, district, code, name)
        for successor in successors.split():
            wards.setdefault(successor, []).append(ward)
    return wards
