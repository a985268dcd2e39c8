"""Reading posted forms, which are the only bodies that this server takes."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lienthong_services.identity.errors import OAuthError, PageError

_FORM = "application/x-www-form-urlencoded"

Form = Mapping[str, str]


def posted(handler: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads the form and then lets `handler` work in a thread."""

    async def endpoint(request: Request) -> Response:
        form = await _read(request)
        return await run_in_threadpool(handler, request, form)

    return endpoint


def filled_in(handler: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """As `posted`, for the forms of pages: whoever sent one that cannot be read is told so on a page."""

    async def endpoint(request: Request) -> Response:
        try:
            form = await _read(request)
        except OAuthError as error:
            vietnamese = "Không đọc được biểu mẫu vừa gửi. Hãy quay lại, gõ lại rồi gửi lần nữa."
            raise PageError(error.status, vietnamese, error.description) from error
        return await run_in_threadpool(handler, request, form)

    return endpoint


async def _read(request: Request) -> Form:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise OAuthError("invalid_request", f"Send the parameters as {_FORM} in the body.")
    try:
        body = await request.body()
    except ClientDisconnect:
        raise OAuthError("invalid_request", "The form did not arrive whole; send it again.") from None
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "A parameter came more than once; send each once (RFC 6749 section 3.2).")
    # Text with control characters is nobody's number, code or name, and databases refuse some of it.
    if not all(value.isprintable() for value in form.values()):
        raise OAuthError("invalid_request", "A parameter holds control characters; send printable text.")
    return form
