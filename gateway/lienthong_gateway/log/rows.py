"""Checking stored entries one by one: is it in its place, is it what was hashed, is it found where it should be.

This is the inner loop of verification. It parses no JSON but of the few entries about pruning: a leaf is canonical
(RFC 8785), so within a string every quotation mark has a backslash before it, and the bytes `"subject":"` can only be a
member's name and the beginning of its value.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from lienthong_gateway.log.leaf import pruned_before
from lienthong_gateway.log.merkle import HASH_BYTES

StoredRow: TypeAlias = "Sequence[object]"
"""Index, leaf, hash, then the columns that the entry is looked up by: subject, consumer, provider.

Whoever edits a SQLite file by hand can store anything anywhere, so nothing is known of the values' types.
"""

NO_COLUMN = object()
"""In place of such a column: the source has none. None is what a database has stored in it."""

PRUNED = object()
"""In place of the leaf of an entry that is said to be pruned: its hash is all there is."""

_CACHED = 1_024
_AFTER = b'{"after_checkpoint":"'
_DIGEST = slice(len(_AFTER), len(_AFTER) + 2 * sha256().digest_size)
"""Where a leaf names the checkpoint before it: first of all, because members of canonical JSON are sorted."""


class Page(NamedTuple):
    """Entries that are sound, in order."""

    hashes: Sequence[bytes] = ()
    after: Sequence[bytes] = ()
    """The digest of the checkpoint that each of them names; empty: it names none, or it was pruned."""
    pruned: int = 0
    """The index after the last of them that is said to be pruned; 0: none is."""
    minimum: int = 0
    """The largest index before which everything was pruned, as one of them says; 0: none says so."""


class RowFault(Exception):  # noqa: N818 (names what is wrong)
    """An entry is not what it should be."""

    def __init__(self, index: int, message: str, found: object = None) -> None:
        super().__init__(message)
        self.index = index
        self.missing_up_to = found if isinstance(found, int) else None
        """If the entry is missing: the index of the one stored next."""


class Portions:
    """Entries that come in pages, taken in other portions; raises RowFault in place of a bad one."""

    def __init__(self, pages: Iterator[Page]) -> None:
        self._pages = pages
        self._page = Page()
        self._taken = 0
        self.pruned = 0
        """The index after the last entry so far that is said to be pruned."""
        self.minimum = 0
        """The index before which everything was pruned, as the entries so far say."""

    def take(self, most: int) -> Sequence[bytes]:
        """Return the hashes of the next entries, at most so many; none only at the end."""
        self._turn()
        hashes = self._page.hashes[self._taken : self._taken + most]
        self._taken += len(hashes)
        return hashes

    def named(self) -> bytes:
        """Return the digest of the checkpoint that the next entry names; empty if it names none, or there is none."""
        self._turn()
        return self._page.after[self._taken] if self._page.after else b""

    def _turn(self) -> None:
        if self._taken == len(self._page.hashes):
            self._page, self._taken = next(self._pages, Page()), 0
            self.pruned = max(self.pruned, self._page.pruned)
            self.minimum = max(self.minimum, self._page.minimum)


def checked(pages: Iterator[Sequence[StoredRow]], first: int) -> Iterator[Page]:
    """Give entries that should be those from index `first` on; then raises RowFault, if one is not."""
    # One log names the same few systems over and over.
    member = lru_cache(_CACHED)(_member)
    for rows in pages:
        found = _Found(member)
        try:
            found.add(rows, first)
        except RowFault:
            if found.hashes:
                yield found.page()
            raise
        yield found.page()
        first += len(found.hashes)


@dataclass(slots=True)
class _Found:
    """What the sound ones among some rows come to; `member` is `_member`, which remembers what it wrote."""

    member: Callable[[str, object], bytes]
    hashes: list[bytes] = field(default_factory=list[bytes])
    after: list[bytes] = field(default_factory=list[bytes])
    pruned: int = 0
    minimum: int = 0

    def page(self) -> Page:
        return Page(self.hashes, self.after, self.pruned, self.minimum)

    def add(self, rows: Sequence[StoredRow], first: int) -> None:
        hashes, after, member = self.hashes, self.after, self.member
        for index, (log_index, leaf, stored, subject, consumer, provider) in enumerate(rows, first):
            if log_index != index:
                raise RowFault(index, f"Entry {index} is missing: the next one stored is {log_index}.", log_index)
            if leaf is PRUNED and isinstance(stored, bytes) and len(stored) == HASH_BYTES:
                hashes.append(stored)
                after.append(b"")
                self.pruned = index + 1
                continue
            if not isinstance(leaf, bytes) or (hashed := sha256(b"\x00" + leaf).digest()) != stored:
                message = f"Entry {index} was altered: its content no longer has the hash that was stored with it."
                raise RowFault(index, message)
            if (
                (subject is not NO_COLUMN and (f'"subject":"{subject}"'.encode() not in leaf or '"' in str(subject)))
                or (consumer is not NO_COLUMN and member("consumer", consumer) not in leaf)
                or (provider is not NO_COLUMN and member("provider", provider) not in leaf)
            ):
                message = (
                    f"Entry {index} was altered: it is no longer found under the citizen or system that it is about."
                )
                raise RowFault(index, message)
            self.minimum = max(self.minimum, pruned_before(leaf))
            hashes.append(hashed)
            after.append(leaf[_DIGEST] if leaf.startswith(_AFTER) else b"")


def _member(name: str, value: object) -> bytes:
    """Return how a member with this value is written; what no leaf contains if the value could reach beyond it."""
    text = str(value)
    return b"\x00" if '"' in text else f'"{name}":"{text}"'.encode()
