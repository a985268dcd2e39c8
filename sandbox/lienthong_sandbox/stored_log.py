"""The log in a data folder, as an auditor looks at it: it is read, never written."""

from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from lienthong_core.database import snapshot
from lienthong_core.read_only import DatabaseUnreadable, Untouched, open_read_only
from lienthong_gateway import schema
from lienthong_gateway.log.checkpoint import Checkpoint, CheckpointFault, VerifierKey
from lienthong_gateway.log.export import ExportFault, write_export
from lienthong_gateway.log.progress import Progress, untold
from lienthong_gateway.log.pruning import prunable, stored_leaves
from lienthong_gateway.log.stored_range import StoredRange
from lienthong_gateway.log.tiles import LogDamaged
from lienthong_gateway.log.verdict import Verification
from lienthong_gateway.log.verify import verify_log

_ALONE_UP_TO = 128 << 20
"""Bytes, some 100,000 entries, that are checked sooner than several processes are ready."""


class StoredLog:
    """An open log."""

    def __init__(self, file: Path) -> None:
        """Raises FileNotFoundError, DatabaseUnreadable or SchemaMismatch."""
        self._open = partial(open_read_only, file, version=schema.VERSION)
        self._untouched = Untouched(file)
        self._is_long = file.stat().st_size > _ALONE_UP_TO
        self._engine = self._open()

    def verify(self, key: VerifierKey, seen: Checkpoint | None, progress: Progress) -> Verification:
        """Check all of it; raises DatabaseUnreadable if what is wrong may be that somebody wrote meanwhile."""
        verification = verify_log(self._engine, key, progress, seen, open_log=self._open if self._is_long else None)
        if verification.fault is not None:
            # Helpers open the file themselves, but none of them finds a fault.
            self._untouched.check()
        return verification

    def prunable(self, first: int, before: datetime) -> range:
        """Return the entries from an index on that can be pruned if none is to be as new as a time.

        Raises LogDamaged if one is no entry.
        """
        with snapshot(self._engine) as connection:
            return prunable(partial(stored_leaves, connection), first, before)

    def export(self, first: int, last: int | None, file: Path, key: VerifierKey, progress: Progress = untold) -> int:
        """Write entries up to `last`, None: the newest, to a file; return the index after the last.

        Raises as `write_export` does, LogDamaged, and DatabaseUnreadable.
        """
        try:
            with snapshot(self._engine) as connection:
                return write_export(StoredRange(connection), first, last, file, key, progress)
        except (ExportFault, LogDamaged, CheckpointFault, IndexError):
            self._untouched.check()
            raise
        except DBAPIError as error:
            self._untouched.check()
            raise DatabaseUnreadable(f"The log cannot be read: {error.orig}.") from error

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()
