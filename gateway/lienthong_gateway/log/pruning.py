"""Pruning: the oldest entries are deleted once they have been kept as long as they must be; their hashes stay.

C2SP `tlog-tiles`, "Pruning". Every tile of hashes is kept, so the tree, its proofs and the receipts of what was pruned
still verify. That entries are gone because they were pruned is itself said by an entry: without it, verification takes
them for missing.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time

import orjson
from sqlalchemy import Connection, delete, select

from lienthong_core.errors import Refusal, invalid, precondition
from lienthong_core.systems import SystemId
from lienthong_core.working_days import VIETNAM, civil_date
from lienthong_gateway.log.growth import TILE_WIDTH
from lienthong_gateway.log.leaf import pruned_before
from lienthong_gateway.log.merkle import HASH_BYTES, leaf_hash
from lienthong_gateway.log.notes import COSIGNATURES
from lienthong_gateway.log.store import CHECKPOINTS, ENTRIES, minimum_index
from lienthong_gateway.log.tiles import LogDamaged, StoredTiles, TileStatements

KEPT_MONTHS = 6
"""How long an entry is kept at least. Decree 165/2025 Art. 17(10): logs of processing, six months or more."""
MOST_AT_ONCE = 4_096
"""Entries: what is deleted at once, while whoever else writes waits, takes some tens of milliseconds."""
_MONTHS = 12


def kept_since(now: datetime) -> datetime:
    """Return from which time on entries have to be kept: the same day in Vietnam, so many months before."""
    today = civil_date(now)
    years, month = divmod(today.year * _MONTHS + today.month - 1 - KEPT_MONTHS, _MONTHS)
    return datetime.combine(_day_or_last(years, month + 1, today.day), time(), VIETNAM)


def prune(connection: Connection, minimum: int, now: datetime, pruners: Collection[SystemId]) -> None:
    """Delete the entries before index `minimum`, and the checkpoints of smaller trees that no witness has cosigned.

    `pruners` are the systems that may have had it done before. Refused: MINIMUM_INDEX_INVALID, ENTRY_STILL_KEPT.
    Raises LogDamaged if the log is not what the tree was made of, or lacks more than its entries say was pruned: the
    entry about this pruning would speak for that, too.
    """
    present = minimum_index(connection)
    if present > _pruned_so_far(connection, pruners):
        raise LogDamaged(f"entries before {present} are missing, and no entry says that they were pruned")
    if minimum % TILE_WIDTH or not present < minimum <= present + MOST_AT_ONCE:
        raise _invalid(present)
    try:
        leaves = _proved_leaves(connection, present, minimum)
    except IndexError:
        raise _invalid(present) from None
    _check_old_enough(leaves, present, kept_since(now))
    connection.execute(delete(ENTRIES).where(ENTRIES.c.log_index < minimum))
    cosigned = select(COSIGNATURES.c.tree_size)
    smaller = (CHECKPOINTS.c.tree_size > 0, CHECKPOINTS.c.tree_size < minimum)
    connection.execute(delete(CHECKPOINTS).where(*smaller, CHECKPOINTS.c.tree_size.not_in(cosigned)))


def prunable(leaves: Callable[[int, int], Sequence[bytes]], first: int, before: datetime) -> range:
    """Return the entries from an index on that can be pruned together if none is to be as new as a time.

    `leaves` gives those of the entries from an index up to another that there are. Raises LogDamaged if one is
    no entry, and whatever `leaves` does.
    """
    beyond = first
    while True:
        tile = leaves(beyond, beyond + TILE_WIDTH)
        if len(tile) < TILE_WIDTH or any(_written_at(leaf) >= before for leaf in tile):
            return range(first, beyond)
        beyond += TILE_WIDTH


def stored_leaves(connection: Connection, start: int, end: int) -> Sequence[bytes]:
    """Return the leaves of the entries from an index up to another that a database has."""
    query = select(ENTRIES.c.leaf).where(ENTRIES.c.log_index >= start, ENTRIES.c.log_index < end)
    return [bytes(leaf) for leaf in connection.execute(query.order_by(ENTRIES.c.log_index)).scalars()]


def pruned_entries(connection: Connection, start: int) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Give index and hash of the entries that were pruned, from an index on, tile by tile, if they can be read."""
    tiles = StoredTiles(connection, TileStatements(connection.dialect))
    for tile in range(start // TILE_WIDTH, minimum_index(connection) // TILE_WIDTH):
        try:
            hashes = tiles.tile(0, tile, TILE_WIDTH)
        except (IndexError, LogDamaged):
            return
        places = range(max(start - tile * TILE_WIDTH, 0), TILE_WIDTH)
        yield [(tile * TILE_WIDTH + at, hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]) for at in places]


def _pruned_so_far(connection: Connection, pruners: Collection[SystemId]) -> int:
    """Return the index before which everything was pruned, as the newest entry about a pruning says; 0: there is none.

    It is always there: the pruning that deletes it is itself told by an entry.
    """
    theirs = select(ENTRIES.c.leaf).where(ENTRIES.c.consumer.in_(sorted(map(str, pruners))))
    leaves = connection.execute(theirs.order_by(ENTRIES.c.log_index.desc())).scalars()
    return next((said for leaf in leaves if (said := pruned_before(bytes(leaf)))), 0)


def _proved_leaves(connection: Connection, start: int, end: int) -> Sequence[bytes]:
    """Return the leaves of whole tiles, which are what the tree was made of: nobody could tell once they are deleted.

    Raises IndexError if the log does not reach as far, LogDamaged if one is another.
    """
    tiles = StoredTiles(connection, TileStatements(connection.dialect))
    hashes = b"".join(tiles.tile(0, first // TILE_WIDTH, TILE_WIDTH) for first in range(start, end, TILE_WIDTH))
    leaves = stored_leaves(connection, start, end)
    if b"".join(map(leaf_hash, leaves)) != hashes:
        raise LogDamaged(f"entries {start} to {end - 1} are not those that the tree is made of: verify the log")
    return leaves


def _check_old_enough(leaves: Sequence[bytes], first: int, since: datetime) -> None:
    """Refuse, with ENTRY_STILL_KEPT, leaves from index `first` on if one is of a time or later."""
    for index, leaf in enumerate(leaves, first):
        if _written_at(leaf) >= since:
            message = (
                f"Entry {index} is of {civil_date(_written_at(leaf))}. Entries are kept for {KEPT_MONTHS} months: "
                f"those of {civil_date(since)} and later; choose a smaller minimum index."
            )
            raise precondition("ENTRY_STILL_KEPT", message)


def _written_at(leaf: bytes) -> datetime:
    """Return when an entry was written; raises LogDamaged if it does not say so."""
    try:
        return datetime.fromisoformat(orjson.loads(leaf)["time"]).astimezone(UTC)
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise LogDamaged("what is there in place of an entry says no time: verify the log") from error


def _day_or_last(year: int, month: int, day: int) -> date:
    """Return a day of a month, or the month's last if it is shorter."""
    try:
        return date(year, month, day)
    except ValueError:
        return _day_or_last(year, month, day - 1)


def _invalid(present: int) -> Refusal:
    message = (
        f"The log is whole from entry {present} on. A new minimum index is a multiple of {TILE_WIDTH}, within the log, "
        f"and larger than that by {MOST_AT_ONCE} at most."
    )
    return invalid("MINIMUM_INDEX_INVALID", message)
