"""A witness: somebody outside who remembers one checkpoint and cosigns another only if it is a continuation of it.

C2SP tlog-witness, without its HTTP: https://c2sp.org/tlog-witness. Two parties that trust the same witness cannot be
shown two different histories, because the witness cosigns one alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, VerifierKey, note_text
from lienthong_gateway.log.cosignature import CosigningKey
from lienthong_gateway.log.proofs import ProofFault, check_consistency

ConsistencyProofs = Callable[[int, int], Sequence[bytes]]
"""Gives the consistency proof between two sizes of the log."""


class NotConsistent(Exception):  # noqa: N818 (names what is wrong)
    """The log does not continue what was seen before; `seen` and `shown` are the evidence."""

    def __init__(self, why: str, seen: Checkpoint, shown: Checkpoint) -> None:
        super().__init__(why)
        self.seen = seen
        self.shown = shown


@dataclass(frozen=True)
class Witnessed:
    """What a witness remembers from now on, and the signature line that it hands in."""

    checkpoint: Checkpoint
    line: str


def check_growth(seen: Checkpoint, shown: Checkpoint, proofs: ConsistencyProofs) -> Sequence[bytes]:
    """Check that what is shown continues what was seen, and return the proof of it; raises NotConsistent."""
    if shown.size < seen.size:
        why = f"The log had {seen.size} entries and now shows a checkpoint of {shown.size}."
        raise NotConsistent(why, seen, shown)
    proof = proofs(seen.size, shown.size)
    try:
        check_consistency(seen.size, shown.size, proof, seen.root, shown.root)
    except ProofFault as fault:
        raise NotConsistent(
            f"The log does not continue the checkpoint of {seen.size}: {fault}.", seen, shown
        ) from fault
    return proof


class Witness:
    """Cosigns the checkpoints of one log."""

    def __init__(self, key: CosigningKey, log: VerifierKey) -> None:
        self._key = key
        self._log = log

    def witness(self, seen: Checkpoint, note: str, proofs: ConsistencyProofs, time: datetime) -> Witnessed:
        """Return a cosignature on a note, if it is the log's and continues what was seen.

        Raises CheckpointFault if the note is not signed by the log, NotConsistent if it is another history.
        """
        shown = self._log.open(note)
        if shown.text() != note_text(note):
            raise CheckpointFault("the checkpoint has extension lines, which this log does not write")
        check_growth(seen, shown, proofs)
        return Witnessed(shown, self._key.sign(shown.text(), time))
