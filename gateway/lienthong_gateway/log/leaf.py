"""The leaf of the log: what one entry says, as canonical JSON (RFC 8785)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import rfc8785

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_gateway.exchange import Trace

LEAF_VERSION = 1


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

    def leaf(self, commitment: str) -> bytes:
        """Return the leaf; `commitment` stands for the citizen, empty if the entry is about nobody in particular."""
        trace = self.trace
        return rfc8785.dumps(
            {
                "version": LEAF_VERSION,
                "time": timestamp(self.time),
                "event": LogEvent.Name(self.event).removeprefix("LOG_EVENT_"),
                "exchange_id": trace.exchange_id,
                "message_id": trace.message_id,
                "consumer": trace.consumer,
                "provider": trace.provider,
                "method": trace.method,
                "officer": trace.officer,
                "subject": commitment,
                "purpose": trace.purpose,
                "legal_basis": trace.legal_basis,
                "legal_reference": trace.legal_reference,
                "consent_id": trace.consent_id,
                "datasets_released": list(self.datasets_released),
                "datasets_withheld": list(self.datasets_withheld),
                "fields_released": list(self.fields_released),
                "request_hash": trace.request_hash,
                "request_bytes": trace.request_bytes,
                "response_hash": trace.response_hash,
                "response_bytes": trace.response_bytes,
                "status": self.status,
                "reason": self.reason,
                "step_us": dict(trace.step_us),
            }
        )


def timestamp(time: datetime) -> str:
    """Return RFC 3339 in UTC with microseconds, always of the same length."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
