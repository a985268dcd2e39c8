"""What a consent is about, and what may be asked for at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from lienthong_core.errors import invalid
from lienthong_gateway.consents.legal_text import CURRENT, LEGAL_TEXTS, LegalText

DEFAULT_PERIOD = timedelta(hours=1)
LONGEST_PERIOD = timedelta(days=366)
LONGEST_RETENTION = timedelta(days=36_600)
MOST_USES = 1_000_000
_LONGEST_REFERENCE = 128


@dataclass(frozen=True)
class Terms:
    """What a consent is about. Lengths of time are whole seconds."""

    subject_number: str
    """Personal number of the citizen; empty once it was erased."""
    consumer: str
    provider: str
    datasets: frozenset[str]
    purpose: str
    valid_for: timedelta
    legal_text_version: str = CURRENT.version
    purpose_title_vi: str = ""
    purpose_title_en: str = ""
    purpose_reference: str = ""
    uses: int = 0
    """How often it may be used; 0: any number of times."""
    uses_per: timedelta | None = None
    """What `uses` are counted in; None: the whole period."""
    retention: timedelta | None = None
    """How long the consumer may keep what it read; None: until the purpose is served."""

    @property
    def legal_text(self) -> LegalText:
        """The text the citizen is shown."""
        return LEGAL_TEXTS[self.legal_text_version]

    def claims(self) -> dict[str, Any]:
        """Return all but the citizen, as statements, revisions and the tables have it: seconds, 0 where unlimited."""
        return {
            "consumer": self.consumer,
            "provider": self.provider,
            "datasets": sorted(self.datasets),
            "purpose": self.purpose,
            "purpose_title_vi": self.purpose_title_vi,
            "purpose_title_en": self.purpose_title_en,
            "purpose_reference": self.purpose_reference,
            "valid_for": _seconds(self.valid_for),
            "uses": self.uses,
            "uses_per": _seconds(self.uses_per),
            "retention": _seconds(self.retention),
            "legal_text_version": self.legal_text_version,
            "legal_text_digest": self.legal_text.digest,
        }

    @classmethod
    def of(cls, subject_number: str, claims: Mapping[str, Any]) -> Self:
        """Read what `claims` returned."""
        return cls(
            subject_number=subject_number,
            consumer=claims["consumer"],
            provider=claims["provider"],
            datasets=frozenset(claims["datasets"]),
            purpose=claims["purpose"],
            valid_for=timedelta(seconds=claims["valid_for"]),
            legal_text_version=claims["legal_text_version"],
            purpose_title_vi=claims["purpose_title_vi"],
            purpose_title_en=claims["purpose_title_en"],
            purpose_reference=claims["purpose_reference"],
            uses=claims["uses"],
            uses_per=_length(claims["uses_per"]),
            retention=_length(claims["retention"]),
        )


def period_of(seconds: int) -> timedelta:
    """Return how long a consent asked for so many seconds lasts; refused with PERIOD_INVALID if that is not allowed."""
    if not 0 < seconds <= LONGEST_PERIOD.total_seconds():
        message = f"A consent lasts whole seconds, at least one and at most {LONGEST_PERIOD.days} days; ask for that."
        raise invalid("PERIOD_INVALID", message)
    return timedelta(seconds=seconds)


def frequency_of(uses: int, per: int | None, valid_for: timedelta) -> tuple[int, timedelta | None]:
    """Return how often a consent may be used, `per` so many seconds; refused with FREQUENCY_INVALID."""
    if not 0 <= uses <= MOST_USES:
        message = f"A consent is used 1 to {MOST_USES:,} times; leave `uses` out for any number of times."
        raise invalid("FREQUENCY_INVALID", message)
    if per is None:
        return uses, None
    if not uses or not 0 < per <= valid_for.total_seconds():
        message = "`uses_per` goes with `uses`: whole seconds, at least one and at most the consent's own period."
        raise invalid("FREQUENCY_INVALID", message)
    return uses, timedelta(seconds=per)


def retention_of(seconds: int) -> timedelta:
    """Return how long the consumer keeps what it reads; refused with RETENTION_INVALID."""
    if not 0 < seconds <= LONGEST_RETENTION.total_seconds():
        message = (
            f"Data are kept whole seconds, at least one and at most {LONGEST_RETENTION.days:,} days; leave `retention` "
            "out to keep them until the purpose is served."
        )
        raise invalid("RETENTION_INVALID", message)
    return timedelta(seconds=seconds)


def check_reference(reference: str) -> str:
    """Return a purpose's reference; refused with PURPOSE_REFERENCE_INVALID."""
    if len(reference) > _LONGEST_REFERENCE or not reference.isascii() or (reference and not reference.isprintable()):
        message = (
            f"purpose_reference takes at most {_LONGEST_REFERENCE} printable ASCII characters, such as a dossier code."
        )
        raise invalid("PURPOSE_REFERENCE_INVALID", message)
    return reference


def _seconds(length: timedelta | None) -> int:
    return int(length.total_seconds()) if length else 0


def _length(seconds: int) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None
