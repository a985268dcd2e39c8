"""The target of a request, which may be written with scheme and host before its path."""

from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send


class OriginForm:
    """Gives an application the path of a target that is written as an address (RFC 9112 section 3.2.2).

    It must be the address that the request's Host names: any other stays as it is, and is no path of the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(_in_origin_form(scope), receive, send)


def _in_origin_form(scope: Scope) -> Scope:
    target, host = scope["raw_path"].decode("ascii"), Headers(scope=scope).get("host", "")
    here = f"https://{host}"
    path = target[len(here) :] or "/"
    if not (host and target.lower().startswith(here.lower()) and path.startswith("/")):
        return scope
    return {**scope, "raw_path": path.encode("ascii"), "path": unquote(path)}
