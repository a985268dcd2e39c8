"""Citizens' requests about their own data, as citizens make them and controllers answer them."""

from lienthong.api.population.v1 import population_pb2
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.rights.v1 import rights_pb2 as pb
from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind as Kind
from lienthong.api.rights.v1.rights_pb2_grpc import SubjectRightsServiceStub
from lienthong.client import CallContext
from lienthong_core.systems import SystemId
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld

POPULATION, GATEWAY = str(members.POPULATION), str(members.GATEWAY)
VIEW, DELETE, RESTRICT = (
    Kind.RIGHTS_REQUEST_KIND_VIEW,
    Kind.RIGHTS_REQUEST_KIND_DELETE,
    Kind.RIGHTS_REQUEST_KIND_RESTRICT,
)
DESK, OFFICE = members.RESIDENCE_DESK, members.ADMINISTRATION


def service(world: GatewayWorld, system: SystemId = members.PORTAL) -> SubjectRightsServiceStub:
    return SubjectRightsServiceStub(world.channel(system))


def as_citizen(world: GatewayWorld, number: str = LAN) -> tuple[tuple[str, str], ...]:
    return CallContext("", world.rights_token(members.PORTAL, number)).metadata()


def by_officer(system: SystemId) -> tuple[tuple[str, str], ...]:
    officer = members.ADMINISTRATOR if system == OFFICE else members.OFFICER
    return CallContext("", officer=officer).metadata()


def submit(
    world: GatewayWorld, kind: Kind.ValueType = VIEW, controller: str = POPULATION, number: str = LAN
) -> pb.RightsRequest:
    request = pb.SubmitRequest(kind=kind, controller=controller, detail="Dữ liệu về tôi")
    return service(world).Submit(request, metadata=as_citizen(world, number), timeout=TIMEOUT_S).request


def withdraw(world: GatewayWorld, request_id: str, number: str = LAN) -> pb.RightsRequest:
    request = pb.WithdrawRequest(request_id=request_id)
    return service(world).Withdraw(request, metadata=as_citizen(world, number), timeout=TIMEOUT_S).request


def acknowledge(world: GatewayWorld, request_id: str, system: SystemId = DESK) -> pb.RightsRequest:
    request = pb.AcknowledgeRequest(request_id=request_id)
    stub = service(world, system)
    return stub.Acknowledge(request, metadata=by_officer(system), timeout=TIMEOUT_S).request


def extend(world: GatewayWorld, request_id: str) -> pb.RightsRequest:
    request = pb.ExtendRequest(request_id=request_id, reason="Hồ sơ giấy phải tìm trong kho")
    return service(world, DESK).Extend(request, metadata=by_officer(DESK), timeout=TIMEOUT_S).request


def fulfil(world: GatewayWorld, request_id: str, system: SystemId = DESK) -> pb.RightsRequest:
    request = pb.FulfilRequest(request_id=request_id, note="Đã thực hiện")
    return service(world, system).Fulfil(request, metadata=by_officer(system), timeout=TIMEOUT_S).request


def refuse(world: GatewayWorld, request_id: str, legal_ground: str = "", system: SystemId = DESK) -> pb.RightsRequest:
    request = pb.RefuseRequest(request_id=request_id, reason="Có căn cứ lưu giữ", legal_ground=legal_ground)
    return service(world, system).Refuse(request, metadata=by_officer(system), timeout=TIMEOUT_S).request


def complied(
    world: GatewayWorld, kind: Kind.ValueType, controller: str = POPULATION, system: SystemId = DESK
) -> pb.RightsRequest:
    """Have a citizen's request submitted, acknowledged and fulfilled."""
    request_id = submit(world, kind, controller).request_id
    acknowledge(world, request_id, system)
    return fulfil(world, request_id, system)


def listed(
    world: GatewayWorld,
    request: pb.ListRequest,
    system: SystemId = DESK,
    metadata: tuple[tuple[str, str], ...] = (),
) -> pb.ListResponse:
    return service(world, system).List(request, metadata=metadata, timeout=TIMEOUT_S)


def update_residence(world: GatewayWorld) -> None:
    """Have a citizen's residence changed, by a provider that does so."""
    world.population.answer("UpdateResidence", population_pb2.UpdateResidenceResponse(change_number=1))
    ask_to_update_residence(world)


def ask_to_update_residence(world: GatewayWorld) -> None:
    """Ask the provider, however it answers now, to change a citizen's residence."""
    context = CallContext(
        PURPOSE, legal_basis="state_19_1_c", legal_reference="G01.99-20261121-0000001", officer=members.OFFICER
    )
    stub = PopulationServiceStub(world.channel(members.PORTAL))
    request = population_pb2.UpdateResidenceRequest(personal_number=LAN)
    stub.UpdateResidence(request, metadata=context.metadata(), timeout=TIMEOUT_S)
