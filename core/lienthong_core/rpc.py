"""A gRPC server in threads, as every agency runs one: mutual TLS, named callers, errors that teach."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lienthong_core.certificates import TlsIdentity
from lienthong_core.errors import Refusal, denied, exhausted, internal, invalid
from lienthong_core.failures import log_failure
from lienthong_core.peer import calling_system
from lienthong_core.systems import SystemId

MAX_MESSAGE_BYTES = 1 << 20
# Above the limit that is explained: a message in between gets an error that teaches instead of gRPC's own.
_MAX_FRAME_BYTES = 16 << 20
_WORKERS = 16
_GRACE_S = 2.0
SERVER_OPTIONS = (("grpc.max_receive_message_length", _MAX_FRAME_BYTES), ("grpc.max_metadata_size", 16 << 10))

_log = logging.getLogger(__name__)


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
        if handler is None or handler.unary_unary is None:
            return grpc.unary_unary_rpc_method_handler(_unknown(method))
        return self._guarded(method, handler.unary_unary, handler.request_deserializer, handler.response_serializer)

    def _guarded(
        self,
        method: str,
        behaviour: Callable[[Any, grpc.ServicerContext], Any],
        deserialize: Callable[[bytes], Any] | None,
        serialize: Callable[[Any], bytes] | None,
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        def answer(request: bytes, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 (any message)
            try:
                # The stubs forget that a property can have several values.
                caller = calling_system(context)
                if not self._allowed(caller):
                    message = f"{caller} may not call this service directly; call it through the gateway."
                    raise denied("CALLER_NOT_ALLOWED", message)
                return behaviour(_parse(request, deserialize), context)
            except Refusal as refusal:
                context.abort_with_status(refusal.rpc_status())
            except Exception as error:  # noqa: BLE001 (a bug in a service must not reach its caller as a traceback)
                # abort() above raises to leave the handler; only what is not a refusal ends here.
                log_failure(_log, method, error)
                context.abort_with_status(internal().rpc_status())

        return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=None, response_serializer=serialize)


def _parse(request: bytes, deserialize: Callable[[bytes], Any] | None) -> Message:
    check_size(request)
    try:
        message: Message = deserialize(request) if deserialize else Message()
    except DecodeError:
        raise malformed() from None
    return message


def check_size(message: bytes) -> None:
    """Refuse a message above the limit."""
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
