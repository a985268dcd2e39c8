"""The citizen's own page: her consents and those of children she represents, what she does with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from lienthong.api.consent.v1.consent_pb2 import Capacity, Consent, ConsentState
from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong.api.options.v1.options_pb2 import Dataset
from lienthong_core.errors import Refusal, reason_name
from lienthong_services.identity.datasets import dataset_titles
from lienthong_services.identity.errors import Link, PageError
from lienthong_services.identity.model import Client
from lienthong_services.identity.rules import frequency_text, retention_text
from lienthong_services.identity.web.consent import gateway_problem
from lienthong_services.identity.web.flow import go_on, interaction_over, see_other, start_interaction
from lienthong_services.identity.web.provider import Provider
from lienthong_services.identity.web.sessions import (
    check_csrf,
    citizen_session,
    new_session,
    session_of,
    set_cookie,
)

_STATES = {
    ConsentState.CONSENT_STATE_ACTIVE: ("Đang có hiệu lực", "In force"),
    ConsentState.CONSENT_STATE_PAUSED: ("Đang tạm dừng", "Paused"),
    ConsentState.CONSENT_STATE_REVOKED: ("Đã rút lại", "Revoked"),
    ConsentState.CONSENT_STATE_EXPIRED: ("Đã hết hạn", "Expired"),
}

_NOT_HERS = {
    reason_name(ErrorReason.ERROR_REASON_CURSOR_INVALID): HTTPStatus.BAD_REQUEST,
    reason_name(ErrorReason.ERROR_REASON_TEXT_INVALID): HTTPStatus.BAD_REQUEST,
    reason_name(ErrorReason.ERROR_REASON_CONSENT_UNKNOWN): HTTPStatus.NOT_FOUND,
}

_CHANGED_MEANWHILE = {
    reason_name(ErrorReason.ERROR_REASON_CONSENT_ENDED),
    reason_name(ErrorReason.ERROR_REASON_CONSENT_PAUSED),
}


@dataclass(frozen=True)
class Action:
    """A button beside a consent; `path` is where it is sent."""

    path: str
    vietnamese: str
    english: str


_PAUSE = Action("/account/pause", "Tạm dừng", "Pause")
_RESUME = Action("/account/resume", "Cho tiếp tục", "Resume")
_REVOKE = Action("/account/revoke", "Rút lại", "Revoke")


@dataclass(frozen=True)
class ConsentRow:
    """A consent as the page shows it."""

    consent: Consent
    consumer: Client | None
    datasets: list[Dataset]
    state: tuple[str, str]
    in_force: bool
    represented: bool
    """Whether it is a child's, whom she represents."""
    frequency: tuple[str, str]
    retention: tuple[str, str]
    actions: tuple[Action, ...]
    """What she can do with it now."""


def show_account(provider: Provider, request: Request) -> Response:
    """Show the citizen a page of her consents, after login."""
    session = citizen_session(provider, request)
    if session is None:
        return _log_in_first(provider, request)
    cursor = request.query_params.get("cursor", "")
    try:
        page = provider.consents.consents_of(session.personal_number, cursor)
    except Refusal as refusal:
        raise _problem(refusal) from refusal
    return provider.pages.page(
        "account.html",
        csrf=session.csrf_token,
        account=provider.store.account(session.personal_number),
        level=session.level,
        rows=[_row(provider, consent, session.personal_number) for consent in page.consents],
        is_newest=not cursor,
        older=page.next_cursor,
    )


def revoke_consent(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """End one of the citizen's consents."""
    return _change(provider, request, form, provider.consents.revoke)


def pause_consent(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """Suspend one of the citizen's consents."""
    return _change(provider, request, form, provider.consents.pause)


def resume_consent(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """Put one of the citizen's consents back in force."""
    return _change(provider, request, form, provider.consents.resume)


def show_receipt(provider: Provider, request: Request) -> Response:
    """Give the citizen the receipt of one of her consents, as a file."""
    session = citizen_session(provider, request)
    if session is None:
        return _log_in_first(provider, request)
    consent_id = request.query_params.get("consent_id", "")
    try:
        receipt = provider.consents.receipt(consent_id, session.personal_number)
    except Refusal as refusal:
        raise _problem(refusal) from refusal
    headers = {"Content-Disposition": 'attachment; filename="consent-receipt.json"', "Cache-Control": "no-store"}
    return Response(receipt, media_type="application/json", headers=headers)


def _change(
    provider: Provider, request: Request, form: Mapping[str, str], change: Callable[[str, str], None]
) -> Response:
    session = citizen_session(provider, request)
    if session is None:
        raise interaction_over()
    check_csrf(session, form)
    try:
        change(form.get("consent_id", ""), session.personal_number)
    except Refusal as refusal:
        raise _problem(refusal) from refusal
    return see_other("/account")


def _problem(refusal: Refusal) -> PageError:
    """Return the error of a page of hers: what it names may be nothing of hers, or be otherwise than she saw it."""
    newest = Link("/account", "Danh sách mới nhất", "The newest of the list")
    if refusal.reason in _CHANGED_MEANWHILE:
        return PageError(
            HTTPStatus.CONFLICT,
            f"Sự đồng ý này đã thay đổi sau khi trang được mở ({refusal.reason}). Hãy xem danh sách mới nhất.",
            f"The consent has changed since the page was opened ({refusal.reason}): {refusal.message}",
            newest,
        )
    status = _NOT_HERS.get(refusal.reason)
    if status is None:
        return gateway_problem(refusal, "/account")
    return PageError(
        status,
        f"Địa chỉ này không dẫn tới mục nào của bạn ({refusal.reason}). Hãy bắt đầu lại từ danh sách mới nhất.",
        f"This address leads to nothing of yours ({refusal.reason}). Begin again from the newest of the list.",
        newest,
    )


def _log_in_first(provider: Provider, request: Request) -> Response:
    session, cookie = session_of(provider, request), ""
    if session is None:
        session, cookie = new_session(provider)
        provider.store.open_session(session, provider.now())
    response = go_on(provider, session, start_interaction(provider, session, {}, must_log_in=False))
    if cookie:
        set_cookie(response, cookie)
    return response


def _row(provider: Provider, consent: Consent, personal_number: str) -> ConsentRow:
    terms = consent.terms
    return ConsentRow(
        consent=consent,
        consumer=provider.store.client_of(terms.consumer),
        datasets=dataset_titles(terms.datasets, provider.datasets),
        state=_STATES.get(consent.state, ("Không rõ", "Unknown")),
        in_force=consent.state == ConsentState.CONSENT_STATE_ACTIVE,
        represented=terms.subject_number != personal_number,
        frequency=frequency_text(terms.uses, terms.uses_per.seconds),
        retention=retention_text(terms.retention.seconds),
        actions=_actions(consent, personal_number),
    )


def _actions(consent: Consent, personal_number: str) -> tuple[Action, ...]:
    if consent.state == ConsentState.CONSENT_STATE_ACTIVE:
        return _REVOKE, _PAUSE
    if consent.state == ConsentState.CONSENT_STATE_PAUSED:
        herself = consent.terms.subject_number == personal_number
        here = Capacity.CAPACITY_SUBJECT if herself else Capacity.CAPACITY_REPRESENTATIVE
        return (_REVOKE, _RESUME) if consent.paused_as == here else (_REVOKE,)
    return ()
