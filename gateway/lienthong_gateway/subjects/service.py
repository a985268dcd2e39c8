"""SubjectRightsService: citizens' requests, each step in the transaction of the log entry about it."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong.api.rights.v1 import rights_pb2 as pb
from lienthong_core.clock import Clock
from lienthong_core.systems import SystemId
from lienthong_gateway.local import Answerer, LocalCall, NumbersOf, citizen_of
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.head import Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.paging import page_size, read_cursor
from lienthong_gateway.registration import Registration
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.rules import check_officer
from lienthong_gateway.registry.store import load_registration
from lienthong_gateway.subjects import controllers, rules, store
from lienthong_gateway.subjects.erasure import Erasure
from lienthong_gateway.subjects.messages import request_message
from lienthong_gateway.subjects.rules import StoredRequest
from lienthong_gateway.subjects.store import Whose

_REQUESTS, _MOST_REQUESTS = 50, 200
_KIND = "RIGHTS_REQUEST_KIND_"
_FULFILLED, _WITHDRAWN = "FULFILLED", "WITHDRAWN"


_Move: TypeAlias = Callable[[StoredRequest, Registration], StoredRequest]
"""What becomes of a request, given what is registered; refuses what may not be."""


@dataclass(frozen=True)
class _Step:
    """One step of a request: what it is called in the log, the request before, and what becomes of it."""

    name: str
    before: StoredRequest
    move: _Move
    erases: Collection[str] = ()
    """The personal numbers of the citizen, all of them, if she is deleted with it."""

    @property
    def touches(self) -> Touches:
        """What decisions rest on that the step may change."""
        if self.erases:
            # It ends consents, and other replicas forget the commitments they keep when what is registered changes.
            return Touches.REGISTRATION | Touches.CONSENTS
        # Somebody else may fulfil a restriction between its reading and its withdrawal, so its state says nothing yet.
        changes_restrictions = self.before.is_restriction and self.name in {_FULFILLED, _WITHDRAWN}
        return Touches.REGISTRATION if changes_restrictions else Touches.NOTHING


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
        numbers_of: NumbersOf,
    ) -> None:
        self._gateway = gateway
        self._registration = registration
        self._engine = engine
        self._writer = writer
        self._erasure = erasure
        self._clock = clock
        self._numbers_of = numbers_of

    def answers(self) -> Mapping[str, Answerer]:
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
        # Another replica may have given the controller its right.
        await asyncio.to_thread(self._registration.refresh)
        registration, now = self._registration.value, self._clock.now()
        new = rules.submitted(
            request.kind, request.controller, request.detail, citizen.personal_number, registration, now
        )
        controllers.check_addressed(new, registration, self._gateway)
        await self._record(call, new, "SUBMITTED", lambda connection: store.add_request(connection, new))
        return pb.SubmitResponse(request=request_message(new, now))

    async def _withdraw(self, call: LocalCall, request: pb.WithdrawRequest) -> pb.WithdrawResponse:
        citizen = citizen_of(call)
        found = await self._find(request.request_id)
        if found is None or found.subject_number != citizen.personal_number:
            raise rules.unknown_request()
        now = self._clock.now()
        step = _Step(_WITHDRAWN, found, lambda stored, _registration: rules.withdrawn(stored, now))
        return pb.WithdrawResponse(request=request_message(await self._move(call, step), now))

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
        third_party, now = request.through_third_party, self._clock.now()

        def move(stored: StoredRequest, _registration: Registration) -> StoredRequest:
            return rules.acknowledged(stored, through_third_party=third_party)

        moved = await self._answer(call, request.request_id, "ACKNOWLEDGED", move)
        return pb.AcknowledgeResponse(request=request_message(moved, now))

    async def _extend(self, call: LocalCall, request: pb.ExtendRequest) -> pb.ExtendResponse:
        now = self._clock.now()

        def move(stored: StoredRequest, _registration: Registration) -> StoredRequest:
            return rules.extended(stored, now, request.reason)

        moved = await self._answer(call, request.request_id, "EXTENDED", move)
        return pb.ExtendResponse(request=request_message(moved, now))

    async def _fulfil(self, call: LocalCall, request: pb.FulfilRequest) -> pb.FulfilResponse:
        now = self._clock.now()

        def move(stored: StoredRequest, _registration: Registration) -> StoredRequest:
            return rules.fulfilled(stored, now, request.note)

        moved = await self._answer(call, request.request_id, _FULFILLED, move)
        return pb.FulfilResponse(request=request_message(moved, now))

    async def _refuse(self, call: LocalCall, request: pb.RefuseRequest) -> pb.RefuseResponse:
        now = self._clock.now()

        def move(stored: StoredRequest, registration: Registration) -> StoredRequest:
            controllers.check_ground(stored, request.legal_ground, registration, self._gateway)
            return rules.refused(stored, now, request.reason, request.legal_ground, registration)

        moved = await self._answer(call, request.request_id, "REFUSED", move)
        return pb.RefuseResponse(request=request_message(moved, now))

    async def _answer(self, call: LocalCall, request_id: str, name: str, move: _Move) -> StoredRequest:
        """Make a step of the member that has to answer a request, through an officer of the caller's."""
        caller, officer = call.caller.system, call.trace.officer
        # Whoever may not answer is not to learn which requests there are.
        await asyncio.to_thread(self._registration.refresh)
        check_officer(self._registration.value, caller, officer)
        found = await self._find(request_id)
        if found is None or found.controller.member != caller.member:
            raise rules.unknown_request()

        def checked(stored: StoredRequest, registration: Registration) -> StoredRequest:
            check_officer(registration, caller, officer)
            return move(stored, registration)

        numbers: Collection[str] = ()
        if name == _FULFILLED and found.is_deletion and found.controller == self._gateway:
            # Nobody is asked about her if this may not be.
            checked(found, self._registration.value)
            numbers = await self._numbers_of(call, found.subject_number)
        return await self._move(call, _Step(name, found, checked, numbers))

    async def _move(self, call: LocalCall, step: _Step) -> StoredRequest:
        before, moved = step.before, step.before

        def make(connection: Connection) -> None:
            nonlocal moved
            # Decided on where it is stored: another replica may have changed something since.
            registration = load_registration(connection)
            store.save_request(connection, step.move(_stored(connection, before), registration))
            if step.erases:
                self._erasure.erase(connection, step.erases, self._clock.now())
            # Read here: afterwards an erasure may give it another id.
            moved = _found(connection, before.request_id)

        # The entry of an erasure is about nobody: one about her would be the first of new ones.
        about = replace(before, subject_number="") if step.erases else before
        then = self._erasure.forget_in_files if step.erases else None
        await self._record(call, about, step.name, make, step.touches, then)
        return moved

    async def _record(
        self,
        call: LocalCall,
        request: StoredRequest,
        step: str,
        change: Callable[[Connection], None],
        touches: Touches = Touches.NOTHING,
        then: Callable[[], None] | None = None,
    ) -> None:
        trace = replace(
            call.trace,
            provider=str(request.controller),
            subject=request.subject_number,
            legal_reference=request.request_id,
        )
        kind = pb.RightsRequestKind.Name(request.kind).removeprefix(_KIND)
        entry = Entry(self._clock.now(), LogEvent.LOG_EVENT_RIGHTS_REQUEST, trace, "OK", f"{kind}_{step}")
        await self._writer.write(Job(entry, change, touches, then=then))
        if Touches.REGISTRATION in touches:
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
