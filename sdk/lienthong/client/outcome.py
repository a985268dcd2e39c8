"""What the gateway says beside the answer: the receipt of an exchange, or why there is none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from lienthong.client.context import Header

DOMAIN = "lienthong"
_CONNECTION_FAILED = "CONNECTION_FAILED"


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
        """Read a call's trailing metadata; raises KeyError if it did not come from a gateway."""
        values = {key: value if isinstance(value, str) else value.decode() for key, value in trailing_metadata}
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
    the gateway from a provider.
    """

    status: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str]


def explain(error: grpc.RpcError) -> Explanation:
    """Return why a call failed."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Explanation(grpc.StatusCode.UNKNOWN, _CONNECTION_FAILED, str(error), {})
    info = _error_info(error)
    reason, metadata = (info.reason, dict(info.metadata)) if info else (_CONNECTION_FAILED, {})
    return Explanation(error.code(), reason, error.details() or "", metadata)


def _error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo | None:
    try:
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                return info
    except (ValueError, DecodeError):
        # Details that are no status, or that contradict the call's own: as good as none.
        return None
    return None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
