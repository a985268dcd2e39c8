"""Citizens' requests as the contract's messages."""

from datetime import datetime

from lienthong.api.rights.v1.rights_pb2 import RightsRequest
from lienthong_core.dates import timestamp, whole_date
from lienthong_gateway.subjects.rules import StoredRequest


def request_message(request: StoredRequest, now: datetime) -> RightsRequest:
    """Return a request as it is at that time."""
    return RightsRequest(
        request_id=request.request_id,
        kind=request.kind,
        state=request.state,
        controller=str(request.controller),
        subject_number=request.subject_number,
        detail=request.detail,
        submitted_at=timestamp(request.submitted_at),
        acknowledge_by=whole_date(request.acknowledge_by),
        due=whole_date(request.due),
        overdue=request.is_overdue(now),
        answer=request.answer,
        legal_ground=request.legal_ground,
        closed_at=None if request.closed_at is None else timestamp(request.closed_at),
    )
