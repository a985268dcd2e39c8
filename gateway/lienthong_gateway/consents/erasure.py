"""Erasing a citizen from requests and consents: what names her goes, and the chains of revisions stay verifiable."""

from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from lienthong.api.consent.v1.consent_pb2 import Capacity
from lienthong_gateway.consents.changes import change_consent, close_erased_request
from lienthong_gateway.consents.revisions import Actor
from lienthong_gateway.consents.states import Change
from lienthong_gateway.consents.store import APPROVALS, CONSENTS, REQUESTS, requests_of


def erase_subject(connection: Connection, personal_number: str, now: datetime, system: str) -> int:
    """End a citizen's consents, and delete her number and every statement about her; return how many consents that was.

    Consents that she gave for children end as well: what shows that they were given is deleted. Must run before her
    salt is deleted, in the same transaction; `system` is the system whose call erases her.
    """
    actor = Actor(system, Capacity.CAPACITY_KEEPER)
    decided = select(APPROVALS.c.consent_request_id).where(APPROVALS.c.approved_by == personal_number)
    hers = or_(CONSENTS.c.subject_number == personal_number, CONSENTS.c.consent_request_id.in_(decided))
    ids = list(connection.execute(select(CONSENTS.c.consent_id).where(hers)).scalars())
    for consent_id in ids:
        change_consent(connection, consent_id, Change.ERASED, actor, now)
    for request in requests_of(connection, personal_number):
        close_erased_request(connection, request, actor, now)
    _forget(connection, personal_number)
    return len(ids)


def _forget(connection: Connection, personal_number: str) -> None:
    of_hers = select(REQUESTS.c.consent_request_id).where(REQUESTS.c.subject_number == personal_number)
    about_her = or_(APPROVALS.c.approved_by == personal_number, APPROVALS.c.consent_request_id.in_(of_hers))
    connection.execute(update(APPROVALS).where(about_her).values(approved_by="", statement=""))
    for table in (REQUESTS, CONSENTS):
        whose = table.c.subject_number == personal_number
        connection.execute(update(table).where(whose).values(subject_number=""))
