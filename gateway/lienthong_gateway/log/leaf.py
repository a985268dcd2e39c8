"""The leaf of the log: what one entry says, as canonical JSON (RFC 8785)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_gateway.exchange import Trace

LEAF_VERSION = 5
_EVENTS = {event: name.removeprefix("LOG_EVENT_") for name, event in LogEvent.items()}
_DECISIONS = {
    LogEvent.LOG_EVENT_CHANGE_ALLOWED: "ALLOWED",
    LogEvent.LOG_EVENT_EXCHANGE: "RELEASED",
    LogEvent.LOG_EVENT_REFUSAL: "REFUSED",
}


@dataclass(frozen=True)
class Entry:
    """What is to be recorded. The leaf is made of it when its time comes, with the commitment to the subject."""

    time: datetime
    event: LogEvent.ValueType
    trace: Trace
    status: str
    reason: str = ""
    datasets_released: Sequence[str] = field(default_factory=tuple[str, ...])
    datasets_withheld: Sequence[str] = field(default_factory=tuple[str, ...])
    fields_released: Sequence[str] = field(default_factory=tuple[str, ...])
    calls: int = 1
    """How many calls it stands for: those that are turned away share entries."""

    def leaf(self, commitment: str, after: str) -> bytes:
        """Return the leaf.

        `commitment` stands for the citizen, empty if the entry is about nobody in particular; `after` is the digest of
        the newest checkpoint before the entry.
        """
        trace = self.trace
        # Only of what was released: whoever has the key could find a short answer that was withheld by trying.
        digests, released = trace.digests, self.event == LogEvent.LOG_EVENT_EXCHANGE
        return _canonical(
            {
                "version": LEAF_VERSION,
                "after_checkpoint": after,
                "time": time_text(self.time),
                "event": _EVENTS[self.event],
                "exchange_id": trace.exchange_id,
                "sequence": trace.sequence,
                "trace_id": trace.trace_id,
                "message_id": trace.message_id,
                "consumer": trace.consumer,
                "caller": trace.caller,
                "represented_party": trace.represented_party,
                "provider": trace.provider,
                "method": trace.method,
                "officer": trace.officer,
                "subject": commitment,
                "purpose": trace.purpose,
                "legal_basis": trace.legal_basis,
                "legal_reference": trace.legal_reference,
                "consent_id": trace.consent_id,
                "consent_digest": trace.consent_digest,
                "registered": trace.registered,
                "datasets_released": self.datasets_released,
                "datasets_withheld": self.datasets_withheld,
                "fields_released": self.fields_released,
                "request_digest": digests.of_request().keyed,
                "request_bytes": digests.request_bytes,
                "response_digest": digests.response if released else "",
                "response_bytes": digests.response_bytes if released else 0,
                "decision": _DECISIONS.get(self.event, ""),
                "status": self.status,
                "reason": self.reason,
                "calls": self.calls,
                "step_us": trace.step_us,
            }
        )


def pruned_before(leaf: bytes) -> int:
    """Return the index before which everything was pruned, as the leaf of such an event says; 0 for any other leaf."""
    # A leaf is canonical: within a string every quotation mark has a backslash before it.
    if b'"event":"PRUNING"' not in leaf:
        return 0
    try:
        return int(orjson.loads(orjson.loads(leaf)["registered"])["minimum_index"])
    except (ValueError, LookupError, TypeError):
        return 0


def _canonical(leaf: dict[str, object]) -> bytes:
    """Return RFC 8785 canonical JSON, which for ASCII keys, text and whole numbers is what orjson writes in order.

    A test holds the two equal; this one takes a fiftieth of the time, in the thread that every exchange waits for.
    """
    return orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS)


def time_text(time: datetime) -> str:
    """Return RFC 3339 in UTC with microseconds, always of the same length."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
