"""How the identity provider says no: to a client in OAuth's words, to a citizen on a page."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class Link:
    """Where an error page lets the citizen go on to."""

    address: str
    vietnamese: str
    english: str


class OAuthError(Exception):
    """A refusal for a client.

    `error` is a code of RFC 6749 §4.1.2.1 or §5.2, OpenID Connect Core §3.1.2.6, RFC 6750 §3.1 or RFC 9396 §5;
    `description` says what to do. Neither holds anything that the client sent, and both keep to the characters that
    RFC 6749 allows: printable ASCII without double quotes and backslashes.
    """

    def __init__(self, error: str, description: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


class PageError(Exception):
    """A refusal for whoever reads the page."""

    def __init__(self, status: HTTPStatus, vietnamese: str, english: str, link: Link | None = None) -> None:
        super().__init__(english)
        self.status = status
        self.vietnamese = vietnamese
        self.english = english
        self.link = link
