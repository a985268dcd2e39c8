"""Citizens' requests in the gateway's table. Changes take a connection: the log writer's transaction."""

import secrets
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Table, delete, insert, literal, select, update

from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind
from lienthong_core.systems import SystemId
from lienthong_gateway.subjects.model import KeptRequestRow, RightsRequestRow
from lienthong_gateway.subjects.rules import FULFILLED, OPEN, StoredRequest, kept

_REQUESTS = cast("Table", RightsRequestRow.__table__)  # type: ignore[attr-defined]
_KEPT = cast("Table", KeptRequestRow.__table__)  # type: ignore[attr-defined]
_NUMBERS = 1 << 31
"""How many numbers the database has on each side of zero."""
_OF_NOBODY = {"subject_number": "", "detail": "", "answer": ""}
_RESTRICTS = (_REQUESTS.c.kind == RightsRequestKind.RIGHTS_REQUEST_KIND_RESTRICT) & (_REQUESTS.c.state == FULFILLED)


@dataclass(frozen=True)
class Whose:
    """Whose requests are listed: a citizen's, or those that a member answers."""

    column: ColumnElement[str]
    value: str

    @classmethod
    def of_citizen(cls, personal_number: str) -> "Whose":
        """Return those that a citizen submitted."""
        return cls(_REQUESTS.c.subject_number, personal_number)

    @classmethod
    def for_member(cls, member: str) -> "Whose":
        """Return those that are addressed to the systems of a member."""
        return cls(_REQUESTS.c.member, member)


def add_request(connection: Connection, request: StoredRequest) -> None:
    """Store a new request."""
    connection.execute(insert(_REQUESTS).values(request_id=request.request_id, **_values(request)))


def save_request(connection: Connection, request: StoredRequest) -> None:
    """Store what has become of a request; one that outlived an erasure is nobody's once it is over."""
    this = _REQUESTS.c.request_id == request.request_id
    connection.execute(update(_REQUESTS).where(this).values(_values(request)))
    if not request.is_owed and _ends_keeping(connection, request.request_id):
        connection.execute(update(_REQUESTS).where(this).values(_OF_NOBODY))


def find_request(connection: Connection, request_id: str) -> StoredRequest | None:
    """Return a request, or None if there is none of that id."""
    row = connection.execute(select(_REQUESTS).where(_REQUESTS.c.request_id == request_id)).one_or_none()
    return None if row is None else _request(row)


def list_requests(
    connection: Connection, whose: Whose, before: int | None, limit: int, *, open_only: bool
) -> list[tuple[int, StoredRequest]]:
    """Return the newest requests, each with its place in the list; only those before one, if given.

    Those that outlived an erasure come last, in no order.
    """
    query = select(_REQUESTS).where(whose.column == whose.value)
    if before is not None:
        # As wide as a cursor can be, which PostgreSQL's numbers of requests are not.
        query = query.where(_REQUESTS.c.number < literal(before - _NUMBERS, BigInteger))
    if open_only:
        query = query.where(_REQUESTS.c.state.in_(OPEN))
    rows = connection.execute(query.order_by(_REQUESTS.c.number.desc()).limit(limit))
    return [(row.number + _NUMBERS, _request(row)) for row in rows]


def load_restrictions(connection: Connection) -> list[tuple[SystemId, str]]:
    """Return every restriction in force: the system whose data it is about, and the citizen's personal number."""
    query = select(_REQUESTS.c.controller, _REQUESTS.c.subject_number).where(_RESTRICTS)
    return [(SystemId.parse(row.controller), row.subject_number) for row in connection.execute(query)]


def erase_requests(connection: Connection, personal_number: str) -> None:
    """Take a citizen out of her requests. Those that are still owed keep her number, as `rules.kept` says."""
    hers = _REQUESTS.c.subject_number == personal_number
    rows = connection.execute(select(_REQUESTS).where(hers)).all()
    for request in map(_request, rows):
        this = _REQUESTS.c.request_id == request.request_id
        if request.is_owed:
            _keep(connection, kept(request))
            connection.execute(delete(_REQUESTS).where(this))
            _ends_keeping(connection, request.request_id)
        else:
            connection.execute(update(_REQUESTS).where(this).values(_OF_NOBODY))


def _keep(connection: Connection, request: StoredRequest) -> None:
    # A running number would lie between those of requests whose times are known, and say when she was erased. Below
    # zero it takes none of theirs; should it be taken, nothing is erased, and the officer is told to try again.
    number = -secrets.randbelow(_NUMBERS)
    connection.execute(insert(_REQUESTS).values(number=number, request_id=request.request_id, **_values(request)))
    connection.execute(insert(_KEPT).values(request_id=request.request_id))


def _ends_keeping(connection: Connection, request_id: str) -> bool:
    """Forget that a request outlived an erasure; return whether it did."""
    return connection.execute(delete(_KEPT).where(_KEPT.c.request_id == request_id)).rowcount == 1


def _values(request: StoredRequest) -> dict[str, object]:
    return {
        "kind": request.kind,
        "state": request.state,
        "controller": str(request.controller),
        "member": request.controller.member,
        "subject_number": request.subject_number,
        "detail": request.detail,
        "submitted_at": request.submitted_at,
        "acknowledge_by": request.acknowledge_by,
        "due": request.due,
        "answer": request.answer,
        "legal_ground": request.legal_ground,
        "closed_at": request.closed_at,
    }


def _request(row: Row[Any]) -> StoredRequest:
    return StoredRequest(
        request_id=row.request_id,
        kind=row.kind,
        state=row.state,
        controller=SystemId.parse(row.controller),
        subject_number=row.subject_number,
        detail=row.detail,
        submitted_at=row.submitted_at,
        acknowledge_by=row.acknowledge_by,
        due=row.due,
        answer=row.answer,
        legal_ground=row.legal_ground,
        closed_at=row.closed_at,
    )
