"""The one error type that crosses from a service to its caller."""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong.client.outcome import DOMAIN, explain


class Refusal(Exception):  # noqa: N818 (a refusal is an outcome of the domain, with its own name)
    """A call that was answered with no.

    `reason` is stable and for programs; `message` is one or two sentences for people and says what to do.
    `metadata` goes into `google.rpc.ErrorInfo`; it never holds personal data.
    """

    def __init__(
        self, status: grpc.StatusCode, reason: str, message: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})

    def with_metadata(self, **more: str) -> "Refusal":
        """Return the same refusal with `more` metadata; what it said already stays."""
        return Refusal(self.status, self.reason, self.message, {**more, **self.metadata})

    def rpc_status(self) -> grpc.Status:
        """Return the gRPC status with its `ErrorInfo`, for `context.abort_with_status`."""
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata))
        code: int = self.status.value[0]
        return rpc_status.to_status(status_pb2.Status(code=code, message=self.message, details=[detail]))


def reason_name(reason: ErrorReason.ValueType) -> str:
    """Return the text that `ErrorInfo.reason` carries for `reason`."""
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def invalid(reason: str, message: str) -> Refusal:
    """Return a refusal of a malformed request: the caller must change it."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, reason, message)


def unauthenticated(reason: str, message: str) -> Refusal:
    """Return a refusal of a caller who has not shown who it is."""
    return Refusal(grpc.StatusCode.UNAUTHENTICATED, reason, message)


def denied(reason: str, message: str) -> Refusal:
    """Return a refusal of a caller who may not do this."""
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, reason, message)


def not_found(reason: str, message: str) -> Refusal:
    """Return a refusal because the thing asked for does not exist, or not for this caller."""
    return Refusal(grpc.StatusCode.NOT_FOUND, reason, message)


def precondition(reason: str, message: str) -> Refusal:
    """Return a refusal because the state of things does not allow it now."""
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason, message)


def unavailable(reason: str, message: str) -> Refusal:
    """Return a refusal that may pass if the call is made again."""
    return Refusal(grpc.StatusCode.UNAVAILABLE, reason, message)


def internal() -> Refusal:
    """Return the refusal for a failure nobody foresaw; the cause goes to the service's own log."""
    message = "The service failed in a way it does not know. Report it with the time and the exchange id."
    return Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", message)


def refusal_from(error: grpc.RpcError) -> Refusal:
    """Return what a failed call was refused with, to pass it on."""
    why = explain(error)
    return Refusal(why.status, why.reason, why.message, why.metadata)
