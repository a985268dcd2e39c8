"""The page on which a citizen approves a login; it stands for the app on her registered device."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from lienthong_services.identity.authorization import RIGHTS_SCOPE
from lienthong_services.identity.errors import PageError
from lienthong_services.identity.rules import Step, level_lacking
from lienthong_services.identity.web.flow import find_visit, go_on, open_step, refuse, see_other
from lienthong_services.identity.web.provider import Provider


def show_approval(provider: Provider, request: Request) -> Response:
    """Show which client asks for what, unless something else is to be done."""
    visit = find_visit(provider, request, request.query_params)
    if open_step(provider, visit.session, visit.interaction) is not Step.APPROVE:
        return go_on(provider, visit.session, visit.interaction)
    scopes = visit.wanted.scope.split()
    return provider.pages.page(
        "approve.html",
        leads_to=visit.wanted.redirect_uri,
        client=visit.client,
        csrf=visit.session.csrf_token,
        interaction=visit.interaction.interaction_id,
        account=provider.store.account(visit.session.personal_number),
        level=visit.session.level,
        lacks_level=level_lacking(visit.wanted.acr_values, visit.session.level),
        profile="profile" in scopes,
        rights=RIGHTS_SCOPE in scopes,
    )


def decide_approval(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """Approve the client, for what it asks, in this session, or send the browser back with the refusal."""
    visit = find_visit(provider, request, form)
    if open_step(provider, visit.session, visit.interaction) is not Step.APPROVE:
        return go_on(provider, visit.session, visit.interaction)
    if not is_approval(form):
        return see_other(refuse(provider, visit, "access_denied", "The citizen denied the login."))
    provider.store.approve_client(visit.session.session_digest, visit.client.client_id, visit.wanted.scope)
    return go_on(provider, visit.session, visit.interaction)


def is_approval(form: Mapping[str, str]) -> bool:
    """Return whether the citizen pressed Approve rather than Deny; raises PageError if neither."""
    match form.get("decision"):
        case "approve":
            return True
        case "deny":
            return False
        case _:
            raise PageError(
                HTTPStatus.BAD_REQUEST,
                "Hãy chọn Đồng ý hoặc Từ chối.",
                "Choose one: the form's field decision must be approve or deny.",
            )
