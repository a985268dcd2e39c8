"""Reading a list a page at a time: how long a page is, and where it begins."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from lienthong_core.errors import Refusal, invalid

ENOUGH_BYTES = 2 << 20
"""Of log entries in a page: what gRPC's clients take is twice as much."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"([0-9]{1,17})-([0-9a-f-]{36})")


class Place(NamedTuple):
    """A place in a list that has the newest first, and by id what has the same time."""

    time: datetime
    id: str
    """A UUID."""

    @classmethod
    def read(cls, cursor: str) -> "Place | None":
        """Return the place after which a page begins, None if it is the first; refused: CURSOR_INVALID."""
        if not cursor:
            return None
        said = _PLACE.fullmatch(cursor)
        if said is None:
            raise _cursor_invalid()
        return cls(_EPOCH + timedelta(microseconds=int(said[1])), said[2])

    @property
    def cursor(self) -> str:
        """The cursor of the page after it."""
        return f"{(self.time - _EPOCH) // timedelta(microseconds=1)}-{self.id}"


def page_size(asked: int, usual: int, most: int) -> int:
    """Return how long a page is; refused: PAGE_SIZE_INVALID."""
    if not 0 <= asked <= most:
        raise invalid("PAGE_SIZE_INVALID", f"page_size must be from 1 to {most}, or 0 for {usual}.")
    return asked or usual


def read_cursor(cursor: str) -> int | None:
    """Return the number that a page goes on from, None if it is the first; refused: CURSOR_INVALID."""
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < len(str(1 << 63))):
        raise _cursor_invalid()
    return int(cursor)


def _cursor_invalid() -> Refusal:
    return invalid("CURSOR_INVALID", "The cursor is not one that this method gave; send next_cursor as it came.")
