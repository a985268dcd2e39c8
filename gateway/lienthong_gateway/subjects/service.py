"""SubjectRightsService: citizens' requests, each step in the transaction of the log entry about it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong.api.rights.v1 import rights_pb2 as pb
from lienthong_core.clock import Clock
from lienthong_core.systems import SystemId
from lienthong_gateway.local import Answer, LocalCall, citizen_of
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.head import Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.paging import page_size, read_cursor
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.rules import check_officer
from lienthong_gateway.subjects import rules, store
from lienthong_gateway.subjects.erasure import Erasure
from lienthong_gateway.subjects.messages import request_message
from lienthong_gateway.subjects.rules import StoredRequest
from lienthong_gateway.subjects.store import Whose

_REQUESTS, _MOST_REQUESTS = 50, 200
_KIND = "RIGHTS_REQUEST_KIND_"


@dataclass(frozen=True)
class _Step:
    """One step of a request: what it is called in the log, the request before, and what becomes of it."""

    name: str
    before: StoredRequest
    move: Callable[[StoredRequest], StoredRequest]
    erases: bool = False
    """Whether the citizen is deleted with it."""


class SubjectRightsAnswers:
    """Answers SubjectRightsService."""

    def __init__(
        self,
        gateway: SystemId,
        registration: CurrentRegistration,
        engine: Engine,
        writer: LogWriter,
        erasure: Erasure,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._registration = registration
        self._engine = engine
        self._writer = writer
        self._erasure = erasure
        self._clock = clock

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each method of the service."""
        return {
            "Submit": self._submit,
            "Withdraw": self._withdraw,
            "List": self._list,
            "Acknowledge": self._acknowledge,
            "Extend": self._extend,
            "Fulfil": self._fulfil,
            "Refuse": self._refuse,
        }

    async def _submit(self, call: LocalCall, request: pb.SubmitRequest) -> pb.SubmitResponse:
        citizen = citizen_of(call)
        registration, now = self._registration.value, self._clock.now()
        new = rules.submitted(
            request.kind, request.controller, request.detail, citizen.personal_number, registration, now
        )
        await self._record(call, new, "SUBMITTED", lambda connection: store.add_request(connection, new))
        return pb.SubmitResponse(request=request_message(new, now))

    async def _withdraw(self, call: LocalCall, request: pb.WithdrawRequest) -> pb.WithdrawResponse:
        citizen = citizen_of(call)
        found = await self._find(request.request_id)
        if found is None or found.subject_number != citizen.personal_number:
            raise rules.unknown_request()
        now = self._clock.now()
        moved = await self._move(call, _Step("WITHDRAWN", found, lambda stored: rules.withdrawn(stored, now)))
        return pb.WithdrawResponse(request=request_message(moved, now))

    async def _list(self, call: LocalCall, request: pb.ListRequest) -> pb.ListResponse:
        size, before = page_size(request.page_size, _REQUESTS, _MOST_REQUESTS), read_cursor(request.cursor)
        if call.holder is not None:
            whose = Whose.of_citizen(citizen_of(call).personal_number)
        else:
            whose = Whose.for_member(call.caller.system.member)
        found = await asyncio.to_thread(self._page, whose, before, size + 1, open_only=request.open_only)
        now = self._clock.now()
        cursor = str(found[size - 1][0]) if len(found) > size else ""
        requests = [request_message(stored, now) for _, stored in found[:size]]
        return pb.ListResponse(requests=requests, next_cursor=cursor)

    async def _acknowledge(self, call: LocalCall, request: pb.AcknowledgeRequest) -> pb.AcknowledgeResponse:
        found = await self._to_answer(call, request.request_id)
        third_party = request.through_third_party
        step = _Step("ACKNOWLEDGED", found, lambda stored: rules.acknowledged(stored, through_third_party=third_party))
        moved = await self._move(call, step)
        return pb.AcknowledgeResponse(request=request_message(moved, self._clock.now()))

    async def _extend(self, call: LocalCall, request: pb.ExtendRequest) -> pb.ExtendResponse:
        found, now = await self._to_answer(call, request.request_id), self._clock.now()
        step = _Step("EXTENDED", found, lambda stored: rules.extended(stored, now, request.reason))
        return pb.ExtendResponse(request=request_message(await self._move(call, step), now))

    async def _fulfil(self, call: LocalCall, request: pb.FulfilRequest) -> pb.FulfilResponse:
        found, now = await self._to_answer(call, request.request_id), self._clock.now()
        erases = found.is_deletion and found.controller == self._gateway
        step = _Step("FULFILLED", found, lambda stored: rules.fulfilled(stored, now, request.note), erases)
        return pb.FulfilResponse(request=request_message(await self._move(call, step), now))

    async def _refuse(self, call: LocalCall, request: pb.RefuseRequest) -> pb.RefuseResponse:
        found, now = await self._to_answer(call, request.request_id), self._clock.now()
        registration = self._registration.value
        step = _Step(
            "REFUSED",
            found,
            lambda stored: rules.refused(stored, now, request.reason, request.legal_ground, registration),
        )
        return pb.RefuseResponse(request=request_message(await self._move(call, step), now))

    async def _to_answer(self, call: LocalCall, request_id: str) -> StoredRequest:
        """Return a request that the caller's member has to answer, through an officer of the caller's."""
        check_officer(self._registration.value, call.caller.system, call.trace.officer)
        found = await self._find(request_id)
        if found is None or found.controller.member != call.caller.system.member:
            raise rules.unknown_request()
        return found

    async def _move(self, call: LocalCall, step: _Step) -> StoredRequest:
        before, erases = step.before, step.erases
        moved = before

        def make(connection: Connection) -> None:
            nonlocal moved
            store.save_request(connection, step.move(_stored(connection, before)))
            if erases:
                self._erasure.erase(connection, before.subject_number, self._clock.now())
            # Read here: afterwards an erasure may give it another id.
            moved = _found(connection, before.request_id)

        # The entry of an erasure is about nobody: one about her would be the first of new ones.
        await self._record(call, replace(before, subject_number="") if erases else before, step.name, make)
        return moved

    async def _record(
        self, call: LocalCall, request: StoredRequest, step: str, change: Callable[[Connection], None]
    ) -> None:
        trace = replace(
            call.trace,
            provider=str(request.controller),
            subject=request.subject_number,
            legal_reference=request.request_id,
        )
        kind = pb.RightsRequestKind.Name(request.kind).removeprefix(_KIND)
        entry = Entry(self._clock.now(), LogEvent.LOG_EVENT_RIGHTS_REQUEST, trace, "OK", f"{kind}_{step}")
        # Restrictions are part of what decisions rest on; an erasure ends consents, and the other replicas forget the
        # commitments they keep when what is registered changes.
        await self._writer.write(Job(entry, change, Touches.REGISTRATION | Touches.CONSENTS))
        await asyncio.to_thread(self._registration.refresh)

    async def _find(self, request_id: str) -> StoredRequest | None:
        return await asyncio.to_thread(self._read, request_id)

    def _read(self, request_id: str) -> StoredRequest | None:
        with self._engine.connect() as connection:
            return store.find_request(connection, request_id)

    def _page(
        self, whose: Whose, before: int | None, limit: int, *, open_only: bool
    ) -> list[tuple[int, StoredRequest]]:
        with self._engine.connect() as connection:
            return store.list_requests(connection, whose, before, limit, open_only=open_only)


def _stored(connection: Connection, before: StoredRequest) -> StoredRequest:
    """Return a request as it is stored now: somebody else may have moved it since it was read."""
    found = _found(connection, before.request_id)
    if found.subject_number != before.subject_number:
        raise rules.unknown_request()
    return found


def _found(connection: Connection, request_id: str) -> StoredRequest:
    found = store.find_request(connection, request_id)
    if found is None:
        raise rules.unknown_request()
    return found
