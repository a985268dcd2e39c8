"""What the gateway allows without consent: on a registered ground, with a reference of its form, by a known officer."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis, ReferenceForm
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import Refusal
from lienthong_gateway.contract.methods import MethodContract, load_contracts
from lienthong_gateway.decisions.restriction import check_not_restricted
from lienthong_gateway.decisions.right import decide_by_law, find_right
from lienthong_gateway.exchange import Caller, Claim
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS, AccessRight, LegalGround, Period, Registration
from lienthong_gateway.registry.words import LEGAL_BASIS_WORDS, REFERENCE_FORMS, describe, has_form
from lienthong_seeds import members
from lienthong_seeds.legal_grounds import LEGAL_GROUNDS, RESIDENCE_REGISTRATION

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
A_DAY = timedelta(days=1)
REGISTRATION = members.registration()
CONTRACTS = load_contracts(REGISTRATION, all_contracts())
UPDATE = CONTRACTS["/lienthong.api.population.v1.PopulationService/UpdateResidence"]
GET_CITIZEN = CONTRACTS["/lienthong.api.population.v1.PopulationService/GetCitizen"]
PURPOSE = members.PERMANENT_RESIDENCE.code
RIGHT = REGISTRATION.access_rights[members.PORTAL, UPDATE.path, PURPOSE]
CLAIM = Claim(PURPOSE, "state_19_1_c", "G01.99-20261121-0000001", members.OFFICER)
PORTAL = Caller(members.PORTAL, "thumbprint", "")
DENIED, INVALID = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT


def with_grounds(*grounds: LegalGround) -> Registration:
    return replace(REGISTRATION, legal_grounds={ground.code: ground for ground in grounds})


def decide(registration: Registration = REGISTRATION, claim: Claim = CLAIM, now: datetime = NOW) -> None:
    decide_by_law(UPDATE, claim, RIGHT, registration, now)


def reason_of(registration: Registration = REGISTRATION, claim: Claim = CLAIM) -> tuple[str, grpc.StatusCode]:
    with pytest.raises(Refusal) as caught:
        decide(registration, claim)
    return caught.value.reason, caught.value.status


def test_a_call_on_a_registered_ground_is_allowed() -> None:
    decide()


@pytest.mark.parametrize(
    "ground",
    [
        replace(RESIDENCE_REGISTRATION, basis=LegalBasis.LEGAL_BASIS_EMERGENCY),
        replace(RESIDENCE_REGISTRATION, methods=frozenset({GET_CITIZEN.path})),
        replace(RESIDENCE_REGISTRATION, purposes=frozenset({"ekyc"})),
    ],
    ids=["of another basis", "for another method", "for another purpose"],
)
def test_a_ground_for_something_else_is_no_ground(ground: LegalGround) -> None:
    assert reason_of(with_grounds(ground)) == ("LEGAL_GROUND_MISSING", DENIED)


@pytest.mark.parametrize(
    "period",
    [Period(TODAY + A_DAY), Period(date(2026, 1, 1), TODAY - A_DAY), Period(TODAY, TODAY - A_DAY)],
    ids=["begins tomorrow", "ended yesterday", "ended before it began"],
)
def test_a_ground_is_in_force_on_its_days_only(period: Period) -> None:
    ground = replace(RESIDENCE_REGISTRATION, period=period)
    assert reason_of(with_grounds(ground)) == ("LEGAL_GROUND_NOT_IN_FORCE", DENIED)


def test_a_ground_in_force_counts_whatever_became_of_others() -> None:
    over = replace(RESIDENCE_REGISTRATION, code="old", period=Period(date(2020, 1, 1), date(2025, 12, 31)))
    decide(with_grounds(over, RESIDENCE_REGISTRATION))


def test_the_days_of_a_ground_are_those_in_vietnam() -> None:
    registration = with_grounds(replace(RESIDENCE_REGISTRATION, period=Period(TODAY, TODAY)))

    decide(registration, now=datetime(2026, 11, 20, 17, tzinfo=UTC))
    decide(registration, now=datetime(2026, 11, 21, 16, 59, tzinfo=UTC))
    for outside in (datetime(2026, 11, 20, 16, 59, tzinfo=UTC), datetime(2026, 11, 21, 17, tzinfo=UTC)):
        with pytest.raises(Refusal, match="LEGAL_GROUND_NOT_IN_FORCE"):
            decide(registration, now=outside)


@pytest.mark.parametrize("reference", ["x", "TEST-1", "G01.99-20261121", " G01.99-20261121-0000001", "123/QD-UBND"])
def test_a_reference_of_another_form_is_refused_with_an_example_of_the_right_one(reference: str) -> None:
    with pytest.raises(Refusal) as caught:
        decide(claim=replace(CLAIM, legal_reference=reference))

    assert (caught.value.reason, caught.value.status) == ("LEGAL_REFERENCE_INVALID", INVALID)
    assert "G01.99-20261121-0000001" in caught.value.message


def test_any_form_of_any_ground_in_force_is_taken() -> None:
    decision = frozenset({ReferenceForm.REFERENCE_FORM_DECISION})
    other = replace(RESIDENCE_REGISTRATION, code="decided", reference_forms=decision)

    decide(with_grounds(RESIDENCE_REGISTRATION, other), replace(CLAIM, legal_reference="123/QD-UBND"))
    decide(with_grounds(RESIDENCE_REGISTRATION, other), CLAIM)


def test_a_form_of_a_ground_that_is_over_is_taken_no_more() -> None:
    decision = frozenset({ReferenceForm.REFERENCE_FORM_DECISION})
    over = Period(date(2026, 1, 1), TODAY - A_DAY)
    other = replace(RESIDENCE_REGISTRATION, code="decided", reference_forms=decision, period=over)

    registration = with_grounds(RESIDENCE_REGISTRATION, other)

    claim = replace(CLAIM, legal_reference="123/QD-UBND")
    assert reason_of(registration, claim) == ("LEGAL_REFERENCE_INVALID", INVALID)


@pytest.mark.parametrize(
    ("right", "grounds", "last"),
    [
        (TODAY, [None], TODAY),
        (None, [TODAY], TODAY),
        (TODAY + A_DAY, [None, TODAY], TODAY),
        (TODAY, [TODAY + A_DAY, None], TODAY),
    ],
    ids=["the right's", "the ground's", "one ground's of two", "the right's before a ground's"],
)
def test_a_decision_by_the_law_ends_with_the_first_last_day_of_what_it_rests_on(
    right: date | None, grounds: list[date | None], last: date
) -> None:
    registration = with_grounds(
        *(
            replace(RESIDENCE_REGISTRATION, code=f"ground-{number}", period=Period(date(2026, 1, 1), until))
            for number, until in enumerate(grounds)
        )
    )
    access = replace(RIGHT, period=Period(date(2026, 1, 1), right))

    grant = decide_by_law(UPDATE, CLAIM, access, registration, NOW)

    assert grant.holds_until == datetime.combine(last, time(17), UTC), "the day ends in Vietnam"


ON_CONSENT = Claim(PURPOSE, "consent", "", members.OFFICER)
CALLS = {"by the law": (UPDATE, CLAIM), "on consent": (GET_CITIZEN, ON_CONSENT)}


@pytest.mark.parametrize(("contract", "claim"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("officer", ["officer-1", "can-bo-9999", "CAN-BO-0107", "099190000001"])
def test_an_officer_who_is_not_registered_for_the_system_may_not_act_for_it(
    contract: MethodContract, claim: Claim, officer: str
) -> None:
    with pytest.raises(Refusal) as caught:
        find_right(PORTAL, contract, replace(claim, officer=officer), REGISTRATION, NOW)

    assert (caught.value.reason, caught.value.status) == ("OFFICER_NOT_ALLOWED", DENIED)


@pytest.mark.parametrize(("contract", "claim"), CALLS.values(), ids=CALLS)
def test_an_officer_who_is_registered_for_the_system_acts_for_it(contract: MethodContract, claim: Claim) -> None:
    assert find_right(PORTAL, contract, claim, REGISTRATION, NOW).consumer == members.PORTAL


def test_on_consent_no_officer_needs_to_be_named() -> None:
    assert find_right(PORTAL, GET_CITIZEN, replace(ON_CONSENT, officer=""), REGISTRATION, NOW).purpose == PURPOSE


@pytest.mark.parametrize(
    "right",
    [
        replace(RIGHT, withdrawn_at=NOW),
        replace(RIGHT, period=Period(TODAY + A_DAY)),
        replace(RIGHT, period=Period(date(2026, 1, 1), TODAY - A_DAY)),
    ],
    ids=["withdrawn", "begins tomorrow", "ended yesterday"],
)
def test_a_right_that_is_not_in_force_is_refused_as_such(right: AccessRight) -> None:
    registration = replace(REGISTRATION, access_rights={(right.consumer, right.method, right.purpose): right})

    with pytest.raises(Refusal) as caught:
        find_right(PORTAL, UPDATE, CLAIM, registration, NOW)

    assert (caught.value.reason, caught.value.status) == ("ACCESS_RIGHT_NOT_IN_FORCE", DENIED)


def test_a_restriction_stops_what_is_about_that_citizen_at_that_system() -> None:
    registration = replace(REGISTRATION, restrictions=frozenset({(members.POPULATION, "099190000001")}))

    check_not_restricted(members.BANK, GET_CITIZEN, "099190000002", registration)
    with pytest.raises(Refusal) as caught:
        check_not_restricted(members.BANK, GET_CITIZEN, "099190000001", registration)

    assert (caught.value.reason, caught.value.status) == ("PROCESSING_RESTRICTED", DENIED)


def test_every_basis_and_every_form_is_put_into_words() -> None:
    assert set(LEGAL_BASIS_WORDS) == set(LEGAL_BASIS_HEADERS.values()) == set(LegalBasis.values()) - {0}
    assert set(REFERENCE_FORMS) == set(ReferenceForm.values()) - {0}


@pytest.mark.parametrize("form", sorted(REFERENCE_FORMS), ids=ReferenceForm.Name)
def test_the_example_of_a_form_has_that_form_and_no_other(form: ReferenceForm.ValueType) -> None:
    example = REFERENCE_FORMS[form].example
    assert [other for other in REFERENCE_FORMS if has_form(example, frozenset({other}))] == [form]
    assert example in describe(frozenset({form})).vi


@pytest.mark.parametrize(
    ("form", "reference"),
    [
        (ReferenceForm.REFERENCE_FORM_DOSSIER, "H07.15-240101-0001"),
        (ReferenceForm.REFERENCE_FORM_DOSSIER, "G09.20-20260609-0092637"),
        (ReferenceForm.REFERENCE_FORM_DOSSIER, "000.00.04.G18-240101-0001"),
        (ReferenceForm.REFERENCE_FORM_DOSSIER, "H26.1-20261121-0000001"),
        (ReferenceForm.REFERENCE_FORM_DECISION, "766/QD-TTg"),
        (ReferenceForm.REFERENCE_FORM_LEGISLATION, "91/2025/QH15"),
        (ReferenceForm.REFERENCE_FORM_LEGISLATION, "116/2026/TT-BCA"),
        (ReferenceForm.REFERENCE_FORM_LEGISLATION, "19/2025/QD-TTg"),
    ],
)
def test_references_as_they_were_seen_have_the_form_of_one(form: ReferenceForm.ValueType, reference: str) -> None:
    assert has_form(reference, frozenset({form}))


@given(reference=st.text(max_size=20))
def test_a_reference_of_any_text_has_a_form_or_not_and_never_a_line_break(reference: str) -> None:
    if has_form(reference, frozenset(REFERENCE_FORMS)):
        assert reference.isascii()
        assert reference.isprintable()


def test_a_new_world_has_a_ground_for_every_right_without_consent() -> None:
    for right in REGISTRATION.access_rights.values():
        for basis in right.legal_bases - {LegalBasis.LEGAL_BASIS_CONSENT}:
            grounds = [ground for ground in LEGAL_GROUNDS if ground.covers(basis, right.method, right.purpose)]
            assert any(ground.period.holds(NOW) for ground in grounds), right


def test_the_grounds_of_a_new_world_name_methods_and_purposes_that_exist() -> None:
    for ground in LEGAL_GROUNDS:
        assert ground.methods <= CONTRACTS.keys()
        assert ground.purposes <= REGISTRATION.purposes.keys()


def test_every_officer_of_a_new_world_acts_for_a_registered_system() -> None:
    assert {system for system, _ in REGISTRATION.officers} <= REGISTRATION.systems.keys()
