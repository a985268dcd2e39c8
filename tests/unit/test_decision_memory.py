"""A decision is remembered for its question alone, and for as long as it holds."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lienthong_gateway.decisions.memory import DecisionMemory
from lienthong_gateway.decisions.question import Decision, Question
from lienthong_gateway.exchange import TokenHolder
from lienthong_gateway.log.head import Head
from lienthong_seeds import members
from tests.unit.test_decide import BY_CONSENT, CONTRACTS, GET_CITIZEN, LAN, LEVEL_2, NOW, POPULATION, caller, consent
from tests.unit.test_decide import decided as granted

HEAD = Head(3, 5)
SECOND = timedelta(seconds=1)
QUESTION = Question(GET_CITIZEN, caller(), BY_CONSENT, LEVEL_2, LAN)


@pytest.fixture
def decision() -> Decision:
    return Decision(QUESTION, granted(consent()), HEAD, NOW)


@pytest.fixture
def memory(decision: Decision) -> DecisionMemory:
    memory = DecisionMemory()
    memory.keep(decision)
    return memory


def test_a_question_that_is_asked_again_has_the_answer_that_it_had(memory: DecisionMemory, decision: Decision) -> None:
    again = QUESTION._replace(caller=caller()._replace(message_id="another message"), claim=replace(BY_CONSENT))

    assert memory.find(again, HEAD, NOW + SECOND) is decision


@pytest.mark.parametrize(
    "other",
    [
        QUESTION._replace(contract=CONTRACTS[f"{POPULATION}GetHousehold"]),
        QUESTION._replace(caller=caller(members.BANK)),
        QUESTION._replace(claim=replace(BY_CONSENT, purpose="ekyc")),
        QUESTION._replace(claim=replace(BY_CONSENT, legal_basis="state_19_1_c")),
        QUESTION._replace(claim=replace(BY_CONSENT, legal_reference="H26.1-20261121-0000001")),
        QUESTION._replace(claim=replace(BY_CONSENT, officer=members.OFFICER)),
        QUESTION._replace(holder=None),
        QUESTION._replace(holder=TokenHolder(LAN, 1)),
        QUESTION._replace(holder=TokenHolder("099190000002", 2)),
        QUESTION._replace(subject="099190000002"),
    ],
    ids=["method", "system", "purpose", "basis", "reference", "officer", "no token", "level", "holder", "citizen"],
)
def test_a_question_that_differs_in_anything_is_another(memory: DecisionMemory, other: Question) -> None:
    assert memory.find(other, HEAD, NOW) is None


@pytest.mark.parametrize("head", [Head(4, 5), Head(3, 6)], ids=["consents", "registrations"])
def test_nothing_that_was_decided_before_a_change_is_remembered(memory: DecisionMemory, head: Head) -> None:
    assert memory.find(QUESTION, head, NOW) is None


@pytest.mark.parametrize("now", [consent().valid_until, NOW - SECOND], ids=["once it is over", "before it was made"])
def test_nothing_is_remembered_at_a_time_at_which_it_was_not_decided(
    memory: DecisionMemory, decision: Decision, now: datetime
) -> None:
    assert memory.find(QUESTION, HEAD, consent().valid_until - SECOND) is decision
    assert memory.find(QUESTION, HEAD, now) is None


def test_a_decision_on_a_question_takes_the_place_of_the_one_before(memory: DecisionMemory, decision: Decision) -> None:
    later = decision._replace(head=Head(4, 5))
    memory.keep(later)

    assert memory.find(QUESTION, Head(4, 5), NOW) is later
    assert memory.find(QUESTION, HEAD, NOW) is None


def test_the_question_that_was_decided_first_is_forgotten_first(memory: DecisionMemory, decision: Decision) -> None:
    for number in range(9_999):
        memory.keep(decision._replace(question=QUESTION._replace(subject=f"{number:012}")))
    assert memory.find(QUESTION, HEAD, NOW) is decision

    memory.keep(decision._replace(question=QUESTION._replace(subject="one more")))

    assert memory.find(QUESTION, HEAD, NOW) is None
    assert memory.find(QUESTION._replace(subject="one more"), HEAD, NOW) is not None
