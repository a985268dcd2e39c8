"""Reading a client's request to log a citizen out (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jwt

from lienthong_services.identity.authorization import is_printable, with_parameters
from lienthong_services.identity.errors import Link, PageError
from lienthong_services.identity.model import Client


@dataclass(frozen=True)
class LogoutRequest:
    """Who asks to have whom logged out, and where the browser goes afterwards."""

    client: Client | None
    """None if it does not say who it is."""
    subject: str
    """The `sub` of the citizen whom it had logged in; empty if it does not show that it had."""
    redirect_uri: str
    """Registered for the client; empty if the browser stays here."""
    state: str

    @property
    def return_url(self) -> str:
        """Where the browser goes afterwards, with the client's `state`; empty if it stays here."""
        if not (self.redirect_uri and self.state):
            return self.redirect_uri
        return with_parameters(self.redirect_uri, {"state": self.state})


def read_logout_request(
    parameters: Iterable[tuple[str, str]],
    find_client: Callable[[str], Client | None],
    read_id_token: Callable[[str], dict[str, Any]],
) -> LogoutRequest:
    """Return the request, checked; raises PageError, as nobody is redirected to who may not be.

    `read_id_token` raises jwt.InvalidTokenError for what is no id token of this provider.
    """
    pairs = list(parameters)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _problem("a parameter came more than once; send each once.")
    hint = _hinted(values.get("id_token_hint", ""), read_id_token)
    client_id = values.get("client_id") or hint.get("aud", "")
    if hint.get("aud", client_id) != client_id:
        raise _problem("client_id is not the client that the id_token_hint was issued to.")
    client = find_client(client_id) if client_id and is_printable(client_id) else None
    if client_id and client is None:
        raise _problem("client_id is not that of a registered client.")
    redirect_uri, state = values.get("post_logout_redirect_uri", ""), values.get("state", "")
    if redirect_uri and (client is None or redirect_uri not in client.post_logout_redirect_uris.split()):
        raise _problem(
            "post_logout_redirect_uri must equal one that is registered for this purpose, character by character, and "
            "come with the client_id or an id_token_hint of the client that it is registered for."
        )
    if not is_printable(state):
        raise _problem("state must be printable ASCII.")
    return LogoutRequest(client, hint.get("sub", ""), redirect_uri, state)


def _hinted(token: str, read_id_token: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    try:
        return read_id_token(token) if token else {}
    except jwt.InvalidTokenError:
        raise _problem("id_token_hint is no id_token of this provider; send one that /token returned.") from None


def _problem(english: str) -> PageError:
    return PageError(
        HTTPStatus.BAD_REQUEST,
        "Ứng dụng đã chuyển bạn đến đây để đăng xuất, nhưng yêu cầu của nó không hợp lệ nên bạn có thể vẫn còn đăng "
        "nhập. Hãy đăng xuất ở trang tài khoản.",
        "The application sent you here to log out, but its request is not valid, so you may be logged in still: "
        f"{english}",
        Link("/account", "Tài khoản", "Account"),
    )
