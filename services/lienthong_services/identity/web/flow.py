"""A citizen's way from `/authorize` through the pages and back to the client."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse

from lienthong_services.identity.authorization import AuthorizationRequest, answer_url, is_printable
from lienthong_services.identity.errors import PageError
from lienthong_services.identity.model import AuthorizationCode, BrowserSession, Client, Interaction
from lienthong_services.identity.rules import CODE_LIFETIME, INTERACTION_LIFETIME, Step, next_step, secret_digest
from lienthong_services.identity.web.provider import Provider
from lienthong_services.identity.web.sessions import check_csrf, session_of


@dataclass(frozen=True)
class Visit:
    """A browser at one of the pages: its session, and what it came for."""

    session: BrowserSession
    interaction: Interaction
    wanted: AuthorizationRequest
    client: Client


def start_interaction(
    provider: Provider, session: BrowserSession, request: Mapping[str, Any], *, must_log_in: bool
) -> Interaction:
    """Keep what a browser came for; an empty request is for the account page."""
    interaction = Interaction(
        interaction_id=secrets.token_urlsafe(24),
        session_digest=session.session_digest,
        request=dict(request),
        must_log_in=must_log_in,
        expires_at=provider.now() + int(INTERACTION_LIFETIME.total_seconds()),
    )
    provider.store.start_interaction(interaction)
    return interaction


def find_interaction(
    provider: Provider, request: Request, sent: Mapping[str, str]
) -> tuple[BrowserSession, Interaction]:
    """Return the interaction that a page or form is about; raises PageError unless it is this browser's."""
    session = session_of(provider, request)
    # Not every text is one that a database can be asked for.
    number = sent.get("interaction", "") if is_printable(sent.get("interaction", "")) else ""
    interaction = provider.store.interaction(number, session.session_digest, provider.now()) if session else None
    if session is None or interaction is None:
        raise interaction_over()
    if request.method == "POST":
        check_csrf(session, sent)
    return session, interaction


def find_visit(provider: Provider, request: Request, sent: Mapping[str, str]) -> Visit:
    """Return who is at a page on behalf of a client; raises PageError unless the interaction is this browser's."""
    session, interaction = find_interaction(provider, request, sent)
    if not interaction.request:
        raise interaction_over()
    wanted = AuthorizationRequest.from_json(interaction.request)
    client = provider.store.client(wanted.client_id)
    if client is None:
        raise interaction_over()
    return Visit(session, interaction, wanted, client)


def open_step(provider: Provider, session: BrowserSession, interaction: Interaction) -> Step:
    """Return what the citizen must do next in this interaction."""
    request, store = interaction.request, provider.store
    return next_step(
        logged_in=bool(session.personal_number) and not interaction.must_log_in,
        approved=not request or store.is_approved(session.session_digest, request["client_id"], request["scope"]),
        consent_open=bool(request and request["consent_request_id"]),
    )


def go_on(provider: Provider, session: BrowserSession, interaction: Interaction) -> RedirectResponse:
    """Send the browser to the page of its next step, or to where the interaction ends."""
    step = open_step(provider, session, interaction)
    if step is not Step.DONE:
        return see_other(f"/{step}?interaction={interaction.interaction_id}")
    if not interaction.request:
        provider.store.drop_interaction(interaction.interaction_id)
        return see_other("/account")
    wanted = AuthorizationRequest.from_json(interaction.request)
    return finish(provider, session, interaction, wanted, consents=[])


def finish(
    provider: Provider,
    session: BrowserSession,
    interaction: Interaction,
    wanted: AuthorizationRequest,
    consents: list[dict[str, Any]],
) -> RedirectResponse:
    """End the interaction and send the browser back with a code; raises PageError if it had ended already."""
    code = secrets.token_urlsafe(32)
    issued = AuthorizationCode(
        code_digest=secret_digest(code),
        client_id=wanted.client_id,
        redirect_uri=wanted.redirect_uri,
        code_challenge=wanted.code_challenge,
        scope=wanted.scope,
        nonce=wanted.nonce,
        personal_number=session.personal_number,
        level=session.level,
        auth_time=session.auth_time,
        authorization_details=consents,
        expires_at=provider.now() + int(CODE_LIFETIME.total_seconds()),
    )
    if not provider.store.finish_interaction(interaction.interaction_id, issued):
        raise interaction_over()
    return see_other(answer_url(wanted.redirect_uri, wanted.state, provider.issuer, code=code))


def refuse(provider: Provider, visit: Visit, error: str, description: str) -> str:
    """End the interaction without a code and return the address that tells the client why."""
    provider.store.drop_interaction(visit.interaction.interaction_id)
    wanted = visit.wanted
    return answer_url(wanted.redirect_uri, wanted.state, provider.issuer, error=error, error_description=description)


def see_other(address: str) -> RedirectResponse:
    """Return a redirect that is always followed with GET."""
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def interaction_over() -> PageError:
    """Return the error of a page whose interaction is over, unknown, or another browser's."""
    return PageError(
        HTTPStatus.BAD_REQUEST,
        "Lượt đăng nhập này đã kết thúc, đã hết hạn hoặc bắt đầu ở trình duyệt khác. Hãy bắt đầu lại từ ứng dụng.",
        "This login has ended, has expired or was started in another browser. Go back to the application and start "
        "again; the cookie set by /authorize must come along.",
    )
