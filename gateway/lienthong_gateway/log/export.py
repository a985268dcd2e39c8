"""A range of entries as a file that verifies on its own.

JSON lines, UTF-8. The first line is the header: format, range, the signed checkpoint, the peaks of the tree before the
range, and the consistency proof from the range's end to the checkpoint. Every further line is a leaf, byte for byte: a
canonical JSON object has no line break in it.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from lienthong_core.whole_file import replacing
from lienthong_gateway.log.checkpoint import Checkpoint, VerifierKey
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.notes import read_newest_note
from lienthong_gateway.log.proofs import ProofFault, Prover, check_consistency
from lienthong_gateway.log.store import ENTRIES, minimum_index
from lienthong_gateway.log.tiles import StoredTiles, TileStatements

FORMAT = "lienthong-log-export/1"
_PAGE = 512
_LONGEST_LINE = 1 << 20
_ALTERED = "what is stored is not what was signed; `lienthong log verify` says what is wrong with it"


class ExportFault(Exception):  # noqa: N818 (names what is wrong)
    """The file is not an export, or does not prove what it holds; the message says why."""


@dataclass(frozen=True)
class Export:
    """What a verified file holds: entries `first` up to `end` of the log that the checkpoint is of."""

    first: int
    end: int
    checkpoint: Checkpoint


def write_export(connection: Connection, first: int, end: int, file: Path, key: VerifierKey) -> None:
    """Write entries `first` up to `end`; raises IndexError unless the log has them.

    The file appears under its name when it is whole and was verified with the log's key. Raises ExportFault,
    CheckpointFault or LogDamaged if what is stored cannot be proved, OSError if the file cannot be written.
    """
    published = read_newest_note(connection)
    key.open(published.note)
    if not 0 <= first < end <= published.tree_size:
        message = f"The log has {published.tree_size} entries, from 0 on; {first} to {end - 1} is no range of them."
        raise IndexError(message)
    if first < (minimum := minimum_index(connection)):
        message = f"Entries {first} to {min(end, minimum) - 1} were pruned; the log is whole from {minimum} on."
        raise IndexError(message)
    tiles = StoredTiles(connection, TileStatements(connection.dialect))
    header = {
        "format": FORMAT,
        "first": first,
        "end": end,
        "checkpoint": published.note,
        "before": _encoded(Prover(tiles, first).peaks()),
        "after": _encoded(Prover(tiles, published.tree_size).consistency(end)),
    }
    with replacing(file) as unfinished:
        with unfinished.open("wb") as out:
            out.write(json.dumps(header, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            for leaf in _leaves(connection, first, end):
                out.write(leaf + b"\n")
        try:
            verify_export(unfinished, key)
        except ExportFault as fault:
            raise ExportFault(_ALTERED) from fault


def verify_export(
    file: Path, key: VerifierKey, progress: Callable[[int, int], None] = lambda _entries, _all: None
) -> Export:
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


def _leaves(connection: Connection, first: int, end: int) -> Iterator[bytes]:
    # As stored: somebody who edits the file by hand can put anything there.
    query = select(type_coerce(ENTRIES.c.leaf, NullType())).order_by(ENTRIES.c.log_index)
    for start in range(first, end, _PAGE):
        page = query.where(ENTRIES.c.log_index >= start, ENTRIES.c.log_index < min(end, start + _PAGE))
        yield from map(_bytes, connection.execute(page).scalars())


def _bytes(leaf: object) -> bytes:
    if not isinstance(leaf, bytes):
        raise ExportFault(_ALTERED)
    return leaf


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
