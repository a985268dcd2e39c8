"""The Connect protocol's unary form: how headers, errors and trailers look over HTTP.

https://connectrpc.com/docs/protocol
"""

import base64
import json
import math
import re
import zlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import grpc
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from starlette.datastructures import Headers
from starlette.responses import Response

from lienthong_core.errors import Refusal, invalid
from lienthong_core.metadata import CallHeaders
from lienthong_gateway.call import Metadata, Trailer

TIMEOUT = "connect-timeout-ms"
VERSION = "connect-protocol-version"
ENCODING = "content-encoding"
_TIMEOUT = re.compile(r"[0-9]{1,10}")
CLIENT_CLOSED_REQUEST = 499
_HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: CLIENT_CLOSED_REQUEST,
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}
_DETAILS: Mapping[str, type[Message]] = {
    "google.rpc.ErrorInfo": error_details_pb2.ErrorInfo,
    "google.rpc.RetryInfo": error_details_pb2.RetryInfo,
}
# Those of gRPC, in lower case, but for one that Connect spells in the American way.
_CODES = {grpc.StatusCode.CANCELLED: "canceled"}


def metadata_of(headers: Headers) -> Metadata:
    """Return a request's headers as the metadata of a call."""
    return tuple(headers.items())


def timeout_s(headers: Headers) -> float | None:
    """Return how long the caller waits, seconds; None: it does not say. Refused: HEADER_INVALID."""
    values = headers.getlist(TIMEOUT)
    if not values:
        return None
    if len(values) > 1 or not _TIMEOUT.fullmatch(values[0]):
        raise invalid("HEADER_INVALID", f"The header {TIMEOUT} must be a number of milliseconds of at most ten digits.")
    return int(values[0]) / 1_000


def check_version(headers: Headers) -> None:
    """Refuse another version of the protocol than 1, the only one; refused: HEADER_INVALID, HEADER_DUPLICATED."""
    version = CallHeaders(metadata_of(headers)).single(VERSION)
    if version != "1" and VERSION in headers:
        raise invalid("HEADER_INVALID", f"The header {VERSION} must be 1, or be left out.")


def encoding_of(headers: Headers) -> str:
    """Return how the body is compressed, empty: it is not; refused: HEADER_INVALID, HEADER_DUPLICATED."""
    return CallHeaders(metadata_of(headers)).single(ENCODING).lower()


def decompressed(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """Return a body as it was before it was compressed; of one larger than `most_bytes`, one byte more than that.

    Refused: ENCODING_UNKNOWN, REQUEST_MALFORMED.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        message = f"The request is compressed as {encoding[:20]!r}; send it as it is, or with gzip."
        raise Refusal(grpc.StatusCode.UNIMPLEMENTED, "ENCODING_UNKNOWN", message)
    if not body:
        # The protocol wants it so: a message without fields has no bytes, and some clients leave those as they are.
        return body
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unzip.decompress(body, most_bytes + 1)
    except zlib.error:
        raise invalid("REQUEST_MALFORMED", "The request says that it is gzip, and is not; send it as it is.") from None
    if not unzip.eof and len(plain) <= most_bytes:
        raise invalid("REQUEST_MALFORMED", "The request's gzip ends early; send it whole, or as it is.")
    if unzip.unused_data:
        text = "The request goes on where its gzip ends; compress it as one, or send it as it is."
        raise invalid("REQUEST_MALFORMED", text)
    return plain


def answer(body: bytes, content_type: str, trailer: Trailer) -> Response:
    """Return an answer with what is said beside it."""
    return Response(body, headers=_trailing(trailer), media_type=content_type)


def error(refusal: Refusal, trailer: Trailer) -> Response:
    """Return a refusal: always JSON, whatever form the messages have."""
    code = _CODES.get(refusal.status, refusal.status.name.lower())
    details = [_detail(packed) for packed in refusal.details()]
    body = json.dumps({"code": code, "message": refusal.message, "details": details}, ensure_ascii=False)
    headers = _trailing(trailer)
    if refusal.retry_after_s is not None:
        # The header takes whole seconds; RetryInfo has the exact time.
        headers["Retry-After"] = str(math.ceil(refusal.retry_after_s))
    status = _HTTP_STATUS.get(refusal.status, HTTPStatus.INTERNAL_SERVER_ERROR)
    return Response(body, status, headers, media_type="application/json")


def _trailing(trailer: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {f"Trailer-{key}": value for key, value in trailer}


def _detail(packed: any_pb2.Any) -> dict[str, object]:
    """Return a detail: for programs its bytes, for people under `debug` what they mean."""
    kind = _DETAILS[packed.TypeName()]
    return {
        "type": packed.TypeName(),
        "value": base64.b64encode(packed.value).rstrip(b"=").decode(),
        "debug": json_format.MessageToDict(kind.FromString(packed.value)),
    }
