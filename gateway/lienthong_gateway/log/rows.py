"""Checking stored entries one by one: is it in its place, is it what was hashed, is it found where it should be.

This is the inner loop of verification. It parses no JSON: a leaf is canonical (RFC 8785), so within a string every
quotation mark has a backslash before it, and the bytes `"subject":"` can only be a member's name and the beginning of
its value.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias

StoredRow: TypeAlias = "Sequence[object]"
"""Index, leaf, hash, then the columns that the entry is looked up by: subject, consumer, provider.

Whoever edits a SQLite file by hand can store anything anywhere, so nothing is known of the values' types.
"""

NO_COLUMN = object()
"""In place of such a column: the source has none. None is what a database has stored in it."""

_CACHED = 1_024


class RowFault(Exception):  # noqa: N818 (names what is wrong)
    """An entry is not what it should be."""

    def __init__(self, index: int, message: str, found: object = None) -> None:
        super().__init__(message)
        self.index = index
        self.missing_up_to = found if isinstance(found, int) else None
        """If the entry is missing: the index of the one stored next."""


class Portions:
    """Hashes that come in pages, taken in other portions."""

    def __init__(self, pages: Iterator[Sequence[bytes]]) -> None:
        self._pages = pages
        self._page: Sequence[bytes] = ()

    def take(self, most: int) -> Sequence[bytes]:
        """Return the next hashes, at most so many; none only at the end. Raises RowFault in place of a bad entry's."""
        if not self._page:
            self._page = next(self._pages, ())
        taken, self._page = self._page[:most], self._page[most:]
        return taken


def hashes_of(pages: Iterator[Sequence[StoredRow]], first: int) -> Iterator[list[bytes]]:
    """Give the hashes of entries that should be those from index `first` on; then raises RowFault, if one is not."""
    for rows in pages:
        hashes: list[bytes] = []
        try:
            _add_checked(rows, first, hashes)
        except RowFault:
            if hashes:
                yield hashes
            raise
        yield hashes
        first += len(hashes)


def _add_checked(rows: Sequence[StoredRow], first: int, hashes: list[bytes]) -> None:
    for index, (log_index, leaf, stored, subject, consumer, provider) in enumerate(rows, first):
        if log_index != index:
            raise RowFault(index, f"Entry {index} is missing: the next one stored is {log_index}.", log_index)
        if not isinstance(leaf, bytes) or (hashed := sha256(b"\x00" + leaf).digest()) != stored:
            message = f"Entry {index} was altered: its content no longer has the hash that was stored with it."
            raise RowFault(index, message)
        if (
            (subject is not NO_COLUMN and (f'"subject":"{subject}"'.encode() not in leaf or '"' in str(subject)))
            or (consumer is not NO_COLUMN and _member("consumer", consumer) not in leaf)
            or (provider is not NO_COLUMN and _member("provider", provider) not in leaf)
        ):
            message = f"Entry {index} was altered: it is no longer found under the citizen or system that it is about."
            raise RowFault(index, message)
        hashes.append(hashed)


@lru_cache(_CACHED)
def _member(name: str, value: object) -> bytes:
    """Return how a member with this value is written; what no leaf contains if the value could reach beyond it."""
    text = str(value)
    return b"\x00" if '"' in text else f'"{name}":"{text}"'.encode()
