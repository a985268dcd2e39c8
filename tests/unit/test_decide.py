"""The decision: every refusal has its own reason, and no grant is wider than consent, right and contract together."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.consent.v1.consent_pb2 import ConsentState
from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import Refusal
from lienthong_core.systems import SystemId
from lienthong_gateway.consents.rules import StoredConsent
from lienthong_gateway.consents.terms import Terms
from lienthong_gateway.contract.methods import MethodContract, load_contracts
from lienthong_gateway.decisions.consent import decide_by_consent
from lienthong_gateway.decisions.right import decide_by_law, find_right
from lienthong_gateway.exchange import Caller, Claim, Grant, TokenHolder, UseLimit
from lienthong_gateway.registration import AccessRight, Period
from lienthong_seeds import members

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
LAN = "099190000001"
PURPOSE = members.PERMANENT_RESIDENCE.code
REGISTRATION = members.registration()
CONTRACTS = load_contracts(REGISTRATION, all_contracts())
POPULATION = "/lienthong.api.population.v1.PopulationService/"
GET_CITIZEN = CONTRACTS[f"{POPULATION}GetCitizen"]
UPDATE_RESIDENCE = CONTRACTS[f"{POPULATION}UpdateResidence"]
LIST_CHANGES = CONTRACTS[f"{POPULATION}ListChanges"]
LOCK_ACCOUNT = CONTRACTS["/lienthong.api.identity.v1.IdentityService/LockAccount"]
RIGHT = REGISTRATION.access_rights[members.PORTAL, GET_CITIZEN.path, PURPOSE]
STATE_RIGHT = REGISTRATION.access_rights[members.PORTAL, UPDATE_RESIDENCE.path, PURPOSE]

BY_CONSENT = Claim(PURPOSE, "consent", "", "")
BY_LAW = Claim(PURPOSE, "state_19_1_c", "H26.1-20261121-0000001", members.OFFICER)
LEVEL_2 = TokenHolder(LAN, 2)


ACTIVE, PAUSED, REVOKED = (
    ConsentState.CONSENT_STATE_ACTIVE,
    ConsentState.CONSENT_STATE_PAUSED,
    ConsentState.CONSENT_STATE_REVOKED,
)


def caller(system: SystemId = members.PORTAL) -> Caller:
    return Caller(system, "thumbprint", "")


def consent(datasets: tuple[str, ...] = ("identity.basic",), purpose: str = PURPOSE, level: int = 2) -> StoredConsent:
    """Return a consent in force: given an hour ago for a day."""
    given_at = NOW - timedelta(hours=1)
    period = timedelta(days=1)
    terms = Terms(LAN, str(members.PORTAL), str(members.POPULATION), frozenset(datasets), purpose, period)
    return StoredConsent(
        "consent-1", "request-1", 1, "digest-1", ACTIVE, terms, given_at, given_at + period, None, level
    )


def decided(*consents: StoredConsent, holder: TokenHolder | None = LEVEL_2, subject: str = LAN) -> Grant:
    return decide_by_consent(GET_CITIZEN, subject, BY_CONSENT, RIGHT, holder, consents, NOW)


def refused(
    reason: str, status: grpc.StatusCode, *consents: StoredConsent, holder: TokenHolder | None = LEVEL_2
) -> None:
    with pytest.raises(Refusal) as caught:
        decided(*consents, holder=holder)
    assert (caught.value.reason, caught.value.status) == (reason, status)


INVALID, DENIED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("system", "claim", "reason", "status"),
    [
        (members.PORTAL, replace(BY_CONSENT, purpose=""), "PURPOSE_MISSING", INVALID),
        (members.PORTAL, replace(BY_CONSENT, purpose="0.000000"), "PURPOSE_UNKNOWN", INVALID),
        (members.PORTAL, replace(BY_CONSENT, purpose="ekyc"), "ACCESS_RIGHT_MISSING", DENIED),
        (members.SHOP, BY_CONSENT, "ACCESS_RIGHT_MISSING", DENIED),
        (members.PORTAL, replace(BY_CONSENT, legal_basis="because"), "LEGAL_BASIS_UNKNOWN", INVALID),
        (members.PORTAL, BY_LAW, "LEGAL_BASIS_NOT_ALLOWED", DENIED),
    ],
    ids=["no purpose", "unknown purpose", "purpose of others", "no right", "unknown basis", "basis of other rights"],
)
def test_a_call_without_a_right_is_refused(
    system: SystemId, claim: Claim, reason: str, status: grpc.StatusCode
) -> None:
    with pytest.raises(Refusal) as caught:
        find_right(caller(system), GET_CITIZEN, claim, REGISTRATION, NOW)

    assert (caught.value.reason, caught.value.status) == (reason, status)


def test_the_right_of_system_method_and_purpose_is_found() -> None:
    assert find_right(caller(), GET_CITIZEN, BY_CONSENT, REGISTRATION, NOW) == RIGHT


def test_the_law_as_basis_grants_what_the_right_and_the_contract_have_in_common() -> None:
    grant = decide_by_law(UPDATE_RESIDENCE, BY_LAW, STATE_RIGHT, REGISTRATION, NOW)

    assert grant == Grant(LegalBasis.LEGAL_BASIS_STATE_BODY, BY_LAW.legal_reference, "", frozenset({"residence"}))


def test_the_law_as_basis_needs_its_reference() -> None:
    with pytest.raises(Refusal) as caught:
        decide_by_law(UPDATE_RESIDENCE, replace(BY_LAW, legal_reference=""), STATE_RIGHT, REGISTRATION, NOW)

    assert (caught.value.reason, caught.value.status) == ("LEGAL_REFERENCE_MISSING", INVALID)


def test_the_law_as_basis_needs_the_officer_who_acts() -> None:
    with pytest.raises(Refusal) as caught:
        decide_by_law(UPDATE_RESIDENCE, replace(BY_LAW, officer=""), STATE_RIGHT, REGISTRATION, NOW)

    assert (caught.value.reason, caught.value.status) == ("OFFICER_MISSING", INVALID)


def test_a_consent_in_force_grants_its_datasets() -> None:
    grant = decided(consent(("identity.basic", "residence")))

    assert grant.consent_id == "consent-1"
    assert grant.legal_basis == LegalBasis.LEGAL_BASIS_CONSENT
    assert grant.datasets == {"identity.basic", "residence"}


def test_of_several_consents_the_one_that_grants_most_is_used() -> None:
    wide = replace(consent(("identity.basic", "residence")), consent_id="wide")

    assert decided(consent(), wide, consent(("residence",))).consent_id == "wide"
    of_no_use = consent(("identity.basic", "account", "identity.verification"))
    assert decided(of_no_use, wide).consent_id == "wide"


def test_of_consents_that_grant_as_much_the_newest_is_relied_on() -> None:
    newer = replace(consent(), consent_id="newer", approved_at=NOW - timedelta(minutes=1))

    assert decided(consent(), newer).consent_id == decided(newer, consent()).consent_id == "newer"


def test_a_consent_to_more_than_the_right_has_grants_what_the_right_has() -> None:
    narrow, wide = replace(RIGHT, datasets=frozenset({"identity.basic"})), consent(("identity.basic", "residence"))

    grant = decide_by_consent(GET_CITIZEN, LAN, BY_CONSENT, narrow, LEVEL_2, [wide], NOW)

    assert grant.datasets == {"identity.basic"}


def test_no_consent_at_all_is_consent_missing() -> None:
    refused("CONSENT_MISSING", DENIED)


def test_a_revoked_consent_is_refused() -> None:
    refused("CONSENT_REVOKED", DENIED, replace(consent(), state=REVOKED))


def test_a_paused_consent_is_refused_as_paused_and_not_as_ended() -> None:
    revoked = replace(consent(), state=REVOKED)
    refused("CONSENT_PAUSED", DENIED, replace(consent(), state=PAUSED), revoked)
    refused("CONSENT_EXPIRED", DENIED, replace(consent(), state=PAUSED, valid_until=NOW))


def test_a_paused_consent_that_covers_is_named_rather_than_one_in_force_that_does_not() -> None:
    refused("CONSENT_PAUSED", DENIED, replace(consent(), state=PAUSED), consent(("account",)))
    refused("CONSENT_FOR_OTHER_DATASETS", DENIED, replace(consent(("account",)), state=PAUSED))


def test_a_consent_that_is_used_up_is_refused_and_another_one_is_used_instead() -> None:
    once = replace(consent(), terms=replace(consent().terms, uses=1), uses_taken=1)
    refused("CONSENT_USED_UP", DENIED, once)
    assert decided(once, replace(consent(), consent_id="other")).consent_id == "other"


def test_to_wait_for_a_consent_that_is_used_up_is_advised_only_where_its_uses_come_back() -> None:
    once = replace(consent(), terms=replace(consent().terms, uses=1), uses_taken=1)
    hourly = replace(once, terms=replace(once.terms, uses_per=timedelta(hours=1)))

    def advice(*consents: StoredConsent) -> str:
        with pytest.raises(Refusal) as caught:
            decided(*consents)
        assert caught.value.reason == "CONSENT_USED_UP"
        return caught.value.message

    assert "wait" not in advice(once)
    assert "wait" in advice(once, hourly)


def test_a_grant_says_what_is_to_be_counted_and_which_revision_it_rests_on() -> None:
    hourly = replace(consent(), terms=replace(consent().terms, uses=2, uses_per=timedelta(hours=1)), uses_taken=1)
    grant = decided(hourly)
    assert grant.consent_limit == UseLimit("consent-1", 2, timedelta(hours=1))
    assert grant.consent_digest == "digest-1"
    assert decided(consent()).consent_limit is None


def test_a_consent_whose_period_is_over_is_refused() -> None:
    refused("CONSENT_EXPIRED", DENIED, replace(consent(), valid_until=NOW))


def test_a_consent_that_begins_later_is_not_in_force() -> None:
    with pytest.raises(Refusal, match="begins later") as caught:
        decided(replace(consent(), approved_at=NOW + timedelta(seconds=1)))
    assert caught.value.reason == "CONSENT_EXPIRED"
    assert decided(replace(consent(), approved_at=NOW)).consent_id == "consent-1"


def test_the_newest_consent_says_why_none_is_in_force() -> None:
    old = replace(consent(), valid_until=NOW)
    newer = replace(consent(), approved_at=NOW - timedelta(minutes=1), state=REVOKED)

    refused("CONSENT_REVOKED", DENIED, newer, old)


def test_a_consent_in_force_counts_whatever_became_of_others() -> None:
    assert decided(replace(consent(), state=REVOKED, consent_id="revoked"), consent()).consent_id == "consent-1"


def test_a_consent_for_another_purpose_is_refused() -> None:
    refused("CONSENT_FOR_OTHER_PURPOSE", DENIED, consent(purpose="1.004194"))
    refused("CONSENT_MISSING", DENIED, replace(consent(purpose="1.004194"), state=REVOKED))


def test_a_consent_for_none_of_the_methods_datasets_is_refused() -> None:
    refused("CONSENT_FOR_OTHER_DATASETS", DENIED, consent(("account",)))


def test_a_consent_for_datasets_beyond_the_right_is_refused() -> None:
    refused("CONSENT_FOR_OTHER_DATASETS", DENIED, consent(("health.blood_group",)))


def test_a_token_of_too_low_a_level_is_refused_whatever_was_consented_to() -> None:
    refused("ACCOUNT_LEVEL_TOO_LOW", DENIED, consent(), holder=TokenHolder(LAN, 1))


def test_without_a_token_the_level_of_the_approval_counts() -> None:
    assert decided(consent(level=2), holder=None).consent_id == "consent-1"
    refused("ACCOUNT_LEVEL_TOO_LOW", DENIED, consent(level=1), holder=None)


def test_without_a_token_a_consent_of_the_level_needed_counts_before_one_that_allows_more() -> None:
    more = consent(("identity.basic", "residence"), level=1)
    enough = replace(consent(), consent_id="enough")

    assert decided(more, enough, holder=None).consent_id == "enough"
    assert decided(more, enough).consent_id == more.consent_id


def test_a_token_of_another_citizen_is_refused() -> None:
    refused("SUBJECT_MISMATCH", DENIED, consent(), holder=TokenHolder("099190000002", 2))


@pytest.mark.parametrize(
    ("contract", "subject"),
    [(LIST_CHANGES, ""), (UPDATE_RESIDENCE, LAN), (LOCK_ACCOUNT, LAN)],
    ids=["about nobody in particular", "that changes the register", "that changes the register and answers data"],
)
def test_consent_to_read_data_cannot_cover_a_call(contract: MethodContract, subject: str) -> None:
    right = replace(RIGHT, method=contract.path, datasets=frozenset(contract.datasets))
    given = consent(tuple(contract.datasets) or ("identity.basic",))

    with pytest.raises(Refusal) as caught:
        decide_by_consent(contract, subject, BY_CONSENT, right, None, [given], NOW)

    assert (caught.value.reason, caught.value.status) == ("CONSENT_NOT_APPLICABLE", DENIED)


DATASETS = [*sorted(GET_CITIZEN.datasets), "account", "identity.verification"]
some_datasets = st.frozensets(st.sampled_from(DATASETS), min_size=1)


@st.composite
def consents(draw: st.DrawFn) -> StoredConsent:
    given_at = NOW + timedelta(hours=draw(st.integers(-30, 3)))
    drawn = consent(tuple(draw(some_datasets)), draw(st.sampled_from([PURPOSE, "ekyc"])), draw(st.integers(1, 2)))
    return replace(
        drawn,
        approved_at=given_at,
        valid_until=given_at + timedelta(hours=draw(st.integers(1, 40))),
        state=draw(st.sampled_from([ACTIVE, PAUSED, REVOKED])),
        uses_taken=draw(st.integers(0, 2)),
        terms=replace(drawn.terms, uses=draw(st.integers(0, 2))),
    )


@given(
    stored=st.lists(consents(), max_size=5),
    right=some_datasets,
    holder=st.sampled_from([None, LEVEL_2, TokenHolder(LAN, 1)]),
)
def test_a_grant_never_exceeds_consent_right_and_contract(
    stored: list[StoredConsent], right: frozenset[str], holder: TokenHolder | None
) -> None:
    access = AccessRight(members.PORTAL, GET_CITIZEN.path, PURPOSE, RIGHT.legal_bases, right)
    numbered = [replace(each, consent_id=str(number)) for number, each in enumerate(stored)]
    try:
        grant = decide_by_consent(GET_CITIZEN, LAN, BY_CONSENT, access, holder, numbered, NOW)
    except Refusal:
        return
    used = numbered[int(grant.consent_id)]
    assert grant.datasets == used.datasets & right & GET_CITIZEN.datasets.keys()
    assert grant.datasets
    assert used.purpose == PURPOSE
    assert used.state == ACTIVE
    assert not used.terms.uses or used.uses_taken < used.terms.uses
    assert grant.consent_limit == used.limit
    assert used.approved_at <= NOW < used.valid_until
    assert (holder.account_level if holder else used.account_level) >= GET_CITIZEN.policy.account_level


@given(right=st.frozensets(st.sampled_from(DATASETS)))
def test_what_the_law_grants_never_exceeds_right_and_contract(right: frozenset[str]) -> None:
    grant = decide_by_law(UPDATE_RESIDENCE, BY_LAW, replace(STATE_RIGHT, datasets=right), REGISTRATION, NOW)

    assert grant.datasets == right & UPDATE_RESIDENCE.datasets.keys()


def test_a_decision_ends_with_what_it_rests_on_or_when_another_consent_begins() -> None:
    later = replace(consent(), consent_id="consent-2", approved_at=NOW + timedelta(minutes=5))

    assert decided(consent()).holds_until == consent().valid_until
    assert decided(consent(), later).holds_until == later.approved_at


def test_a_decision_on_consent_ends_with_the_last_day_of_the_right_in_vietnam() -> None:
    right = replace(RIGHT, period=Period(date(2026, 1, 1), date(2026, 11, 21)))

    grant = decide_by_consent(GET_CITIZEN, LAN, BY_CONSENT, right, LEVEL_2, [consent()], NOW)

    assert grant.holds_until == datetime(2026, 11, 21, 17, tzinfo=UTC) < consent().valid_until
