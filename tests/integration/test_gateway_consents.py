"""ConsentService at a real gateway: what may be asked for, who may see it, and how a consent ends."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong.client import CallContext
from lienthong_core.database import sqlite_url
from lienthong_core.systems import SystemId
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

ACTIVE, REVOKED = pb.ConsentState.CONSENT_STATE_ACTIVE, pb.ConsentState.CONSENT_STATE_REVOKED
UNKNOWN_ID = "7a3f0a54-1f2b-4f7e-9d0a-000000000000"
INVALID, DENIED, MISSING, CLOSED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Give one gateway to the tests that change nothing at it."""
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("consents") / "gateway.sqlite")) as world:
        yield world


def service(world: GatewayWorld, system: SystemId = members.PORTAL) -> ConsentServiceStub:
    return ConsentServiceStub(world.channel(system))


def asked(
    subject_number: str = LAN,
    provider: str = str(members.POPULATION),
    datasets: Sequence[str] = ("identity.basic",),
    purpose: str = PURPOSE,
    valid_for: Duration | None = None,
) -> pb.RequestConsentRequest:
    return pb.RequestConsentRequest(
        subject_number=subject_number, provider=provider, datasets=datasets, purpose=purpose, valid_for=valid_for
    )


def revoke(world: GatewayWorld, consent_id: str, system: SystemId = members.PORTAL) -> pb.Consent:
    request = pb.RevokeConsentRequest(consent_id=consent_id)
    return service(world, system).RevokeConsent(request, timeout=TIMEOUT_S).consent


def events(world: GatewayWorld) -> list[str]:
    return [entry["reason"] for entry in world.entries() if entry["event"] == "CONSENT"]


def test_a_consent_lives_from_the_request_to_the_revocation(world: GatewayWorld) -> None:
    request = world.request_consent(datasets=["residence", "identity.basic"])
    assert request.state == pb.ConsentRequestState.CONSENT_REQUEST_STATE_PENDING
    assert request.terms.purpose_title_vi == members.PERMANENT_RESIDENCE.title_vi

    answer = world.decide(request.consent_request_id, world.approval(request))
    assert answer.consent_request.state == pb.ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED
    assert answer.consent_request.consent_id == answer.consent.consent_id
    assert answer.consent_request.requested_at == request.requested_at
    assert (answer.consent.state, answer.consent.revision) == (ACTIVE, 1)
    assert list(answer.consent.terms.datasets) == ["identity.basic", "residence"]
    assert answer.consent.account_level == 2

    ended = revoke(world, answer.consent.consent_id)
    assert (ended.state, ended.revision) == (REVOKED, 2)
    stored = service(world).GetConsent(pb.GetConsentRequest(consent_id=ended.consent_id), timeout=TIMEOUT_S).consent
    assert (stored.state, stored.revision) == (REVOKED, 2)
    assert events(world) == ["CONSENT_REQUESTED", "CONSENT_GIVEN", "CONSENT_REVOKED"]


def test_a_consent_says_with_which_level_of_account_it_was_approved(world: GatewayWorld) -> None:
    for level in (1, 2):
        consent_id = world.consent(level=level).consent_id
        stored = service(world).GetConsent(pb.GetConsentRequest(consent_id=consent_id), timeout=TIMEOUT_S).consent

        assert (stored.account_level, [by.account_level for by in stored.approvals]) == (level, [level])


def test_a_consent_to_what_one_provider_answers_is_none_to_what_another_does(world: GatewayWorld) -> None:
    purpose = members.INTEGRATION_TEST.code
    world.consent(members.YOUR_SYSTEM, purpose=purpose, datasets=["account"], provider=members.IDENTITY)

    context = CallContext(purpose, world.token(members.YOUR_SYSTEM))

    assert refusal_of(lambda: world.get_citizen(context, members.YOUR_SYSTEM)).reason == "CONSENT_MISSING"


def test_a_denied_request_gives_no_consent(world: GatewayWorld) -> None:
    request = world.request_consent()

    answer = world.decide(request.consent_request_id, world.approval(request, decision="denied"))

    assert answer.consent_request.state == pb.ConsentRequestState.CONSENT_REQUEST_STATE_DENIED
    assert not answer.HasField("consent")
    assert refusal_of(world.read).reason == "CONSENT_MISSING"
    assert events(world) == ["CONSENT_REQUESTED", "CONSENT_DENIED"]


def test_a_consent_lasts_an_hour_unless_asked_otherwise(world: GatewayWorld) -> None:
    request = service(world).RequestConsent(asked(), timeout=TIMEOUT_S).consent_request

    assert request.terms.valid_for.ToTimedelta() == timedelta(hours=1)


BAD_REQUESTS: dict[str, tuple[pb.RequestConsentRequest, str, grpc.StatusCode]] = {
    "malformed number": (asked("0991900"), "PERSONAL_NUMBER_INVALID", INVALID),
    "unknown purpose": (asked(purpose="0.000000"), "PURPOSE_UNKNOWN", INVALID),
    "purpose of others": (asked(purpose="ekyc"), "ACCESS_RIGHT_MISSING", DENIED),
    "unknown provider": (asked(provider="VN-SANDBOX/GOV/G77/none"), "PROVIDER_UNKNOWN", MISSING),
    "no system's name": (asked(provider="population"), "PROVIDER_UNKNOWN", MISSING),
    "a provider of nothing": (asked(provider=str(members.BANK)), "PROVIDER_UNKNOWN", MISSING),
    "unknown dataset": (asked(datasets=["identity.basic", "shoe.size"]), "DATASET_UNKNOWN", INVALID),
    "a list for a name": (asked(datasets=["identity.basic,residence"]), "DATASET_UNKNOWN", INVALID),
    "no dataset": (asked(datasets=[]), "DATASET_UNKNOWN", INVALID),
    "dataset not needed": (asked(datasets=["health.blood_group"]), "DATASET_NOT_NEEDED", INVALID),
    "no time": (asked(valid_for=Duration()), "PERIOD_INVALID", INVALID),
    "negative time": (asked(valid_for=Duration(seconds=-1)), "PERIOD_INVALID", INVALID),
    "a part of a second": (asked(valid_for=Duration(nanos=5)), "PERIOD_INVALID", INVALID),
    "367 days": (asked(valid_for=Duration(seconds=367 * 86_400)), "PERIOD_INVALID", INVALID),
    "longer than time": (asked(valid_for=Duration(seconds=(1 << 63) - 1)), "PERIOD_INVALID", INVALID),
    "shorter than time": (asked(valid_for=Duration(seconds=-(1 << 63))), "PERIOD_INVALID", INVALID),
}


@pytest.mark.parametrize(("request_message", "reason", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_what_may_not_be_asked_for_is_refused_and_not_stored(
    shared_world: GatewayWorld, request_message: pb.RequestConsentRequest, reason: str, status: grpc.StatusCode
) -> None:
    before = events(shared_world)

    why = refusal_of(lambda: service(shared_world).RequestConsent(request_message, timeout=TIMEOUT_S))

    assert (why.reason, why.status) == (reason, status)
    assert events(shared_world) == before


def test_a_citizen_sees_that_she_was_to_be_asked_for_what_may_not_be_asked_for(world: GatewayWorld) -> None:
    refusal_of(lambda: service(world).RequestConsent(asked(datasets=["health.blood_group"]), timeout=TIMEOUT_S))

    (refused,) = (access for access in world.accesses() if access.event == LogEvent.LOG_EVENT_REFUSAL)
    assert (refused.reason, refused.consumer) == ("DATASET_NOT_NEEDED", str(members.PORTAL))
    assert not world.accesses(MAI)[1:], "another citizen sees her own reading alone"


def test_whoever_asks_for_no_dataset_is_told_to_name_one_and_which_there_are(shared_world: GatewayWorld) -> None:
    why = refusal_of(lambda: service(shared_world).RequestConsent(asked(datasets=[]), timeout=TIMEOUT_S))
    assert why.message.startswith("Name at least one dataset; ")
    assert "identity.basic" in why.message


def test_a_request_is_for_its_consumer_and_the_identity_provider_alone(world: GatewayWorld) -> None:
    request = pb.FetchConsentRequestRequest(consent_request_id=world.request_consent().consent_request_id)

    for system in (members.PORTAL, members.IDENTITY):
        fetched = service(world, system).FetchConsentRequest(request, timeout=TIMEOUT_S).consent_request
        assert fetched.terms.subject_number == LAN
    why = refusal_of(lambda: service(world, members.BANK).FetchConsentRequest(request, timeout=TIMEOUT_S))
    assert (why.reason, why.status) == ("CONSENT_REQUEST_UNKNOWN", MISSING)


def test_a_consent_is_for_its_consumer_and_the_identity_provider_alone(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id
    get, listed = pb.GetConsentRequest(consent_id=consent_id), pb.ListConsentsRequest(subject_number=LAN)

    for system in (members.PORTAL, members.IDENTITY):
        assert service(world, system).GetConsent(get, timeout=TIMEOUT_S).consent.consent_id == consent_id
        assert len(service(world, system).ListConsents(listed, timeout=TIMEOUT_S).consents) == 1
    assert not service(world, members.BANK).ListConsents(listed, timeout=TIMEOUT_S).consents
    for call in (
        lambda: service(world, members.BANK).GetConsent(get, timeout=TIMEOUT_S),
        lambda: revoke(world, consent_id, members.BANK),
    ):
        why = refusal_of(call)
        assert (why.reason, why.status) == ("CONSENT_UNKNOWN", MISSING)


@pytest.mark.parametrize("unknown", [UNKNOWN_ID, "", "' OR 1=1 --", "a" * 5_000])
def test_an_id_of_nothing_is_unknown(shared_world: GatewayWorld, unknown: str) -> None:
    world = shared_world
    identity = service(world, members.IDENTITY)
    calls: dict[Callable[[], object], str] = {
        lambda: identity.FetchConsentRequest(
            pb.FetchConsentRequestRequest(consent_request_id=unknown), timeout=TIMEOUT_S
        ): "CONSENT_REQUEST_UNKNOWN",
        lambda: world.decide(unknown, "statement"): "CONSENT_REQUEST_UNKNOWN",
        lambda: identity.GetConsent(pb.GetConsentRequest(consent_id=unknown), timeout=TIMEOUT_S): "CONSENT_UNKNOWN",
        lambda: revoke(world, unknown, members.IDENTITY): "CONSENT_UNKNOWN",
    }

    assert [refusal_of(call).reason for call in calls] == list(calls.values())


def test_consents_of_a_malformed_number_are_refused(world: GatewayWorld) -> None:
    why = refusal_of(lambda: service(world).ListConsents(pb.ListConsentsRequest(subject_number="x"), timeout=TIMEOUT_S))

    assert (why.reason, why.status) == ("PERSONAL_NUMBER_INVALID", INVALID)


def test_a_request_that_was_not_answered_in_time_cannot_be_any_more(world: GatewayWorld) -> None:
    request = world.request_consent()
    world.clock.advance(timedelta(minutes=30))

    why = refusal_of(lambda: world.decide(request.consent_request_id, world.approval(request)))

    assert (why.reason, why.status) == ("CONSENT_REQUEST_EXPIRED", CLOSED)


def test_revoking_twice_changes_nothing(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    first, second = revoke(world, consent_id), revoke(world, consent_id)

    assert first == second
    assert events(world).count("CONSENT_REVOKED") == 1


def test_revoking_at_once_from_several_sides_succeeds_for_all_and_is_recorded_once(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(revoke, world, consent_id) for _ in range(8)]

    assert {(call.result().state, call.result().revision) for call in calls} == {(REVOKED, 2)}
    assert events(world).count("CONSENT_REVOKED") == 1
