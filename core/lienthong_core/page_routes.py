"""Routes of pages: a request's body is a form at most, and a path is no other path."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 32 << 10


class BodyTooLarge(Exception):  # noqa: N818 (a refusal, which each application tells in its own words)
    """A request whose body is larger than any that is needed here; its text says what to do."""

    def __init__(self) -> None:
        super().__init__(f"The request is larger than {MOST_BODY_BYTES} bytes; nothing here needs one that large.")


def page_routes(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """Return routes that raise BodyTooLarge, to their application's handlers, before such a body is read or kept.

    A path with another slash at its end is another path.
    """
    # A redirect to it would go to the host that the request names.
    return [Mount("", Router(routes, redirect_slashes=False), middleware=[Middleware(_SmallBodies)])]


class _SmallBodies:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server refuses a length that is no number.
        if int(Headers(scope=scope).get("content-length", "0")) > MOST_BODY_BYTES:
            raise BodyTooLarge
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > MOST_BODY_BYTES:
                raise BodyTooLarge
            return message

        await self._app(scope, counted, send)
