"""`/token`: a code for tokens (RFC 6749 §4.1.3)."""

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lienthong_services.identity.errors import OAuthError
from lienthong_services.identity.model import Account, AuthorizationCode, Client
from lienthong_services.identity.rules import (
    TOKEN_LIFETIME,
    account_problem,
    check_secret,
    check_verifier,
    secret_digest,
)
from lienthong_services.identity.store import IdentityStore
from lienthong_services.identity.web.provider import Provider


def exchange_code(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """Give the client its tokens, once."""
    client = _authenticate(provider.store, request.headers.get("authorization"), form)
    if form.get("grant_type") != "authorization_code":
        error = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
        raise OAuthError(error, "grant_type must be authorization_code.")
    for name in ("code", "redirect_uri", "code_verifier"):
        if not form.get(name):
            raise OAuthError("invalid_request", f"{name} is missing; send it with the code.")
    code, account = _check_code(provider, client, form)
    token_id = str(uuid4())
    if not provider.store.redeem_code(code.code_digest, token_id):
        raise _replayed(provider.store, code)
    now = provider.now()
    body: dict[str, Any] = {
        "access_token": provider.tokens.access_token(code, account, client, token_id, now),
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        "id_token": provider.tokens.id_token(code, account, now),
        "scope": code.scope,
    }
    if code.authorization_details:
        body["authorization_details"] = code.authorization_details
    return JSONResponse(body)


def _check_code(provider: Provider, client: Client, form: Mapping[str, str]) -> tuple[AuthorizationCode, Account]:
    code = provider.store.code(secret_digest(form["code"]))
    if code is None or code.client_id != client.client_id:
        raise _invalid_grant("No such code was issued to this client; send the code exactly as it came, once decoded.")
    if code.token_id is not None:
        raise _replayed(provider.store, code)
    if provider.now() >= code.expires_at:
        raise _invalid_grant("The code is over; it lives 60 seconds. Send the citizen to /authorize again.")
    if form["redirect_uri"] != code.redirect_uri:
        raise _invalid_grant("redirect_uri is not the one the code was issued for; send the same one again.")
    if not check_verifier(form["code_verifier"], code.code_challenge):
        raise _invalid_grant("code_verifier does not belong to the code_challenge of the authorization request.")
    account = provider.store.account(code.personal_number)
    if account is None or account_problem(account.state):
        raise _invalid_grant("The citizen's account cannot be used any more.")
    return code, account


def _replayed(store: IdentityStore, code: AuthorizationCode) -> OAuthError:
    store.mark_replayed(code.code_digest)
    return _invalid_grant(
        "The code was used already. A code works once; the tokens it gave are refused here from now on."
    )


def _authenticate(store: IdentityStore, header: str | None, form: Mapping[str, str]) -> Client:
    if header is not None and "client_secret" in form:
        raise OAuthError("invalid_request", "The client authenticated twice; use the header or the form, not both.")
    client_id, secret = (form.get("client_id", ""), form.get("client_secret", "")) if header is None else _basic(header)
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_request", "client_id in the form is not the client that authenticated.")
    client = store.client(client_id)
    # An unknown client is compared as well: neither the answer nor its time tells which clients exist.
    if not check_secret(secret, client.secret_hash if client else "") or client is None:
        raise OAuthError(
            "invalid_client",
            "Unknown client or wrong secret. Authenticate with HTTP Basic, or with client_id and client_secret in the "
            "form.",
            HTTPStatus.UNAUTHORIZED,
        )
    return client


def _basic(header: str) -> tuple[str, str]:
    scheme, _, credentials = header.partition(" ")
    try:
        pair = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        pair = ""
    # Both are form-encoded within the header (RFC 6749 §2.3.1).
    client_id, secret = (unquote_plus(part) for part in pair.partition(":")[::2])
    return (client_id, secret) if scheme.lower() == "basic" and client_id.isprintable() else ("", "")


def _invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
