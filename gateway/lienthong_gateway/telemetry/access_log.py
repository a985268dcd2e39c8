"""One line an exchange: which system called what, how it ended, how long each step took. Nothing of what was said.

The logger `lienthong_gateway.access` writes at level INFO; `lienthong serve` shows it, an embedded sandbox does not.
"""

import logging

from lienthong_gateway.exchange import Trace
from lienthong_gateway.telemetry.outcome import Outcome

LOGGER = "lienthong_gateway.access"

_log = logging.getLogger(LOGGER)


def log_access(trace: Trace, outcome: Outcome) -> None:
    """Write the line of one call that is over."""
    if not _log.isEnabledFor(logging.INFO):
        return
    fields = {
        "exchange_id": trace.exchange_id,
        "trace_id": trace.trace_id,
        "reason": outcome.reason,
        "status": outcome.status,
        "method": trace.method,
        "consumer": trace.consumer,
        "provider": trace.provider,
        "request_bytes": trace.digests.request_bytes,
        "response_bytes": trace.released_bytes,
        "step_us": {step: microseconds for step, (_, microseconds) in trace.steps_of_call.items()},
    }
    _log.info("%s %s", outcome.reason, trace.exchange_id, extra={"fields": fields})
