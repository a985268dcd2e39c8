"""A citizen's browser: it keeps cookies, follows redirects, fills forms in, and runs no script."""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx2

TIMEOUT_S = 10


@dataclass
class Page:
    """What a browser sees: an answer, and the hidden fields of its first form."""

    response: httpx2.Response
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def read(cls, response: httpx2.Response) -> Self:
        """Find the first form of an answer."""
        page = cls(response)
        parser = _FormParser(page)
        parser.feed(response.text)
        parser.close()
        return page

    @property
    def path(self) -> str:
        """The page's path."""
        return self.response.url.path

    @property
    def answer(self) -> dict[str, str]:
        """The parameters that a redirect away from the provider carries to the client."""
        assert self.response.status_code == 303, self.response.text
        return dict(parse_qsl(urlsplit(self.response.headers["location"]).query))


class _FormParser(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and not self._page.action:
            self._inside = True
            self._page.action = values["action"] or ""
        elif tag == "input" and self._inside and values.get("type") == "hidden":
            self._page.fields[values["name"] or ""] = values["value"] or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Browser:
    """Follows redirects within the provider and stops where they lead to the client."""

    def __init__(self, issuer: str, trust: ssl.SSLContext, citizen: str) -> None:
        self.issuer = issuer
        self.citizen = citizen
        self.http = httpx2.Client(verify=trust, timeout=TIMEOUT_S)

    def get(self, address: str) -> Page:
        """Open an address of the provider."""
        return self._follow(self.http.get(urljoin(self.issuer, address)))

    def submit(self, page: Page, **typed: str) -> Page:
        """Fill the page's form in and send it."""
        form = {**page.fields, **typed}
        return self._follow(self.http.post(urljoin(self.issuer, page.action), data=form))

    def log_in(self, page: Page, number: str | None = None, passcode: str = "135790") -> Page:
        """Send the login form, the browser's own citizen's unless another number is given."""
        assert page.path == "/login", page.response.text
        return self.submit(page, personal_number=self.citizen if number is None else number, passcode=passcode)

    def _follow(self, response: httpx2.Response) -> Page:
        while response.has_redirect_location:
            target = urljoin(str(response.url), response.headers["location"])
            if not target.startswith(f"{self.issuer}/"):
                break
            response = self.http.get(target)
        return Page.read(response)


def answer_of(address: str) -> dict[str, list[str]]:
    """Return the parameters of an address, all their values."""
    return parse_qs(urlsplit(address).query, keep_blank_values=True)
