"""Checking a stored log: every entry against its hash, the tree against every signed checkpoint."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Engine

from lienthong_core.database import snapshot
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, VerifierKey
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.store import StoredEntry, all_checkpoints, all_entries


class FaultKind(StrEnum):
    """What can be wrong with a log."""

    ENTRY_ALTERED = "entry altered"
    ENTRY_MISSING = "entry missing"
    ENTRIES_DISAGREE = "entries disagree with their checkpoint"
    CHECKPOINT_INVALID = "checkpoint invalid"
    LOG_TRUNCATED = "log truncated"
    ENTRIES_UNSIGNED = "entries without a checkpoint"


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


class _Found(Exception):  # noqa: N818 (carries a fault out of the walk)
    def __init__(self, kind: FaultKind, first: int, last: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, first, last, message)


def verify_log(
    engine: Engine, key: VerifierKey, progress: Callable[[int], None] = lambda _entries: None
) -> Verification:
    """Check a whole log; `progress` is told how many entries have been checked so far."""
    tree = Tree()
    held = Checkpoint(0, tree.root())
    count = 0
    with snapshot(engine) as connection:
        entries = all_entries(connection)
        try:
            for checkpoint in _opened(all_checkpoints(connection), key):
                _grow(tree, entries, checkpoint, held)
                held, count = checkpoint, count + 1
                progress(tree.size)
            _nothing_after(entries, held)
        except _Found as found:
            return Verification(held.size, held.root, count, found.fault)
    return Verification(held.size, held.root, count, None)


def _opened(stored: Iterator[tuple[int, str]], key: VerifierKey) -> Iterator[Checkpoint]:
    before = -1
    for size, note in stored:
        try:
            checkpoint = key.open(note)
        except CheckpointFault as fault:
            message = f"Checkpoint {size}: {fault}."
            raise _Found(FaultKind.CHECKPOINT_INVALID, max(before, 0), size - 1, message) from fault
        if checkpoint.size != size:
            message = f"The checkpoint stored for size {size} is signed for size {checkpoint.size}."
            raise _Found(FaultKind.CHECKPOINT_INVALID, max(before, 0), size - 1, message)
        before = size
        yield checkpoint
    if before < 0:
        message = "The log has no checkpoint at all."
        raise _Found(FaultKind.CHECKPOINT_INVALID, 0, 0, message)


def _grow(tree: Tree, entries: Iterator[StoredEntry], checkpoint: Checkpoint, held: Checkpoint) -> None:
    while tree.size < checkpoint.size:
        entry = next(entries, None)
        if entry is None:
            message = f"A signed checkpoint covers {checkpoint.size} entries, but only {tree.size} are left."
            raise _Found(FaultKind.LOG_TRUNCATED, tree.size, checkpoint.size - 1, message)
        if entry.log_index != tree.size:
            message = f"Entry {tree.size} is missing: the next one stored is {entry.log_index}."
            raise _Found(FaultKind.ENTRY_MISSING, tree.size, max(tree.size, entry.log_index - 1), message)
        _check_entry(entry)
        tree.append(entry.leaf_hash)
    if tree.root() != checkpoint.root:
        first, last = held.size, checkpoint.size - 1
        where = f"entry {first}" if first == last else f"one of the entries {first} to {last}"
        message = f"The tree of {checkpoint.size} entries no longer has the signed root: {where} was altered."
        raise _Found(FaultKind.ENTRIES_DISAGREE, first, last, message)


def _check_entry(entry: StoredEntry) -> None:
    index = entry.log_index
    if leaf_hash(entry.leaf) != entry.leaf_hash:
        message = f"Entry {index} was altered: its content no longer has the hash that was stored with it."
        raise _Found(FaultKind.ENTRY_ALTERED, index, index, message)
    if entry.subject != _subject(entry.leaf):
        message = f"Entry {index} was altered: it is no longer found under the citizen that it is about."
        raise _Found(FaultKind.ENTRY_ALTERED, index, index, message)


def _subject(leaf: bytes) -> object:
    try:
        return json.loads(leaf)["subject"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _nothing_after(entries: Iterator[StoredEntry], held: Checkpoint) -> None:
    extra = next(entries, None)
    if extra is not None:
        message = f"Entry {extra.log_index} lies beyond the last signed checkpoint of {held.size} entries."
        raise _Found(FaultKind.ENTRIES_UNSIGNED, held.size, max(held.size, extra.log_index), message)
