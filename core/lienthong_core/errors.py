"""The one error type that crosses from a service to its caller."""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong.client.outcome import DOMAIN, explain

_LONGEST_MESSAGE = 1_400
"""UTF-8 bytes. A message goes into the trailing metadata twice, one of them up to three times as long, and clients read
8 KiB of those."""
_ELLIPSIS = "\u2026"


class Refusal(Exception):  # noqa: N818 (a refusal is an outcome of the domain, with its own name)
    """A call that was answered with no.

    `reason` is stable and for programs; `message` is one or two sentences for people and says what to do. A message
    that is longer than anybody reads, because it quotes what the caller sent, is cut.
    `metadata` goes into `google.rpc.ErrorInfo`; it never holds personal data. `retry_after_s`, if given, goes into
    `google.rpc.RetryInfo`: after how many seconds the same call may be made again.
    """

    def __init__(
        self,
        status: grpc.StatusCode,
        reason: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.message = _shortened(message)
        super().__init__(f"{reason}: {self.message}")
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s

    def with_metadata(self, **more: str) -> "Refusal":
        """Return the same refusal with `more` metadata; what it said already stays."""
        metadata = {**more, **self.metadata}
        return Refusal(self.status, self.reason, self.message, metadata, retry_after_s=self.retry_after_s)

    def details(self) -> list[any_pb2.Any]:
        """Return what programs read: `ErrorInfo`, and `RetryInfo` if it is known when to try again."""
        packed = [_packed(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata))]
        if self.retry_after_s is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMicroseconds(round(self.retry_after_s * 1_000_000))
            packed.append(_packed(retry))
        return packed

    def rpc_status(self) -> grpc.Status:
        """Return the gRPC status with its details, for `context.abort_with_status`."""
        code: int = self.status.value[0]
        return rpc_status.to_status(status_pb2.Status(code=code, message=self.message, details=self.details()))


def reason_name(reason: ErrorReason.ValueType) -> str:
    """Return the text that `ErrorInfo.reason` carries for `reason`."""
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


SHARED_REASONS = frozenset(
    reason_name(value)
    for value in (
        ErrorReason.ERROR_REASON_INTERNAL,
        ErrorReason.ERROR_REASON_DATABASE_UNAVAILABLE,
        ErrorReason.ERROR_REASON_HEADER_DUPLICATED,
        ErrorReason.ERROR_REASON_HEADER_INVALID,
        ErrorReason.ERROR_REASON_CALLER_NOT_ALLOWED,
        ErrorReason.ERROR_REASON_METHOD_UNKNOWN,
        ErrorReason.ERROR_REASON_REQUEST_MALFORMED,
        ErrorReason.ERROR_REASON_PERSONAL_NUMBER_INVALID,
        ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE,
        ErrorReason.ERROR_REASON_CURSOR_INVALID,
        ErrorReason.ERROR_REASON_PAGE_SIZE_INVALID,
    )
)
"""Reasons of the gateway that a provider may give with the same meaning."""

GATEWAY_REASONS = frozenset(reason_name(value) for value in ErrorReason.values() if value) - SHARED_REASONS
"""The others, which say what the gateway itself decided or did: nobody else gives them."""


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


def exhausted(reason: str, message: str, retry_after_s: float | None = None) -> Refusal:
    """Return a refusal because a limit is reached; `retry_after_s` says when there is room again."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, message, retry_after_s=retry_after_s)


def refusal_from(error: grpc.RpcError) -> Refusal:
    """Return what a failed call was refused with, to pass it on."""
    why = explain(error)
    return Refusal(why.status, why.reason, why.message, why.metadata, retry_after_s=why.retry_after_s)


def _shortened(message: str) -> str:
    # What is quoted may hold half of a surrogate pair, which no answer can.
    encoded = message.encode(errors="replace")
    if len(encoded) <= _LONGEST_MESSAGE:
        return encoded.decode()
    return encoded[: _LONGEST_MESSAGE - len(_ELLIPSIS.encode())].decode(errors="ignore") + _ELLIPSIS


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
