"""`/userinfo`: what the token's scope lets a client know about the citizen (OpenID Connect Core §5.3)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lienthong_services.identity.rules import account_problem
from lienthong_services.identity.tokens import invalid_token, scope_claims
from lienthong_services.identity.web.provider import Provider


def userinfo(provider: Provider, request: Request) -> Response:
    """Answer the bearer of an access token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise invalid_token("Send the access token in the header Authorization, after Bearer and a space.")
    claims = provider.tokens.read_access_token(token, provider.now())
    account = provider.store.account(claims["personal_number"])
    if account is None or account_problem(account.state) or provider.store.is_revoked(claims["jti"]):
        raise invalid_token("The token was revoked; log the citizen in again.")
    about = scope_claims(claims["scope"], account, claims["account_level"])
    return JSONResponse({"sub": account.subject, **about, "simulation": True})
