"""Making an OpenID Connect client of a system of the exchange."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from lienthong_services.identity.model import Client

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def make_client(
    client_id: str,
    system_id: str,
    name: tuple[str, str],
    secret_hash: str,
    certificate_thumbprint: str,
    redirect_uris: Sequence[str],
    post_logout_redirect_uris: Sequence[str] = (),
) -> Client:
    """Return a client to be given to `IdentityStore.add_client`.

    `name` is in Vietnamese and in English, `secret_hash` as `rules.secret_digest` gives it.

    Raises ValueError for a redirect URI that no answer may go to.
    """
    for address in (*redirect_uris, *post_logout_redirect_uris):
        _check_redirect_uri(address)
    vietnamese, english = name
    return Client(
        client_id=client_id,
        system_id=system_id,
        name_vi=vietnamese,
        name_en=english,
        secret_hash=secret_hash,
        certificate_thumbprint=certificate_thumbprint,
        redirect_uris=" ".join(redirect_uris),
        post_logout_redirect_uris=" ".join(post_logout_redirect_uris),
    )


def _check_redirect_uri(address: str) -> None:
    parts = urlsplit(address)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not (secure and parts.hostname) or "#" in address or not address.isascii() or " " in address:
        raise ValueError(
            f"{address!r} cannot be a redirect URI: it must be https (http on this machine alone), ASCII, and without "
            "spaces and fragment"
        )
