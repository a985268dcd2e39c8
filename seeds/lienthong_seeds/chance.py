"""Drawing by weight, the same on every supported Python: only `random.Random.random()` is ever asked.

Python promises that `random()` gives the same sequence for the same seed in every version, and promises it of no other
method (documentation of the module `random`, "Notes on Reproducibility").
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")

Roll = Callable[[], float]
"""Returns the next random number, 0 ≤ x < 1."""


class Weighted(Generic[T]):
    """Things that are drawn in proportion to their weights."""

    def __init__(self, weights: Iterable[tuple[T, int]]) -> None:
        pairs = [(thing, weight) for thing, weight in weights if weight > 0]
        self._things = [thing for thing, _ in pairs]
        self._cumulative = list(accumulate(weight for _, weight in pairs))
        self._last = len(pairs) - 1
        self._total = self._cumulative[-1]

    def pick(self, roll: float) -> T:
        """Return the thing that `roll` (0 ≤ roll < 1) falls on."""
        return self._things[bisect_right(self._cumulative, roll * self._total, 0, self._last)]


def integer(roll: float, below: int) -> int:
    """Return the whole number, from 0 to `below` exclusive, that `roll` (0 ≤ roll < 1) falls on."""
    return int(roll * below)
