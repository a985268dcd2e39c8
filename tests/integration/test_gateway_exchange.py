"""One exchange through a real gateway: what is released, what is refused and why, and that both are recorded."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import cast

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import RevokeConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong.api.options.v1 import options_pb2
from lienthong.api.population.v1 import citizen_pb2
from lienthong.api.population.v1 import population_pb2 as pb
from lienthong.api.population.v1.citizen_pb2 import Citizen, FormerNumber, Household, HouseholdMember, Residence
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.types.v1.types_pb2 import Address
from lienthong.client import CallContext, Header, Receipt, explain
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI, citizen
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, refusal_of, trailing_metadata

DOSSIER = "H26.1-20261121-0000001"
WHOLE = {declared.name for declared in citizen_pb2.DESCRIPTOR.GetOptions().Extensions[options_pb2.dataset]}
BY_LAW = CallContext(PURPOSE, legal_basis="state_19_1_c", legal_reference=DOSSIER, officer=members.OFFICER)


def update_residence(world: GatewayWorld, context: CallContext) -> tuple[pb.UpdateResidenceResponse, Receipt]:
    residence = Residence(address=Address(detail="Số 7"))
    world.population.answer("UpdateResidence", pb.UpdateResidenceResponse(residence=residence, change_number=7))
    stub = PopulationServiceStub(world.channel(members.PORTAL))
    request = pb.UpdateResidenceRequest(personal_number=LAN, case_reference=DOSSIER)
    answer, call = stub.UpdateResidence.with_call(request, metadata=context.metadata(), timeout=TIMEOUT_S)
    return answer, Receipt.of(call.trailing_metadata())


def revoke(world: GatewayWorld, consent_id: str) -> None:
    request = RevokeConsentRequest(consent_id=consent_id)
    ConsentServiceStub(world.channel(members.PORTAL)).RevokeConsent(request, timeout=TIMEOUT_S)


def test_a_consented_read_returns_the_consented_fields_and_no_others(world: GatewayWorld) -> None:
    world.consent(datasets=["identity.basic"])

    answer, receipt = world.read()

    whole = citizen()
    assert answer.citizen == Citizen(
        personal_number=whole.personal_number,
        name=whole.name,
        birth_date=whole.birth_date,
        sex=whole.sex,
        nationality=whole.nationality,
    )
    assert receipt.datasets_released == ("identity.basic",)
    assert set(receipt.datasets_withheld) == WHOLE - {"identity.basic"}


def test_a_consumer_is_not_told_by_what_is_withheld_that_a_citizen_has_moved(world: GatewayWorld) -> None:
    world.consent(datasets=["identity.basic"])
    stayed = world.read()
    moved = citizen()
    moved.former_residences.add(address=Address(detail="Số 3"))
    world.population.answer("GetCitizen", pb.GetCitizenResponse(citizen=moved))

    answer, receipt = world.read()

    assert (answer, receipt.datasets_withheld) == (stayed[0], stayed[1].datasets_withheld)
    of_moving = world.entries()[receipt.log_index]
    assert of_moving["datasets_withheld"] == world.entries()[stayed[1].log_index]["datasets_withheld"]


def test_the_receipt_leads_to_the_entry_of_the_log(world: GatewayWorld) -> None:
    consent = world.consent()
    context = CallContext(PURPOSE, world.token(), officer=members.OFFICER, message_id="m-1")

    answer, receipt = world.get_citizen(context)

    entry = world.entries()[receipt.log_index]
    request = pb.GetCitizenRequest(personal_number=LAN).SerializeToString()
    assert receipt.request_hash == hashlib.sha256(request).hexdigest()
    assert entry["request_digest"] == hmac.digest(receipt.digest_key, request, "sha256").hex()
    assert entry["response_digest"] == hmac.digest(receipt.digest_key, answer.SerializeToString(), "sha256").hex()
    assert (entry["event"], entry["status"], entry["reason"]) == ("EXCHANGE", "OK", "")
    assert (entry["exchange_id"], entry["consent_id"]) == (receipt.exchange_id, consent.consent_id)
    assert (entry["consumer"], entry["provider"]) == (str(members.PORTAL), str(members.POPULATION))
    assert (entry["purpose"], entry["officer"], entry["message_id"]) == (PURPOSE, members.OFFICER, "m-1")
    assert tuple(entry["datasets_withheld"]) == receipt.datasets_withheld
    assert "citizen.name" in entry["fields_released"]
    assert LAN not in str(entry)


def test_the_log_does_not_show_that_two_exchanges_had_the_same_request_or_answer(world: GatewayWorld) -> None:
    world.consent()

    first, second = (world.read()[1] for _ in range(2))

    assert first.request_hash == second.request_hash
    assert first.digest_key != second.digest_key
    entries = world.entries()
    for digest in ("request_digest", "response_digest"):
        assert entries[first.log_index][digest] != entries[second.log_index][digest]


def test_a_refusal_has_a_receipt_that_leads_to_its_entry(world: GatewayWorld) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        world.read()

    receipt = Receipt.of(cast("Iterable[tuple[str, str | bytes]]", caught.value.trailing_metadata()))
    entry = world.entries()[receipt.log_index]
    assert (entry["event"], entry["reason"]) == ("REFUSAL", "CONSENT_MISSING")
    assert entry["exchange_id"] == receipt.exchange_id
    assert (receipt.datasets_released, receipt.datasets_withheld) == ((), ())


def test_the_provider_is_told_who_asks_for_what_and_not_the_citizens_token(world: GatewayWorld) -> None:
    world.consent()

    _, receipt = world.get_citizen(CallContext(PURPOSE, world.token(), officer=members.OFFICER, message_id="m-1"))

    (call,) = world.population.calls
    assert pb.GetCitizenRequest.FromString(call.request).personal_number == LAN
    assert call.metadata[Header.CONSUMER] == str(members.PORTAL)
    assert call.metadata[Header.EXCHANGE_ID] == receipt.exchange_id
    assert call.metadata[Header.PURPOSE] == PURPOSE
    assert call.metadata[Header.OFFICER] == members.OFFICER
    assert call.metadata[Header.MESSAGE_ID] == "m-1"
    assert Header.AUTHORIZATION not in call.metadata


def test_a_consent_can_be_used_while_the_citizen_is_away(world: GatewayWorld) -> None:
    world.consent()

    answer, _ = world.get_citizen(CallContext(PURPOSE))

    assert answer.citizen.personal_number == LAN


def test_a_state_bodys_own_procedure_needs_no_consent_and_is_recorded_as_such(world: GatewayWorld) -> None:
    answer, receipt = update_residence(world, BY_LAW)

    assert (answer.residence.address.detail, answer.change_number) == ("Số 7", 7)
    entry = world.entries()[receipt.log_index]
    assert (entry["event"], entry["legal_basis"], entry["legal_reference"]) == ("EXCHANGE", "state_19_1_c", DOSSIER)
    assert (entry["officer"], entry["consent_id"]) == (members.OFFICER, "")


def test_the_party_that_a_system_acts_for_is_passed_on_to_the_provider_and_shown_to_the_citizen(
    world: GatewayWorld,
) -> None:
    update_residence(world, replace(BY_LAW, represented_party="GOV/G01.99"))

    (call,) = world.population.calls
    assert call.metadata[Header.REPRESENTED_PARTY] == "GOV/G01.99"
    assert world.accesses()[1].represented_party == "GOV/G01.99"


def test_the_citizen_sees_who_accessed_her_data_and_who_was_refused(world: GatewayWorld) -> None:
    world.consent()
    update_residence(world, BY_LAW)
    world.read()
    refusal_of(lambda: world.get_citizen(CallContext("ekyc"), members.BANK))

    refused, read, updated = world.accesses()[1:4]

    assert (refused.event, refused.reason) == (LogEvent.LOG_EVENT_REFUSAL, "CONSENT_MISSING")
    assert (refused.consumer, refused.purpose_title_vi) == (str(members.BANK), members.EKYC.title_vi)
    assert (read.event, read.legal_basis) == (LogEvent.LOG_EVENT_EXCHANGE, LegalBasis.LEGAL_BASIS_CONSENT)
    assert list(read.datasets_released) == ["identity.basic"]
    assert (updated.officer, updated.legal_basis) == (members.OFFICER, LegalBasis.LEGAL_BASIS_STATE_BODY)
    assert updated.legal_reference == DOSSIER


def test_a_citizen_sees_who_asked_about_her_by_a_number_that_she_had_before(world: GatewayWorld) -> None:
    before = [FormerNumber(personal_number="099189000001")]
    record, household = citizen(), Household(members=[HouseholdMember(personal_number=LAN)])
    record.former_numbers.extend(before)
    world.population.answer("GetCitizen", pb.GetCitizenResponse(citizen=record))
    world.population.answer(
        "GetHousehold", pb.GetHouseholdResponse(household=household, former_numbers=before, personal_number=LAN)
    )
    context = CallContext("integration-test", legal_basis="state_19_1_c", legal_reference="TEST-1", officer="officer-1")
    metadata, number = context.metadata(), before[0].personal_number
    stub = PopulationServiceStub(world.channel(members.YOUR_SYSTEM))

    stub.GetCitizen(pb.GetCitizenRequest(personal_number=number), metadata=metadata, timeout=TIMEOUT_S)
    stub.GetHousehold(pb.GetHouseholdRequest(personal_number=number), metadata=metadata, timeout=TIMEOUT_S)

    assert [access.method.rpartition("/")[2] for access in world.accesses()[1:]] == ["GetHousehold", "GetCitizen"]


def test_a_citizen_sees_nothing_of_others(world: GatewayWorld) -> None:
    world.consent()
    world.read()

    (own_reading,) = world.accesses(MAI)

    assert own_reading.event == LogEvent.LOG_EVENT_LOG_READ


Refused = Callable[[GatewayWorld], object]


def revoked(world: GatewayWorld) -> object:
    revoke(world, world.consent().consent_id)
    return world.read()


def expired(world: GatewayWorld) -> object:
    world.consent(valid_for=timedelta(hours=1))
    world.clock.advance(timedelta(hours=1))
    return world.read()


def other_purpose(world: GatewayWorld) -> object:
    world.consent(purpose=members.TEMPORARY_RESIDENCE.code)
    return world.read()


def other_datasets(world: GatewayWorld) -> object:
    world.consent(members.YOUR_SYSTEM, datasets=["identity.verification"], purpose="integration-test")
    context = CallContext("integration-test", world.token(members.YOUR_SYSTEM))
    return world.get_citizen(context, members.YOUR_SYSTEM)


def other_consumer(world: GatewayWorld) -> object:
    world.consent(members.PORTAL)
    return world.get_citizen(CallContext("ekyc", world.token(members.BANK)), members.BANK)


def level_1(world: GatewayWorld) -> object:
    world.consent(level=1)
    return world.get_citizen(CallContext(PURPOSE, world.token(level=1)))


def another_citizen(world: GatewayWorld) -> object:
    world.consent(number=MAI)
    return world.get_citizen(CallContext(PURPOSE, world.token()), number=MAI)


def with_context(context: CallContext) -> Refused:
    return lambda world: world.get_citizen(context)


def named_on_consent(officer: str) -> Refused:
    def call(world: GatewayWorld) -> object:
        world.consent()
        return world.get_citizen(CallContext(PURPOSE, world.token(), officer=officer))

    return call


REFUSALS: dict[str, tuple[str, Refused]] = {
    "no consent": ("CONSENT_MISSING", lambda world: world.read()),
    "a consent given to somebody else": ("CONSENT_MISSING", other_consumer),
    "a consent just revoked": ("CONSENT_REVOKED", revoked),
    "a consent whose period is over": ("CONSENT_EXPIRED", expired),
    "a consent for another purpose": ("CONSENT_FOR_OTHER_PURPOSE", other_purpose),
    "a consent for other datasets": ("CONSENT_FOR_OTHER_DATASETS", other_datasets),
    "a level-1 account": ("ACCOUNT_LEVEL_TOO_LOW", level_1),
    "another citizen's token": ("SUBJECT_MISMATCH", another_citizen),
    "no access right": (
        "ACCESS_RIGHT_MISSING",
        lambda world: world.get_citizen(CallContext(PURPOSE, world.token(members.SHOP)), members.SHOP),
    ),
    "no purpose": ("PURPOSE_MISSING", with_context(CallContext(""))),
    "an unknown purpose": ("PURPOSE_UNKNOWN", with_context(CallContext("0.000000"))),
    "an unknown legal basis": ("LEGAL_BASIS_UNKNOWN", with_context(CallContext(PURPOSE, legal_basis="because"))),
    "a legal basis that others have": ("LEGAL_BASIS_NOT_ALLOWED", with_context(BY_LAW)),
    "a reference with consent": ("HEADER_INVALID", with_context(CallContext(PURPOSE, legal_reference=DOSSIER))),
    "a legal basis without reference": (
        "LEGAL_REFERENCE_MISSING",
        lambda world: update_residence(world, replace(BY_LAW, legal_reference="")),
    ),
    "a legal basis without officer": (
        "OFFICER_MISSING",
        lambda world: update_residence(world, replace(BY_LAW, officer="")),
    ),
    "an officer of another system": (
        "OFFICER_NOT_ALLOWED",
        lambda world: update_residence(world, replace(BY_LAW, officer="officer-1")),
    ),
    "an officer of another system on consent": (
        "OFFICER_NOT_ALLOWED",
        named_on_consent("officer-1"),
    ),
    "a personal number for an officer on consent": (
        "OFFICER_NOT_ALLOWED",
        named_on_consent(MAI),
    ),
    "a reference of another form": (
        "LEGAL_REFERENCE_INVALID",
        lambda world: update_residence(world, replace(BY_LAW, legal_reference="TEST-1")),
    ),
    "a number of eleven digits": (
        "PERSONAL_NUMBER_INVALID",
        lambda world: world.get_citizen(CallContext(PURPOSE), number="09919000000"),
    ),
}


@pytest.mark.parametrize(("reason", "call"), REFUSALS.values(), ids=REFUSALS)
def test_what_may_not_be_is_refused_recorded_and_never_forwarded(
    world: GatewayWorld, reason: str, call: Refused
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(world)

    why = explain(caught.value)
    assert (why.reason, why.metadata["origin"]) == (reason, "gateway")
    assert why.message.endswith((".", "police."))
    trailing = trailing_metadata(caught.value)
    entry = world.entries()[int(trailing[Header.LOG_INDEX])]
    assert (entry["event"], entry["reason"], entry["status"]) == ("REFUSAL", reason, why.status.name)
    assert entry["exchange_id"] == trailing[Header.EXCHANGE_ID] == why.metadata["exchange_id"]
    assert entry["datasets_released"] == entry["fields_released"] == []
    assert world.population.calls == []


def test_consent_follows_the_clock_of_the_sandbox(world: GatewayWorld) -> None:
    world.consent(valid_for=timedelta(days=30))
    world.clock.advance(timedelta(days=29))
    world.read()
    world.clock.advance(timedelta(days=1))

    assert refusal_of(world.read).reason == "CONSENT_EXPIRED"
