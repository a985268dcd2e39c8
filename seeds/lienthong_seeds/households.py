"""Households of synthetic people: who lives together, how old they are, and what they are to each other."""

from datetime import date

from lienthong.api.population.v1.citizen_pb2 import (
    LIFE_STATUS_DECEASED,
    MARITAL_STATUS_DIVORCED,
    MARITAL_STATUS_WIDOWED,
)
from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE, Sex
from lienthong_seeds.chance import Roll, Weighted, integer
from lienthong_seeds.citizens import YEAR, CitizenMaker
from lienthong_seeds.people import (
    CHILD,
    HEAD,
    NOBODY,
    Household,
    Member,
    Person,
    Relative,
    adopt_parents,
    born_by,
    child_in_law_relation,
    grandchild_relation,
    iso,
    marry,
    spouse_relation,
)
from lienthong_seeds.places import Home

LARGEST = 9
"""Most people that one household brings into the register, the departed included."""

_SHAPES = Weighted(
    [
        ("single", 7),
        ("couple", 5),
        ("family", 50),
        ("lone parent", 8),
        ("three generations", 22),
        ("elders", 5),
        ("widow", 3),
    ]
)
_CHILDREN = Weighted([(1, 22), (2, 52), (3, 20), (4, 6)])
_GRANDCHILDREN = Weighted([(0, 8), (1, 44), (2, 40), (3, 8)])
_BOY = 0.527
"""Share of boys among births, 111.5 for 100 girls (census 2024 [M])."""

_MAN_HEADS = 0.7
_SON_STAYS = 0.8
_ELDER_WIDOWED = 0.25
_LONE_PARENT_WIDOWED = 0.3


class HouseholdMaker:
    """Makes households as they are on the day `today`."""

    def __init__(self, roll: Roll, citizens: CitizenMaker, today: date) -> None:
        self._roll = roll
        self._citizens = citizens
        self._today = today.toordinal()
        self._adults_born_by = born_by(today, 18)
        self._shapes = {
            "couple": self._couple_alone,
            "family": self._family,
            "lone parent": self._lone_parent,
            "three generations": self._three_generations,
            "elders": self._elders,
            "widow": self._widow,
        }

    def household(self, number: str, room: int) -> tuple[Household, Home]:
        """Return a household that brings at most `room` people, and its home."""
        home = self._citizens.home()
        household = Household(number, home.place, self._citizens.places.detail(home.place, home.region), [])
        shape = _SHAPES.pick(self._roll())
        if shape == "single" or room < LARGEST:
            self._single(home, household)
        else:
            self._shapes[shape](home, household)
        return household, home

    def _single(self, home: Home, household: Household) -> None:
        sex = SEX_MALE if self._roll() < 1 / 2 else SEX_FEMALE
        household.members.append(Member(self._citizens.adult(home, sex, self._born(20, 38)), HEAD))

    def _couple_alone(self, home: Home, household: Household) -> None:
        self._settle(household, *self._couple(home, 23, 36))

    def _elders(self, home: Home, household: Household) -> None:
        self._settle(household, *self._couple(home, 55, 88))

    def _family(self, home: Home, household: Household) -> None:
        husband, wife = self._couple(home, 25, 58)
        self._settle(household, husband, wife)
        for child in self._children(home, husband, wife, _CHILDREN.pick(self._roll())):
            household.members.append(Member(child, CHILD))

    def _lone_parent(self, home: Home, household: Household) -> None:
        father, mother = self._couple(home, 30, 58)
        children = self._children(home, father, mother, _CHILDREN.pick(self._roll()))
        if self._roll() < _LONE_PARENT_WIDOWED:
            last_birth = max((child.birth for child in children), default=mother.birth + int(25 * YEAR))
            self._bury(household, father, mother, not_before=last_birth)
        else:
            self._part(father, mother, children)
        household.members.append(Member(mother, HEAD))
        for child in children:
            if child.representative is not NOBODY:
                child.representative = child.mother
            household.members.append(Member(child, CHILD))

    def _widow(self, home: Home, household: Household) -> None:
        husband, wife = self._couple(home, 60, 90)
        self._bury(household, husband, wife, not_before=wife.birth + int(40 * YEAR))
        household.members.append(Member(wife, HEAD))

    def _three_generations(self, home: Home, household: Household) -> None:
        grandfather, grandmother = self._couple(home, 52, 80)
        oldest = min(self._today - int(24 * YEAR), grandmother.birth + int(32 * YEAR))
        birth = self._between(grandmother.birth + int(21 * YEAR), max(oldest, grandmother.birth + int(23 * YEAR)))
        sex = SEX_MALE if self._roll() < _SON_STAYS else SEX_FEMALE
        heir = self._citizens.child(home, sex, birth, grandfather.name.surname)
        adopt_parents(heir, grandfather, grandmother)
        if self._roll() < _ELDER_WIDOWED:
            self._bury(household, grandfather, grandmother, not_before=heir.birth + int(18 * YEAR))
            household.members.append(Member(grandmother, HEAD))
        else:
            self._settle(household, grandfather, grandmother)
        self._add_young_family(home, household, heir)

    def _add_young_family(self, home: Home, household: Household, heir: Person) -> None:
        spouse = self._spouse(home, heir)
        household.members += Member(heir, CHILD), Member(spouse, child_in_law_relation(spouse))
        father, mother = (heir, spouse) if heir.sex == SEX_MALE else (spouse, heir)
        for child in self._children(home, father, mother, _GRANDCHILDREN.pick(self._roll())):
            household.members.append(Member(child, grandchild_relation(heir)))

    def _couple(self, home: Home, youngest: float, oldest: float) -> tuple[Person, Person]:
        """Return a man of that age range and his wife, married."""
        husband = self._citizens.adult(home, SEX_MALE, self._born(youngest, oldest))
        return husband, self._spouse(home, husband)

    def _spouse(self, home: Home, person: Person) -> Person:
        """Return a spouse of plausible age, old enough by law: men from 20, women from 18."""
        sex: Sex.ValueType = SEX_FEMALE if person.sex == SEX_MALE else SEX_MALE
        younger_wife = int((self._roll() * 7 - 1.5) * YEAR)
        birth = person.birth + (younger_wife if sex == SEX_FEMALE else -younger_wife)
        spouse = self._citizens.adult(home, sex, min(birth, self._today - int(21 * YEAR)))
        marry(person, spouse)
        return spouse

    def _children(self, home: Home, father: Person, mother: Person, number: int) -> list[Person]:
        """Return the children, eldest first, who are born by now and have not left home."""
        children: list[Person] = []
        birth = max(mother.birth + int((19.5 + self._roll() * 10) * YEAR), father.birth + int(20.8 * YEAR))
        latest = min(self._today, mother.birth + int(43 * YEAR))
        for _ in range(number):
            if birth >= latest:
                break
            if self._today - birth < int((19 + self._roll() * 9) * YEAR):
                children.append(self._child(home, father, mother, birth))
            birth += int((1.6 + self._roll() * 4.5) * YEAR)
        return children

    def _child(self, home: Home, father: Person, mother: Person, birth: int) -> Person:
        sex = SEX_MALE if self._roll() < _BOY else SEX_FEMALE
        child = self._citizens.child(home, sex, birth, father.name.surname)
        adopt_parents(child, father, mother)
        if birth > self._adults_born_by:
            child.representative = child.mother if self._roll() < 1 / 2 else child.father
        return child

    def _settle(self, household: Household, husband: Person, wife: Person) -> None:
        """Make one of the couple the head and the other the head's spouse."""
        head, spouse = (husband, wife) if self._roll() < _MAN_HEADS else (wife, husband)
        household.members += Member(head, HEAD), Member(spouse, spouse_relation(spouse))

    def _bury(self, household: Household, dead: Person, survivor: Person, not_before: int) -> None:
        """Let one of a couple have died since the day `not_before`; the record keeps the marital state at death."""
        dead.life_status = LIFE_STATUS_DECEASED
        dead.life_status_date = iso(self._between(not_before, self._today))
        dead.spouse = survivor.spouse = NOBODY
        survivor.marital_status = MARITAL_STATUS_WIDOWED
        household.outside.append(dead)

    def _part(self, father: Person, mother: Person, children: list[Person]) -> None:
        """Let a couple be divorced; the father is then outside the register, as the parents of adults are."""
        mother.marital_status = MARITAL_STATUS_DIVORCED
        mother.spouse = NOBODY
        for child in children:
            child.father = Relative(NOBODY.number, *father.name)

    def _born(self, youngest: float, oldest: float) -> int:
        """Return the birthday of somebody who is between `youngest` and `oldest` years old."""
        return self._between(self._today - int(oldest * YEAR), self._today - int(youngest * YEAR))

    def _between(self, first: int, last: int) -> int:
        return first + integer(self._roll(), max(1, last - first))
