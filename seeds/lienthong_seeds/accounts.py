"""Who has an e-identity account, of which level and in which state (NĐ 69/2024/NĐ-CP Art. 7, 15-16)."""

from datetime import date

from lienthong.api.identity.v1.identity_pb2 import (
    ACCOUNT_STATE_ACTIVE,
    ACCOUNT_STATE_INACTIVE,
    ACCOUNT_STATE_LOCKED,
    AccountState,
)
from lienthong_seeds.chance import Roll, Weighted, integer
from lienthong_seeds.people import AccountGrant, Person, born_by

LOCKED_ON_REQUEST = "Khóa theo yêu cầu của chủ tài khoản"

_ACCOUNTS_BEGIN = date(2022, 7, 18).toordinal()
"""When the first accounts were issued [M]."""

_SIX_YEARS = 6 * 366
"""In days, and a few days more; who has just turned six has the account since the last day."""

_Outcome = tuple[int, AccountState.ValueType] | None

# Shares in thousandths [M]; Article 7 says only who may have which level.
_GROWN_UP: Weighted[_Outcome] = Weighted(
    [
        ((2, ACCOUNT_STATE_ACTIVE), 770),
        ((2, ACCOUNT_STATE_INACTIVE), 70),
        ((1, ACCOUNT_STATE_ACTIVE), 70),
        ((1, ACCOUNT_STATE_INACTIVE), 20),
        ((2, ACCOUNT_STATE_LOCKED), 10),
        (None, 60),
    ]
)
_OLD: Weighted[_Outcome] = Weighted(
    [((2, ACCOUNT_STATE_ACTIVE), 450), ((2, ACCOUNT_STATE_INACTIVE), 150), ((1, ACCOUNT_STATE_ACTIVE), 50), (None, 350)]
)
_SCHOOLCHILD: Weighted[_Outcome] = Weighted(
    [((2, ACCOUNT_STATE_ACTIVE), 150), ((1, ACCOUNT_STATE_ACTIVE), 100), (None, 750)]
)
_SMALL_CHILD: Weighted[_Outcome] = Weighted([((1, ACCOUNT_STATE_ACTIVE), 30), (None, 970)])


class AccountMaker:
    """Decides on the accounts of the living up to the day `today`."""

    def __init__(self, roll: Roll, today: date) -> None:
        self._roll = roll
        self._today = today.toordinal()
        self._old = born_by(today, 80)
        self._grown_up = born_by(today, 14)
        self._schoolchild = born_by(today, 6)

    def account(self, person: Person) -> AccountGrant | None:
        """Return the account of somebody of that age, or None for who has none."""
        outcome = self._table(person.birth).pick(self._roll())
        if outcome is None:
            return None
        level, state = outcome
        first_day = min(self._today, max(_ACCOUNTS_BEGIN, person.birth + (_SIX_YEARS if level > 1 else 0)))
        changed_on = date.fromordinal(first_day + integer(self._roll(), max(1, self._today - first_day)))
        return AccountGrant(level, state, changed_on, LOCKED_ON_REQUEST if state == ACCOUNT_STATE_LOCKED else "")

    def _table(self, birth: int) -> Weighted[_Outcome]:
        if birth <= self._old:
            return _OLD
        if birth <= self._grown_up:
            return _GROWN_UP
        return _SCHOOLCHILD if birth <= self._schoolchild else _SMALL_CHILD
