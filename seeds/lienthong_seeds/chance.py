"""Drawing by weight, the same on every supported Python: only `random.Random.random()` is ever asked.

Python promises that `random()` gives the same sequence for the same seed in every version, and promises it of no other
method (documentation of the module `random`, "Notes on Reproducibility").
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

Roll = Callable[[], float]
"""Returns the next random number, 0 ≤ x < 1."""


class Weighted(Generic[T]):
    """Things that are drawn in proportion to their weights.

    Each thing fills as many slots as it weighs, which makes a draw one look-up; keep the sum of weights low.
    """

    def __init__(self, weights: Iterable[tuple[T, int]]) -> None:
        self._slots = [thing for thing, weight in weights for _ in range(weight)]
        self._size = len(self._slots)

    def pick(self, roll: float) -> T:
        """Return the thing that `roll` (0 ≤ roll < 1) falls on."""
        return self._slots[int(roll * self._size)]


def integer(roll: float, below: int) -> int:
    """Return the whole number, from 0 to `below` exclusive, that `roll` (0 ≤ roll < 1) falls on."""
    return int(roll * below)
