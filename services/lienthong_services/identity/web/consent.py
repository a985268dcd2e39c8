"""The page on which a citizen answers a request for consent.

What it shows and that nothing is ticked beforehand follows Law 91/2025 Art. 9 and NĐ 356/2025 Art. 6, as secondary
texts quote them; the gazette was not read.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import grpc
from starlette.requests import Request
from starlette.responses import Response

from lienthong.api.consent.v1.consent_pb2 import ConsentRequest, ConsentTerms
from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from lienthong_core.errors import Refusal, reason_name
from lienthong_services.identity.authorization import CONSENT_DETAIL
from lienthong_services.identity.datasets import dataset_titles
from lienthong_services.identity.errors import Link, PageError
from lienthong_services.identity.representation import Part
from lienthong_services.identity.rules import (
    Problem,
    Step,
    closed_request_problem,
    consent_problem,
    frequency_text,
    period_text,
    retention_text,
)
from lienthong_services.identity.web.approve import is_approval
from lienthong_services.identity.web.flow import Visit, find_visit, finish, go_on, open_step, refuse, see_other
from lienthong_services.identity.web.part import part_in
from lienthong_services.identity.web.provider import Provider

_TRANSIENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_CLOSED = tuple(
    reason_name(reason)
    for reason in (
        ErrorReason.ERROR_REASON_CONSENT_REQUEST_UNKNOWN,
        ErrorReason.ERROR_REASON_CONSENT_REQUEST_CLOSED,
        ErrorReason.ERROR_REASON_CONSENT_REQUEST_EXPIRED,
    )
)


def show_consent(provider: Provider, request: Request) -> Response:
    """Show what is asked for, as the gateway has it."""
    visit = find_visit(provider, request, request.query_params)
    if open_step(provider, visit.session, visit.interaction) is not Step.CONSENT:
        return go_on(provider, visit.session, visit.interaction)
    terms, part = _shown(provider, visit) or _fetch(provider, visit)
    return provider.pages.page(
        "consent.html",
        leads_to=visit.wanted.redirect_uri,
        client=visit.client,
        csrf=visit.session.csrf_token,
        interaction=visit.interaction.interaction_id,
        account=provider.store.account(visit.session.personal_number),
        part=part,
        terms=terms,
        datasets=dataset_titles(terms.datasets, provider.datasets),
        period=period_text(terms.valid_for.seconds),
        frequency=frequency_text(terms.uses, terms.uses_per.seconds),
        retention=retention_text(terms.retention.seconds),
    )


def decide_consent(provider: Provider, request: Request, form: Mapping[str, str]) -> Response:
    """Sign and record the answer, and only then send the browser back."""
    visit = find_visit(provider, request, form)
    shown = _shown(provider, visit)
    if shown is None or open_step(provider, visit.session, visit.interaction) is not Step.CONSENT:
        return go_on(provider, visit.session, visit.interaction)
    approved = is_approval(form)
    terms, part = shown
    recorded = _record(provider, visit, terms, part, approved=approved)
    if not approved:
        return see_other(refuse(provider, visit, "access_denied", "The citizen denied the consent."))
    # Nothing is granted yet while the child, or the representative, must approve still.
    details = [_granted(recorded, terms)] if recorded.consent_id else []
    return finish(provider, visit.session, visit.interaction, visit.wanted, details)


def _shown(provider: Provider, visit: Visit) -> tuple[ConsentTerms, Part] | None:
    """Return what the page showed; None if nothing yet, or if a birthday has since changed who decides."""
    interaction = visit.interaction
    if not interaction.consent_terms:
        return None
    part = Part.from_json(interaction.consent_part)
    return (ConsentTerms.FromString(interaction.consent_terms), part) if part.holds(provider.now()) else None


def _fetch(provider: Provider, visit: Visit) -> tuple[ConsentTerms, Part]:
    try:
        asked = provider.consents.fetch(visit.wanted.consent_request_id)
        problem = consent_problem(asked, consumer=visit.client.system_id)
        part = problem or part_in(provider, asked, visit.session.personal_number)
    except Refusal as refusal:
        raise _page_error(provider, visit, refusal) from refusal
    if isinstance(part, Problem):
        raise _cannot_answer(provider, visit, part)
    provider.store.keep_terms(visit.interaction.interaction_id, asked.terms.SerializeToString(), part.to_json())
    return asked.terms, part


def _record(provider: Provider, visit: Visit, terms: ConsentTerms, part: Part, *, approved: bool) -> ConsentRequest:
    request_id = visit.wanted.consent_request_id
    statement = provider.tokens.decision(
        request_id, terms, visit.session, part, str(uuid4()), provider.now(), approved=approved
    )
    try:
        return provider.consents.record(request_id, statement, approved=approved, capacity=part.capacity)
    except Refusal as refusal:
        raise _page_error(provider, visit, refusal) from refusal


def _granted(recorded: ConsentRequest, terms: ConsentTerms) -> dict[str, Any]:
    return {
        "type": CONSENT_DETAIL,
        "consent_request_id": recorded.consent_request_id,
        "consent_id": recorded.consent_id,
        "provider": terms.provider,
        "datasets": list(terms.datasets),
        "purpose": terms.purpose,
    }


def _page_error(provider: Provider, visit: Visit, refusal: Refusal) -> PageError:
    if refusal.reason in _CLOSED:
        return _cannot_answer(provider, visit, closed_request_problem())
    return gateway_problem(refusal, f"/consent?interaction={visit.interaction.interaction_id}")


def _cannot_answer(provider: Provider, visit: Visit, problem: Problem) -> PageError:
    address = refuse(provider, visit, problem.error, problem.english)
    link = Link(address, "Quay lại ứng dụng", "Back to the application")
    return PageError(HTTPStatus.FORBIDDEN, problem.vietnamese, problem.english, link)


def gateway_problem(refusal: Refusal, try_again: str) -> PageError:
    """Return the error of a page that needs the gateway and did not get what it asked for."""
    link = Link(try_again, "Thử lại", "Try again")
    if refusal.status in _TRANSIENT:
        return PageError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Trục liên thông hiện không trả lời, nên chưa có gì được xác nhận. Hãy thử lại sau ít phút.",
            "The gateway does not answer just now, and nothing has been confirmed. Try again in a few minutes.",
            link,
        )
    return PageError(
        HTTPStatus.BAD_GATEWAY,
        f"Trục liên thông đã từ chối ({refusal.reason}).",
        f"The gateway refused ({refusal.reason}): {refusal.message}",
        link,
    )
