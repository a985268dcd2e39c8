"""Pausing, resuming and ending consents at a real gateway, and the evidence that stays of it."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
import rfc8785

from lienthong.api.consent.v1 import consent_pb2 as pb
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import CallContext
from lienthong_core.systems import SystemId
from lienthong_gateway.consents.legal_text import CURRENT
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, refusal_of
from tests.support.waiting import wait_until

ACTIVE, PAUSED, REVOKED, EXPIRED = (
    pb.ConsentState.CONSENT_STATE_ACTIVE,
    pb.ConsentState.CONSENT_STATE_PAUSED,
    pb.ConsentState.CONSENT_STATE_REVOKED,
    pb.ConsentState.CONSENT_STATE_EXPIRED,
)


def service(world: GatewayWorld, system: SystemId = members.IDENTITY) -> ConsentServiceStub:
    return ConsentServiceStub(world.channel(system))


def pause(
    world: GatewayWorld,
    consent_id: str,
    system: SystemId = members.IDENTITY,
    token: str = "",
    **more: Any,  # noqa: ANN401
) -> pb.Consent:
    request = pb.PauseConsentRequest(consent_id=consent_id, **more)
    metadata = CallContext("", token).metadata()
    return service(world, system).PauseConsent(request, metadata=metadata, timeout=TIMEOUT_S).consent


def resume(
    world: GatewayWorld,
    consent_id: str,
    system: SystemId = members.IDENTITY,
    **more: Any,  # noqa: ANN401
) -> pb.Consent:
    request = pb.ResumeConsentRequest(consent_id=consent_id, **more)
    return service(world, system).ResumeConsent(request, timeout=TIMEOUT_S).consent


def revoke(world: GatewayWorld, consent_id: str, system: SystemId = members.IDENTITY, token: str = "") -> pb.Consent:
    request = pb.RevokeConsentRequest(consent_id=consent_id)
    metadata = CallContext("", token).metadata()
    return service(world, system).RevokeConsent(request, metadata=metadata, timeout=TIMEOUT_S).consent


def revisions(world: GatewayWorld, record_id: str, system: SystemId = members.IDENTITY) -> list[pb.ConsentRevision]:
    request = pb.ListConsentRevisionsRequest(id=record_id)
    return list(service(world, system).ListConsentRevisions(request, timeout=TIMEOUT_S).revisions)


def receipt(world: GatewayWorld, consent_id: str, system: SystemId = members.IDENTITY) -> dict[str, Any]:
    request = pb.GetConsentReceiptRequest(consent_id=consent_id)
    document = service(world, system).GetConsentReceipt(request, timeout=TIMEOUT_S).receipt
    read: dict[str, Any] = json.loads(document)
    assert rfc8785.dumps(read) == document
    return read


def events(world: GatewayWorld) -> list[str]:
    return [entry["reason"] for entry in world.entries() if entry["event"] == "CONSENT"]


def test_a_paused_consent_allows_nothing_until_it_is_resumed(world: GatewayWorld) -> None:
    consent = world.consent()
    world.read()

    assert pause(world, consent.consent_id).state == PAUSED
    why = refusal_of(world.read)
    assert (why.reason, why.status) == ("CONSENT_PAUSED", grpc.StatusCode.PERMISSION_DENIED)

    resumed = resume(world, consent.consent_id)
    assert (resumed.state, resumed.revision) == (ACTIVE, 3)
    world.read()
    assert events(world) == ["CONSENT_REQUESTED", "CONSENT_GIVEN", "CONSENT_PAUSED", "CONSENT_RESUMED"]


def test_pausing_and_resuming_twice_changes_nothing(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    assert pause(world, consent_id) == pause(world, consent_id)
    assert resume(world, consent_id) == resume(world, consent_id)
    assert events(world) == ["CONSENT_REQUESTED", "CONSENT_GIVEN", "CONSENT_PAUSED", "CONSENT_RESUMED"]


def test_a_paused_consent_can_be_revoked_and_then_not_be_resumed(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id
    pause(world, consent_id)

    assert revoke(world, consent_id).state == REVOKED

    for call in (lambda: resume(world, consent_id), lambda: pause(world, consent_id)):
        why = refusal_of(call)
        assert (why.reason, why.status) == ("CONSENT_ENDED", grpc.StatusCode.FAILED_PRECONDITION)
    assert refusal_of(world.read).reason == "CONSENT_REVOKED"


def test_the_refusal_of_an_answer_that_was_there_already_says_nothing_of_it(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id
    with ThreadPoolExecutor(1) as caller:
        with world.population.hanging("GetCitizen"):
            call = caller.submit(refusal_of, world.read)
            wait_until(lambda: world.population.calls)
            revoke(world, consent_id)
        assert call.result().reason == "CONSENT_REVOKED"

    (refused,) = (entry for entry in world.entries() if entry["event"] == "REFUSAL")
    assert (refused["response_digest"], refused["response_bytes"]) == ("", 0)


def test_a_consent_expires_while_it_is_paused(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id
    pause(world, consent_id)
    world.clock.advance(timedelta(hours=1))

    assert service(world).GetConsent(pb.GetConsentRequest(consent_id=consent_id)).consent.state == EXPIRED
    assert refusal_of(lambda: resume(world, consent_id)).reason == "CONSENT_ENDED"
    assert refusal_of(world.read).reason == "CONSENT_EXPIRED"


@pytest.mark.parametrize("behind", [timedelta(hours=2), timedelta(seconds=-5)], ids=["expired", "before its beginning"])
def test_what_is_revoked_outside_its_period_stays_revoked_when_the_clock_comes_into_it(
    world: GatewayWorld, behind: timedelta
) -> None:
    consent_id = world.consent().consent_id
    world.clock.advance(behind)
    assert refusal_of(world.read).reason == "CONSENT_EXPIRED"

    assert revoke(world, consent_id).state == REVOKED
    assert events(world)[-1] == "CONSENT_REVOKED"

    world.clock.advance(-behind)
    assert refusal_of(world.read).reason == "CONSENT_REVOKED"


@pytest.mark.parametrize(
    ("paused_by", "other"),
    [
        (pb.Capacity.CAPACITY_SUBJECT, pb.Capacity.CAPACITY_REPRESENTATIVE),
        (pb.Capacity.CAPACITY_REPRESENTATIVE, pb.Capacity.CAPACITY_SUBJECT),
    ],
    ids=["the citizen paused", "the representative paused"],
)
def test_a_consent_is_resumed_in_the_capacity_that_paused_it(
    world: GatewayWorld, paused_by: pb.Capacity.ValueType, other: pb.Capacity.ValueType
) -> None:
    consent_id = world.consent().consent_id
    assert pause(world, consent_id, capacity=paused_by).paused_as == paused_by

    why = refusal_of(lambda: resume(world, consent_id, capacity=other))
    assert (why.reason, why.status) == ("CONSENT_PAUSED", grpc.StatusCode.PERMISSION_DENIED)
    assert refusal_of(world.read).reason == "CONSENT_PAUSED"

    resumed = resume(world, consent_id, capacity=paused_by)
    assert (resumed.state, resumed.paused_as) == (ACTIVE, pb.Capacity.CAPACITY_UNSPECIFIED)
    world.read()


def test_who_pauses_what_the_other_has_paused_is_told_that_the_other_can_resume_it(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id
    representative = pb.Capacity.CAPACITY_REPRESENTATIVE
    pause(world, consent_id)

    why = refusal_of(lambda: pause(world, consent_id, capacity=representative))

    assert (why.reason, why.status) == ("CONSENT_PAUSED", grpc.StatusCode.PERMISSION_DENIED)
    assert "paused by its subject" in why.message
    assert pause(world, consent_id).paused_as == pb.Capacity.CAPACITY_SUBJECT
    assert resume(world, consent_id).state == ACTIVE


def test_a_consumer_pauses_with_the_citizens_token_alone_and_never_resumes(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    why = refusal_of(lambda: pause(world, consent_id, members.PORTAL))
    assert (why.reason, why.status) == ("TOKEN_MISSING", grpc.StatusCode.UNAUTHENTICATED)
    other = world.token(members.PORTAL, MAI)
    assert refusal_of(lambda: pause(world, consent_id, members.PORTAL, other)).reason == "SUBJECT_MISMATCH"
    assert refusal_of(lambda: pause(world, consent_id, members.BANK)).reason == "CONSENT_UNKNOWN"

    claimed = pb.Capacity.CAPACITY_REPRESENTATIVE
    paused = pause(world, consent_id, members.PORTAL, world.token(), capacity=claimed)
    assert (paused.state, paused.paused_as) == (PAUSED, pb.Capacity.CAPACITY_SUBJECT), "the token is the citizen's"
    why = refusal_of(lambda: resume(world, consent_id, members.PORTAL))
    assert (why.reason, why.status) == ("CALLER_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED)


def test_every_change_is_a_revision_that_holds_the_digest_of_the_one_before(world: GatewayWorld) -> None:
    consent = world.consent(uses=3)
    pause(world, consent.consent_id, capacity=pb.Capacity.CAPACITY_REPRESENTATIVE)
    resume(world, consent.consent_id, capacity=pb.Capacity.CAPACITY_REPRESENTATIVE)
    ended = revoke(world, consent.consent_id, members.PORTAL)

    chain = revisions(world, consent.consent_id)

    assert [revision.change for revision in chain] == ["GIVEN", "PAUSED", "RESUMED", "REVOKED"]
    before = ""
    for number, revision in enumerate(chain, start=1):
        document = json.loads(revision.document)
        assert rfc8785.dumps(document) == revision.document
        assert hashlib.sha256(revision.document).hexdigest() == revision.digest
        assert (document["revision"], document["digest_before"]) == (number, before)
        assert document["terms"]["uses"] == 3
        before = revision.digest
    assert ended.revision_digest == before
    by = [json.loads(revision.document)["changed_by"]["capacity"] for revision in chain]
    assert by == ["subject", "representative", "representative", "consumer"]


@pytest.mark.parametrize(
    ("number", "capacity"), [(LAN, "subject"), (MAI, "consumer"), ("", "consumer")], ids=["hers", "another's", "none"]
)
def test_a_consumer_revokes_on_the_citizens_word_only_with_her_own_token(
    world: GatewayWorld, number: str, capacity: str
) -> None:
    consent_id = world.consent().consent_id

    revoke(world, consent_id, members.PORTAL, world.token(members.PORTAL, number) if number else "")

    by = json.loads(revisions(world, consent_id)[-1].document)["changed_by"]
    assert by == {"system": str(members.PORTAL), "capacity": capacity}


def test_the_request_has_a_chain_of_its_own_which_the_consent_goes_on_from(world: GatewayWorld) -> None:
    consent = world.consent()

    chain = revisions(world, consent.consent_request_id, members.PORTAL)

    assert [revision.change for revision in chain] == ["REQUESTED", "APPROVED"]
    given = json.loads(revisions(world, consent.consent_id)[0].document)
    assert given["request_digest"] == chain[-1].digest
    assert json.loads(chain[-1].document)["consent_id"] == consent.consent_id
    by = [json.loads(revision.document)["changed_by"] for revision in chain]
    assert by == [
        {"system": str(members.PORTAL), "capacity": "consumer"},
        {"system": str(members.IDENTITY), "capacity": "subject"},
    ]


def test_the_chain_says_who_approved_when_and_with_which_account(world: GatewayWorld) -> None:
    request = world.request_consent()
    signed_at = int(world.clock.now().timestamp())
    statement = world.approval(request, iat=signed_at, auth_time=signed_at - 600)

    given = world.decide(request.consent_request_id, statement).consent

    document = json.loads(revisions(world, given.consent_id)[0].document)
    (evidence,) = document["approvals"]
    (approval,) = receipt(world, given.consent_id)["sources"]
    assert evidence["by"] == document["subject"], "she has approved herself"
    for said in (evidence, approval):
        authenticated, approved = (datetime.fromisoformat(said[f"{what}_at"]) for what in ("authenticated", "approved"))
        assert (authenticated.timestamp(), approved.timestamp()) == (signed_at - 600, signed_at)
        assert (said["capacity"], said["account_level"]) == ("subject", 2)


def test_no_revision_names_a_citizen(world: GatewayWorld) -> None:
    consent = world.consent()
    pause(world, consent.consent_id)

    documents = revisions(world, consent.consent_id) + revisions(world, consent.consent_request_id)

    assert not any(LAN.encode() in revision.document for revision in documents)
    subjects = {json.loads(revision.document)["subject"] for revision in documents}
    assert subjects == {entry["subject"] for entry in world.entries() if entry["event"] == "CONSENT"}


def test_revisions_and_receipts_are_for_the_consumer_and_the_identity_provider_alone(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    assert len(revisions(world, consent_id, members.PORTAL)) == 1
    for call in (
        lambda: revisions(world, consent_id, members.BANK),
        lambda: receipt(world, consent_id, members.BANK),
        lambda: revisions(world, "no-such-id"),
    ):
        why = refusal_of(call)
        assert (why.reason, why.status) == ("CONSENT_UNKNOWN", grpc.StatusCode.NOT_FOUND)


def test_a_receipt_is_of_one_state_whatever_happens_while_it_is_made(world: GatewayWorld) -> None:
    consent_id = world.consent().consent_id

    def change_it() -> None:
        for _ in range(30):
            pause(world, consent_id)
            resume(world, consent_id)

    with ThreadPoolExecutor(1) as other:
        changing = other.submit(change_it)
        found = [receipt(world, consent_id)]
        while not changing.done():
            found.append(receipt(world, consent_id))
        changing.result()

    said = [(each["record"]["revision"], each["record"]["revision_digest"]) for each in found]
    assert [(each["events"][-1]["revision"], each["events"][-1]["digest"]) for each in found] == said


def test_a_receipt_says_what_she_agreed_to_what_she_was_shown_who_approved_and_what_happened(
    world: GatewayWorld,
) -> None:
    terms = pb.RequestConsentRequest(uses=2, purpose_reference="H26.1-1")
    terms.uses_per.FromSeconds(60)
    terms.retention.FromSeconds(86_400)
    consent = world.consent(
        datasets=["residence", "identity.basic"],
        uses=terms.uses,
        uses_per=terms.uses_per,
        retention=terms.retention,
        purpose_reference=terms.purpose_reference,
    )
    pause(world, consent.consent_id)

    found = receipt(world, consent.consent_id)

    assert found["record"]["state"] == "PAUSED"
    assert found["record"]["keeper"] == str(members.GATEWAY)
    processing = found["processing"]
    assert processing["subject_number"] == LAN
    assert processing["consumer"]["system"] == str(members.PORTAL)
    assert processing["provider"]["name_vi"] == "Cơ sở dữ liệu quốc gia về dân cư"
    assert processing["purpose"]["code"] == PURPOSE
    assert processing["purpose"]["reference"] == "H26.1-1"
    assert [dataset["name"] for dataset in processing["datasets"]] == ["identity.basic", "residence"]
    assert (processing["uses"], processing["uses_per_seconds"], processing["retention_seconds"]) == (2, 60, 86_400)
    assert found["notice"] == {"version": CURRENT.version, "digest": CURRENT.digest, "vi": CURRENT.vi, "en": CURRENT.en}
    (source,) = found["sources"]
    assert (source["capacity"], source["approved_by"], source["account_level"]) == ("subject", LAN, 2)
    assert hashlib.sha256(source["statement"].encode()).hexdigest() == source["statement_digest"]
    assert [event["change"] for event in found["events"]] == ["GIVEN", "PAUSED"]
    assert found["events"][-1]["digest"] == found["record"]["revision_digest"]


def test_a_resumed_consent_has_a_digest_of_its_own(world: GatewayWorld) -> None:
    consent = world.consent()
    pause(world, consent.consent_id)
    again = resume(world, consent.consent_id)
    assert again.revision_digest == revisions(world, consent.consent_id)[2].digest
    assert again.revision_digest != consent.revision_digest


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"valid_for": timedelta(seconds=1.5)}, "PERIOD_INVALID"),
        ({"uses": 1, "uses_per": timedelta(seconds=1.5)}, "FREQUENCY_INVALID"),
        ({"retention": timedelta(seconds=1.5)}, "RETENTION_INVALID"),
        ({"uses": -1}, "FREQUENCY_INVALID"),
        ({"uses": 1_000_001}, "FREQUENCY_INVALID"),
        ({"uses_per": timedelta(minutes=1)}, "FREQUENCY_INVALID"),
        ({"uses": 1, "uses_per": timedelta()}, "FREQUENCY_INVALID"),
        ({"uses": 1, "uses_per": timedelta(hours=2)}, "FREQUENCY_INVALID"),
        ({"retention": timedelta()}, "RETENTION_INVALID"),
        ({"retention": timedelta(days=36_601)}, "RETENTION_INVALID"),
        ({"purpose_reference": "x" * 129}, "PURPOSE_REFERENCE_INVALID"),
        ({"purpose_reference": "hồ sơ"}, "PURPOSE_REFERENCE_INVALID"),
        ({"purpose_reference": "a\nb"}, "PURPOSE_REFERENCE_INVALID"),
    ],
)
def test_terms_that_cannot_be_kept_are_not_asked_for(world: GatewayWorld, more: dict[str, Any], reason: str) -> None:
    request = pb.RequestConsentRequest(
        subject_number=LAN, provider=str(members.POPULATION), datasets=["identity.basic"], purpose=PURPOSE
    )
    for name, value in more.items():
        if isinstance(value, timedelta):
            getattr(request, name).FromTimedelta(value)
        else:
            setattr(request, name, value)

    why = refusal_of(lambda: service(world, members.PORTAL).RequestConsent(request, timeout=TIMEOUT_S))

    assert (why.reason, why.status) == (reason, grpc.StatusCode.INVALID_ARGUMENT)
    assert not events(world)
