"""Every address that the identity provider answers over HTTPS."""

from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, ExceptionHandler

from lienthong_core.failures import is_unusable_database
from lienthong_core.page_routes import BodyTooLarge, page_routes
from lienthong_core.safe_headers import SafeHeaders
from lienthong_services.identity.errors import OAuthError, PageError
from lienthong_services.identity.web import (
    account,
    approve,
    authorize,
    consent,
    discovery,
    login,
    logout,
    token,
    userinfo,
)
from lienthong_services.identity.web.flow import see_other
from lienthong_services.identity.web.forms import filled_in, posted
from lienthong_services.identity.web.provider import Provider

_FOR_CLIENTS = ("/token", "/userinfo")
"""What is called by programs, which are told of everything in OAuth's words."""


def create_app(provider: Provider) -> ASGIApp:
    """Return the application."""
    get, post = ["GET"], ["POST"]
    routes = [
        Route("/.well-known/openid-configuration", partial(discovery.configuration, provider), methods=get),
        Route("/jwks", partial(discovery.keys, provider), methods=get),
        Route("/authorize", partial(authorize.authorize, provider), methods=get),
        Route("/token", posted(partial(token.exchange_code, provider)), methods=post),
        Route("/userinfo", partial(userinfo.userinfo, provider), methods=["GET", "POST"]),
        Route("/login", partial(login.show_login, provider), methods=get),
        Route("/login", filled_in(partial(login.log_in, provider)), methods=post),
        Route("/approve", partial(approve.show_approval, provider), methods=get),
        Route("/approve", filled_in(partial(approve.decide_approval, provider)), methods=post),
        Route("/consent", partial(consent.show_consent, provider), methods=get),
        Route("/consent", filled_in(partial(consent.decide_consent, provider)), methods=post),
        Route("/", _home, methods=get),
        Route("/account", partial(account.show_account, provider), methods=get),
        Route("/account/revoke", filled_in(partial(account.revoke_consent, provider)), methods=post),
        Route("/account/pause", filled_in(partial(account.pause_consent, provider)), methods=post),
        Route("/account/resume", filled_in(partial(account.resume_consent, provider)), methods=post),
        Route("/account/receipt", partial(account.show_receipt, provider), methods=get),
        Route("/end-session", partial(logout.end_session, provider), methods=get),
        Route("/end-session", filled_in(logout.end_session_by_get), methods=post),
        Route("/logout", filled_in(partial(logout.log_out, provider)), methods=post),
        Route("/logged-out", partial(logout.show_logged_out, provider), methods=get),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    handlers: dict[Any, ExceptionHandler] = {
        OAuthError: _oauth_error,
        PageError: partial(_page_error, provider),
        BodyTooLarge: partial(_too_large, provider),
        HTTPException: partial(_http_error, provider),
        Exception: partial(_failure, provider),
    }
    return SafeHeaders(Starlette(routes=page_routes(routes), exception_handlers=handlers))


def _home(_request: Request) -> Response:
    return see_other("/account")


def _oauth_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, OAuthError):
        raise error
    body = {"error": error.error, "error_description": error.description}
    headers: dict[str, str] = {}
    if error.status is HTTPStatus.UNAUTHORIZED:
        scheme = "Basic" if error.error == "invalid_client" else "Bearer"
        details = ", ".join(f'{name}="{value}"' for name, value in body.items())
        headers["WWW-Authenticate"] = f'{scheme} realm="lienthong", {details}'
    return JSONResponse(body, error.status, headers)


def _page_error(provider: Provider, _request: Request, error: Exception) -> Response:
    if not isinstance(error, PageError):
        raise error
    return provider.pages.error(error)


def _told(provider: Provider, request: Request, error: str, page: PageError) -> Response:
    """Return the answer that tells a citizen what `page` says, and a client the same with OAuth's word `error`."""
    if request.url.path in _FOR_CLIENTS:
        return _oauth_error(request, OAuthError(error, page.english, page.status))
    return provider.pages.error(page)


def _too_large(provider: Provider, request: Request, error: Exception) -> Response:
    vietnamese = "Yêu cầu vừa gửi quá lớn; không trang nào ở đây cần nhiều dữ liệu như vậy."
    page = PageError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, vietnamese, str(error))
    return _told(provider, request, "invalid_request", page)


def _http_error(provider: Provider, request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    vietnamese = "Địa chỉ này không có trang nào, hoặc không nhận cách gửi này."
    english = f"{error.detail}: there is no such page, or not for this method. /.well-known/openid-configuration lists "
    page = PageError(HTTPStatus(error.status_code), vietnamese, f"{english}what clients can call.")
    response = _told(provider, request, "invalid_request", page)
    response.headers.update(error.headers or {})
    return response


def _failure(provider: Provider, request: Request, error: Exception) -> Response:
    if is_unusable_database(error):
        page = PageError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Hệ thống định danh hiện không dùng được cơ sở dữ liệu. Hãy thử lại sau ít phút.",
            "The identity provider cannot use its database now. Try again in some minutes.",
        )
        return _told(provider, request, "temporarily_unavailable", page)
    page = PageError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Máy chủ gặp lỗi không lường trước. Hãy thử lại.",
        "The server failed in a way it does not know. Try again; its log holds the cause.",
    )
    return _told(provider, request, "server_error", page)
