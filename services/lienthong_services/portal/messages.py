"""Dossiers, procedures and receipts as the contract's messages."""

from typing import cast

from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong_core.dates import timestamp, whole_date
from lienthong_services.portal.gateway_client import Exchange
from lienthong_services.portal.model import DossierEvent
from lienthong_services.portal.procedures import PROCEDURES, Procedure
from lienthong_services.portal.rules import Form, Value, form_from_json
from lienthong_services.portal.states import STATE_NAMES_VI, State
from lienthong_services.portal.store import StoredDossier

_EMPTY = Value("", pb.FormFieldSource.FORM_FIELD_SOURCE_UNSPECIFIED)


def procedure_message(procedure: Procedure) -> pb.Procedure:
    """Return a procedure."""
    return pb.Procedure(
        code=procedure.code,
        name_vi=procedure.name_vi,
        name_en=procedure.name_en,
        working_days=procedure.working_days,
        form=procedure.form,
        datasets=procedure.datasets,
    )


def dossier_message(dossier: StoredDossier) -> pb.Dossier:
    """Return a dossier with its form and history."""
    row = dossier.row
    return pb.Dossier(
        dossier_id=row.dossier_id,
        code=row.code or "",
        procedure_code=row.procedure_code,
        applicant_number=row.applicant_number,
        state=_number(dossier.state),
        state_name_vi=STATE_NAMES_VI[dossier.state],
        form=_form(PROCEDURES[row.procedure_code], form_from_json(row.form)),
        events=[_event(event) for event in dossier.events],
        submitted_at=timestamp(row.submitted_at) if row.submitted_at else None,
        due_date=whole_date(row.due_date) if row.due_date else None,
        consent_request_id=row.consent_request_id,
        consent_id=row.consent_id,
    )


def receipt_message(exchange: Exchange) -> pb.ExchangeReceipt:
    """Return what the gateway said about an exchange."""
    receipt = exchange.receipt
    return pb.ExchangeReceipt(
        method=exchange.method,
        exchange_id=receipt.exchange_id,
        log_index=receipt.log_index,
        datasets_released=receipt.datasets_released,
        datasets_withheld=receipt.datasets_withheld,
    )


def _form(procedure: Procedure, form: Form) -> list[pb.FormField]:
    return [
        pb.FormField(
            name=field.name,
            label_vi=field.label_vi,
            value=form.get(field.name, _EMPTY).text,
            source=form.get(field.name, _EMPTY).source,
            required=field.required,
        )
        for field in procedure.fields
    ]


def _event(event: DossierEvent) -> pb.DossierEvent:
    state = State(event.state)
    return pb.DossierEvent(
        state=_number(state),
        state_name_vi=STATE_NAMES_VI[state],
        time=timestamp(event.time),
        moved_by=event.moved_by,
        note=event.note,
    )


def _number(state: State) -> pb.DossierState.ValueType:
    # The states have the contract's numbers.
    return cast("pb.DossierState.ValueType", state.value)
