"""Logging out: by the citizen herself, or where a client sends her for it."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from lienthong_services.identity.logout import LogoutRequest, read_logout_request
from lienthong_services.identity.model import BrowserSession
from lienthong_services.identity.web.flow import see_other
from lienthong_services.identity.web.provider import Provider
from lienthong_services.identity.web.sessions import check_csrf, citizen_session, clear_cookie, session_of


def end_session(provider: Provider, request: Request) -> Response:
    """Log the citizen out for a client that shows that it had logged her in; otherwise ask her."""
    asked = _read(provider, request.query_params.multi_items())
    session = citizen_session(provider, request)
    account = provider.store.account(session.personal_number) if session else None
    if session is None or account is None:
        return _go_back(asked)
    if asked.subject == account.subject:
        return _end(provider, session, asked)
    return provider.pages.page(
        "log_out.html", leads_to=asked.redirect_uri, csrf=session.csrf_token, account=account, asked=asked
    )


def end_session_by_get(_request: Request, form: Mapping[str, str]) -> Response:
    """Have the browser ask by GET, with which it sends its cookie: it sends none with a form of another site."""
    return see_other(f"/end-session?{urlencode(form)}")


def log_out(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """End the session, as the citizen asks on a page."""
    asked = _read(provider, ((name, value) for name, value in form.items() if name != "id_token_hint"))
    session = session_of(provider, request)
    if session is None:
        return _go_back(asked)
    check_csrf(session, form)
    return _end(provider, session, asked)


def show_logged_out(provider: Provider, _request: Request) -> Response:
    """Say that the session has ended."""
    return provider.pages.page("logged_out.html")


def _read(provider: Provider, parameters: Iterable[tuple[str, str]]) -> LogoutRequest:
    return read_logout_request(parameters, provider.store.client, provider.tokens.read_id_token)


def _end(provider: Provider, session: BrowserSession, asked: LogoutRequest) -> Response:
    provider.store.end_session(session.session_digest)
    response = _go_back(asked)
    clear_cookie(response)
    return response


def _go_back(asked: LogoutRequest) -> Response:
    return see_other(asked.return_url or "/logged-out")
