"""Turning templates into pages that no other site can frame and no script can run in."""

from http import HTTPStatus
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from lienthong_services.identity.errors import PageError

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


class Pages:
    """The templates of this package."""

    def __init__(self) -> None:
        loader = PackageLoader("lienthong_services.identity.web")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)

    def page(
        self, template: str, status: HTTPStatus = HTTPStatus.OK, *, leads_to: str = "", **values: object
    ) -> HTMLResponse:
        """Return a page; `leads_to` is the address of another site that its form may end up at."""
        # Browsers hold a form's redirects to form-action as well, so the client's own address must be in it.
        policy = f"{_POLICY} {_origin(leads_to)}" if leads_to else _POLICY
        text = self._templates.get_template(template).render(**values)
        return HTMLResponse(text, status, headers={"Content-Security-Policy": policy})

    def error(self, error: PageError) -> HTMLResponse:
        """Return the page that tells of an error."""
        return self.page("error.html", error.status, error=error)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
