"""A child's consent in a whole sandbox: the representative decides, and from 7 years on the child as well."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import (
    Capacity,
    ConsentRequest,
    ConsentRequestState,
    FetchConsentRequestRequest,
)
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    GetCitizenResponse,
    Relationship,
    VerifyRelationshipRequest,
    VerifyRelationshipResponse,
)
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.api.portal.v1.portal_pb2 import GetDossierRequest, StartDossierRequest
from lienthong.api.portal.v1.portal_pb2_grpc import PortalServiceStub
from lienthong.api.types.v1.types_pb2 import Sex
from lienthong.client import CallContext, explain
from lienthong_sandbox import LoginRefused, Sandbox, SystemClient
from lienthong_sandbox.login import Citizen
from lienthong_seeds.numbers import personal_number
from lienthong_seeds.personas import persona
from tests.support.documents import ROOT, blocks

DEADLINE_S = 10.0
HAN = persona("le-gia-han").personal_number
"""Born on 2018-05-20."""
BINH = persona("pham-huu-binh").personal_number
VY = personal_number(Sex.SEX_FEMALE, 2019, 103)
"""A daughter of `nguyen-thi-mai`, born on 2019-04-25; she has no account."""
VY_IS_SIX, HAN_IS_EIGHT = datetime(2026, 4, 24, 3, 0, tzinfo=UTC), datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TEN_MINUTES_BEFORE_HAN_IS_SIXTEEN = datetime(2034, 5, 19, 16, 50, tzinfo=UTC)
PENDING, APPROVED, DENIED = (
    ConsentRequestState.CONSENT_REQUEST_STATE_PENDING,
    ConsentRequestState.CONSENT_REQUEST_STATE_APPROVED,
    ConsentRequestState.CONSENT_REQUEST_STATE_DENIED,
)
SUBJECT, REPRESENTATIVE = Capacity.CAPACITY_SUBJECT, Capacity.CAPACITY_REPRESENTATIVE


@pytest.fixture(scope="module")
def vn() -> Iterator[Sandbox]:
    with Sandbox(citizens=100) as sandbox:
        yield sandbox


def parents(vn: Sandbox, of: str = HAN) -> tuple[str, str]:
    """Return the numbers of the child's mother, who represents her, and of her father, who does not."""
    system = vn.system("your-system")
    context = CallContext("integration-test", legal_basis="state_19_1_c", legal_reference="TEST-1", officer="officer-1")
    stub = PopulationServiceStub(system.channel)
    child = stub.GetCitizen(GetCitizenRequest(personal_number=of), metadata=context.metadata(), timeout=DEADLINE_S)
    assert child.citizen.representative.personal_number == child.citizen.mother.personal_number
    return child.citizen.mother.personal_number, child.citizen.father.personal_number


def read(bank: SystemClient, child: str = HAN) -> GetCitizenResponse:
    """Read the child's record as the bank, without anybody's token: the consent is used while she is away."""
    stub = PopulationServiceStub(bank.channel)
    request = GetCitizenRequest(personal_number=child)
    return stub.GetCitizen(request, metadata=CallContext("ekyc").metadata(), timeout=DEADLINE_S)


def why_not(bank: SystemClient, child: str = HAN) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        read(bank, child)
    return explain(caught.value).reason


def state(request: ConsentRequest) -> tuple[int, list[int], list[int]]:
    return request.state, list(request.approved_as), list(request.missing)


def test_a_representative_decides_for_a_child_under_seven(vn: Sandbox) -> None:
    vn.clock.set(VY_IS_SIX)
    mother, father = parents(vn, of=VY)
    bank = vn.system("ekyc")
    session = bank.login(mother)
    request_id = session.ask_consent("ekyc", ["identity.basic"], about=VY)
    assert why_not(bank, VY) == "CONSENT_MISSING"

    for other in (father, "pham-huu-binh", "le-gia-han"):
        with pytest.raises(LoginRefused):
            bank.login(other).answer_consent(request_id)

    assert state(session.answer_consent(request_id)) == (APPROVED, [REPRESENTATIVE], [])
    assert read(bank, VY).citizen.name.full_name == "Trần Tường Vy"


@pytest.mark.parametrize("first", [SUBJECT, REPRESENTATIVE])
def test_from_seven_on_child_and_representative_both_approve_in_either_order(
    vn: Sandbox, first: Capacity.ValueType
) -> None:
    vn.clock.set(HAN_IS_EIGHT + timedelta(days=first))
    mother, _ = parents(vn)
    bank = vn.system("ekyc")
    sessions = {SUBJECT: bank.login("le-gia-han"), REPRESENTATIVE: bank.login(mother)}
    second = REPRESENTATIVE if first == SUBJECT else SUBJECT
    request_id = sessions[SUBJECT].ask_consent("ekyc", ["identity.basic"], about="le-gia-han")

    assert state(sessions[first].answer_consent(request_id)) == (PENDING, [first], [second])
    assert why_not(bank) in {"CONSENT_MISSING", "CONSENT_EXPIRED"}
    with pytest.raises(LoginRefused):
        sessions[first].answer_consent(request_id)

    done = sessions[second].answer_consent(request_id)
    assert (done.state, set(done.approved_as), list(done.missing)) == (APPROVED, {SUBJECT, REPRESENTATIVE}, [])
    assert read(bank).citizen.name.full_name == "Lê Gia Hân"


def test_who_approved_as_a_child_and_turns_sixteen_before_her_representative_answers_decides_alone() -> None:
    with Sandbox(citizens=100) as vn:
        vn.clock.set(TEN_MINUTES_BEFORE_HAN_IS_SIXTEEN)
        mother, _ = parents(vn)
        bank = vn.system("ekyc")
        han, representative = bank.login("le-gia-han"), bank.login(mother)
        request_id = han.ask_consent("ekyc", ["identity.basic"])
        assert state(han.answer_consent(request_id)) == (PENDING, [SUBJECT], [REPRESENTATIVE])
        vn.clock.advance(timedelta(minutes=12))
        with pytest.raises(LoginRefused):
            representative.answer_consent(request_id)

        assert state(han.answer_consent(request_id)) == (APPROVED, [SUBJECT], [])


def test_at_the_portal_child_and_representative_each_open_the_drafts_address(vn: Sandbox) -> None:
    vn.clock.set(HAN_IS_EIGHT + timedelta(days=5))
    app = vn.system("portal-app")
    stub = PortalServiceStub(app.channel_to(vn.endpoints.portal))
    callback = f"{vn.endpoints.portal_url}/oidc/callback"
    han, mother, stranger = (Citizen(number, app.tls.authority) for number in (HAN, parents(vn)[0], BINH))
    with closing(han.browser), closing(mother.browser), closing(stranger.browser):

        def opens(citizen: Citizen, url: str) -> int:
            page = citizen.answer(url, stop_at=callback)
            return citizen.browser.visit(page.url, stop_at="never:").status

        assert [opens(citizen, f"{vn.endpoints.portal_url}/login") for citizen in (han, mother, stranger)] == [200] * 3
        session = (("authorization", f"Bearer {han.browser.cookie('__Host-portal-session')}"),)
        draft = stub.StartDossier(StartDossierRequest(procedure_code="1.004222"), metadata=session, timeout=DEADLINE_S)
        with pytest.raises(LoginRefused):
            opens(stranger, draft.consent_url)
        assert opens(mother, draft.consent_url) == HTTPStatus.FORBIDDEN, "the child has not approved yet"
        assert opens(han, draft.consent_url) == HTTPStatus.OK
        found = GetDossierRequest(dossier=draft.dossier.dossier_id)
        assert stub.GetDossier(found, metadata=session, timeout=DEADLINE_S).dossier.consent_id


@pytest.mark.parametrize("who", ["child", "representative"])
def test_either_may_say_no(vn: Sandbox, who: str) -> None:
    vn.clock.set(HAN_IS_EIGHT)
    mother, _ = parents(vn)
    bank = vn.system("ekyc")
    child, representative = bank.login("le-gia-han"), bank.login(mother)
    request_id = child.ask_consent("ekyc", ["identity.basic"])
    approving, denying = (representative, child) if who == "child" else (child, representative)
    assert approving.answer_consent(request_id).state == PENDING

    with pytest.raises(LoginRefused, match="access_denied"):
        denying.answer_consent(request_id, approve=False)

    with pytest.raises(LoginRefused):
        approving.answer_consent(request_id)
    fetch = FetchConsentRequestRequest(consent_request_id=request_id)
    asked = ConsentServiceStub(bank.channel).FetchConsentRequest(fetch, timeout=DEADLINE_S).consent_request
    assert (asked.state, asked.consent_id) == (DENIED, "")


def test_the_example_in_the_documents_works() -> None:
    (example,) = blocks(ROOT / "docs" / "consents.md", "python")
    exec(example, {})  # noqa: S102 (our own page, which asserts what it says)


def test_the_log_says_that_the_identity_provider_asked_who_represents_the_child(vn: Sandbox) -> None:
    vn.clock.set(HAN_IS_EIGHT)
    mother, _ = parents(vn)
    session = vn.system("ekyc").login(mother)
    before = len(vn.log())
    request_id = session.ask_consent("ekyc", ["identity.basic"], about="le-gia-han")
    session.answer_consent(request_id)

    asked = [entry for entry in vn.log()[before:] if entry["purpose"] == "consent-representation"]

    assert [entry["method"].rpartition("/")[2] for entry in asked] == ["VerifyRelationship", "GetCitizen"]
    assert {entry["legal_reference"] for entry in asked} == {f"consent-request/{request_id}"}
    assert [entry["datasets_released"] for entry in asked] == [["family"], ["identity.basic"]]


def test_a_mother_who_lets_it_be_verified_that_a_child_is_hers_does_not_tell_that_they_live_together(
    vn: Sandbox,
) -> None:
    system = vn.system("your-system")
    mai = system.login("nguyen-thi-mai")
    stub = PopulationServiceStub(system.channel)

    def verified(relationship: Relationship.ValueType) -> VerifyRelationshipResponse:
        request = VerifyRelationshipRequest(
            personal_number=mai.personal_number, related_personal_number=VY, relationship=relationship
        )
        return stub.VerifyRelationship(request, metadata=mai.metadata("integration-test"), timeout=DEADLINE_S)

    mai.consent("integration-test", ["family"])
    assert verified(Relationship.RELATIONSHIP_CHILD) == VerifyRelationshipResponse(confirmed=True)
    assert verified(Relationship.RELATIONSHIP_SAME_HOUSEHOLD) == VerifyRelationshipResponse()

    mai.consent("integration-test", ["family", "household"])
    assert verified(Relationship.RELATIONSHIP_SAME_HOUSEHOLD) == VerifyRelationshipResponse(same_household=True)
