"""Stored requests and consents as the contract's messages."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from lienthong.api.consent.v1.consent_pb2 import Consent, ConsentRequest, ConsentTerms
from lienthong_gateway.consents.rules import StoredConsent, StoredRequest, Terms
from lienthong_gateway.registration import Purpose


class ConsentMessages:
    """Puts requests and consents into words, with the registered purposes' titles."""

    def __init__(self, purposes: Mapping[str, Purpose]) -> None:
        self._purposes = purposes

    def request(self, stored: StoredRequest, now: datetime) -> ConsentRequest:
        """Return a request as it is at that time."""
        return ConsentRequest(
            consent_request_id=stored.consent_request_id,
            state=stored.state_at(now),
            terms=self._terms(stored.terms),
            requested_at=timestamp(stored.requested_at),
            expires_at=timestamp(stored.expires_at),
            consent_id=stored.consent_id,
        )

    def consent(self, stored: StoredConsent, now: datetime) -> Consent:
        """Return a consent as it is at that time."""
        return Consent(
            consent_id=stored.consent_id,
            revision=stored.revision,
            state=stored.state_at(now),
            terms=self._terms(stored.terms),
            approved_at=timestamp(stored.approved_at),
            valid_until=timestamp(stored.valid_until),
            revoked_at=None if stored.revoked_at is None else timestamp(stored.revoked_at),
            account_level=stored.account_level,
            approval=stored.approval,
        )

    def _terms(self, terms: Terms) -> ConsentTerms:
        purpose = self._purposes.get(terms.purpose)
        return ConsentTerms(
            subject_number=terms.subject_number,
            consumer=terms.consumer,
            provider=terms.provider,
            datasets=sorted(terms.datasets),
            purpose=terms.purpose,
            purpose_title_vi=purpose.title_vi if purpose else "",
            purpose_title_en=purpose.title_en if purpose else "",
            valid_for=_duration(terms.valid_for),
            legal_text_version=terms.legal_text_version,
        )


def timestamp(time: datetime) -> Timestamp:
    """Return a time as the contract's message."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _duration(period: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(period)
    return message
