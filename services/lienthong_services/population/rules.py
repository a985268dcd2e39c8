"""What the population database decides without looking anything up: forms, matching, pages.

Dates are text as in the tables, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. Such texts order and shorten as the dates do: a
year comes before its days, and the first four characters of a day are its year.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from lienthong.api.population.v1.population_pb2 import Relationship
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong_core.dates import partial_date_text
from lienthong_core.errors import Refusal, invalid, not_found

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000

_CURSOR = re.compile(r"0|[1-9][0-9]{0,17}")
_IGNORED_IN_NAMES = {"Mn", "Me", "Cf"}
# Đ has no decomposition; the Icelandic Ð looks the same and stands for it in records keyed by hand.
_BARRED_D = str.maketrans("đð", "dd")


@dataclass(frozen=True)
class Kin:
    """What a citizen's record says about her relatives; a number is empty if there is none on record."""

    numbers: frozenset[str]
    father_number: str = ""
    mother_number: str = ""
    spouse_number: str = ""
    representative_number: str = ""
    household_number: str = ""

    @classmethod
    def unknown(cls, number: str) -> Self:
        """Return somebody of whom the register has no record; others' records may still name the number."""
        return cls(frozenset({number}))


def date_text(value: PartialDate, field: str) -> str:
    """Return a date of a request as text; `field` names it in the refusal of an impossible one."""
    try:
        return partial_date_text(value)
    except ValueError:
        message = (
            f"{field} is no possible date. Give a year from 1 to 9999; 0 for a month and day, or a day, not known."
        )
        raise invalid("DATE_INVALID", message) from None


def citizen_unknown() -> Refusal:
    """Return the refusal of a number that nobody has or had."""
    return not_found("CITIZEN_UNKNOWN", "Nobody in the register has or had this personal number; check it.")


def same_text(given: str, registered: str) -> bool:
    """Say whether two names, of people or places, agree but for case, diacritics, where the tone is placed, and spaces.

    `Nguyễn Thị Hòa`, `NGUYEN THI HOA` and `nguyễn  thị hoà` agree; services 033 and 037 match unaccented names too.
    """
    return _plain(given) == _plain(registered)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    letters = "".join(c for c in decomposed if unicodedata.category(c) not in _IGNORED_IN_NAMES)
    return " ".join(letters.translate(_BARRED_D).split())


def same_birth_date(given: str, registered: str) -> bool:
    """Say whether two dates agree as far as both are known: a year alone is compared by year."""
    known = min(len(given), len(registered))
    return given[:known] == registered[:known]


def check_relationship(relationship: Relationship.ValueType) -> Relationship.ValueType:
    """Return `relationship` if it is one that can be confirmed."""
    if relationship not in Relationship.values() or relationship == Relationship.RELATIONSHIP_UNSPECIFIED:
        message = "relationship must be one of the contract's; set the one that is claimed."
        raise invalid("RELATIONSHIP_INVALID", message)
    return relationship


def are_related(citizen: Kin, other: Kin, relationship: Relationship.ValueType) -> bool:
    """Say whether the records confirm that `other` is the citizen's father, child, ... as `relationship` claims.

    Records name relatives by the numbers of their time, so every number anybody has or had counts.
    """
    match relationship:
        case Relationship.RELATIONSHIP_FATHER:
            return citizen.father_number in other.numbers
        case Relationship.RELATIONSHIP_MOTHER:
            return citizen.mother_number in other.numbers
        case Relationship.RELATIONSHIP_CHILD:
            return not citizen.numbers.isdisjoint({other.father_number, other.mother_number})
        case Relationship.RELATIONSHIP_SPOUSE:
            return citizen.spouse_number in other.numbers
        case Relationship.RELATIONSHIP_REPRESENTATIVE:
            return citizen.representative_number in other.numbers
        case _:
            shared = citizen.household_number == other.household_number != ""
            return shared and citizen.numbers.isdisjoint(other.numbers)


def check_page_size(size: int) -> int:
    """Return how many changes a page holds; 0 asks for the default."""
    if not 0 <= size <= MAX_PAGE_SIZE:
        message = f"A page holds 1 to {MAX_PAGE_SIZE} changes; 0 asks for {DEFAULT_PAGE_SIZE}."
        raise invalid("PAGE_SIZE_INVALID", message)
    return size or DEFAULT_PAGE_SIZE


def check_cursor(cursor: str, last_change: int) -> int:
    """Return the number of the change that the page begins after; an empty cursor asks for the beginning.

    A cursor beyond the last change comes from another register: going on from it would skip changes silently.
    """
    after = int(cursor or 0) if _CURSOR.fullmatch(cursor or "0") else None
    if after is None or after > last_change:
        message = "The cursor is not one this register gave. Send next_cursor of the page before, or nothing to begin."
        raise invalid("CURSOR_INVALID", message)
    return after
