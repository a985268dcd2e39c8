"""What the journey tells: steps, and what happened in each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import grpc

from lienthong.client import Receipt, explain

DONE = "OK"


@dataclass(frozen=True)
class Happening:
    """One thing that happened: who did what with whom, what came of it, and what should have."""

    who: str
    whom: str
    what: str
    outcome: str = DONE
    """`OK` or the reason of the refusal."""
    expected: str = DONE
    verdict: str = "refused"
    """What an outcome other than `OK` is."""
    released: Sequence[str] = ()
    withheld: Sequence[str] = ()
    log_index: int | None = None
    note: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it came out as it should."""
        return self.outcome == self.expected


@dataclass(frozen=True)
class Step:
    """A step of the journey."""

    number: int
    title_vi: str
    title_en: str
    explanation: str
    happenings: Sequence[Happening] = field(default_factory=tuple[Happening, ...])

    @property
    def as_expected(self) -> bool:
        """Whether everything in it came out as it should, and anything happened at all."""
        return bool(self.happenings) and all(happening.as_expected for happening in self.happenings)


def refused(who: str, whom: str, what: str, expected: str, call: Callable[[], object]) -> Happening:
    """Make a call that should be refused with reason `expected`, and tell what came of it."""
    try:
        call()
    except grpc.RpcError as error:
        why = explain(error)
        index = why.metadata.get("log_index")
        log_index = int(index) if index is not None else None
        return Happening(who, whom, what, why.reason, expected, log_index=log_index, note=why.message)
    return Happening(who, whom, what, DONE, expected)


def released(who: str, whom: str, what: str, receipt: Receipt, note: str) -> Happening:
    """Tell of an exchange that went through."""
    return Happening(
        who,
        whom,
        what,
        released=receipt.datasets_released,
        withheld=receipt.datasets_withheld,
        log_index=receipt.log_index,
        note=note,
    )
