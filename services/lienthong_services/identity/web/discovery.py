"""What clients read first: the provider's metadata and its keys.

OpenID Connect Discovery, RP-Initiated Logout §2.1, RFC 8414, RFC 8705 §3.3.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse

from lienthong_services.identity.authorization import CONSENT_DETAIL, PROMPTS, SCOPES
from lienthong_services.identity.rules import ACCOUNT_LEVELS
from lienthong_services.identity.web.provider import Provider


def configuration(provider: Provider, _request: Request) -> JSONResponse:
    """Return the metadata."""
    issuer = provider.issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "end_session_endpoint": f"{issuer}/end-session",
            "jwks_uri": f"{issuer}/jwks",
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": PROMPTS,
            "acr_values_supported": ACCOUNT_LEVELS,
            "authorization_details_types_supported": [CONSENT_DETAIL],
            "authorization_response_iss_parameter_supported": True,
            "tls_client_certificate_bound_access_tokens": True,
            "claims_supported": [
                *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr"),
                *("name", "birthdate", "personal_number", "account_level", "simulation"),
            ],
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "ui_locales_supported": ["vi", "en"],
            "simulation": True,
        }
    )


def keys(provider: Provider, _request: Request) -> JSONResponse:
    """Return the public keys that tokens are signed with, as a JWK set."""
    return JSONResponse({"keys": [provider.tokens.key.jwk]})
