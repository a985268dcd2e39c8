"""Where synthetic people have been registered, and since when."""

from datetime import date

from lienthong.api.population.v1.citizen_pb2 import (
    MARITAL_STATUS_SINGLE,
    RESIDENCE_KIND_CURRENT,
    RESIDENCE_KIND_PERMANENT,
    RESIDENCE_KIND_TEMPORARY,
)
from lienthong_seeds.chance import Roll, integer
from lienthong_seeds.citizens import YEAR
from lienthong_seeds.people import Household, Person, Stay, born_by, iso
from lienthong_seeds.places import Home, Places
from lienthong_seeds.reference import UNITS_VALID_FROM, Place

_UNITS_VALID_FROM = date.fromisoformat(UNITS_VALID_FROM).toordinal()
_LONGEST_TEMPORARY = int(2 * YEAR)
"""A temporary residence is registered for two years at most (Law 68/2020/QH14 Art. 27(2)) [M]."""

_MOVED_BEFORE = 0.15
_WORKS_AWAY = 0.16
_LIVES_AWAY = 0.008


class ResidenceMaker:
    """Registers the residences of a household up to the day `today`."""

    def __init__(self, roll: Roll, places: Places, today: date) -> None:
        self._roll = roll
        self._places = places
        self._today = today.toordinal()
        self._adults_born_by = born_by(today, 18)
        self._settled_born_by = born_by(today, 32)

    def settle(self, household: Household, home: Home) -> None:
        """Give every member a permanent residence at home, and some others besides."""
        head = household.members[0].person
        grown_up = head.birth + int(19 * YEAR)
        since = grown_up + integer(self._roll(), self._today - grown_up)
        former = self._former_place(home, since) if self._roll() < _MOVED_BEFORE else None
        for person, _relation in household.members:
            if former is not None and person.birth < since - 1:
                moved_in = max(person.birth, since - int(8 * YEAR))
                person.stays.append(
                    Stay(RESIDENCE_KIND_PERMANENT, former, household.detail, iso(moved_in), iso(since - 1))
                )
            begins = iso(max(since, person.birth))
            person.stays.append(Stay(RESIDENCE_KIND_PERMANENT, home.place, household.detail, begins))
            if person.birth <= self._adults_born_by:
                self._leave_home(person, home)
        for person in household.outside:
            self._end(person, household, home)

    def _leave_home(self, person: Person, home: Home) -> None:
        roll = self._roll()
        young = person.birth > self._settled_born_by and person.marital_status == MARITAL_STATUS_SINGLE
        if young and roll < _WORKS_AWAY:
            kind = RESIDENCE_KIND_TEMPORARY
        elif roll > 1 - _LIVES_AWAY:
            kind = RESIDENCE_KIND_CURRENT
        else:
            return
        place = self._places.away_from(home.province.code)
        since = self._today - integer(self._roll(), min(_LONGEST_TEMPORARY, self._today - person.birth))
        person.stays.append(Stay(kind, place, self._places.detail(place, home.region), iso(since)))

    def _end(self, person: Person, household: Household, home: Home) -> None:
        """Register where somebody lived until death."""
        died = date.fromisoformat(person.life_status_date).toordinal()
        place = home.place if died >= _UNITS_VALID_FROM else self._places.former_ward(home.place)
        since = max(person.birth, died - int(25 * YEAR))
        person.stays.append(
            Stay(RESIDENCE_KIND_PERMANENT, place, household.detail, iso(since), person.life_status_date)
        )

    def _former_place(self, home: Home, until: int) -> Place:
        """Return a place that the household left on the day `until`, in the units of that time."""
        commune = self._places.commune(home.province.code)
        return commune if until > _UNITS_VALID_FROM else self._places.former_ward(commune)
