"""What flows through the steps of one exchange."""

import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.systems import SystemId
from lienthong_gateway.digests import Digests
from lienthong_gateway.registration import NEVER


class Caller(NamedTuple):
    """Who asks: the consumer's system, from its certificate, and what it calls its message."""

    system: SystemId
    thumbprint: str
    message_id: str


class TokenHolder(NamedTuple):
    """The citizen whose verified token came with the call."""

    personal_number: str
    account_level: int
    scopes: frozenset[str] = frozenset()
    """What she let the system do that logged her in."""


@dataclass(frozen=True)
class Claim:
    """What the call says about itself: the headers, read once, not yet believed."""

    purpose: str
    legal_basis: str
    legal_reference: str
    officer: str
    represented_party: str = ""


@dataclass(frozen=True)
class UseLimit:
    """How often a consent may be used: `uses` times in each `per`, or in its whole period where that is None."""

    consent_id: str
    uses: int
    per: timedelta | None


@dataclass(frozen=True)
class Grant:
    """What a call was allowed: on which basis, and which datasets may leave."""

    legal_basis: LegalBasis.ValueType
    legal_reference: str
    consent_id: str
    datasets: frozenset[str]
    consent_digest: str = ""
    """Digest of the consent's revision that it rests on."""
    consent_limit: UseLimit | None = None
    """Set if the exchange must be counted when it is recorded."""
    holds_until: datetime = field(default=NEVER, compare=False)
    """When what it rests on is over, if nothing changes before."""


class Released(NamedTuple):
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
    """Its path; empty if nobody has such a method."""
    consumer: str = ""
    """The system that the caller's certificate names, registered or not; empty if it names none. Of a change of a
    consent or of what is registered, the system that this is about."""
    caller: str = ""
    """The system that the certificate names, where that is not `consumer`."""
    provider: str = ""
    message_id: str = ""
    officer: str = ""
    represented_party: str = ""
    """Whom the consumer acts for, if it says so: class and code, such as `GOV/G09`."""
    subject: str = ""
    """Personal number of the citizen it is about; the log holds a salted commitment to it only."""
    purpose: str = ""
    legal_basis: str = ""
    legal_reference: str = ""
    consent_id: str = ""
    consent_digest: str = ""
    """Digest of the consent's revision that was relied on, or made."""
    registered: str = ""
    """What a change of a registration made of it: canonical JSON of the contract's message."""
    trace_id: str = ""
    """W3C trace id: the caller's, or one made here; 32 hexadecimal digits."""
    sequence: int = 0
    """Place of the message in a stream of answers, from 0."""
    digests: Digests = field(default_factory=Digests)
    """What is told of its request and answer."""
    outgoing: tuple[tuple[str, str], ...] = ()
    """`traceparent` and `tracestate` towards the provider."""
    step_us: dict[str, int] = field(default_factory=dict[str, int])
    """Time spent in each step that was reached, microseconds; in a stream, for the message that it is about."""
    steps_of_call: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """When each step was reached first, microseconds after the call was taken on, and the time spent in it in all."""
    began_ns: int = field(default_factory=time.perf_counter_ns)
    """When the call was taken on, by the clock that steps are timed with."""
    released_bytes: int = 0
    """Of all that was released."""
    commitments: set[str] = field(default_factory=set[str])
    """Those to the subject in its entries so far: none, or one. Copies of the trace share it."""

    @classmethod
    def begin(cls, method: str, request: bytes) -> Self:
        """Begin the trace of a call."""
        return cls(str(uuid.uuid4()), method, digests=Digests(request))

    def about(self, consumer: str) -> Self:
        """Return the trace of a change that is about a consumer, whoever makes it."""
        return replace(self, consumer=consumer, caller="" if consumer == self.consumer else self.consumer)
