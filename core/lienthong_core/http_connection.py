"""One connection of an HTTPS server: what it writes down, and how long it waits for requests."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, cast

import h11
from starlette.responses import PlainTextResponse, Response
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

LARGEST_HEAD = 64 << 10
"""Bytes; above what the gateway refuses a call with (`Limits.header_bytes`), so that one in between is told so."""
_UNREADABLE = {
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The request's head has more than the {LARGEST_HEAD} bytes that are read; send less in headers and path."
    ),
    HTTPStatus.NOT_IMPLEMENTED: "A body may be chunked alone; compress it, if at all, under Content-Encoding.",
}


@dataclass
class Places:
    """How many connections there may be, and how many there are."""

    most: int
    taken: int = 0


class QuietProtocol(H11Protocol):
    """Writes no line a request, whatever handlers a logger has: paths and their parameters may be personal.

    Ends connections whose request does not come: each takes one of the places there are. A request's head has
    `arrival_s` seconds from the beginning of the connection or the answer before, its body as long again. So does a
    client to take what it was answered, once so much of that waits that no more is written. One that finds no place is
    told so and ended.
    """

    unreadable: ClassVar[str] = "This is not HTTP/1.1 as this port speaks it, over TLS."
    """What is told of bytes that are no request."""

    def __init__(self, arrival_s: float, places: Places, **kwargs: Any) -> None:  # noqa: ANN401 (uvicorn's own, handed on)
        super().__init__(**kwargs)
        self.access_log = False
        # Uvicorn warns of each request that it cannot read, or that asks for a WebSocket, and anybody can send those.
        self.logger = self.logger.getChild("failures")
        self.logger.setLevel(logging.ERROR)
        self._arrival_s = arrival_s
        self._places = places
        self._taken: list[Places] = []
        self._late: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, and wait for the first request."""
        super().connection_made(transport)
        self._wait()
        self.take(self._places, f"There are {self._places.most} connections, and no more are taken; try again later.")

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        cycle = self._cycle
        return cycle is None or cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more, and give every place back."""
        _cancel(self._late)
        _cancel(self._untaken)
        for places in self._taken:
            places.taken -= 1
        super().connection_lost(exc)

    def take(self, places: Places, otherwise: str) -> None:
        """Take one of `places` until the connection ends; if there is none left, say `otherwise` and end it."""
        self._taken.append(places)
        places.taken += 1
        if places.taken > places.most:
            self.turn_away(HTTPStatus.SERVICE_UNAVAILABLE, otherwise)
            # Whoever does not say goodbye would be waited for, and take a place meanwhile.
            self.transport.abort()

    def pause_writing(self) -> None:
        """Wait for the client to take what it was answered."""
        super().pause_writing()
        self._untaken = self.loop.call_later(self._arrival_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, as it has taken it."""
        super().resume_writing()
        _cancel(self._untaken)

    def data_received(self, data: bytes) -> None:
        """Take what has come, so much at first of a head that its limit is seen: h11 looks at it where some is missing.

        Without that, how much is taken would depend on how the network cuts it.
        """
        if self.conn.their_state is h11.IDLE:
            before, _ = self.conn.trailing_data
            room = LARGEST_HEAD + 1 - len(before)
            super().data_received(data[:room])
            data = data[room:]
        if data and not self.transport.is_closing():
            super().data_received(data)

    def handle_events(self) -> None:
        """Read what has come; if that is a request, wait for its body."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._wait()
            if {b"transfer-encoding", b"content-length"} <= {name for name, _ in self.headers}:
                # Others may see another end of it, and a request in what follows (RFC 9112 section 6.1).
                self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait()

    def turn_away(self, status: HTTPStatus, detail: str) -> None:
        """Answer what is no request, or only a part of one, unless an answer has begun, and end the connection."""
        self._give_up()
        if self._may_answer():
            self._answer(status, self.explanation(status, detail))
        if not self.transport.is_closing():
            self.transport.close()
            self._wait()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's word for it, without a reason)
        """Turn away what cannot be read as a request."""
        status = HTTPStatus(getattr(sys.exception(), "error_status_hint", HTTPStatus.BAD_REQUEST))
        self.turn_away(status, _UNREADABLE.get(status, self.unreadable))

    def explanation(self, status: HTTPStatus, detail: str) -> Response:
        """Return the answer that turns a client away."""
        return PlainTextResponse(detail, status)

    def _give_up(self) -> None:
        # Whoever reads the body learns at once that there is no more of it.
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _may_answer(self) -> bool:
        if self.conn.our_state is h11.SEND_RESPONSE:
            # An answer to HEAD has no room for an explanation.
            return self._cycle is not None and self._cycle.scope["method"] != "HEAD"
        return self.conn.our_state is h11.IDLE

    def _answer(self, status: HTTPStatus, answer: Response) -> None:
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        # The stubs do not say that there is none before the first request.
        return cast("RequestResponseCycle | None", self.cycle)

    def _wait(self) -> None:
        _cancel(self._late)
        self._late = self.loop.call_later(self._arrival_s, self._end_if_late)

    def _end_if_late(self) -> None:
        cycle = self._cycle
        if self.transport.is_closing() or cycle is None or cycle.response_complete:
            # A client that does not say goodbye would be waited for.
            self.transport.abort()
        elif cycle.more_body:
            detail = f"The request was not here within {self._arrival_s:g} seconds; send it at once."
            self.turn_away(HTTPStatus.REQUEST_TIMEOUT, detail)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
