"""The headers that tell the gateway on whose behalf, why and on what basis a call is made."""

from dataclasses import dataclass
from enum import StrEnum


class Header(StrEnum):
    """Metadata keys of a call through the gateway. Those of X-Road keep their names there."""

    AUTHORIZATION = "authorization"
    """`Bearer` and the citizen's access token."""
    CLIENT = "x-road-client"
    """The calling system's id; if sent, it must agree with the certificate."""
    MESSAGE_ID = "x-road-id"
    """The caller's own id of the message; recorded. The gateway's exchange id is another."""
    OFFICER = "x-road-userid"
    """The officer who acts; required unless consent is the basis."""
    REPRESENTED_PARTY = "x-road-represented-party"
    """Whom the calling system acts for, if not for its own member: class and code, such as `GOV/G09`. Recorded."""
    PURPOSE = "lienthong-purpose"
    """Purpose code."""
    LEGAL_BASIS = "lienthong-legal-basis"
    """`consent` (if left out) or one of the grounds of Law 91/2025 Art. 19(1), such as `state_19_1_c`."""
    LEGAL_REFERENCE = "lienthong-legal-reference"
    """What the legal basis is invoked for, such as a dossier code; required unless consent is the basis."""
    EXCHANGE_ID = "lienthong-exchange-id"
    """In every answer of an exchange and towards providers: the gateway's id of the exchange, a UUID."""
    CONSUMER = "lienthong-consumer"
    """Towards providers: the system that asks."""
    LOG_INDEX = "lienthong-log-index"
    """In every answer of an exchange: place of the entry in the exchange log, from 0."""
    REQUEST_HASH = "lienthong-request-hash"
    """In every answer: SHA-256 of the request as received (not as forwarded), in binary form, hex."""
    DIGEST_KEY = "lienthong-digest-key"
    """In every answer: the key, hex, with which the log's digests of this request and answer can be made again."""
    DATASETS_RELEASED = "lienthong-datasets-released"
    """In every answer: comma-separated names of the datasets that were released, those that hold nothing included."""
    DATASETS_WITHHELD = "lienthong-datasets-withheld"
    """In every answer: comma-separated names of the others that the method can answer, held by the provider or not."""


@dataclass(frozen=True)
class CallContext:
    """Why and on what basis a call is made; empty values are not sent."""

    purpose: str
    token: str = ""
    legal_basis: str = ""
    legal_reference: str = ""
    officer: str = ""
    message_id: str = ""
    represented_party: str = ""

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the call's gRPC metadata; raises ValueError, naming the header, for what none can hold."""
        pairs = (
            (Header.PURPOSE, self.purpose),
            (Header.AUTHORIZATION, f"Bearer {self.token}" if self.token else ""),
            (Header.LEGAL_BASIS, self.legal_basis),
            (Header.LEGAL_REFERENCE, self.legal_reference),
            (Header.OFFICER, self.officer),
            (Header.MESSAGE_ID, self.message_id),
            (Header.REPRESENTED_PARTY, self.represented_party),
        )
        return tuple((str(key), _sendable(key, value)) for key, value in pairs if value)


def _sendable(key: Header, value: str) -> str:
    # gRPC fails with "Invalid metadata" alone. The value is not quoted: it may be a token.
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{key} must be printable ASCII: send an identifier or a code, not a name or a line break")
    return value
