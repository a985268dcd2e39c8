"""CatalogueService: who takes part, what can be called, and what the caller may call, with which headers."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from lienthong.api.exchange.v1 import catalogue_pb2 as pb
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.clock import Clock
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.local import Answerer, LocalCall
from lienthong_gateway.registration import HEADER_OF_BASIS, AccessRight, Registration, System
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.messages import access_right_message, legal_ground_message, purpose_message
from lienthong_gateway.registry.words import LEGAL_BASIS_WORDS, describe


class CatalogueAnswers:
    """Answers CatalogueService."""

    def __init__(
        self, registration: CurrentRegistration, contracts: Mapping[str, MethodContract], clock: Clock
    ) -> None:
        self._registration = registration
        self._contracts = contracts
        self._clock = clock

    def answers(self) -> Mapping[str, Answerer]:
        """Return what answers each method of the service."""
        return {"ListSystems": self._list_systems, "ListMethods": self._list_methods}

    async def _list_systems(self, _call: LocalCall, _request: pb.ListSystemsRequest) -> pb.ListSystemsResponse:
        systems = sorted(self._registration.value.systems.values(), key=lambda system: system.system_id)
        return pb.ListSystemsResponse(systems=[_system(system) for system in systems])

    async def _list_methods(self, call: LocalCall, _request: pb.ListMethodsRequest) -> pb.ListMethodsResponse:
        # It agrees with what the next call is decided on, whichever replica has changed that.
        await asyncio.to_thread(self._registration.refresh)
        shown = _Shown(self._registration.value, call.caller.system, self._clock.now())
        return pb.ListMethodsResponse(methods=[shown.method(self._contracts[path]) for path in sorted(self._contracts)])


class _Shown:
    """The catalogue as one system sees it at one time."""

    def __init__(self, registration: Registration, caller: SystemId, now: datetime) -> None:
        self._registration = registration
        self._caller = caller
        self._now = now
        self._rights = [right for right in registration.access_rights.values() if right.in_force(now)]

    def method(self, contract: MethodContract) -> pb.Method:
        """Return a method, what for it can be called, and what the caller may do."""
        rights = sorted(
            (right for right in self._rights if right.method == contract.path), key=lambda right: right.purpose
        )
        codes = dict.fromkeys(right.purpose for right in rights)
        return pb.Method(
            method=contract.path,
            provider=str(contract.provider),
            title_vi=contract.policy.title_vi,
            title_en=contract.policy.title_en,
            access=contract.policy.access,
            account_level=contract.policy.account_level,
            datasets=contract.datasets.values(),
            allowed_calls=[self._allowed(right) for right in rights if right.consumer == self._caller],
            purposes=[purpose_message(self._registration.purposes[code]) for code in codes],
            bases=self._bases(rights),
        )

    def _allowed(self, right: AccessRight) -> pb.AllowedCall:
        return pb.AllowedCall(
            access_right=access_right_message(right, self._registration.purposes[right.purpose]),
            bases=self._bases([right]),
        )

    def _bases(self, rights: Sequence[AccessRight]) -> list[pb.BasisInWords]:
        """Return what calls may rest on that one of some rights allows."""
        found = [
            (basis, {(right.method, right.purpose) for right in rights if basis in right.legal_bases})
            for basis in HEADER_OF_BASIS
        ]
        return [self._basis(basis, calls) for basis, calls in found if calls]

    def _basis(self, basis: LegalBasis.ValueType, calls: Collection[tuple[str, str]]) -> pb.BasisInWords:
        """Return a basis in words, for calls of some methods and purposes."""
        grounds = [
            ground
            for _, ground in sorted(self._registration.legal_grounds.items())
            if ground.period.holds(self._now)
            and any(ground.covers(basis, method, purpose) for method, purpose in calls)
        ]
        reference = describe(frozenset(form for ground in grounds for form in ground.reference_forms))
        return pb.BasisInWords(
            basis=basis,
            header_value=HEADER_OF_BASIS[basis],
            title_vi=LEGAL_BASIS_WORDS[basis].vi,
            title_en=LEGAL_BASIS_WORDS[basis].en,
            reference_vi=reference.vi,
            reference_en=reference.en,
            grounds=[legal_ground_message(ground) for ground in grounds],
        )


def _system(system: System) -> pb.System:
    identifier = system.system_id
    return pb.System(
        system_id=str(identifier),
        name_vi=system.name_vi,
        name_en=system.name_en,
        services=system.services,
        member=identifier.member,
    )
