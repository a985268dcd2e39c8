"""Checking a log: every entry against its hash, the tree against every signed checkpoint and every stored tile.

It says what is wrong and where: an entry that was altered, a gap, an end that was cut off, entries that nobody signed,
a checkpoint that does not hold, or a log that is consistent in itself and is not the one that was seen before.
"""

from dataclasses import replace

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from lienthong_core.database import snapshot
from lienthong_gateway.log.checkpoint import Checkpoint, VerifierKey
from lienthong_gateway.log.helpers import HelpedSource, Helpers, OpenLog
from lienthong_gateway.log.merkle import EMPTY_ROOT
from lienthong_gateway.log.progress import Progress, untold
from lienthong_gateway.log.rows import RowFault
from lienthong_gateway.log.sources import DatabaseSource, LogSource
from lienthong_gateway.log.tile_check import TileFault
from lienthong_gateway.log.verdict import Fault, FaultKind, Verification
from lienthong_gateway.log.walk import Beginning, FaultFound, Walk


def verify_log(
    engine: Engine,
    key: VerifierKey,
    progress: Progress = untold,
    seen: Checkpoint | None = None,
    *,
    open_log: OpenLog | None = None,
) -> Verification:
    """Check a whole stored log; `seen` is a checkpoint that was kept elsewhere, which it must continue.

    With `open_log` it is checked by several processes, which takes a second until they are ready.
    """
    try:
        with snapshot(engine) as connection:
            if open_log is None:
                return _verify_stored(DatabaseSource(connection), key, seen, progress)
            with Helpers(open_log) as helpers:
                return _verify_stored(HelpedSource(connection, helpers), key, seen, progress)
    except DBAPIError as error:
        fault = Fault(FaultKind.UNREADABLE, 0, 0, f"The log cannot be read: {error.orig}.")
        return Verification(0, EMPTY_ROOT, 0, fault, "")


def _verify_stored(
    source: DatabaseSource, key: VerifierKey, seen: Checkpoint | None, progress: Progress
) -> Verification:
    """Check a log, and what else is stored with it."""
    verification = verify_source(source, key, seen, progress)
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
    seen: Checkpoint | None,
    progress: Progress,
    beginning: Beginning | None = None,
) -> Verification:
    """Check a log from wherever it is read, the whole of it or what follows a beginning.

    A checkpoint that an entry names is vouched for by the newest one's signature, which covers that entry. In a log
    that is not sound what vouches may itself be forged, so what is wrong is found by checking each signature.
    """
    start = beginning or Beginning()
    vouched = _walked(Walk(source, key, seen, start, vouching=True), source, progress)
    if vouched.fault is None:
        return vouched
    return _walked(Walk(source, key, seen, start, vouching=False), source, progress)


def _walked(walk: Walk, source: LogSource, progress: Progress) -> Verification:
    fault = None
    try:
        total = source.size()
        for size in walk.steps():
            progress(size, total)
    except FaultFound as found:
        fault = found.fault
    except RowFault as row:
        if row.missing_up_to is None:
            fault = Fault(FaultKind.ENTRY_ALTERED, row.index, row.index, str(row))
        else:
            fault = Fault(FaultKind.ENTRY_MISSING, row.index, max(row.index, row.missing_up_to - 1), str(row))
    except TileFault as tile:
        fault = Fault(FaultKind.TREE_ALTERED, tile.first, tile.last, str(tile))
    return walk.outcome(fault)
