"""The citizen's receipt of a consent, in the four blocks of ISO/IEC TS 27560:2023 as far as the sandbox fills them.

The standard's text was not read [M]: the names of the blocks are kept, the fields within are this project's own and
are listed in docs/consents.md.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import rfc8785

from lienthong.api.options.v1.options_pb2 import Dataset
from lienthong_gateway.consents.approval import Approval
from lienthong_gateway.consents.revisions import Revision
from lienthong_gateway.consents.rules import StoredConsent
from lienthong_gateway.consents.states import capacity_name, state_name
from lienthong_gateway.log.leaf import time_text
from lienthong_gateway.registration import Registration

SCHEMA = "lienthong-consent-receipt/1"


def receipt(
    consent: StoredConsent,
    approvals: Sequence[Approval],
    revisions: Sequence[Revision],
    registration: Registration,
    datasets: Mapping[str, Dataset],
    keeper: str,
    now: datetime,
) -> bytes:
    """Return the receipt as canonical JSON, so that two receipts of one state differ in `issued_at` alone."""
    text = consent.terms.legal_text
    return rfc8785.dumps(
        {
            "schema": SCHEMA,
            "simulation": True,
            "issued_at": time_text(now),
            "record": {
                "consent_id": consent.consent_id,
                "consent_request_id": consent.consent_request_id,
                "revision": consent.revision,
                "revision_digest": consent.digest,
                "state": state_name(consent.state_at(now)),
                "keeper": keeper,
            },
            "processing": _processing(consent, registration, datasets),
            "notice": {
                "version": text.version,
                "digest": text.digest,
                "vi": text.vi,
                "en": text.en,
            },
            "sources": [_source(approval) for approval in approvals],
            "events": [_event(revision) for revision in revisions],
        }
    )


def _processing(consent: StoredConsent, registration: Registration, datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    terms = consent.terms
    return {
        "subject_number": terms.subject_number,
        "consumer": _party(terms.consumer, registration),
        "provider": _party(terms.provider, registration),
        "legal_basis": "consent",
        "purpose": {
            "code": terms.purpose,
            "title_vi": terms.purpose_title_vi,
            "title_en": terms.purpose_title_en,
            "reference": terms.purpose_reference,
        },
        "datasets": [_dataset(datasets.get(name, Dataset(name=name))) for name in sorted(terms.datasets)],
        "valid_from": time_text(consent.approved_at),
        "valid_until": time_text(consent.valid_until),
        "uses": terms.uses,
        "uses_per_seconds": int(terms.uses_per.total_seconds()) if terms.uses_per else 0,
        "retention_seconds": int(terms.retention.total_seconds()) if terms.retention else 0,
    }


def _party(system_id: str, registration: Registration) -> dict[str, str]:
    for system in registration.systems.values():
        if str(system.system_id) == system_id:
            return {"system": system_id, "name_vi": system.name_vi, "name_en": system.name_en}
    return {"system": system_id, "name_vi": "", "name_en": ""}


def _dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "title_vi": dataset.title_vi,
        "title_en": dataset.title_en,
        "sensitive": dataset.sensitive,
    }


def _source(approval: Approval) -> dict[str, Any]:
    return {
        "capacity": capacity_name(approval.capacity),
        "approved_by": approval.approved_by,
        "account_level": approval.account_level,
        "authenticated_at": time_text(approval.authenticated_at),
        "approved_at": time_text(approval.decided_at),
        "statement": approval.statement,
        "statement_digest": approval.statement_digest,
    }


def _event(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.revision,
        "change": revision.change,
        "changed_at": time_text(revision.changed_at),
        "digest_before": revision.digest_before,
        "digest": revision.digest,
    }
