"""Numbers of synthetic people. None of them can be a real person's."""

from datetime import date

from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE, Sex
from lienthong_seeds.chance import Roll, integer

SYNTHETIC_PREFIX = "099"
"""A province prefix that no province ever had (QĐ 124/2004/QĐ-TTg ends at 096)."""

_SYNTHETIC_CARD_PREFIX = "000"
_CARDS = 999_000
_CARD_STEP = 356_911
_FIRST_CENTURY = 19
_DIGITS = {SEX_MALE: 0, SEX_FEMALE: 1}


def personal_number(sex: Sex.ValueType, birth_year: int, serial: int) -> str:
    """Return the number `PPP G YY RRRRRR` for a sex, a year of birth (1900 to 2399) and a serial below 1,000,000.

    G says century and sex: 0 and 1 in the 20th century, 2 and 3 in the 21st, male first (NĐ 137/2015 Art. 13).
    There is no check digit.
    """
    century, year = divmod(birth_year, 100)
    return f"{SYNTHETIC_PREFIX}{2 * (century - _FIRST_CENTURY) + _DIGITS[sex]}{year:02}{serial:06}"


class NumberRegister:
    """Issues numbers, none of them twice."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._taken: set[str] = set()
        self._cards = 0

    def reserve(self, number: str) -> None:
        """Keep a personal number from being issued."""
        self._taken.add(number)

    def issue(self, sex: Sex.ValueType, birth: int) -> str:
        """Return a new personal number for somebody born on the day `birth` (proleptic ordinal)."""
        year = date.fromordinal(birth).year
        while (number := personal_number(sex, year, integer(self._roll(), 1_000_000))) in self._taken:
            pass
        self._taken.add(number)
        return number

    def issue_legacy_card(self) -> str:
        """Return a new nine-digit card number (CMND); they begin with 000, which no province's series did [M].

        They look drawn at random: the step shares no factor with how many there are, so none comes twice.
        """
        self._cards += 1
        return f"{_SYNTHETIC_CARD_PREFIX}{self._cards * _CARD_STEP % _CARDS:06}"
