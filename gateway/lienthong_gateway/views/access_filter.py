"""What of the log a caller may see and wants to: a pure test of one leaf, and the columns to look it up by."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from lienthong.api.exchange.v1 import log_pb2 as pb
from lienthong_core.errors import Refusal, invalid
from lienthong_core.personal_numbers import check_personal_number
from lienthong_gateway.log.leaf import time_text
from lienthong_gateway.log.search import Key

_ALIKE = ("consumer", "provider", "method", "officer", "reason", "purpose")


@dataclass(frozen=True)
class AccessFilter:
    """What is wanted: values that leaves must have, and the time they must be of. Empty: everything.

    Times are texts as in leaves, which order as the times do.
    """

    values: Mapping[str, str]
    time_from: str
    time_to: str
    subject_number: str
    fields: tuple[str, ...]
    """Names of the fields that were set, in the contract's order."""

    @classmethod
    def of(cls, asked: pb.AccessFilter) -> "AccessFilter":
        """Read what was asked. Refused: LOG_FILTER_INVALID, PERSONAL_NUMBER_INVALID."""
        values = {name: value for name in _ALIKE if (value := getattr(asked, name))}
        if asked.event:
            values["event"] = _event(asked.event)
        if asked.subject_number:
            check_personal_number(asked.subject_number)
        time_from, time_to = _time(asked, "time_from"), _time(asked, "time_to")
        if time_from and time_to and time_from >= time_to:
            raise filter_invalid("time_from must be before time_to.")
        fields = tuple(field.name for field, _ in asked.ListFields())
        return cls(values, time_from, time_to, asked.subject_number, fields)

    @property
    def words(self) -> str:
        """What the log says about it: which fields were set, without their values."""
        return " ".join(("FILTER", *self.fields)) if self.fields else ""

    def fits(self, leaf: Mapping[str, Any]) -> bool:
        """Return whether a leaf is wanted; about whom it is has been seen to by looking it up."""
        return (
            all(leaf[name] == value for name, value in self.values.items())
            and (not self.time_from or leaf["time"] >= self.time_from)
            and (not self.time_to or leaf["time"] < self.time_to)
        )


@dataclass(frozen=True)
class Scope:
    """What the caller may see: entries with any of these values, or everything if there are none."""

    any_of: tuple[Key, ...] = ()

    def allows(self, leaf: Mapping[str, Any]) -> bool:
        """Return whether a leaf may be seen."""
        return not self.any_of or any(leaf[key.column] == key.value for key in self.any_of)

    def keys(self, wanted: AccessFilter, subjects: Collection[str]) -> tuple[Key, ...]:
        """Return what to look entries up by: the commitments to a citizen if there are any, or what is narrowest."""
        if subjects:
            return tuple(Key("subject", subject) for subject in subjects)
        named = (Key(name, wanted.values[name]) for name in ("consumer", "provider") if name in wanted.values)
        return self.any_of or tuple(named)[:1]


def filter_invalid(what: str) -> Refusal:
    """Return the refusal of a question that contradicts itself: LOG_FILTER_INVALID."""
    return invalid("LOG_FILTER_INVALID", what)


def _event(event: pb.LogEvent.ValueType) -> str:
    if event not in pb.LogEvent.values():
        raise filter_invalid(f"There is no event {event}; see LogEvent in the contract.")
    return pb.LogEvent.Name(event).removeprefix("LOG_EVENT_")


def _time(asked: pb.AccessFilter, name: str) -> str:
    if not asked.HasField(name):  # type: ignore[arg-type]
        return ""
    value: Timestamp = getattr(asked, name)
    try:
        text = time_text(value.ToDatetime(UTC))
        # Leaves have whole microseconds: what begins after one is later than a leaf of that one.
        return f"{text}{beyond:03}" if (beyond := value.nanos % 1_000) else text
    except ValueError:
        raise filter_invalid(f"{name} is not a time of the years 1 to 9999.") from None
