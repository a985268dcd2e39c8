"""The administrative units, read from the reference tables in `data/` (sources: `data/NOTICE.md`)."""

import csv
from collections.abc import Iterable
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


class FormerWards:
    """The wards of the 63 provinces, with their districts, by the commune of today that each went into.

    The table is long and few of its lines are needed, so a line is taken apart only when its ward is asked for.
    """

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        for line in _lines("legacy_wards.csv"):
            if not line.startswith(","):  # an island district without wards
                for successor in line[line.rindex(",") + 1 :].split():
                    self._lines.setdefault(successor, []).append(line)

    def have(self, commune_code: str) -> bool:
        """Say whether any ward went into the commune; none did into the five that were island districts."""
        return commune_code in self._lines

    def of(self, commune_code: str, roll: float = 0.0) -> Place:
        """Return the ward that `roll` (0 ≤ roll < 1) falls on, of those that went into the commune."""
        lines = self._lines[commune_code]
        return _ward(lines[int(roll * len(lines))])

    def named(self, commune_code: str, ward_code: str) -> Place:
        """Return the ward with that code, which went into the commune."""
        return next(ward for ward in map(_ward, self._lines[commune_code]) if ward.commune_code == ward_code)


@dataclass(frozen=True, slots=True)
class Reference:
    """The units of today, and the wards that today's communes were made of."""

    provinces: tuple[Province, ...]
    communes: dict[str, Place]
    """By commune code."""
    former_wards: FormerWards


def read_table(name: str) -> list[list[str]]:
    """Return the rows of a reference table without its header."""
    return list(csv.reader(_lines(name)))


def read_reference() -> Reference:
    """Read the administrative units."""
    provinces = _read_provinces()
    return Reference(provinces, _read_communes(provinces), FormerWards())


def read_communes() -> dict[str, Place]:
    """Read the communes of today, by code, without the wards that they were made of."""
    return _read_communes(_read_provinces())


def _read_provinces() -> tuple[Province, ...]:
    return tuple(
        Province(code, name, float(population))
        for code, name, _short_name, population, _prefixes, _merged in read_table("provinces_2025.csv")
    )


def _read_communes(provinces: Iterable[Province]) -> dict[str, Place]:
    names = {province.code: province.name for province in provinces}
    return {
        code: Place(province, names[province], "", "", code, name)
        for code, province, name, _type, _area in read_table("communes_2025.csv")
    }


def _lines(name: str) -> list[str]:
    return (files("lienthong_seeds") / "data" / name).read_text(encoding="utf-8").splitlines()[1:]


def _ward(line: str) -> Place:
    code, name, district_code, district, province_code, province, _successors = line.split(",")
    return Place(province_code, province, district_code, district, code, name)
