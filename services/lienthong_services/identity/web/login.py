"""The login page: personal number and passcode."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from lienthong_core.personal_numbers import is_personal_number
from lienthong_services.identity.errors import PageError
from lienthong_services.identity.model import Account, BrowserSession, Interaction
from lienthong_services.identity.rules import (
    LOGIN_LOCK,
    MAX_FAILURES,
    PASSCODE,
    Step,
    account_problem,
    check_passcode,
    decoy_passcode_hash,
)
from lienthong_services.identity.web.flow import find_interaction, go_on, open_step
from lienthong_services.identity.web.provider import Provider
from lienthong_services.identity.web.sessions import new_session, set_cookie


def show_login(provider: Provider, request: Request) -> Response:
    """Show the page, unless the citizen need not log in."""
    session, interaction = find_interaction(provider, request, request.query_params)
    if open_step(provider, session, interaction) is not Step.LOGIN:
        return go_on(provider, session, interaction)
    return _page(provider, session, interaction)


def log_in(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """Log in with a new session, so that nobody can have planted the old one."""
    session, interaction = find_interaction(provider, request, form)
    number = form.get("personal_number", "").replace(" ", "")
    account = _authenticate(provider, number, form.get("passcode", ""))
    if account is None:
        return _page(provider, session, interaction, number=number)
    logged_in, cookie = new_session(provider, account)
    provider.store.log_in(session, logged_in, interaction.interaction_id)
    interaction.must_log_in = False
    response = go_on(provider, logged_in, interaction)
    set_cookie(response, cookie)
    return response


def _authenticate(provider: Provider, number: str, passcode: str) -> Account | None:
    """Return the account, or None if the number or the passcode is wrong: which of them, nobody is told."""
    if not is_personal_number(number):
        return None
    if not provider.store.count_attempt(number, provider.now()):
        raise _locked_for_a_while()
    account = provider.store.account(number)
    if not check_passcode(passcode, account.passcode_hash if account else decoy_passcode_hash()) or account is None:
        return None
    provider.store.clear_attempts(number)
    problem = account_problem(account.state)
    if problem:
        raise PageError(HTTPStatus.FORBIDDEN, problem.vietnamese, problem.english)
    return account


def _page(
    provider: Provider, session: BrowserSession, interaction: Interaction, *, number: str | None = None
) -> Response:
    client = provider.store.client(interaction.request["client_id"]) if interaction.request else None
    failed = number is not None
    return provider.pages.page(
        "login.html",
        HTTPStatus.FORBIDDEN if failed else HTTPStatus.OK,
        leads_to=interaction.request.get("redirect_uri", ""),
        client=client,
        csrf=session.csrf_token,
        interaction=interaction.interaction_id,
        failed=failed,
        number=number or "",
        passcode=PASSCODE,
    )


def _locked_for_a_while() -> PageError:
    minutes = int(LOGIN_LOCK.total_seconds()) // 60
    return PageError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"Số định danh này đã nhập sai mật mã {MAX_FAILURES} lần liên tiếp nên không đăng nhập được trong {minutes} "
        "phút. Hãy chờ rồi thử lại từ ứng dụng.",
        f"This number had {MAX_FAILURES} wrong passcodes in a row and cannot log in for {minutes} minutes of the "
        "sandbox's clock. Wait, or advance the clock, and start again from the application.",
    )
