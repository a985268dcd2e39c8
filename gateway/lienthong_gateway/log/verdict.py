"""What verification comes to: that a log holds, or what is wrong with it and where."""

from dataclasses import dataclass
from enum import StrEnum


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
    pruned: int = 0
    """How many entries, from the first on, were known by their hashes alone: the log says that they were pruned."""
