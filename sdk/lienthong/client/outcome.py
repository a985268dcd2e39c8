"""What the gateway says beside the answer: the receipt of an exchange, or why there is none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from lienthong.client.context import Header

DOMAIN = "lienthong"
_CONNECTION_FAILED = "CONNECTION_FAILED"
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Receipt:
    """What the gateway says about an exchange in its trailing metadata."""

    exchange_id: str
    log_index: int
    request_hash: str
    digest_key: bytes
    """Key of the log's digests: HMAC-SHA256 of the request, and of the answer, as the entry has them."""
    datasets_released: tuple[str, ...]
    datasets_withheld: tuple[str, ...]

    @classmethod
    def of(cls, trailing_metadata: Iterable[tuple[str, str | bytes]]) -> Self:
        """Read a call's trailing metadata, a refused one's too.

        Raises KeyError if that names no place in the log: the call's time was over or it was turned away before, the
        log could not be written, no gateway passed it on, or the gateway answered it itself. Answers of its own, such
        as RequestConsent's, are entries of its log as well, which ListAccesses with `as_consumer` lists, but they
        release no data.
        """
        # What is no text is gRPC's own, such as a refusal's details.
        values = {key: value for key, value in trailing_metadata if isinstance(value, str)}
        return cls(
            exchange_id=values[Header.EXCHANGE_ID],
            log_index=int(values[Header.LOG_INDEX]),
            request_hash=values[Header.REQUEST_HASH],
            digest_key=bytes.fromhex(values[Header.DIGEST_KEY]),
            datasets_released=_names(values[Header.DATASETS_RELEASED]),
            datasets_withheld=_names(values[Header.DATASETS_WITHHELD]),
        )


@dataclass(frozen=True)
class Explanation:
    """Why a call failed.

    `reason` is stable: one of `lienthong.api.errors.v1.ErrorReason` without its prefix, or a provider's own;
    `CONNECTION_FAILED` when no server of the sandbox answered, so nobody gave one. `origin` in the metadata tells
    the gateway from a provider. `retry_after_s`: after how many seconds the call may be made again, if that was said.
    """

    status: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str]
    retry_after_s: float | None = None


def explain(error: grpc.RpcError) -> Explanation:
    """Return why a call failed."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Explanation(grpc.StatusCode.UNKNOWN, _CONNECTION_FAILED, str(error), {})
    details = _details(error)
    info = _first(details, error_details_pb2.ErrorInfo, lambda found: found.domain == DOMAIN)
    if info is None:
        return Explanation(error.code(), _CONNECTION_FAILED, error.details() or "", {})
    retry = _first(details, error_details_pb2.RetryInfo, lambda _found: True)
    # Whoever refuses writes any number, also one that is too large for a span of time.
    after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if retry else None
    return Explanation(error.code(), info.reason, error.details() or "", dict(info.metadata), after)


def _details(error: grpc.RpcError) -> Sequence[any_pb2.Any]:
    try:
        status = rpc_status.from_call(error)
    except (ValueError, DecodeError):
        # Details that are no status, or that contradict the call's own: as good as none.
        return ()
    return status.details if status else ()


def _first(details: Iterable[any_pb2.Any], kind: type[M], wanted: Callable[[M], bool]) -> M | None:
    for detail in details:
        found = kind()
        try:
            if detail.Unpack(found) and wanted(found):
                return found
        except DecodeError:
            continue
    return None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
