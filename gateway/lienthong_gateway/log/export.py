"""A range of entries as a file that verifies on its own.

JSON lines, UTF-8. The first line is the header: format, range, the signed checkpoint, the peaks of the tree before the
range, and the consistency proof from the range's end to the checkpoint. Every further line is a leaf, byte for byte: a
canonical JSON object has no line break in it.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from lienthong_core.whole_file import replacing
from lienthong_gateway.log.checkpoint import Checkpoint, VerifierKey
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.progress import Progress, untold
from lienthong_gateway.log.proofs import ProofFault, check_consistency

FORMAT = "lienthong-log-export/1"
_LONGEST_LINE = 1 << 20
ALTERED = "what is stored is not what was signed; `lienthong log verify` says what is wrong with it"


class ExportFault(Exception):  # noqa: N818 (names what is wrong)
    """The file is not an export, or does not prove what it holds; the message says why."""


@dataclass(frozen=True)
class Export:
    """What a verified file holds: entries `first` up to `end` of the log that the checkpoint is of."""

    first: int
    end: int
    checkpoint: Checkpoint


class ExportSource(Protocol):
    """Where the entries come from, and what proves them; nothing of it is trusted."""

    @property
    def note(self) -> str:
        """The newest checkpoint."""
        ...

    @property
    def minimum(self) -> int:
        """The index of the first entry that was not pruned."""
        ...

    def peaks(self, size: int) -> Sequence[bytes]:
        """Return the roots of the full subtrees of the first `size` entries, largest first."""
        ...

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """Return the proof that the tree of `second` entries begins with the one of `first`."""
        ...

    def leaves(self, first: int, end: int) -> Iterable[bytes]:
        """Give entries `first` up to `end`. Raises ExportFault if what is there can be no entry."""
        ...


def write_export(
    source: ExportSource,
    first: int,
    last: int | None,
    file: Path,
    key: VerifierKey,
    progress: Progress = untold,
) -> int:
    """Write entries `first` to `last`, None: the newest that is signed, and return the index after the last.

    The file appears under its name when it is whole and was verified with the log's key. Raises IndexError unless the
    log has them, ExportFault, CheckpointFault or whatever the source raises if what it gives cannot be proved, OSError
    if the file cannot be written.
    """
    size = key.open(source.note).size
    end = size if last is None else last + 1
    if not 0 <= first < end <= size:
        raise IndexError(f"The log has {size} entries, from 0 on; {first} to {end - 1} is no range of them.")
    if first < (minimum := source.minimum):
        message = f"The log has entries {first} to {min(end, minimum) - 1} no more; it is whole from {minimum} on."
        raise IndexError(f"{message} Whether they were pruned or are missing, `lienthong log verify` tells.")
    header = {
        "format": FORMAT,
        "first": first,
        "end": end,
        "checkpoint": source.note,
        "before": _encoded(source.peaks(first)),
        "after": _encoded(source.consistency(end, size)),
    }
    with replacing(file) as unfinished:
        with unfinished.open("wb") as out:
            out.write(json.dumps(header, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            for written, leaf in enumerate(source.leaves(first, end), 1):
                out.write(leaf + b"\n")
                progress(written, end - first)
        try:
            verify_export(unfinished, key)
        except ExportFault as fault:
            raise ExportFault(ALTERED) from fault
    return end


def verify_export(file: Path, key: VerifierKey, progress: Progress = untold) -> Export:
    """Check a file against the signed checkpoint in it; raises ExportFault, CheckpointFault or OSError."""
    with file.open("rb") as lines:
        first, end, note, before, after = _header(lines)
        checkpoint = key.open(note)
        if not 0 <= first < end <= checkpoint.size:
            raise ExportFault(f"a log of {checkpoint.size} entries has no range from {first} up to {end}")
        try:
            tree = Tree(first, before)
        except ValueError as error:
            raise ExportFault(f"the header does not give the tree of the first {first} entries") from error
        while tree.size < end:
            tree.append(leaf_hash(_line(lines, f"entry {tree.size} is missing")))
            progress(tree.size - first, end - first)
        if lines.read(1):
            raise ExportFault(f"there is more in the file than the entries {first} up to {end}")
    try:
        check_consistency(end, checkpoint.size, after, tree.root(), checkpoint.root)
    except ProofFault as fault:
        raise ExportFault(f"what is in the file is not what was signed: {fault}") from fault
    return Export(first, end, checkpoint)


def _header(lines: BinaryIO) -> tuple[int, int, str, list[bytes], list[bytes]]:
    try:
        said = json.loads(_line(lines, "the file is empty"))
        if said["format"] != FORMAT:
            raise ExportFault(f"the file is not of the format {FORMAT}")
        first, end, note = said["first"], said["end"], said["checkpoint"]
        if not (type(first) is int and type(end) is int and isinstance(note, str)):
            raise ExportFault("the first line does not give the range and the checkpoint")
        return first, end, note, _decoded(said["before"]), _decoded(said["after"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ExportFault("the first line is not the header of an export") from error


def _line(lines: BinaryIO, otherwise: str) -> bytes:
    line = lines.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ExportFault(otherwise)
    return line[:-1]


def _encoded(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(value).decode() for value in hashes]


def _decoded(texts: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(text, validate=True) for text in texts]
