"""Where synthetic people live and were born."""

from typing import NamedTuple

from lienthong_seeds.chance import Roll, Weighted, integer
from lienthong_seeds.names import Name
from lienthong_seeds.reference import Place, Province, Reference, Region

_WARD_WEIGHT = 23
_COMMUNE_WEIGHT = 10
_ISLAND_WEIGHT = 3
"""By kind of unit, so that some 38 % live in wards, the urban share [M]."""

_PEOPLE_PER_SLOT = 10.0
"""Thousands of people that one slot of the weighted draw stands for: 50 slots for the smallest province."""

_FACTORY_AND_CAPITAL_PROVINCES = (("01", 22), ("79", 38), ("75", 14), ("24", 14), ("31", 8), ("48", 4))
"""Where people go for work or study, with weights [M]."""


class Home(NamedTuple):
    """Where a household lives and what its family is like."""

    province: Province
    place: Place
    region: Region
    ethnicity: str
    religion: str
    origin: Place
    names: set[Name]
    """Those given in the household so far."""


class Places:
    """Draws communes in proportion to population, and the former wards they were made of."""

    def __init__(self, roll: Roll, reference: Reference) -> None:
        self._roll = roll
        self._former_wards = reference.former_wards
        self._provinces = Weighted(
            (province, round(province.population / _PEOPLE_PER_SLOT)) for province in reference.provinces
        )
        self._destinations = Weighted(_FACTORY_AND_CAPITAL_PROVINCES)
        by_province: dict[str, list[tuple[Place, int]]] = {province.code: [] for province in reference.provinces}
        for place in reference.communes.values():
            if reference.former_wards.have(place.commune_code):
                by_province[place.province_code].append((place, _weight(place)))
        self._communes = {code: Weighted(pairs) for code, pairs in by_province.items()}

    def province(self) -> Province:
        """Return a province, likely in proportion to its population."""
        return self._provinces.pick(self._roll())

    def commune(self, province_code: str) -> Place:
        """Return a commune of the province."""
        return self._communes[province_code].pick(self._roll())

    def away_from(self, province_code: str) -> Place:
        """Return a commune of another province, one where people go for work."""
        while (code := self._destinations.pick(self._roll())) == province_code:
            pass
        return self.commune(code)

    def former_ward(self, commune: Place) -> Place:
        """Return a ward, with its district, of before 2025-07-01 that went into today's commune."""
        return self._former_wards.of(commune.commune_code, self._roll())

    def detail(self, commune: Place, region: Region) -> str:
        """Return a house's address within its commune, as such addresses look there."""
        roll = self._roll()
        house, quarter = 1 + integer(roll, 290), 1 + integer(roll * 290 % 1, 14)
        if commune.commune_name.startswith("Phường"):
            return f"Số {house}, khu phố {quarter}" if region == "south" else f"Số {house}, tổ dân phố {quarter}"
        return f"Số {house}, ấp {quarter}" if region == "south" else f"Số {house}, thôn {quarter}"


def _weight(place: Place) -> int:
    if place.commune_name.startswith("Phường"):
        return _WARD_WEIGHT
    return _COMMUNE_WEIGHT if place.commune_name.startswith("Xã") else _ISLAND_WEIGHT
