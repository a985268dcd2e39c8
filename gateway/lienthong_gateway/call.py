"""A call as the pipeline sees it, whichever way it came in, and what goes back."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from lienthong_core.errors import Refusal
from lienthong_core.metadata import CallHeaders

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]
Trailer: TypeAlias = tuple[tuple[str, str], ...]
Peer: TypeAlias = Mapping[str, Iterable[bytes]]
"""What gRPC calls the authentication context: `peer_uri` and `x509_pem_cert` of the client's certificate."""

RpcSystem: TypeAlias = Literal["grpc", "connectrpc"]
"""How a call came in, as OpenTelemetry names it."""
GRPC: Final = "grpc"
CONNECT: Final = "connectrpc"


class Arriving(Protocol):
    """A request that is on its way when its call is taken on."""

    async def arrive(self) -> None:
        """Return once it is here."""
        ...

    def read(self) -> tuple[bytes, Refusal | None]:
        """Return the request, or what there is instead, and what is wrong with it."""
        ...


class IncomingCall(NamedTuple):
    """One call: the method's path, the request's bytes, the headers, and what is known of the connection."""

    method: str
    request: bytes
    headers: CallHeaders
    peer: Peer
    expires_at: float | None
    """Until when the caller waits, in the event loop's time; None: it did not say."""
    fault: Refusal | None = None
    """What was wrong already as it came in; the call is refused with it as soon as it is known who calls."""
    arriving: Arriving | None = None
    """What has the request in the end; None: `request` has it."""
    write: Callable[[bytes], bytes] | None = None
    """Writes an answer as the caller reads it, or refuses it; None: it is read as it is."""
    rpc_system: RpcSystem = GRPC

    def whole(self) -> "IncomingCall":
        """Return the call with its request, which has arrived."""
        if self.arriving is None:
            return self
        request, fault = self.arriving.read()
        return self._replace(request=request, fault=self.fault or fault, arriving=None)

    def written(self, message: bytes) -> bytes:
        """Return an answer as the caller reads it; refused: PROVIDER_ANSWER_INVALID, if its form has none for it."""
        return message if self.write is None else self.write(message)

    def remaining_s(self) -> float | None:
        """Return how long the caller still waits, seconds; None: it did not say."""
        return None if self.expires_at is None else self.expires_at - asyncio.get_running_loop().time()


class Answer(NamedTuple):
    """What is released: the response's bytes, as the caller reads them, and what is said beside them."""

    message: bytes
    trailer: Trailer


class Nothing(NamedTuple):
    """What a stream without a message is answered with: what is said beside messages, alone."""

    trailer: Trailer


class Refused(Exception):  # noqa: N818 (an outcome, with its own name)
    """The call was refused, and that has been recorded; `refusal` says why."""

    def __init__(self, refusal: Refusal, trailer: Trailer) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.trailer = trailer
