"""W3C Trace Context: `traceparent` and `tracestate`, believed only if they are exactly of their form."""

import re
import secrets
from typing import NamedTuple

from lienthong_core.metadata import CallHeaders

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

# https://www.w3.org/TR/trace-context/#traceparent-header: later versions may add fields, never change these.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_INVALID_VERSION = "ff"
# https://www.w3.org/TR/trace-context-1/#key: a vendor's key, or tenant@system.
_KEY = r"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(f"({_KEY})={_VALUE}")
_MOST_MEMBERS = 32
_LONGEST_STATE = 512
_SAMPLED = 1


class TraceContext(NamedTuple):
    """Where in which trace a call stands: ids in lower-case hex, and what the caller's vendors added."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    @classmethod
    def fresh(cls) -> "TraceContext":
        """Return the beginning of a trace of its own, which nobody has recorded so far."""
        ids = secrets.token_hex(24)
        return cls(ids[:32], ids[32:], sampled=False)

    @classmethod
    def of(cls, headers: CallHeaders) -> "TraceContext | None":
        """Return what a call's headers say, or None if they say nothing or anything malformed."""
        parents = headers.every(TRACEPARENT)
        match = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 and isinstance(parents[0], str) else None
        if match is None:
            return None
        version, trace_id, span_id, flags, more = match.groups()
        if version == _INVALID_VERSION or (version == "00" and more) or not (int(trace_id, 16) and int(span_id, 16)):
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), _state(headers))

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that carry it on."""
        parent = (TRACEPARENT, f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}")
        return (parent, (TRACESTATE, self.state)) if self.state else (parent,)


def _state(headers: CallHeaders) -> str:
    values = [value for value in headers.every(TRACESTATE) if isinstance(value, str)]
    members = [member for member in (part.strip(" \t") for part in ",".join(values).split(",")) if member]
    state = ",".join(members)
    keys = {match[1] for member in members if (match := _MEMBER.fullmatch(member))}
    # Fewer keys than members: one is malformed, or comes twice.
    return state if len(keys) == len(members) <= _MOST_MEMBERS and len(state) <= _LONGEST_STATE else ""
