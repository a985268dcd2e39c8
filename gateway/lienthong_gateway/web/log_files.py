"""The log as C2SP `tlog-tiles` over HTTP, for monitors (https://c2sp.org/tlog-tiles).

The checkpoint and the tiles hold hashes only and are open to anybody. The entries are for auditors; a system's reading
of them is recorded first, and so is its refusal, with the officer whom it names.
"""

import asyncio
import uuid

from starlette.requests import Request
from starlette.responses import Response

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, unauthenticated
from lienthong_core.metadata import CallHeaders
from lienthong_core.peer import named_system
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.tiles import TilePath, TileSource
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.steps.identify import Identifier, read_officer
from lienthong_gateway.telemetry.trace_context import TraceContext
from lienthong_gateway.web.connect import metadata_of
from lienthong_gateway.web.peer import Peers
from lienthong_gateway.web.server import certificate_chain

_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_BYTES = "application/octet-stream"


class LogFiles:
    """Answers requests for `/checkpoint` and `/tile/...`."""

    def __init__(
        self,
        source: TileSource,
        writer: LogWriter,
        registration: CurrentRegistration,
        clock: Clock,
        identifier: Identifier,
        peers: Peers,
    ) -> None:
        self._source = source
        self._writer = writer
        self._registration = registration
        self._clock = clock
        self._identifier = identifier
        self._peers = peers

    async def checkpoint(self, _request: Request) -> Response:
        """Answer the newest signed note."""
        note = await asyncio.to_thread(self._source.checkpoint)
        return Response(note, media_type="text/plain; charset=utf-8")

    async def tile(self, request: Request) -> Response:
        """Answer hashes to anybody, or entries to an auditor.

        Refused: TILE_UNKNOWN; of entries also CERTIFICATE_MISSING, CALLER_NOT_ALLOWED, OFFICER_NOT_ALLOWED, and as
        `Identifier.identify` and `read_officer` say.
        """
        path = str(request.scope["path"]).lstrip("/")
        parsed = TilePath.parse(path)
        if parsed is not None and parsed.level is None:
            return await self._entries(request, path)
        hashes = await asyncio.to_thread(self._source.read, path)
        return Response(hashes, headers=_FOR_EVER, media_type=_BYTES)

    async def _entries(self, request: Request, path: str) -> Response:
        peer = self._peers.peer(certificate_chain(request.scope))
        if not peer:
            raise unauthenticated(
                "CERTIFICATE_MISSING", "Entries are for auditors: connect with an auditor's certificate."
            )
        headers = CallHeaders(metadata_of(request.headers))
        trace = Trace(str(uuid.uuid4()), f"/{path}", consumer=str(named_system(peer) or ""))
        trace.trace_id = (TraceContext.of(headers) or TraceContext.fresh()).trace_id
        try:
            caller = self._identifier.identify(peer, headers)
            trace.message_id, trace.officer = caller.message_id, read_officer(headers)
            await self._identifier.check_officer(caller, trace.officer)
            self._registration.value.check_auditor(caller.system)
            entries = await asyncio.to_thread(self._source.read, path)
        except Refusal as refusal:
            await self._record(LogEvent.LOG_EVENT_REFUSAL, trace, refusal.status.name, refusal.reason)
            raise
        await self._record(LogEvent.LOG_EVENT_LOG_READ, trace, "OK")
        return Response(entries, media_type=_BYTES)

    async def _record(self, event: LogEvent.ValueType, trace: Trace, status: str, reason: str = "") -> None:
        await self._writer.write(Job(Entry(self._clock.now(), event, trace, status, reason)))
