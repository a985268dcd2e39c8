"""Who takes part in the exchange, and what the law and the agencies' agreements allow them: the given facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis, ReferenceForm
from lienthong_core.errors import denied, invalid
from lienthong_core.systems import SystemId
from lienthong_core.working_days import ONE_DAY, VIETNAM, civil_date

LEGAL_BASIS_HEADERS: Mapping[str, LegalBasis.ValueType] = {
    "consent": LegalBasis.LEGAL_BASIS_CONSENT,
    "emergency_19_1_a": LegalBasis.LEGAL_BASIS_EMERGENCY,
    "security_19_1_b": LegalBasis.LEGAL_BASIS_SECURITY,
    "state_19_1_c": LegalBasis.LEGAL_BASIS_STATE_BODY,
    "contract_19_1_d": LegalBasis.LEGAL_BASIS_CONTRACT,
    "law_19_1_dd": LegalBasis.LEGAL_BASIS_OTHER_LAW,
}
"""Each legal basis by its header value: Law 91/2025 Art. 9 (consent) and Art. 19(1)."""

HEADER_OF_BASIS: Mapping[LegalBasis.ValueType, str] = {basis: header for header, basis in LEGAL_BASIS_HEADERS.items()}
"""Header value of each legal basis."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""When what has no end is over."""


@dataclass(frozen=True)
class System:
    """A system of a member; `services` are the full names of the gRPC services it provides."""

    system_id: SystemId
    name_vi: str
    name_en: str
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Purpose:
    """What data may be asked for: an administrative procedure or another registered purpose.

    `datasets` are all that consent may be asked for; a consent for more would be bundled, which the law forbids.
    """

    code: str
    title_vi: str
    title_en: str
    datasets: frozenset[str]


@dataclass(frozen=True)
class Period:
    """Days in Vietnam, the first and the last included; without an end it lasts until further notice."""

    first: date
    last: date | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether a time falls into it."""
        day = civil_date(now)
        return self.first <= day and (self.last is None or day <= self.last)

    def is_over(self, now: datetime) -> bool:
        """Return whether its last day has passed."""
        return self.last is not None and self.last < civil_date(now)

    @property
    def over_at(self) -> datetime:
        """When it is over."""
        if self.last is None or self.last == date.max:
            return NEVER
        return datetime.combine(self.last + ONE_DAY, time(), VIETNAM)


SINCE_THE_LAW = Period(date(2026, 1, 1))
"""From the day on which Law 91/2025 came into force."""


@dataclass(frozen=True)
class AccessRight:
    """That one system may call one method for one purpose, on which legal bases, and what it may get at most."""

    consumer: SystemId
    method: str
    purpose: str
    legal_bases: frozenset[LegalBasis.ValueType]
    datasets: frozenset[str]
    period: Period = SINCE_THE_LAW
    withdrawn_at: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        """Return whether it allows anything at that time."""
        return self.withdrawn_at is None and self.period.holds(now)


@dataclass(frozen=True)
class LegalGround:
    """A ground of Law 91/2025 Art. 19(1) as somebody may rely on it: which article, for what, and how it is named.

    `law_vi` and `law_en` are the article (điều, khoản, điểm) in words.
    """

    code: str
    basis: LegalBasis.ValueType
    law_vi: str
    law_en: str
    reference_forms: frozenset[ReferenceForm.ValueType]
    methods: frozenset[str]
    purposes: frozenset[str]
    period: Period = SINCE_THE_LAW

    def covers(self, basis: LegalBasis.ValueType, method: str, purpose: str) -> bool:
        """Return whether a call of that method for that purpose may rest on it, whenever it is in force."""
        return self.basis == basis and method in self.methods and purpose in self.purposes


@dataclass(frozen=True)
class Registration:
    """Everything registered at one gateway, as it is at one moment."""

    systems: Mapping[SystemId, System]
    purposes: Mapping[str, Purpose]
    access_rights: Mapping[tuple[SystemId, str, str], AccessRight]
    legal_grounds: Mapping[str, LegalGround] = field(default_factory=dict[str, LegalGround])
    officers: frozenset[tuple[SystemId, str]] = field(default_factory=frozenset[tuple[SystemId, str]])
    """System and identifier of each officer who may act for it."""
    auditors: frozenset[SystemId] = field(default_factory=frozenset[SystemId])
    administrators: frozenset[SystemId] = field(default_factory=frozenset[SystemId])
    """Systems that may change what is registered."""
    restrictions: frozenset[tuple[SystemId, str]] = field(default_factory=frozenset[tuple[SystemId, str]])
    """System whose data about a citizen may be used on no consent, and her personal number (Art. 4: restriction)."""

    def check_auditor(self, system: SystemId) -> None:
        """Refuse, with CALLER_NOT_ALLOWED, a system that is no auditor."""
        if system not in self.auditors:
            raise denied("CALLER_NOT_ALLOWED", f"{system} is not registered as an auditor of the log.")

    def checked_purpose(self, code: str) -> Purpose:
        """Return a registered purpose; refused: PURPOSE_UNKNOWN."""
        purpose = self.purposes.get(code)
        if purpose is None:
            raise invalid("PURPOSE_UNKNOWN", f"No purpose {code!r} is registered; the catalogue lists those that are.")
        return purpose

    @classmethod
    def of(
        cls,
        systems: Iterable[System],
        purposes: Iterable[Purpose],
        access_rights: Iterable[AccessRight],
        legal_grounds: Iterable[LegalGround] = (),
        officers: Iterable[tuple[SystemId, str]] = (),
        auditors: Iterable[SystemId] = (),
        administrators: Iterable[SystemId] = (),
        restrictions: Iterable[tuple[SystemId, str]] = (),
    ) -> "Registration":
        """Index what is registered by what it is looked up by."""
        return cls(
            systems={system.system_id: system for system in systems},
            purposes={purpose.code: purpose for purpose in purposes},
            access_rights={(right.consumer, right.method, right.purpose): right for right in access_rights},
            legal_grounds={ground.code: ground for ground in legal_grounds},
            officers=frozenset(officers),
            auditors=frozenset(auditors),
            administrators=frozenset(administrators),
            restrictions=frozenset(restrictions),
        )
