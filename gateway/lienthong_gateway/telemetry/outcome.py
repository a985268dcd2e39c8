"""How a call ended, for whoever looks on."""

from dataclasses import dataclass

RELEASED = "RELEASED"


@dataclass(frozen=True)
class Outcome:
    """`reason` is RELEASED or the reason of the refusal, `status` the gRPC status' name."""

    reason: str
    status: str
