"""A citizen's browser, as far as the identity provider's plain pages need one: it follows links and fills in forms."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

_TIMEOUT_S = 10.0
_MOST_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Page:
    """A page: where it is, what it says, and its first form."""

    url: str
    status: int
    html: str
    action: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def path(self) -> str:
        """The path of its address."""
        return urlsplit(self.url).path


class Browser:
    """Keeps cookies, trusts the sandbox's authority alone, and stops at the addresses that it is told to stop at."""

    def __init__(self, authority: bytes) -> None:
        self._context = ssl.create_default_context(cadata=authority.decode())
        self._client = self._opened(httpx2.Cookies())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def rest(self) -> None:
        """Close the connections until the next page is wanted; cookies are kept."""
        self._client.close()
        self._client = self._opened(self._client.cookies)

    def cookie(self, name: str) -> str:
        """Return a cookie's value; raises KeyError if it is not set."""
        return self._client.cookies[name]

    def visit(self, url: str, *, stop_at: str) -> Page:
        """Open an address, following redirects, but not one to an address that begins with `stop_at`."""
        return self._follow(self._client.get(url), stop_at)

    def submit(self, page: Page, values: Mapping[str, str], *, stop_at: str) -> Page:
        """Send the page's form with its hidden fields and `values`; then as `visit`."""
        response = self._client.post(urljoin(page.url, page.action), data={**page.hidden, **values})
        return self._follow(response, stop_at)

    def _opened(self, cookies: httpx2.Cookies) -> httpx2.Client:
        return httpx2.Client(
            verify=self._context, cookies=cookies, timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False
        )

    def _follow(self, response: httpx2.Response, stop_at: str) -> Page:
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                return _page(response)
            url = urljoin(str(response.url), response.headers["location"])
            if url.startswith(stop_at):
                return Page(url, response.status_code, "")
            response = self._client.get(url)
        raise httpx2.TooManyRedirects(f"more than {_MOST_REDIRECTS} redirects", request=response.request)


def _page(response: httpx2.Response) -> Page:
    parser = _FirstForm()
    parser.feed(response.text)
    return Page(str(response.url), response.status_code, response.text, parser.action, parser.hidden)


class _FirstForm(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self._inside = False
        self._seen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._seen:
            self._inside = self._seen = True
            self.action = values.get("action", "")
        elif tag == "input" and self._inside and values.get("type") == "hidden":
            self.hidden[values.get("name", "")] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
