"""CatalogueService: who takes part, what can be called, and what the caller may call."""

from collections.abc import Mapping

from lienthong.api.exchange.v1 import catalogue_pb2 as pb
from lienthong_core.systems import SystemId
from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.local import Answer, LocalCall
from lienthong_gateway.registration import AccessRight, Registration, System


class CatalogueAnswers:
    """Answers CatalogueService."""

    def __init__(self, registration: Registration, contracts: Mapping[str, MethodContract]) -> None:
        self._registration = registration
        self._contracts = contracts

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each method of the service."""
        return {"ListSystems": self._list_systems, "ListMethods": self._list_methods}

    async def _list_systems(self, _call: LocalCall, _request: pb.ListSystemsRequest) -> pb.ListSystemsResponse:
        systems = sorted(self._registration.systems.values(), key=lambda system: system.system_id)
        return pb.ListSystemsResponse(systems=[_system(system) for system in systems])

    async def _list_methods(self, call: LocalCall, _request: pb.ListMethodsRequest) -> pb.ListMethodsResponse:
        contracts = [self._contracts[path] for path in sorted(self._contracts)]
        return pb.ListMethodsResponse(methods=[self._method(contract, call.caller.system) for contract in contracts])

    def _method(self, contract: MethodContract, caller: SystemId) -> pb.Method:
        rights = self._registration.access_rights.values()
        own = [right for right in rights if right.consumer == caller and right.method == contract.path]
        return pb.Method(
            method=contract.path,
            provider=str(contract.provider),
            title_vi=contract.policy.title_vi,
            title_en=contract.policy.title_en,
            access=contract.policy.access,
            account_level=contract.policy.account_level,
            datasets=contract.datasets.values(),
            access_rights=[self._right(right) for right in sorted(own, key=lambda right: right.purpose)],
        )

    def _right(self, right: AccessRight) -> pb.AccessRight:
        return pb.AccessRight(
            consumer=str(right.consumer),
            method=right.method,
            purpose=right.purpose,
            purpose_title_vi=self._registration.purposes[right.purpose].title_vi,
            legal_bases=sorted(right.legal_bases),
            datasets=sorted(right.datasets),
        )


def _system(system: System) -> pb.System:
    return pb.System(
        system_id=str(system.system_id), name_vi=system.name_vi, name_en=system.name_en, services=system.services
    )
