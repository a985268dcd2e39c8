"""What can be seen of a gateway: the catalogue, her accesses to the citizen, the whole log to an auditor."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from lienthong.api.exchange.v1 import catalogue_pb2, log_pb2
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong.api.exchange.v1.catalogue_pb2_grpc import CatalogueServiceStub
from lienthong.api.exchange.v1.log_pb2_grpc import ExchangeLogServiceStub
from lienthong.api.options.v1 import options_pb2
from lienthong.api.population.v1 import population_pb2
from lienthong.client import CallContext
from lienthong_core.contracts import declared_datasets
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import method_path
from lienthong_gateway.log.checkpoint import CheckpointKey, VerifierKey
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.registration import HEADER_OF_BASIS
from lienthong_seeds import members
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of
from tests.support.log import filled

GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("views") / "gateway.sqlite")) as world:
        world.consent()
        for _ in range(5):
            world.read()
        yield world


def log_service(world: GatewayWorld, system: SystemId = members.AUDITOR) -> ExchangeLogServiceStub:
    return ExchangeLogServiceStub(world.channel(system))


def list_accesses(world: GatewayWorld, cursor: str = "", page_size: int = 0) -> log_pb2.ListAccessesResponse:
    request = log_pb2.ListAccessesRequest(cursor=cursor, page_size=page_size)
    metadata = CallContext("", world.rights_token()).metadata()
    return log_service(world, members.PORTAL).ListAccesses(request, metadata=metadata, timeout=TIMEOUT_S)


def test_anybody_can_check_the_log_with_what_the_auditor_is_given(world: GatewayWorld) -> None:
    service = log_service(world)
    answer = service.ListCheckpoints(log_pb2.ListCheckpointsRequest(page_size=1_000), timeout=TIMEOUT_S)
    entries = service.ListEntries(log_pb2.ListEntriesRequest(page_size=1_000), timeout=TIMEOUT_S).entries
    key = VerifierKey.parse(answer.verifier_key)

    roots = {0: Tree().root()}
    tree = Tree()
    for entry in entries:
        assert entry.leaf_hash == leaf_hash(entry.leaf)
        assert entry.log_index == tree.size
        tree.append(entry.leaf_hash)
        roots[tree.size] = tree.root()

    assert len(answer.checkpoints) > 5
    for checkpoint in answer.checkpoints:
        assert roots[checkpoint.tree_size] == key.open(checkpoint.note).root


def test_entries_can_be_read_a_page_at_a_time(world: GatewayWorld) -> None:
    request = log_pb2.ListEntriesRequest(start=2, page_size=3)

    entries = log_service(world).ListEntries(request, timeout=TIMEOUT_S).entries

    assert [entry.log_index for entry in entries] == [2, 3, 4]


def test_reading_the_log_is_recorded_before_it_is_answered(world: GatewayWorld) -> None:
    entry = world.entries()[-1]

    assert (entry["event"], entry["consumer"]) == ("LOG_READ", str(members.AUDITOR))


@pytest.mark.parametrize("system", [members.PORTAL, members.IDENTITY, members.POPULATION])
def test_nobody_but_an_auditor_reads_the_whole_log(world: GatewayWorld, system: SystemId) -> None:
    service = log_service(world, system)

    for call in (
        lambda: service.ListEntries(log_pb2.ListEntriesRequest(), timeout=TIMEOUT_S),
        lambda: service.ListCheckpoints(log_pb2.ListCheckpointsRequest(), timeout=TIMEOUT_S),
    ):
        why = refusal_of(call)
        assert (why.status, why.reason) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


def test_nobody_sees_accesses_without_the_citizens_token_or_saying_in_which_role(world: GatewayWorld) -> None:
    service = log_service(world, members.PORTAL)

    why = refusal_of(lambda: service.ListAccesses(log_pb2.ListAccessesRequest(), timeout=TIMEOUT_S))

    assert (why.status, why.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


def test_accesses_are_the_same_page_by_page_as_all_at_once(world: GatewayWorld) -> None:
    found: list[int] = []
    page = list_accesses(world, page_size=2)
    newest = page.accesses[0].log_index
    while True:
        found += [access.log_index for access in page.accesses]
        if not page.next_cursor:
            break
        page = list_accesses(world, page.next_cursor, page_size=2)

    assert found == [access.log_index for access in world.accesses() if access.log_index <= newest]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣", "9" * 30, " 1"])
def test_a_cursor_that_was_never_given_is_refused(world: GatewayWorld, cursor: str) -> None:
    why = refusal_of(lambda: list_accesses(world, cursor))

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID")


@pytest.mark.parametrize("size", [-1, 501, (1 << 31) - 1])
def test_a_page_size_out_of_its_range_is_refused(world: GatewayWorld, size: int) -> None:
    why = refusal_of(lambda: list_accesses(world, page_size=size))

    assert (why.status, why.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_SIZE_INVALID")


def test_without_a_page_size_a_page_has_as_much_as_the_contract_says(tmp_path: Path) -> None:
    url, key = sqlite_url(tmp_path / "gateway.sqlite"), CheckpointKey.create()
    filled(url, 120, key, batch=1).dispose()
    with gateway_world(url, checkpoint_key=key) as world:
        service = log_service(world)
        accesses = service.ListAccesses(log_pb2.ListAccessesRequest(), timeout=TIMEOUT_S).accesses
        entries = service.ListEntries(log_pb2.ListEntriesRequest(), timeout=TIMEOUT_S).entries
        checkpoints = service.ListCheckpoints(log_pb2.ListCheckpointsRequest(), timeout=TIMEOUT_S).checkpoints

    assert (len(accesses), len(entries), len(checkpoints)) == (50, 100, 100)


def test_the_catalogue_lists_the_registered_systems(world: GatewayWorld) -> None:
    stub = CatalogueServiceStub(world.channel(members.SHOP))

    systems = stub.ListSystems(catalogue_pb2.ListSystemsRequest(), timeout=TIMEOUT_S).systems

    assert [(system.system_id, system.name_vi, system.name_en, tuple(system.services)) for system in systems] == sorted(
        (str(system.system_id), system.name_vi, system.name_en, system.services) for system in members.SYSTEMS
    )
    assert {system.member for system in systems if "/G01/" in system.system_id} == {"VN-SANDBOX/GOV/G01"}


def test_the_catalogue_says_of_every_method_what_its_contract_does(world: GatewayWorld) -> None:
    stub = CatalogueServiceStub(world.channel(members.SHOP))

    methods = stub.ListMethods(catalogue_pb2.ListMethodsRequest(), timeout=TIMEOUT_S).methods

    said = {
        method.method: (method.title_vi, method.title_en, method.access, method.account_level)
        for method in methods
        if method.provider == str(members.POPULATION)
    }
    contract = population_pb2.DESCRIPTOR.services_by_name["PopulationService"]
    policies = {method_path(method): method.GetOptions().Extensions[options_pb2.method] for method in contract.methods}
    assert said == {
        path: (policy.title_vi, policy.title_en, policy.access, policy.account_level)
        for path, policy in policies.items()
    }
    assert [method.method for method in methods] == sorted(method.method for method in methods)
    (reading,) = [method for method in methods if method.method == GET_CITIZEN]
    names = "family health.blood_group household identity.basic identity.ethnicity identity.history identity.origin"
    declared = declared_datasets()
    assert list(reading.datasets) == [
        declared[name] for name in [*names.split(), "life_status", "residence", "residence.history"]
    ]


def test_the_catalogue_says_what_the_calling_system_may_call_and_no_other_systems_rights(world: GatewayWorld) -> None:
    def rights(system: SystemId) -> list[tuple[str, str]]:
        stub = CatalogueServiceStub(world.channel(system))
        methods = stub.ListMethods(catalogue_pb2.ListMethodsRequest(), timeout=TIMEOUT_S).methods
        (method,) = [method for method in methods if method.method == GET_CITIZEN]
        assert method.provider == str(members.POPULATION)
        assert method.account_level == 2
        found = [(call.access_right.consumer, call.access_right.purpose) for call in method.allowed_calls]
        assert found == sorted(found)
        return found

    assert (str(members.PORTAL), PURPOSE) in rights(members.PORTAL)
    assert len(rights(members.PORTAL)) > 1
    assert {consumer for consumer, _ in rights(members.BANK)} == {str(members.BANK)}
    assert rights(members.SHOP) == []


def test_the_catalogue_says_in_words_what_a_method_may_rest_on_to_those_as_well_who_may_not_call_it(
    world: GatewayWorld,
) -> None:
    stub = CatalogueServiceStub(world.channel(members.SHOP))
    methods = stub.ListMethods(catalogue_pb2.ListMethodsRequest(), timeout=TIMEOUT_S).methods
    (method,) = [method for method in methods if method.method == GET_CITIZEN]

    bases = {basis.header_value: basis for basis in method.bases}

    assert not method.allowed_calls
    rights = [right for right in members.ACCESS_RIGHTS if right.method == GET_CITIZEN]
    assert set(bases) == {HEADER_OF_BASIS[basis] for right in rights for basis in right.legal_bases}
    assert "19(1)(c)" in bases["state_19_1_c"].title_en
    grounded = {purpose for ground in bases["state_19_1_c"].grounds for purpose in ground.purposes}
    assert grounded >= {right.purpose for right in rights if LegalBasis.LEGAL_BASIS_STATE_BODY in right.legal_bases}
    assert (bases["consent"].reference_en, len(bases["consent"].grounds)) == ("", 0)
