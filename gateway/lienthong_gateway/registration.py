"""Who takes part in the exchange, and what the law and the agencies' agreements allow them: the given facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.systems import SystemId

LEGAL_BASIS_HEADERS: Mapping[str, LegalBasis.ValueType] = {
    "consent": LegalBasis.LEGAL_BASIS_CONSENT,
    "emergency_19_1_a": LegalBasis.LEGAL_BASIS_EMERGENCY,
    "security_19_1_b": LegalBasis.LEGAL_BASIS_SECURITY,
    "state_19_1_c": LegalBasis.LEGAL_BASIS_STATE_BODY,
    "contract_19_1_d": LegalBasis.LEGAL_BASIS_CONTRACT,
    "law_19_1_dd": LegalBasis.LEGAL_BASIS_OTHER_LAW,
}
"""Header value of each legal basis: Law 91/2025 Art. 9 (consent) and Art. 19(1)."""


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
class AccessRight:
    """That one system may call one method for one purpose, on which legal bases, and what it may get at most."""

    consumer: SystemId
    method: str
    purpose: str
    legal_bases: frozenset[LegalBasis.ValueType]
    datasets: frozenset[str]


@dataclass(frozen=True)
class Registration:
    """Everything registered at one gateway."""

    systems: Mapping[SystemId, System]
    purposes: Mapping[str, Purpose]
    access_rights: Mapping[tuple[SystemId, str, str], AccessRight]
    auditors: frozenset[SystemId] = field(default_factory=frozenset[SystemId])

    @classmethod
    def of(
        cls,
        systems: Iterable[System],
        purposes: Iterable[Purpose],
        access_rights: Iterable[AccessRight],
        auditors: Iterable[SystemId] = (),
    ) -> "Registration":
        """Index what is registered by what it is looked up by."""
        return cls(
            systems={system.system_id: system for system in systems},
            purposes={purpose.code: purpose for purpose in purposes},
            access_rights={(right.consumer, right.method, right.purpose): right for right in access_rights},
            auditors=frozenset(auditors),
        )
