"""A list of changes is about nobody in particular, and tells each agency of what its right names."""

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong.api.population.v1.population_pb2 import Change, ListChangesRequest, ListChangesResponse
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import CallContext
from lienthong_seeds import members
from tests.support.administration import administration, grant, withdraw
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import TIMEOUT_S, GatewayWorld

LIST_CHANGES = "/lienthong.api.population.v1.PopulationService/ListChanges"
BASED_ON_LAW = CallContext(members.INTEGRATION_TEST.code, "", "state_19_1_c", "TEST-1", "officer-1").metadata()


def test_an_agency_is_told_of_changes_of_what_its_right_names_and_the_log_says_of_what(world: GatewayWorld) -> None:
    moved = Change(change_number=1, personal_number=LAN, datasets=["residence", "residence.history"])
    renamed = Change(change_number=2, personal_number=MAI, datasets=["identity.basic"])
    world.population.answer("ListChanges", ListChangesResponse(changes=[moved, renamed], next_cursor="2"))
    consumer, purpose = str(members.YOUR_SYSTEM), members.INTEGRATION_TEST.code
    withdraw(administration(world), consumer, LIST_CHANGES, purpose)
    grant(
        administration(world),
        consumer=consumer,
        method=LIST_CHANGES,
        purpose=purpose,
        legal_bases=[LegalBasis.LEGAL_BASIS_STATE_BODY],
        datasets=["identity.basic", "residence"],
    )

    stub = PopulationServiceStub(world.channel(members.YOUR_SYSTEM))
    answer = stub.ListChanges(ListChangesRequest(), metadata=BASED_ON_LAW, timeout=TIMEOUT_S)

    told = Change(change_number=1, personal_number=LAN, datasets=["residence"])
    assert answer == ListChangesResponse(changes=[told, renamed], next_cursor="2")
    (entry,) = (entry for entry in world.entries() if entry["event"] == "EXCHANGE")
    assert entry["datasets_released"] == ["identity.basic", "residence"]
    assert {"residence.history", "health.blood_group"} <= set(entry["datasets_withheld"])
