"""Who must approve for a child, as the gateway holds it: signed statements, in any order, each counted once."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import grpc
import pytest

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import CallContext, explain
from lienthong_seeds import members
from tests.support import rights
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

SUBJECT, REPRESENTATIVE = pb.Capacity.CAPACITY_SUBJECT, pb.Capacity.CAPACITY_REPRESENTATIVE
PENDING, APPROVED, DENIED = (
    pb.ConsentRequestState.CONSENT_REQUEST_STATE_PENDING,
    pb.ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED,
    pb.ConsentRequestState.CONSENT_REQUEST_STATE_DENIED,
)


Sign = Callable[[GatewayWorld, pb.ConsentRequest], str]


def by_child(world: GatewayWorld, request: pb.ConsentRequest, **changes: object) -> str:
    return world.approval(request, level=1, subject_age="child_from_7", **changes)


def by_mother(world: GatewayWorld, request: pb.ConsentRequest, age: str = "child_from_7", **changes: object) -> str:
    about: dict[str, object] = {"subject_age": age, "approved_by": MAI, "approves_as": "representative"}
    return world.approval(request, 2, **about, **changes)


def fetched(world: GatewayWorld, request: pb.ConsentRequest) -> pb.ConsentRequest:
    fetch = pb.FetchConsentRequestRequest(consent_request_id=request.consent_request_id)
    stub = ConsentServiceStub(world.channel(members.PORTAL))
    return stub.FetchConsentRequest(fetch, timeout=TIMEOUT_S).consent_request


def revisions(world: GatewayWorld, request: pb.ConsentRequest) -> Sequence[pb.ConsentRevision]:
    listing = pb.ListConsentRevisionsRequest(id=request.consent_request_id)
    stub = ConsentServiceStub(world.channel(members.IDENTITY))
    return stub.ListConsentRevisions(listing, timeout=TIMEOUT_S).revisions


def read(world: GatewayWorld) -> None:
    """Read the child's record while nobody is logged in."""
    world.get_citizen(CallContext(PURPOSE))


def test_for_a_child_under_seven_the_representative_alone_approves(world: GatewayWorld) -> None:
    request = world.request_consent()

    given = world.decide(request.consent_request_id, by_mother(world, request, "child_under_7"))

    assert given.consent_request.state == APPROVED
    (approval,) = given.consent.approvals
    assert (approval.capacity, approval.approved_by) == (REPRESENTATIVE, MAI)
    read(world)


@pytest.mark.parametrize(
    ("order", "missing"),
    [((by_child, by_mother), REPRESENTATIVE), ((by_mother, by_child), SUBJECT)],
    ids=["child first", "mother first"],
)
def test_from_seven_on_nothing_is_given_before_both_have_approved(
    world: GatewayWorld, order: Sequence[Sign], missing: pb.Capacity.ValueType
) -> None:
    request = world.request_consent()
    first, second = (sign(world, request) for sign in order)

    waiting = world.decide(request.consent_request_id, first)
    assert waiting.consent_request.state == PENDING
    assert not waiting.HasField("consent")
    assert list(fetched(world, request).missing) == [missing]
    assert refusal_of(lambda: read(world)).reason == "CONSENT_MISSING"

    given = world.decide(request.consent_request_id, second)
    assert given.consent_request.state == APPROVED
    assert {approval.capacity for approval in given.consent.approvals} == {SUBJECT, REPRESENTATIVE}
    assert given.consent.account_level == 2, "the representative's account counts"
    read(world)


def test_what_both_approve_begins_when_the_second_does(world: GatewayWorld) -> None:
    request = world.request_consent()
    world.decide(request.consent_request_id, by_child(world, request))
    world.clock.advance(timedelta(minutes=10))

    given = world.decide(request.consent_request_id, by_mother(world, request)).consent

    first, second = (approval.approved_at.ToDatetime() for approval in given.approvals)
    assert second - first >= timedelta(minutes=10)
    assert given.approved_at.ToDatetime() == second
    assert given.valid_until.ToDatetime() == second + timedelta(hours=1)


def test_a_replayed_approval_is_refused(world: GatewayWorld) -> None:
    request = world.request_consent()
    statement = by_child(world, request)
    world.decide(request.consent_request_id, statement)

    for again in (statement, by_child(world, request)):
        why = refusal_of(lambda: world.decide(request.consent_request_id, again))  # noqa: B023 (called at once)
        assert (why.reason, why.status) == ("APPROVAL_REPLAYED", grpc.StatusCode.FAILED_PRECONDITION)
    assert fetched(world, request).state == PENDING

    world.decide(request.consent_request_id, by_mother(world, request))
    closed = refusal_of(lambda: world.decide(request.consent_request_id, statement))
    assert closed.reason == "CONSENT_REQUEST_CLOSED"


def test_an_approval_replayed_for_another_request_is_refused(world: GatewayWorld) -> None:
    first, second = world.request_consent(), world.request_consent()
    statement = by_child(world, first)
    world.decide(first.consent_request_id, statement)

    assert refusal_of(lambda: world.decide(second.consent_request_id, statement)).reason == "APPROVAL_INVALID"


def test_two_statements_of_one_name_are_not_both_counted(world: GatewayWorld) -> None:
    request = world.request_consent()
    world.decide(request.consent_request_id, by_child(world, request, jti="the same"))

    why = refusal_of(lambda: world.decide(request.consent_request_id, by_mother(world, request, jti="the same")))

    assert why.reason == "APPROVAL_REPLAYED"
    assert fetched(world, request).state == PENDING


def test_either_may_deny_and_that_closes_the_request(world: GatewayWorld) -> None:
    for approves, denies in ((by_child, by_mother), (by_mother, by_child)):
        request = world.request_consent()
        world.decide(request.consent_request_id, approves(world, request))
        denied = world.decide(request.consent_request_id, denies(world, request, decision="denied"))
        assert denied.consent_request.state == DENIED
        assert denied.consent_request == fetched(world, request), "who had approved is told still"
        assert not fetched(world, request).missing
        last = json.loads(revisions(world, request)[-1].document)
        assert (last["changed_by"]["capacity"] == "representative") == (denies is by_mother)
    assert refusal_of(lambda: read(world)).reason == "CONSENT_MISSING"


def test_child_and_representative_who_approve_at_the_same_moment_both_count(world: GatewayWorld) -> None:
    requests = [world.request_consent() for _ in range(8)]
    statements = [(r.consent_request_id, sign(world, r)) for r in requests for sign in (by_child, by_mother)]

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(world.decide, request_id, statement) for request_id, statement in statements]
    assert all(call.result().consent_request for call in calls)

    assert {fetched(world, request).state for request in requests} == {APPROVED}


def test_of_an_approval_and_a_denial_at_the_same_moment_the_request_keeps_one_outcome(world: GatewayWorld) -> None:
    request = world.request_consent()
    world.decide(request.consent_request_id, by_child(world, request))
    statements = [by_mother(world, request), by_mother(world, request, decision="denied")]

    def decide(statement: str) -> str:
        try:
            world.decide(request.consent_request_id, statement)
        except grpc.RpcError as error:
            return explain(error).reason
        return "recorded"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, statements)) == ["CONSENT_REQUEST_CLOSED", "recorded"]
    assert fetched(world, request).state in {APPROVED, DENIED}


def test_a_representative_finds_the_consents_she_gave_beside_her_own_where_she_asks(world: GatewayWorld) -> None:
    request = world.request_consent(number=LAN)
    world.decide(request.consent_request_id, by_mother(world, request, "child_under_7"))
    own = world.consent(number=MAI)
    stub = ConsentServiceStub(world.channel(members.IDENTITY))

    def listed(*, all_of_them: bool) -> set[str]:
        ask = pb.ListConsentsRequest(subject_number=MAI, include_represented=all_of_them)
        return {consent.terms.subject_number for consent in stub.ListConsents(ask, timeout=TIMEOUT_S).consents}

    assert listed(all_of_them=False) == {own.terms.subject_number}
    assert listed(all_of_them=True) == {LAN, MAI}


def test_who_has_turned_sixteen_since_the_representative_approved_counts_with_the_account_of_her_own(
    world: GatewayWorld,
) -> None:
    request = world.request_consent()
    world.decide(request.consent_request_id, by_mother(world, request))

    given = world.decide(request.consent_request_id, world.approval(request, level=1))

    assert given.consent_request.state == APPROVED
    assert given.consent.account_level == 1
    assert refusal_of(lambda: read(world)).reason == "ACCOUNT_LEVEL_TOO_LOW"


def test_what_she_gives_alone_at_sixteen_is_not_her_representatives_who_had_approved_before(
    world: GatewayWorld,
) -> None:
    request = world.request_consent()
    world.decide(request.consent_request_id, by_mother(world, request))

    given = world.decide(request.consent_request_id, world.approval(request)).consent

    assert [(each.capacity, each.approved_by) for each in given.approvals] == [(SUBJECT, LAN)]
    stub = ConsentServiceStub(world.channel(members.IDENTITY))
    ask = pb.ListConsentsRequest(subject_number=MAI, include_represented=True)
    assert not stub.ListConsents(ask, timeout=TIMEOUT_S).consents
    erased = rights.submit(world, rights.DELETE, rights.GATEWAY, MAI).request_id
    rights.acknowledge(world, erased, rights.OFFICE)
    rights.fulfil(world, erased, rights.OFFICE)
    read(world)


def test_who_approved_as_a_child_and_has_turned_sixteen_since_approves_alone_and_the_chain_keeps_both(
    database_url: str,
) -> None:
    with gateway_world(database_url) as world:
        request = world.request_consent()
        request_id = request.consent_request_id
        as_child, grown_up = by_child(world, request), world.approval(request, level=2)
        world.decide(request_id, as_child)

        given = world.decide(request_id, grown_up)
        closed = refusal_of(lambda: world.decide(request_id, world.approval(request)))
        chain = revisions(world, request)
        read(world)

    assert (given.consent_request.state, list(given.consent_request.approved_as)) == (APPROVED, [SUBJECT])
    assert [approval.statement for approval in given.consent.approvals] == [grown_up]
    assert given.consent.account_level == 2
    assert closed.reason == "CONSENT_REQUEST_CLOSED"
    digests = [[each["statement_digest"] for each in json.loads(r.document)["approvals"]] for r in chain]
    assert digests == [[], [sha256(as_child.encode()).hexdigest()], [sha256(grown_up.encode()).hexdigest()]]
