"""Doubles of the gateway's neighbours, on real sockets, that a test tells how to behave."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lienthong.api.population.v1 import population_pb2
from lienthong_core.certificates import TlsIdentity
from lienthong_core.rpc import RpcServer
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_core.web import WebServer

POPULATION_SERVICE = population_pb2.DESCRIPTOR.services_by_name["PopulationService"]
LONGEST_HANG_S = 15.0

Answer = Callable[[], bytes]


@dataclass(frozen=True)
class Received:
    """A call as the provider received it."""

    method: str
    request: bytes
    metadata: Mapping[str, str | bytes]


@dataclass
class PopulationDouble:
    """A provider of PopulationService that answers what it is told to, byte for byte."""

    calls: list[Received] = field(default_factory=list[Received])
    _answers: dict[str, Answer] = field(default_factory=dict[str, Answer])

    def answer(self, method: str, answer: Message | bytes | Exception) -> None:
        """Answer calls of `method` so from now on."""

        def give() -> bytes:
            if isinstance(answer, Exception):
                raise answer
            return answer.SerializeToString() if isinstance(answer, Message) else answer

        self._answers[method] = give

    @contextmanager
    def hanging(self, method: str) -> Generator[None]:
        """Answer no call of `method` until the block ends."""
        over = threading.Event()
        before = self._answers[method]

        def wait() -> bytes:
            over.wait(LONGEST_HANG_S)
            return before()

        self._answers[method] = wait
        try:
            yield
        finally:
            self._answers[method] = before
            over.set()

    def register(self, server: grpc.Server) -> None:
        """Add every method of the service to a server, as bytes in and bytes out."""
        handlers = {method.name: self._handler(method.name) for method in POPULATION_SERVICE.methods}
        generic = grpc.method_handlers_generic_handler(POPULATION_SERVICE.full_name, handlers)
        server.add_generic_rpc_handlers((generic,))

    def _handler(self, method: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def behave(request: bytes, context: grpc.ServicerContext) -> bytes:
            metadata = {str(key): value for key, value in context.invocation_metadata()}
            self.calls.append(Received(method, request, metadata))
            return self._answers[method]()

        return grpc.unary_unary_rpc_method_handler(behave, request_deserializer=bytes)


def population_server(double: PopulationDouble, address: str, tls: TlsIdentity, gateway: SystemId) -> RpcServer:
    """Return a server of the double that accepts the gateway alone."""
    return RpcServer(address, tls, [POPULATION_SERVICE.full_name], double.register, lambda caller: caller == gateway)


@dataclass
class KeySetDouble:
    """The identity provider's JWK set over HTTPS; what it answers may change while it runs."""

    keys: list[SigningKey]
    answer: Response | None = None
    """What is answered instead of the keys, if anything."""
    asked: int = 0

    def server(self, host: str, port: int, tls: TlsIdentity) -> WebServer:
        """Return a server of the set, at `/jwks.json`."""
        return WebServer(host, port, tls, Starlette(routes=[Route("/jwks.json", self._jwks)]))

    def _jwks(self, _request: Request) -> Response:
        self.asked += 1
        return self.answer or JSONResponse({"keys": [key.jwk for key in self.keys]})
