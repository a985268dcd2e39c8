"""Finding out in which capacity the citizen at the browser answers a request for consent."""

from lienthong.api.consent.v1.consent_pb2 import Capacity, ConsentRequest
from lienthong_services.identity.representation import (
    Part,
    SubjectAge,
    answered_problem,
    subject_age,
    too_young_problem,
)
from lienthong_services.identity.rules import Problem, other_citizen_problem
from lienthong_services.identity.web.provider import Provider


def part_in(provider: Provider, asked: ConsentRequest, personal_number: str) -> Part | Problem:
    """Return the part of a citizen in a request, or why she has none; raises Refusal if the register cannot be asked.

    Who is no representative learns nothing about the citizen whose request it is.
    """
    subject = asked.terms.subject_number
    part = (
        _own(provider, personal_number)
        if subject == personal_number
        else _represented(provider, asked, personal_number)
    )
    if part is None:
        return other_citizen_problem()
    if part.subject_age is SubjectAge.CHILD_UNDER_7 and not part.represents:
        return too_young_problem()
    # Who has turned 16 since she approved as a child decides alone, and anew.
    waits = part.capacity in asked.approved_as and part.subject_age is not SubjectAge.GROWN_UP
    return answered_problem() if waits else part


def _own(provider: Provider, personal_number: str) -> Part | None:
    account = provider.store.account(personal_number)
    if account is None:
        return None
    age = subject_age(account.birth_date, provider.now())
    return Part(Capacity.CAPACITY_SUBJECT, age, account.full_name, account.birth_date)


def _represented(provider: Provider, asked: ConsentRequest, personal_number: str) -> Part | None:
    subject, request_id = asked.terms.subject_number, asked.consent_request_id
    if not provider.register.is_representative(personal_number, subject, request_id):
        return None
    child = provider.register.find(subject, request_id)
    age = subject_age(child.birth_date, provider.now())
    # Somebody grown up may have a representative on record still, of the time before. And a consent under a number of
    # before would be none of those that the child sees, restricts or has erased.
    if age is SubjectAge.GROWN_UP or child.personal_number != subject:
        return None
    return Part(Capacity.CAPACITY_REPRESENTATIVE, age, child.full_name, child.birth_date)
