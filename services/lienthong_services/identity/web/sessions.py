"""The browser's session: a cookie that scripts, other sites and plain HTTP never see."""

import hmac
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from lienthong_services.identity.errors import PageError
from lienthong_services.identity.model import Account, BrowserSession
from lienthong_services.identity.rules import INTERACTION_LIFETIME, SESSION_LIFETIME, secret_digest
from lienthong_services.identity.web.provider import Provider

# The prefix makes browsers refuse it unless it is Secure, for this host alone and for all of its paths.
COOKIE = "__Host-lienthong-identity"


def session_of(provider: Provider, request: Request) -> BrowserSession | None:
    """Return the session that the browser's cookie names, if it is in force."""
    cookie = request.cookies.get(COOKIE)
    return provider.store.browser_session(secret_digest(cookie), provider.now()) if cookie else None


def citizen_session(provider: Provider, request: Request) -> BrowserSession | None:
    """Return the browser's session if a citizen has logged in with it."""
    session = session_of(provider, request)
    return session if session and session.personal_number else None


def new_session(provider: Provider, account: Account | None = None) -> tuple[BrowserSession, str]:
    """Return a session, not stored yet, and its cookie: nobody's, or that of a citizen who has just logged in."""
    cookie, now = secrets.token_urlsafe(32), provider.now()
    lifetime = SESSION_LIFETIME if account else INTERACTION_LIFETIME
    session = BrowserSession(
        session_digest=secret_digest(cookie),
        csrf_token=secrets.token_urlsafe(32),
        expires_at=now + int(lifetime.total_seconds()),
    )
    if account:
        session.personal_number, session.level, session.auth_time = account.personal_number, account.level, now
    return session, cookie


def set_cookie(response: Response, cookie: str) -> None:
    """Give the browser its session; it ends with the browser, or earlier by the sandbox's clock."""
    response.set_cookie(COOKIE, cookie, path="/", secure=True, httponly=True, samesite="lax")


def clear_cookie(response: Response) -> None:
    """Take the browser's session away."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def check_csrf(session: BrowserSession, form: Mapping[str, str]) -> None:
    """Raise PageError unless the form comes from a page of this session."""
    if not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf_token.encode()):
        raise PageError(
            HTTPStatus.FORBIDDEN,
            "Biểu mẫu này không đến từ trang của phiên làm việc hiện tại. Hãy mở lại trang và thử lại.",
            "This form does not come from a page of the current session. Open the page again, and send its hidden "
            "field csrf with the form.",
        )
