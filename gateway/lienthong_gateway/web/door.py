"""The way in for requests that are no calls: within limits, as calls have theirs (edge/passage.py)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lienthong_core.errors import Refusal
from lienthong_gateway.call import Peer
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.anybody import OpenAdmission
from lienthong_gateway.web.peer import Peers
from lienthong_gateway.web.problems import refusal_response
from lienthong_gateway.web.server import certificate_chain

_METRICS = "/metrics"


class Door:
    """Lets requests in to an application: those of a system as its calls, those without a certificate as anybody's."""

    def __init__(
        self,
        app: ASGIApp,
        is_call: Callable[[Scope], bool],
        admission: Admission,
        anybody: OpenAdmission,
        peers: Peers,
    ) -> None:
        """`is_call` says what the application hands to the pipeline."""
        self._app = app
        self._is_call = is_call
        self._admission = admission
        self._anybody = anybody
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; beyond the limits with a problem document: OVERLOADED, RATE_LIMITED."""
        peer = self._peers.peer(certificate_chain(scope))
        if peer and self._is_call(scope):
            # Calls are taken on by the pipeline, and recorded if they are not.
            await self._app(scope, receive, send)
            return
        with ExitStack() as stay:
            try:
                stay.enter_context(self._place(peer, scope["path"]))
            except Refusal as refusal:
                await refusal_response(Request(scope), refusal)(scope, receive, send)
                return

            async def send_outside(message: Message) -> None:
                # The work is done: a client that reads slowly keeps no place.
                stay.close()
                await send(message)

            await self._app(scope, receive, send_outside)

    def _place(self, peer: Peer, path: str) -> AbstractContextManager[None]:
        if not peer:
            return self._anybody.place()
        return self._admission.reading(peer) if path == _METRICS else self._admission.place(peer)
