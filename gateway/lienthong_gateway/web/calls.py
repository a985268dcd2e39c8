"""Calls that come in over HTTP: `POST /package.Service/Method`, into the pipeline and out again."""

import asyncio
import re
from collections.abc import Coroutine, Mapping
from functools import partial

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from lienthong_core.errors import Refusal, unauthenticated
from lienthong_core.metadata import CallHeaders
from lienthong_gateway.call import CONNECT, Answer, IncomingCall, Peer, Refused
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.pipeline import Pipeline
from lienthong_gateway.web import connect
from lienthong_gateway.web.body import CallBody
from lienthong_gateway.web.codecs import CODECS, Codec, MethodTypes
from lienthong_gateway.web.peer import Peers
from lienthong_gateway.web.problems import Problem
from lienthong_gateway.web.server import certificate_chain

_METHOD = re.compile("/[^/]+/[^/]+")
_PLAIN = {"", "charset=utf-8", 'charset="utf-8"'}
"""What may stand beside a content type."""
_ACCEPT_POST = {"Accept-Post": ", ".join(CODECS)}


class ConnectCalls:
    """Answers calls over HTTP as gRPC calls are answered."""

    def __init__(self, pipeline: Pipeline, types: Mapping[str, MethodTypes], limits: Limits, peers: Peers) -> None:
        self._pipeline = pipeline
        self._types = types
        self._limits = limits
        self._peers = peers

    def takes(self, scope: Scope) -> bool:
        """Return whether a request is a call, which the pipeline takes on or not; `answer` says why another is none."""
        method = str(scope["path"])
        if scope["method"] != "POST" or not _METHOD.fullmatch(method) or self._pipeline.streams(method):
            return False
        return _codec(Headers(scope=scope)) is not None

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        codec = _codec(request.headers)
        if codec is None:
            takes = " or ".join(CODECS)
            detail = f"Calls take {takes}. Streams and gRPC-Web are not spoken here; gRPC has a port of its own."
            raise Problem(415, detail, _ACCEPT_POST)
        if self._pipeline.streams(str(request.scope["path"])):
            raise Problem(415, "This method answers with a stream, which is spoken over gRPC only.", _ACCEPT_POST)
        peer = self._peers.peer(certificate_chain(request.scope))
        if not peer:
            # Whoever comes without a certificate gets nothing recorded, or the log would grow for anybody.
            message = "Connect with the client certificate of a registered system; of yours, it is in its folder."
            return connect.error(unauthenticated("CERTIFICATE_MISSING", message), ())
        types = self._types.get(str(request.scope["path"]))
        body = CallBody(request, codec, types)
        call = self._incoming(request, body, peer)
        if types is not None:
            call = call._replace(write=partial(codec.answer, types))
        try:
            answer = await _unless_gone(request.receive, body.is_here, self._pipeline.answer(call))
        except ClientDisconnect:
            return Response(status_code=connect.CLIENT_CLOSED_REQUEST)
        except Refused as refused:
            return connect.error(refused.refusal, refused.trailer)
        return connect.answer(answer.message, codec.content_type, answer.trailer)

    def _incoming(self, request: Request, body: CallBody, peer: Peer) -> IncomingCall:
        arrived = asyncio.get_running_loop().time()
        method, metadata = str(request.scope["path"]), connect.metadata_of(request.headers)
        waits_s, fault = None, self._limits.header_fault(metadata)
        try:
            waits_s = connect.timeout_s(request.headers)
            connect.check_version(request.headers)
        except Refusal as refusal:
            fault = fault or refusal
        expires_at = None if waits_s is None else arrived + waits_s
        return IncomingCall(method, b"", CallHeaders(metadata), peer, expires_at, fault, body, rpc_system=CONNECT)


def _codec(headers: Headers) -> Codec | None:
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    return CODECS.get(kind.strip()) if parameters.replace(" ", "") in _PLAIN else None


async def _unless_gone(receive: Receive, is_here: asyncio.Event, answering: Coroutine[None, None, Answer]) -> Answer:
    """Return the answer; if the client goes away first, end the work on it. Raises ClientDisconnect then.

    Until the request `is_here` whoever waits for it learns of that.
    """
    work, gone = asyncio.create_task(answering), asyncio.create_task(_disconnected(receive, is_here))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnected(receive: Receive, is_here: asyncio.Event) -> None:
    await is_here.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
