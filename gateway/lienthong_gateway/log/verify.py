"""Checking a log: every entry against its hash, the tree against every signed checkpoint and every stored tile.

It says what is wrong and where: an entry that was altered, a gap, an end that was cut off, entries that nobody signed,
a checkpoint that does not hold, or a log that is consistent in itself and is not the one that was seen before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from lienthong_core.database import snapshot
from lienthong_gateway.log.checkpoint import EMPTY, Checkpoint, CheckpointFault, VerifierKey, note_digest, read_note
from lienthong_gateway.log.helpers import HelpedSource, Helpers, OpenLog
from lienthong_gateway.log.merkle import EMPTY_ROOT, Tree
from lienthong_gateway.log.rows import Portions, RowFault
from lienthong_gateway.log.sources import DatabaseSource, LogSource
from lienthong_gateway.log.tile_check import TileCheck, TileFault

Progress = Callable[[int, int], None]
"""Told how many entries have been checked, and how many there are."""

_ALONE_UP_TO = 100_000
"""Entries that are checked sooner than helpers are ready."""


class FaultKind(StrEnum):
    """What can be wrong with a log."""

    ENTRY_ALTERED = "entry altered"
    ENTRY_MISSING = "entry missing"
    ENTRIES_DISAGREE = "entries disagree with their checkpoint"
    CHECKPOINT_INVALID = "checkpoint invalid"
    LOG_TRUNCATED = "log truncated"
    ENTRIES_UNSIGNED = "entries without a checkpoint"
    TREE_ALTERED = "stored tree altered"
    INDEX_ALTERED = "stored index altered"
    FORK = "another history"
    PROOF_INVALID = "proof invalid"
    UNREADABLE = "log unreadable"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and with which entries (first and last index)."""

    kind: FaultKind
    first: int
    last: int
    message: str


@dataclass(frozen=True)
class Verification:
    """The outcome: the last checkpoint that holds, and the fault if there is one."""

    size: int
    root: bytes
    checkpoints: int
    fault: Fault | None
    note: str
    """The signed note of that checkpoint; empty if none has been checked."""


@dataclass(frozen=True)
class Beginning:
    """Where to begin: a checkpoint that is known to hold, and the peaks of its tree."""

    checkpoint: Checkpoint = EMPTY
    peaks: Sequence[bytes] = ()


class _Found(Exception):  # noqa: N818 (carries a fault out of the walk)
    def __init__(self, kind: FaultKind, first: int, last: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, first, last, message)


def verify_log(
    engine: Engine,
    key: VerifierKey,
    progress: Progress = lambda _entries, _all: None,
    seen: Checkpoint | None = None,
    *,
    open_log: OpenLog | None = None,
    alone_up_to: int = _ALONE_UP_TO,
) -> Verification:
    """Check a whole stored log; `seen` is a checkpoint that was kept elsewhere, which it must continue.

    With `open_log` a log of more than `alone_up_to` entries is checked by several processes.
    """
    try:
        with snapshot(engine) as connection:
            source = DatabaseSource(connection)
            if open_log is None or source.size() <= alone_up_to:
                return _verify_stored(source, key, seen, progress)
            with Helpers(open_log) as helpers:
                return _verify_stored(HelpedSource(connection, helpers), key, seen, progress)
    except DBAPIError as error:
        fault = Fault(FaultKind.UNREADABLE, 0, 0, f"The log cannot be read: {error.orig}.")
        return Verification(0, EMPTY_ROOT, 0, fault, "")


def _verify_stored(
    source: DatabaseSource, key: VerifierKey, seen: Checkpoint | None, progress: Progress
) -> Verification:
    """Check a log, and what else is stored with it."""
    verification = verify_source(source, key, seen, progress=progress)
    if verification.fault is not None:
        return verification
    return replace(verification, fault=_fault_beside(source, verification.size))


def _fault_beside(source: DatabaseSource, size: int) -> Fault | None:
    """Return what is wrong with tiles beyond the tree, where appending would fail, or with what searches go by."""
    last = max(size - 1, 0)
    if (misplaced := source.misplaced_tile(size)) is not None:
        level, index = misplaced
        message = f"Tile {index} of level {level} is stored, but {size} entries fill no tile of that level."
        return Fault(FaultKind.TREE_ALTERED, 0, last, message)
    if (why := source.index_fault()) is not None:
        message = f"The entries hold, but a search would not find them all: {why}."
        return Fault(FaultKind.INDEX_ALTERED, 0, last, message)
    return None


def verify_source(
    source: LogSource,
    key: VerifierKey,
    seen: Checkpoint | None = None,
    beginning: Beginning | None = None,
    progress: Progress = lambda _entries, _all: None,
) -> Verification:
    """Check a log from wherever it is read, the whole of it or what follows a beginning.

    A checkpoint that an entry names is vouched for by the newest one's signature, which covers that entry. In a log
    that is not sound what vouches may itself be forged, so what is wrong is found by checking each signature.
    """
    vouched = _walked(_Walk(source, key, seen, beginning or Beginning(), vouching=True), source, progress)
    if vouched.fault is None:
        return vouched
    return _walked(_Walk(source, key, seen, beginning or Beginning(), vouching=False), source, progress)


def _walked(walk: "_Walk", source: LogSource, progress: Progress) -> Verification:
    fault = None
    try:
        total = source.size()
        for size in walk.steps():
            progress(size, total)
    except _Found as found:
        fault = found.fault
    except RowFault as row:
        if row.missing_up_to is None:
            fault = Fault(FaultKind.ENTRY_ALTERED, row.index, row.index, str(row))
        else:
            fault = Fault(FaultKind.ENTRY_MISSING, row.index, max(row.index, row.missing_up_to - 1), str(row))
    except TileFault as tile:
        fault = Fault(FaultKind.TREE_ALTERED, tile.first, tile.last, str(tile))
    return walk.outcome(fault)


class _Walk:
    """One pass from the beginning to the end."""

    def __init__(
        self,
        source: LogSource,
        key: VerifierKey,
        seen: Checkpoint | None,
        beginning: Beginning,
        *,
        vouching: bool,
    ) -> None:
        self._key = key
        self._vouching = vouching
        self._seen = seen
        self._tree = Tree(beginning.checkpoint.size, beginning.peaks)
        self._entries = Portions(source.entries(self._tree.size))
        self._checkpoints = source.checkpoints(self._tree.size)
        self._tiles = TileCheck(source.tiles)
        self._held = beginning.checkpoint
        self._note = ""
        self._count = 0

    def outcome(self, fault: Fault | None) -> Verification:
        """Return what has been found."""
        return Verification(self._held.size, self._held.root, self._count, fault, self._note)

    def steps(self) -> Iterator[int]:
        """Give the number of entries checked after each checkpoint; raises _Found, RowFault or TileFault."""
        for checkpoint, note in self._read_checkpoints():
            hashes = self._grown(checkpoint)
            # The first is checked in any case: whoever named another log's key hears of it at once.
            if self._vouching and (self._count == 0 or self._entries.named() != note_digest(note).encode()):
                _opened(self._key.open, checkpoint.size, note, self._held.size)
            # The tiles come after the signature, so that an altered entry is not taken for an altered tile.
            self._tiles.add(hashes)
            self._held, self._note, self._count = checkpoint, note, self._count + 1
            yield checkpoint.size
        self._tiles.finish()
        self._check_end()

    def _read_checkpoints(self) -> Iterator[tuple[Checkpoint, str]]:
        before = self._tree.size - 1
        for size, note in self._checkpoints:
            if size <= before:
                message = f"Checkpoint {size} is listed where only those beyond {before} entries can follow."
                raise _Found(FaultKind.CHECKPOINT_INVALID, max(size, 0), max(before, 0), message)
            checkpoint = _opened(read_note if self._vouching else self._key.open, size, note, before)
            if checkpoint.size != size:
                message = f"The checkpoint stored for size {size} is signed for size {checkpoint.size}."
                raise _Found(FaultKind.CHECKPOINT_INVALID, max(before, 0), max(size - 1, 0), message)
            before = size
            yield checkpoint, note
        if self._count == 0:
            raise _Found(FaultKind.CHECKPOINT_INVALID, 0, 0, "The log has no checkpoint at all.")

    def _grown(self, checkpoint: Checkpoint) -> list[bytes]:
        """Read the entries up to a checkpoint and compare the roots; return the new leaf hashes."""
        seen, seen_root = self._seen, None
        hashes: list[bytes] = []
        if seen is not None and self._tree.size <= seen.size <= checkpoint.size:
            hashes += self._read_entries(seen.size, checkpoint)
            seen_root = self._tree.root()
        hashes += self._read_entries(checkpoint.size, checkpoint)
        if self._tree.root() != checkpoint.root:
            first, last = self._held.size, checkpoint.size - 1
            if first > last:
                raise _forked(checkpoint.size)
            where = f"entry {first}" if first == last else f"one of the entries {first} to {last}"
            message = f"The tree of {checkpoint.size} entries no longer has the signed root: {where} was altered."
            raise _Found(FaultKind.ENTRIES_DISAGREE, first, last, message)
        if seen is not None and seen_root not in {None, seen.root}:
            raise _forked(seen.size)
        return hashes

    def _read_entries(self, size: int, checkpoint: Checkpoint) -> list[bytes]:
        hashes: list[bytes] = []
        while self._tree.size < size:
            taken = self._entries.take(size - self._tree.size)
            if not taken:
                message = f"A signed checkpoint covers {checkpoint.size} entries, but only {self._tree.size} are left."
                raise _Found(FaultKind.LOG_TRUNCATED, self._tree.size, checkpoint.size - 1, message)
            self._tree.extend(taken)
            hashes += taken
        return hashes

    def _check_end(self) -> None:
        size = self._held.size
        index = self._next_index()
        if index is not None:
            message = f"Entry {index} lies beyond the last signed checkpoint of {size} entries."
            raise _Found(FaultKind.ENTRIES_UNSIGNED, size, max(size, index), message)
        if self._seen is not None and self._seen.size > size:
            message = f"The log was seen with {self._seen.size} entries and has {size} now."
            raise _Found(FaultKind.LOG_TRUNCATED, size, self._seen.size - 1, message)

    def _next_index(self) -> int | None:
        """Return the index of the entry that is stored next, whatever it is; None if there is none."""
        try:
            return self._tree.size if self._entries.take(1) else None
        except RowFault as row:
            return row.index if row.missing_up_to is None else row.missing_up_to


def _opened(opener: Callable[[str], Checkpoint], size: int, note: str, before: int) -> Checkpoint:
    try:
        return opener(note)
    except CheckpointFault as fault:
        message = f"Checkpoint {size}: {fault}."
        raise _Found(FaultKind.CHECKPOINT_INVALID, max(before, 0), max(size - 1, 0), message) from fault


def _forked(size: int) -> _Found:
    message = (
        f"At {size} entries this log is not the one that was seen, though it is consistent in itself: "
        "the log's key has signed two histories. Keep both checkpoints, they prove it."
    )
    return _Found(FaultKind.FORK, 0, size - 1, message)
