"""`/authorize`: where a client sends the citizen's browser (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2)."""

from starlette.requests import Request
from starlette.responses import Response

from lienthong_services.identity.authorization import (
    AuthorizationRequest,
    answer_url,
    read_request,
    read_return_address,
)
from lienthong_services.identity.errors import OAuthError
from lienthong_services.identity.rules import Step, login_too_old
from lienthong_services.identity.web.flow import go_on, open_step, see_other, start_interaction
from lienthong_services.identity.web.provider import Provider
from lienthong_services.identity.web.sessions import new_session, session_of, set_cookie

_WITHOUT_PAGES = {
    Step.LOGIN: ("login_required", "The citizen is not logged in, or not recently enough; ask without prompt=none."),
    Step.APPROVE: (
        "interaction_required",
        "The citizen has not approved all that this client asks; ask without prompt=none.",
    ),
    Step.CONSENT: ("consent_required", "A consent takes the citizen's answer on a page; ask without prompt=none."),
}


def authorize(provider: Provider, request: Request) -> Response:
    """Check a request and send the browser on: to a page, or back to the client."""
    parameters = request.query_params.multi_items()
    to = read_return_address(parameters, provider.store.client)
    try:
        return _begin(provider, request, read_request(parameters, to))
    except OAuthError as error:
        answer = {"error": error.error, "error_description": error.description}
        return see_other(answer_url(to.redirect_uri, to.state, provider.issuer, **answer))


def _begin(provider: Provider, request: Request, wanted: AuthorizationRequest) -> Response:
    session, cookie = session_of(provider, request), ""
    if session is None:
        session, cookie = new_session(provider)
        provider.store.open_session(session, provider.now())
    too_old = login_too_old(session.auth_time, wanted.max_age, provider.now())
    must_log_in = wanted.prompt == "login" or too_old
    interaction = start_interaction(provider, session, wanted.to_json(), must_log_in=must_log_in)
    step = open_step(provider, session, interaction)
    if wanted.prompt == "none" and step is not Step.DONE:
        provider.store.drop_interaction(interaction.interaction_id)
        raise OAuthError(*_WITHOUT_PAGES[step])
    response = go_on(provider, session, interaction)
    if cookie:
        set_cookie(response, cookie)
    return response
