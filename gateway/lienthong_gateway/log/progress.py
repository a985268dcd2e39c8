"""Long work on a log tells how far it is."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many entries have been gone through, and how many there are."""


def untold(_entries: int, _all: int) -> None:
    """Tell nobody."""
