"""A gRPC server in threads, as every agency runs one: mutual TLS, named callers, errors that teach."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lienthong_core.certificates import TlsIdentity
from lienthong_core.errors import Refusal, denied, exhausted, invalid
from lienthong_core.failures import log_failure, told_instead
from lienthong_core.peer import calling_system
from lienthong_core.systems import SystemId

MAX_MESSAGE_BYTES = 1 << 20
# Above the limit that is explained: a message in between gets an error that teaches instead of gRPC's own. Not far
# above: gRPC keeps a whole message of each call on a connection before anybody can refuse it.
_MAX_FRAME_BYTES = 2 << 20
_WORKERS = 16
_GRACE_S = 2.0
# The same of a call's headers, each of which gRPC counts as 32 bytes more than it has. Between two limits of its own it
# refuses by chance: the same headers now, and not the next time.
_MAX_METADATA_BYTES = 32 << 10
SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_FRAME_BYTES),
    ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
)

_log = logging.getLogger(__name__)

_Behaviour: TypeAlias = Callable[[Any, grpc.ServicerContext], Any]
_Deserialize: TypeAlias = Callable[[bytes], Any] | None


class RpcServer:
    """Serves one or more servicers on one address to the systems that `allowed` says may call."""

    def __init__(
        self,
        address: str,
        tls: TlsIdentity,
        services: Iterable[str],
        register: Callable[[grpc.Server], None],
        allowed: Callable[[SystemId], bool],
    ) -> None:
        """Bind `address` (`host:port`); raises OSError if it cannot be had.

        `services` are the full names that reflection lists; `register` adds the servicers.
        """
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="rpc")
        self._server = grpc.server(self._pool, interceptors=[_Guard(allowed)], options=SERVER_OPTIONS)
        register(self._server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        try:
            self._server.add_secure_port(address, tls.server_credentials())
        except RuntimeError as error:
            message = f"cannot listen on {address}: somebody else has the port"
            raise OSError(message) from error
        self._names = names

    def start(self) -> None:
        """Answer calls from now on."""
        self._server.start()
        for name in ("", *self._names):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> None:
        """Finish the calls under way, within two seconds, and give the address back."""
        self._health.enter_graceful_shutdown()
        self._server.stop(_GRACE_S).wait()
        self._pool.shutdown()


class _Guard(grpc.ServerInterceptor):
    """Lets named callers in, and turns every failure into a status that teaches."""

    def __init__(self, allowed: Callable[[SystemId], bool]) -> None:
        self._allowed = allowed

    def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        method = handler_call_details.method
        handler = continuation(handler_call_details)
        if method.startswith("/grpc."):
            return handler
        if handler is not None and handler.unary_unary is not None:
            answer = self._one_answer(method, handler.unary_unary, handler.request_deserializer)
            return grpc.unary_unary_rpc_method_handler(answer, None, handler.response_serializer)
        if handler is not None and handler.unary_stream is not None:
            answers = self._many_answers(method, handler.unary_stream, handler.request_deserializer)
            return grpc.unary_stream_rpc_method_handler(answers, None, handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(_unknown(method))

    def _one_answer(self, method: str, behaviour: _Behaviour, deserialize: _Deserialize) -> _Behaviour:
        def answer(request: bytes, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 (any message)
            with _explained(method, context):
                self._check_caller(context)
                return behaviour(_parse(request, deserialize), context)

        return answer

    def _many_answers(self, method: str, behaviour: _Behaviour, deserialize: _Deserialize) -> _Behaviour:
        def answers(request: bytes, context: grpc.ServicerContext) -> Iterator[Any]:
            with _explained(method, context):
                self._check_caller(context)
                yield from behaviour(_parse(request, deserialize), context)

        return answers

    def _check_caller(self, context: grpc.ServicerContext) -> None:
        caller = calling_system(context)
        if not self._allowed(caller):
            message = f"{caller} may not call this service directly; ListMethods lists what it may through the gateway."
            raise denied("CALLER_NOT_ALLOWED", message)


@contextmanager
def _explained(method: str, context: grpc.ServicerContext) -> Generator[None]:
    """Turn a failure into a status that teaches."""
    try:
        yield
    except Refusal as refusal:
        context.abort_with_status(refusal.rpc_status())
    except Exception as error:  # noqa: BLE001 (a bug in a service must not reach its caller as a traceback)
        # abort() above raises to leave the handler; only what is not a refusal ends here.
        log_failure(_log, method, error)
        context.abort_with_status(told_instead(error).rpc_status())


def _parse(request: bytes, deserialize: _Deserialize) -> Message:
    check_size(request)
    try:
        message: Message = deserialize(request) if deserialize else Message()
    except DecodeError:
        raise malformed() from None
    return message


def check_size(message: bytes) -> None:
    """Refuse a message of more than MAX_MESSAGE_BYTES: MESSAGE_TOO_LARGE."""
    if len(message) > MAX_MESSAGE_BYTES:
        text = f"The message has {len(message)} bytes and at most {MAX_MESSAGE_BYTES} are taken; send less."
        raise exhausted("MESSAGE_TOO_LARGE", text)


def malformed() -> Refusal:
    """Return the refusal of bytes that are no message of the method's type."""
    text = "The request is not a message of this method's type; generate the client from the same contracts."
    return invalid("REQUEST_MALFORMED", text)


def unknown_method(method: str) -> Refusal:
    """Return the refusal of a method that nobody provides."""
    text = f"No method {method[:200]!r} here; CatalogueService.ListMethods at the gateway lists what can be called."
    return Refusal(grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN", text)


def _unknown(method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(unknown_method(method).rpc_status())

    return answer
