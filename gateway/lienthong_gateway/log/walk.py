"""One pass over a log that verifies it: its entries, the tree they make, its checkpoints and its stored tiles."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lienthong_gateway.log.checkpoint import EMPTY, Checkpoint, CheckpointFault, VerifierKey, note_digest, read_note
from lienthong_gateway.log.merkle import Tree
from lienthong_gateway.log.rows import Portions, RowFault
from lienthong_gateway.log.sources import LogSource
from lienthong_gateway.log.tile_check import TileCheck
from lienthong_gateway.log.verdict import Fault, FaultKind, Verification


@dataclass(frozen=True)
class Beginning:
    """Where to begin: a checkpoint that is known to hold, and the peaks of its tree."""

    checkpoint: Checkpoint = EMPTY
    peaks: Sequence[bytes] = ()


class FaultFound(Exception):  # noqa: N818 (carries a fault out of the walk)
    """Something is wrong; `fault` says what."""

    def __init__(self, kind: FaultKind, first: int, last: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, first, last, message)


class Walk:
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
        self._beginning = self._held = beginning.checkpoint
        self._note = ""
        self._count = 0

    def outcome(self, fault: Fault | None) -> Verification:
        """Return what has been found."""
        pruned = self._entries.pruned
        return Verification(self._held.size, self._held.root, self._count, fault, self._note, pruned)

    def steps(self) -> Iterator[int]:
        """Give the number of entries checked after each checkpoint; raises FaultFound, RowFault or TileFault."""
        for checkpoint, note in self._read_checkpoints():
            hashes = self._grown(checkpoint)
            # The first is checked in any case: whoever named another log's key hears of it at once.
            if self._vouching and (self._count == 0 or self._entries.named() != note_digest(note).encode()):
                _opened(self._key.open, checkpoint.size, note, self._held.size)
            # The tiles come after the signature, so that an altered entry is not taken for an altered tile.
            self._tiles.add(hashes)
            self._held, self._note, self._count = checkpoint, note, self._count + 1
            yield checkpoint.size
        # Before the tiles: what was put in or cut off at the end may have left them as they were.
        self._check_end()
        self._check_pruned()
        self._tiles.finish()

    def _read_checkpoints(self) -> Iterator[tuple[Checkpoint, str]]:
        before = self._tree.size - 1
        for size, note in self._checkpoints:
            if size <= before:
                message = f"Checkpoint {size} is listed where only those beyond {before} entries can follow."
                raise FaultFound(FaultKind.CHECKPOINT_INVALID, max(size, 0), max(before, 0), message)
            checkpoint = _opened(read_note if self._vouching else self._key.open, size, note, before)
            if checkpoint.size != size:
                message = f"The checkpoint stored for size {size} is signed for size {checkpoint.size}."
                raise FaultFound(FaultKind.CHECKPOINT_INVALID, max(before, 0), max(size - 1, 0), message)
            before = size
            yield checkpoint, note
        if self._count == 0:
            raise FaultFound(FaultKind.CHECKPOINT_INVALID, 0, 0, "The log has no checkpoint at all.")

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
            raise FaultFound(FaultKind.ENTRIES_DISAGREE, first, last, message)
        if seen is not None and seen_root not in {None, seen.root}:
            raise _forked(seen.size)
        return hashes

    def _read_entries(self, size: int, checkpoint: Checkpoint) -> list[bytes]:
        hashes: list[bytes] = []
        while self._tree.size < size:
            taken = self._entries.take(size - self._tree.size)
            if not taken:
                message = f"A signed checkpoint covers {checkpoint.size} entries, but only {self._tree.size} are left."
                raise FaultFound(FaultKind.LOG_TRUNCATED, self._tree.size, checkpoint.size - 1, message)
            self._tree.extend(taken)
            hashes += taken
        return hashes

    def _check_end(self) -> None:
        size = self._held.size
        index = self._next_index()
        if index is not None:
            message = f"Entry {index} lies beyond the last signed checkpoint of {size} entries."
            raise FaultFound(FaultKind.ENTRIES_UNSIGNED, size, max(size, index), message)
        if self._seen is not None and self._seen.size > size:
            message = f"The log was seen with {self._seen.size} entries and has {size} now."
            raise FaultFound(FaultKind.LOG_TRUNCATED, size, self._seen.size - 1, message)

    def _check_pruned(self) -> None:
        """Hold that the log itself says of all that was deleted that it was to be."""
        first, beyond = self._entries.minimum, self._entries.pruned
        if first < beyond:
            self._held = self._beginning
            message = f"Entries {first} to {beyond - 1} are missing, and no entry says that they were pruned."
            raise FaultFound(FaultKind.ENTRY_MISSING, first, beyond - 1, message)

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
        raise FaultFound(FaultKind.CHECKPOINT_INVALID, max(before, 0), max(size - 1, 0), message) from fault


def _forked(size: int) -> FaultFound:
    message = (
        f"At {size} entries this log is not the one that was seen, though it is consistent in itself: "
        "the log's key has signed two histories. Keep both checkpoints, they prove it."
    )
    return FaultFound(FaultKind.FORK, 0, size - 1, message)
