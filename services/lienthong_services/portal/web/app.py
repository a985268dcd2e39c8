"""The portal's pages."""

from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from lienthong_core.errors import Refusal, exhausted, not_found
from lienthong_core.failures import told_instead
from lienthong_core.http_status import http_status
from lienthong_core.page_routes import BodyTooLarge, page_routes
from lienthong_core.safe_headers import SafeHeaders
from lienthong_services.portal.prefill import PREFILL_LEVEL
from lienthong_services.portal.web.refusals import IN_VIETNAMESE, SEE_ENGLISH
from lienthong_services.portal.web.visits import Arrival, Leaving, Visits

SESSION_COOKIE = "__Host-portal-session"
BROWSER_COOKIE = "__Host-portal-login"
_SEE_OTHER = 303
_SAME_ORIGIN = "same-origin"
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


def create_app(visits: Visits) -> ASGIApp:
    """Return the portal's pages as an ASGI application."""
    pages = _Pages(visits)
    routes = [
        Route("/", pages.home),
        Route("/login", pages.login),
        Route("/oidc/callback", pages.callback),
        Route("/arrived", pages.arrived),
        Route("/dossiers/{dossier_id}/consent", pages.consent),
        Route("/dossiers/{dossier_id}/arrived", pages.arrived),
        Route("/logout", pages.logout, methods=["POST"]),
        Route("/logged-out", pages.logged_out),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    handlers = {
        Refusal: pages.refused,
        HTTPException: pages.no_page,
        BodyTooLarge: pages.too_large,
        Exception: pages.failed,
    }
    return SafeHeaders(Starlette(routes=page_routes(routes), exception_handlers=handlers))


class _Pages:
    def __init__(self, visits: Visits) -> None:
        loader = PackageLoader("lienthong_services.portal.web")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        self._visits = visits

    def home(self, request: Request) -> Response:
        try:
            session = self._visits.current(request.cookies.get(SESSION_COOKIE, ""))
        except Refusal:
            session = None
        # Browsers hold a form's redirects to form-action as well, and logging out leads to the identity provider.
        return self._page("home.html", leads_to=self._visits.issuer, session=session, prefill_level=PREFILL_LEVEL)

    def login(self, request: Request) -> Response:
        return _leave(self._visits.to_login(request.cookies.get(BROWSER_COOKIE, "")))

    def consent(self, request: Request) -> Response:
        token = request.cookies.get(SESSION_COOKIE, "")
        browser = request.cookies.get(BROWSER_COOKIE, "")
        way = self._visits.to_consent(token, browser, request.path_params["dossier_id"])
        return _leave(way) if isinstance(way, Leaving) else _show_arrival(way)

    def callback(self, request: Request) -> Response:
        given = request.query_params
        arrival = self._visits.arrive(
            given.get("state", ""),
            request.cookies.get(BROWSER_COOKIE, ""),
            given.get("code", ""),
            given.get("error", ""),
        )
        if arrival.session_token:
            self._visits.end(request.cookies.get(SESSION_COOKIE, ""))
        response = _show_arrival(arrival)
        if arrival.session_token:
            _set_cookie(response, SESSION_COOKIE, arrival.session_token)
        return response

    def arrived(self, request: Request) -> Response:
        dossier_id = request.path_params.get("dossier_id", "")
        session = self._visits.arrived(request.cookies.get(SESSION_COOKIE, ""), dossier_id)
        return self._page("arrived.html", session=session, dossier_id=dossier_id, prefill_level=PREFILL_LEVEL)

    def logout(self, request: Request) -> Response:
        # Browsers say whose page sent a form. Her cookie comes with those of the site's other origins, too, which are
        # not to log her out: she is shown where she can do it herself.
        if request.headers.get("sec-fetch-site", _SAME_ORIGIN) != _SAME_ORIGIN:
            return RedirectResponse("/", _SEE_OTHER)
        token = request.cookies.get(SESSION_COOKIE, "")
        response = RedirectResponse(self._visits.log_out(token), _SEE_OTHER)
        # It does not come with another site's form, which is not to take it away either.
        if token:
            response.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return response

    def logged_out(self, _request: Request) -> Response:
        return self._page("logged_out.html")

    async def refused(self, _request: Request, refusal: Exception) -> Response:
        if not isinstance(refusal, Refusal):
            raise refusal
        message_vi = IN_VIETNAMESE.get(refusal.reason, SEE_ENGLISH)
        return self._page("refused.html", http_status(refusal.status).value, refusal=refusal, message_vi=message_vi)

    async def no_page(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        message = "There is no such page, or not for this way of asking; begin at the home page."
        page = await self.refused(request, not_found("PAGE_UNKNOWN", message))
        page.status_code = error.status_code
        page.headers.update(error.headers or {})
        return page

    async def too_large(self, request: Request, error: Exception) -> Response:
        page = await self.refused(request, exhausted("MESSAGE_TOO_LARGE", str(error)))
        page.status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return page

    async def failed(self, request: Request, error: Exception) -> Response:
        return await self.refused(request, told_instead(error))

    def _page(self, template: str, status: int = 200, *, leads_to: str = "", **values: object) -> HTMLResponse:
        text = self._templates.get_template(template).render(**values)
        policy = f"{_POLICY} {leads_to}" if leads_to else _POLICY
        return HTMLResponse(text, status, headers={"Content-Security-Policy": policy})


def _leave(leaving: Leaving) -> Response:
    response = RedirectResponse(leaving.url, _SEE_OTHER)
    _set_cookie(response, BROWSER_COOKIE, leaving.browser)
    return response


def _show_arrival(arrival: Arrival) -> Response:
    # The way back works once: a page at its own address could not be loaded again, and would leave a code there.
    of = f"/dossiers/{arrival.dossier_id}" if arrival.dossier_id else ""
    return RedirectResponse(f"{of}/arrived", _SEE_OTHER)


def _set_cookie(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")
