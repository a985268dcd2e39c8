"""The citizen's own page: her consents, ending them, and logging out."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from lienthong.api.consent.v1.consent_pb2 import Consent, ConsentState
from lienthong.api.options.v1.options_pb2 import Dataset
from lienthong_core.errors import Refusal
from lienthong_services.identity.datasets import dataset_titles
from lienthong_services.identity.model import Client
from lienthong_services.identity.web.consent import gateway_problem
from lienthong_services.identity.web.flow import go_on, interaction_over, see_other, start_interaction
from lienthong_services.identity.web.provider import Provider
from lienthong_services.identity.web.sessions import (
    check_csrf,
    citizen_session,
    clear_cookie,
    new_session,
    session_of,
    set_cookie,
)

_STATES = {
    ConsentState.CONSENT_STATE_ACTIVE: ("Đang có hiệu lực", "In force"),
    ConsentState.CONSENT_STATE_REVOKED: ("Đã rút lại", "Revoked"),
    ConsentState.CONSENT_STATE_EXPIRED: ("Đã hết hạn", "Expired"),
}


@dataclass(frozen=True)
class ConsentRow:
    """A consent as the page shows it."""

    consent: Consent
    consumer: Client | None
    datasets: list[Dataset]
    state: tuple[str, str]
    in_force: bool


def show_account(provider: Provider, request: Request) -> Response:
    """Show the citizen her consents, after login."""
    session = citizen_session(provider, request)
    if session is None:
        return _log_in_first(provider, request)
    try:
        consents = provider.consents.consents_of(session.personal_number)
    except Refusal as refusal:
        raise gateway_problem(refusal, "/account") from refusal
    return provider.pages.page(
        "account.html",
        csrf=session.csrf_token,
        account=provider.store.account(session.personal_number),
        level=session.level,
        rows=[_row(provider, consent) for consent in consents],
    )


def revoke_consent(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """End one of the citizen's consents."""
    session = citizen_session(provider, request)
    if session is None:
        raise interaction_over()
    check_csrf(session, form)
    try:
        provider.consents.revoke(form.get("consent_id", ""), session.personal_number)
    except Refusal as refusal:
        raise gateway_problem(refusal, "/account") from refusal
    return see_other("/account")


def log_out(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """End the session."""
    session = session_of(provider, request)
    if session is not None:
        check_csrf(session, form)
        provider.store.end_session(session.session_digest)
    response = see_other("/logged-out")
    clear_cookie(response)
    return response


def show_logged_out(provider: Provider, _request: Request) -> Response:
    """Say that the session has ended."""
    return provider.pages.page("logged_out.html")


def _log_in_first(provider: Provider, request: Request) -> Response:
    session, cookie = session_of(provider, request), ""
    if session is None:
        session, cookie = new_session(provider)
        provider.store.open_session(session, provider.now())
    response = go_on(provider, session, start_interaction(provider, session, {}, must_log_in=False))
    if cookie:
        set_cookie(response, cookie)
    return response


def _row(provider: Provider, consent: Consent) -> ConsentRow:
    return ConsentRow(
        consent=consent,
        consumer=provider.store.client_of(consent.terms.consumer),
        datasets=dataset_titles(consent.terms.datasets, provider.datasets),
        state=_STATES.get(consent.state, ("Không rõ", "Unknown")),
        in_force=consent.state == ConsentState.CONSENT_STATE_ACTIVE,
    )
