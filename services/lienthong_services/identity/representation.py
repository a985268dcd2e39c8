"""Who decides about a citizen's data: she herself, her representative, or both. Pure.

A child under 7 is represented; from 7 on the child decides as well (Law 91/2025 as secondary texts quote it [R2]). Who
is a child: under 16, by the Law on Children 2016 Art. 1 [M]; the texts say "trẻ em" and no age.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Self

from lienthong.api.consent.v1.consent_pb2 import Capacity
from lienthong_core.working_days import civil_date
from lienthong_services.identity.rules import Problem

DECIDES_FROM = 7
CHILD_UNTIL = 16


class SubjectAge(StrEnum):
    """How old a citizen is, as far as it decides who must approve; the words of the signed statement."""

    GROWN_UP = "grown_up"
    CHILD_FROM_7 = "child_from_7"
    CHILD_UNDER_7 = "child_under_7"


@dataclass(frozen=True)
class Part:
    """In which capacity somebody decides, about whom."""

    capacity: Capacity.ValueType
    subject_age: SubjectAge
    subject_name: str
    birth_date: str
    """The subject's: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""

    def holds(self, now: int) -> bool:
        """Return whether it is still her part: the subject is as old as she was."""
        return subject_age(self.birth_date, now) is self.subject_age

    @property
    def represents(self) -> bool:
        """Whether she decides for a child."""
        return self.capacity == Capacity.CAPACITY_REPRESENTATIVE

    @property
    def capacity_name(self) -> str:
        """The word of the signed statement: `subject` or `representative`."""
        return Capacity.Name(self.capacity).removeprefix("CAPACITY_").lower()

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read what `to_json` returned."""
        age = SubjectAge(stored["subject_age"])
        return cls(stored["capacity"], age, stored["subject_name"], stored["birth_date"])


def subject_age(birth_date: str, now: int) -> SubjectAge:
    """Return how old somebody is at `now`, seconds since 1970, in Vietnam.

    `birth_date` is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; where day or month are unknown, she counts as the younger.
    """
    today = civil_date(datetime.fromtimestamp(now, UTC))
    if _has_turned(CHILD_UNTIL, birth_date, today):
        return SubjectAge.GROWN_UP
    return SubjectAge.CHILD_FROM_7 if _has_turned(DECIDES_FROM, birth_date, today) else SubjectAge.CHILD_UNDER_7


def too_young_problem() -> Problem:
    """Return why a child under 7 cannot answer."""
    return Problem(
        "access_denied",
        "Trẻ em dưới 7 tuổi do người đại diện quyết định. Hãy để người đại diện đăng nhập bằng tài khoản của mình.",
        "For a child under 7 the legal representative decides. Let her log in with her own account.",
    )


def answered_problem() -> Problem:
    """Return why somebody who has approved cannot do so again while the other must approve still."""
    return Problem(
        "access_denied",
        "Bạn đã đồng ý với yêu cầu này. Còn chờ người kia: trẻ em từ 7 tuổi và người đại diện đều phải đồng ý.",
        "You have approved this request. It waits for the other one: from 7 on, child and representative both approve.",
    )


def _has_turned(age: int, birth_date: str, today: date) -> bool:
    # Unknown months and days are the last there can be; a text compares as the dates do.
    born = f"{birth_date}-12-31"[:10] if len(birth_date) != len("YYYY-MM") else f"{birth_date}-31"
    birthday = f"{int(born[:4]) + age:04}{born[4:]}"
    return birthday <= today.isoformat()
