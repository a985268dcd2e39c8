"""What flows through the steps of one exchange."""

from dataclasses import dataclass, field

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.systems import SystemId


@dataclass(frozen=True)
class Caller:
    """Who asks: the consumer's system, from its certificate, and what it calls its message."""

    system: SystemId
    thumbprint: str
    message_id: str


@dataclass(frozen=True)
class TokenHolder:
    """The citizen whose verified token came with the call."""

    personal_number: str
    account_level: int


@dataclass(frozen=True)
class Claim:
    """What the call says about itself: the headers, read once, not yet believed."""

    purpose: str
    legal_basis: str
    legal_reference: str
    officer: str


@dataclass(frozen=True)
class Grant:
    """What a call was allowed: on which basis, and which datasets may leave."""

    legal_basis: LegalBasis.ValueType
    legal_reference: str
    consent_id: str
    datasets: frozenset[str]


@dataclass(frozen=True)
class Released:
    """What leaves the gateway, and what stays behind."""

    message: bytes
    datasets: tuple[str, ...]
    withheld: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass
class Trace:
    """What is known of an exchange so far; whatever step it ends in, this is what gets recorded."""

    exchange_id: str
    method: str
    consumer: str = ""
    provider: str = ""
    message_id: str = ""
    officer: str = ""
    subject: str = ""
    """Personal number of the citizen it is about; the log holds a salted commitment to it only."""
    purpose: str = ""
    legal_basis: str = ""
    legal_reference: str = ""
    consent_id: str = ""
    request_hash: str = ""
    request_bytes: int = 0
    response_hash: str = ""
    response_bytes: int = 0
    trace_id: str = ""
    """W3C trace id: the caller's, or one made here; 32 hexadecimal digits."""
    outgoing: tuple[tuple[str, str], ...] = ()
    """`traceparent` and `tracestate` towards the provider."""
    step_us: dict[str, int] = field(default_factory=dict[str, int])
    """Time spent in each step that was reached, microseconds."""
