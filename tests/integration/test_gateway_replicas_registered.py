"""What is registered at one replica of the gateway is what another decides on, before any exchange has told it."""

from collections.abc import Callable, Iterator

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import RequestConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1 import administration_pb2
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis, ListMethodsRequest
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.api.exchange.v1.log_pb2 import ListAccessesRequest
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.rights.v1.rights_pb2 import RightsRequestState as State
from lienthong.client import CallContext
from lienthong_core.database import writing
from lienthong_gateway.registry.store import remove_officer
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from tests.support.administration import (
    CONSENT,
    CONTRACT,
    GET_CITIZEN,
    administration,
    admit,
    dismiss,
    end_ground,
    grant,
    read_by_contract,
    register_ground,
    register_purpose,
    withdraw,
)
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, refusal_of
from tests.support.replicas import two_replicas
from tests.support.rights import DELETE, DESK, OFFICE, acknowledge, extend, fulfil, refuse, submit, update_residence

GROUND = "residence-registration"
UPDATE_RESIDENCE = "/lienthong.api.population.v1.PopulationService/UpdateResidence"
Replicas = tuple[GatewayWorld, GatewayWorld]


@pytest.fixture
def replicas(database_url: str) -> Iterator[Replicas]:
    with two_replicas(database_url) as worlds:
        yield worlds


def refuse_reason(world: GatewayWorld, request_id: str) -> str:
    return refusal_of(lambda: refuse(world, request_id, GROUND)).reason


ACTS: dict[str, Callable[[GatewayWorld, str], object]] = {
    "extend": extend,
    "fulfil": fulfil,
    "refuse": refuse,
}


def own_accesses(world: GatewayWorld, officer: str) -> object:
    stub = ExchangeLogServiceStub(world.channel(members.PORTAL))
    metadata = CallContext("", officer=officer).metadata()
    return stub.ListAccesses(ListAccessesRequest(as_consumer=True), metadata=metadata, timeout=TIMEOUT_S)


def ask_for_consent(world: GatewayWorld, officer: str) -> object:
    request = RequestConsentRequest(
        subject_number=LAN, provider=str(members.POPULATION), datasets=["identity.basic"], purpose=PURPOSE
    )
    stub = ConsentServiceStub(world.channel(members.PORTAL))
    return stub.RequestConsent(request, metadata=CallContext("", officer=officer).metadata(), timeout=TIMEOUT_S)


CALLS_TO_THE_GATEWAY: dict[str, Callable[[GatewayWorld, str], object]] = {
    "reading the log": own_accesses,
    "asking for a consent": ask_for_consent,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_officer_who_was_dismissed_at_one_replica_answers_nothing_at_the_other(
    replicas: Replicas, act: Callable[[GatewayWorld, str], object]
) -> None:
    first, second = replicas
    request_id = submit(second).request_id
    acknowledge(second, request_id)

    dismiss(administration(first), str(DESK), members.OFFICER)

    why = refusal_of(lambda: act(second, request_id))
    assert (why.reason, why.status) == ("OFFICER_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED)


@pytest.mark.parametrize("call", CALLS_TO_THE_GATEWAY.values(), ids=CALLS_TO_THE_GATEWAY)
def test_an_officer_who_was_dismissed_at_one_replica_has_nothing_done_by_the_other(
    replicas: Replicas, call: Callable[[GatewayWorld, str], object]
) -> None:
    first, second = replicas
    call(second, members.OFFICER)

    dismiss(administration(first), str(members.PORTAL), members.OFFICER)

    assert refusal_of(lambda: call(second, members.OFFICER)).reason == "OFFICER_NOT_ALLOWED"


def test_an_officer_who_is_dismissed_at_the_same_moment_answers_nothing(replicas: Replicas) -> None:
    first, second = replicas
    request_id = submit(second).request_id
    assert isinstance(first.gateway, GatewayServer)
    # No change is counted: as it is for whoever has looked before the dismissal, and acts after it.
    with writing(first.gateway.engine) as connection:
        remove_officer(connection, DESK, members.OFFICER)

    why = refusal_of(lambda: acknowledge(second, request_id))

    assert why.reason == "OFFICER_NOT_ALLOWED"
    assert [entry["reason"] for entry in first.entries() if entry["event"] == "RIGHTS_REQUEST"] == ["VIEW_SUBMITTED"]


def changes_of(world: GatewayWorld) -> int:
    """Return how often the provider was asked to change its register."""
    return sum(asked.method == "UpdateResidence" for asked in world.population.calls)


CALLS: dict[str, tuple[str, Callable[[GatewayWorld], object]]] = {
    "reading on consent": (GET_CITIZEN, GatewayWorld.read),
    "a change by the law": (UPDATE_RESIDENCE, update_residence),
}


@pytest.mark.parametrize(("method", "call"), CALLS.values(), ids=CALLS)
def test_a_right_that_was_withdrawn_at_one_replica_allows_nothing_at_the_other(
    replicas: Replicas, method: str, call: Callable[[GatewayWorld], object]
) -> None:
    first, second = replicas
    first.consent()
    call(second)
    changes = changes_of(first)

    withdraw(administration(first), str(members.PORTAL), method, PURPOSE)

    for _ in ("before it has heard of that", "once it has"):
        assert refusal_of(lambda: call(second)).reason == "ACCESS_RIGHT_NOT_IN_FORCE"
    assert changes_of(first) == changes


@pytest.mark.parametrize("basis", [CONSENT, CONTRACT], ids=["on consent", "by the law"])
def test_a_right_that_was_granted_at_one_replica_allows_at_the_other_what_it_says(
    replicas: Replicas, basis: LegalBasis.ValueType
) -> None:
    first, second = replicas
    stub = administration(first)

    def read() -> None:
        if basis == CONTRACT:
            read_by_contract(second)
        else:
            second.get_citizen(CallContext(members.MARKETING.code), members.SHOP)

    admit(stub)
    register_ground(stub)
    for _ in ("before it has heard of the ground", "once it has"):
        assert refusal_of(read).reason == "ACCESS_RIGHT_MISSING"

    grant(stub, legal_bases=[CONSENT, CONTRACT])
    first.consent(members.SHOP, purpose=members.MARKETING.code)

    read()


def test_who_was_given_a_right_at_one_replica_is_asked_for_its_data_at_the_other(replicas: Replicas) -> None:
    first, second = replicas
    shop = str(members.SHOP)
    assert refusal_of(lambda: submit(second, controller=shop)).reason == "RIGHTS_REQUEST_INVALID"

    grant(administration(first), consumer=shop)

    assert submit(second, controller=shop).controller == shop


def test_an_officer_who_was_admitted_at_one_replica_answers_at_the_other(replicas: Replicas) -> None:
    first, second = replicas
    request_id = submit(second).request_id
    dismiss(administration(second), str(DESK), members.OFFICER)

    admit(administration(first), str(DESK), members.OFFICER)

    assert acknowledge(second, request_id).state == State.RIGHTS_REQUEST_STATE_ACKNOWLEDGED


def test_no_deletion_is_refused_on_a_ground_that_was_ended_at_the_other_replica(replicas: Replicas) -> None:
    first, second = replicas
    request_id = submit(second, DELETE).request_id
    acknowledge(second, request_id)

    end_ground(administration(first), GROUND)

    assert refuse_reason(second, request_id) == "RIGHTS_REQUEST_INVALID"


def test_consent_is_asked_for_a_purpose_that_was_registered_at_the_other_replica(replicas: Replicas) -> None:
    first, second = replicas

    purpose = register_purpose(administration(first))
    grant(administration(first), consumer=str(members.PORTAL), purpose=purpose.code)

    assert second.request_consent(purpose=purpose.code).terms.purpose_title_vi == purpose.title_vi


def test_the_catalogue_and_the_accesses_know_what_was_registered_at_the_other_replica(replicas: Replicas) -> None:
    first, second = replicas
    purpose = register_purpose(administration(first))
    grant(administration(first), consumer=str(members.PORTAL), purpose=purpose.code)

    catalogue = CatalogueServiceStub(second.channel(members.PORTAL))
    methods = catalogue.ListMethods(ListMethodsRequest(), timeout=TIMEOUT_S).methods
    first.consent(purpose=purpose.code)
    given = next(access for access in second.accesses() if access.reason == "CONSENT_GIVEN")

    allowed = {call.access_right.purpose for method in methods for call in method.allowed_calls}
    assert purpose.code in allowed
    assert given.purpose_title_vi == purpose.title_vi


def test_an_administrator_who_was_admitted_at_one_replica_acts_and_lists_at_the_other(replicas: Replicas) -> None:
    first, second = replicas
    new = CallContext("", officer="quan-tri-0002").metadata()

    admit(administration(first), str(OFFICE), "quan-tri-0002")

    request = administration_pb2.DismissOfficerRequest(
        officer=administration_pb2.Officer(system_id=str(OFFICE), officer_id=members.ADMINISTRATOR)
    )
    administration(second).DismissOfficer(request, metadata=new, timeout=TIMEOUT_S)
    listing = administration_pb2.ListOfficersRequest(system_id=str(OFFICE))
    listed = administration(first).ListOfficers(listing, metadata=new, timeout=TIMEOUT_S).officers
    assert [officer.officer_id for officer in listed] == ["quan-tri-0002"]
    assert refusal_of(lambda: admit(administration(first))).reason == "OFFICER_NOT_ALLOWED"
