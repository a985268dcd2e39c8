"""What happened by day in Vietnam, consumer, provider, dataset and outcome, counted as the log grows.

The counts of full level-0 tiles are kept in a table, brought up to date in the transaction that fills a tile. What
came after the last full tile, fewer than 256 entries, is counted when somebody asks. So an answer costs the same at a
million entries as at a thousand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Connection, Table, select, text

from lienthong_core.working_days import civil_date
from lienthong_gateway.log.growth import TILE_WIDTH
from lienthong_gateway.log.model import DailySummaryRow
from lienthong_gateway.log.store import ENTRIES, LAST_SIZE

RELEASED, WITHHELD, REFUSED = "RELEASED", "WITHHELD", "REFUSED"

_SUMMARY = cast("Table", DailySummaryRow.__table__)  # type: ignore[attr-defined]
_LONGEST_TEXT = 255
_ADD = text(
    "INSERT INTO log_daily_summary (day, consumer, provider, dataset, outcome, reason, entries) "
    "VALUES (:day, :consumer, :provider, :dataset, :outcome, :reason, :entries) "
    "ON CONFLICT (day, consumer, provider, dataset, outcome, reason) "
    "DO UPDATE SET entries = log_daily_summary.entries + excluded.entries"
)


class Group(NamedTuple):
    """What entries that are counted together have in common."""

    day: str
    consumer: str
    provider: str
    dataset: str
    outcome: str
    reason: str


def tally(leaves: Iterable[bytes]) -> Counter[Group]:
    """Count the calls that entries stand for."""
    counts: Counter[Group] = Counter()
    for leaf in leaves:
        said = orjson.loads(leaf)
        # Leaves of before version 3 do not say: each stands for one call.
        calls = said.get("calls", 1)
        for group in _groups_of(said):
            counts[group] += calls
    return counts


def _groups_of(said: Mapping[str, Any]) -> Iterator[Group]:
    """Give what one entry counts for: each dataset of an exchange, a refusal as a whole, nothing else.

    An exchange that neither released nor withheld a dataset, such as a change of residence, counts as released.
    """
    day, consumer, provider = _day(said["time"]), said["consumer"], said["provider"]
    if said["event"] == "REFUSAL":
        yield Group(day, consumer, provider, "", REFUSED, _storable(said["reason"]))
    if said["event"] == "EXCHANGE":
        released, withheld = said["datasets_released"], said["datasets_withheld"]
        for dataset in released if released or withheld else ("",):
            yield Group(day, consumer, provider, dataset, RELEASED, "")
        for dataset in withheld:
            yield Group(day, consumer, provider, dataset, WITHHELD, "")


def _day(time: str) -> str:
    """Return the day in Vietnam, or the calendar's last if that would be the one after it."""
    try:
        return civil_date(datetime.fromisoformat(time)).isoformat()
    except OverflowError:
        return date.max.isoformat()


def _storable(reason: str) -> str:
    """Return a reason as every database can keep it in a key.

    A provider could once choose the reason, and an entry that cannot be counted would keep its tile from being filled.
    """
    return reason.replace("\0", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_TEXT]


def summarise(connection: Connection, tiles: Sequence[int]) -> None:
    """Add the entries of level-0 tiles that have just been filled, by the tiles' indexes in order."""
    if not tiles:
        return
    counted = tally(_leaves(connection, tiles[0] * TILE_WIDTH, (tiles[-1] + 1) * TILE_WIDTH))
    if counted:
        connection.execute(_ADD, [{**group._asdict(), "entries": entries} for group, entries in counted.items()])


def read_summary(
    connection: Connection, first_day: str, last_day: str, consumer: str | None
) -> tuple[list[tuple[Group, int]], int]:
    """Return the counts of some days (ISO dates), of one consumer if given, and how many entries they cover."""
    size = connection.execute(LAST_SIZE).scalar_one()
    query = select(_SUMMARY).where(_SUMMARY.c.day >= first_day, _SUMMARY.c.day <= last_day)
    if consumer is not None:
        query = query.where(_SUMMARY.c.consumer == consumer)
    counts: Counter[Group] = Counter({Group(*row[:-1]): row[-1] for row in connection.execute(query)})
    for group, entries in tally(_leaves(connection, size - size % TILE_WIDTH, size)).items():
        if first_day <= group.day <= last_day and consumer in {None, group.consumer}:
            counts[group] += entries
    return sorted(counts.items()), size


def _leaves(connection: Connection, start: int, end: int) -> Iterator[bytes]:
    query = select(ENTRIES.c.leaf).where(ENTRIES.c.log_index >= start, ENTRIES.c.log_index < end)
    return map(bytes, connection.execute(query).scalars())
