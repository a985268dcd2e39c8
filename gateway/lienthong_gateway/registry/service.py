"""AdministrationService: changes of what is registered, each in the transaction of the log entry about it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from sqlalchemy import Connection, Engine

from lienthong.api.exchange.v1 import administration_pb2 as pb
from lienthong.api.exchange.v1 import catalogue_pb2
from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_core.clock import Clock
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Trace
from lienthong_gateway.local import Answerer, LocalCall
from lienthong_gateway.log.batch import Job
from lienthong_gateway.log.head import Touches
from lienthong_gateway.log.leaf import Entry
from lienthong_gateway.log.writer import LogWriter
from lienthong_gateway.registration import HEADER_OF_BASIS, AccessRight, Registration
from lienthong_gateway.registry import messages, reading, rules, store
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.registry.rules import Facts


@dataclass(frozen=True)
class _Change:
    """A change: what happened, in the log's word, how it is checked and made, and what it is about."""

    reason: str
    make: Callable[[Connection, Facts], Message]
    """Refuses what may not be, and otherwise changes the tables and returns what is registered then, or was."""
    consumer: str = ""
    method: str = ""
    purpose: str = ""
    legal_basis: str = ""
    legal_reference: str = ""

    @classmethod
    def of_right(cls, reason: str, right: AccessRight, make: Callable[[Connection, Facts], Message]) -> "_Change":
        return cls(reason, make, consumer=str(right.consumer), method=right.method, purpose=right.purpose)

    def in_trace(self, trace: Trace) -> Trace:
        """Return the trace of the call with what was changed in it."""
        return replace(
            trace.about(self.consumer or trace.consumer),
            method=self.method or trace.method,
            purpose=self.purpose,
            legal_basis=self.legal_basis,
            legal_reference=self.legal_reference,
        )


class AdministrationAnswers:
    """Answers AdministrationService."""

    def __init__(
        self,
        registration: CurrentRegistration,
        contracts: Mapping[str, MethodContract],
        engine: Engine,
        writer: LogWriter,
        clock: Clock,
    ) -> None:
        self._registration = registration
        self._contracts = contracts
        self._engine = engine
        self._writer = writer
        self._clock = clock

    def answers(self) -> Mapping[str, Answerer]:
        """Return what answers each method of the service."""
        return {
            "RegisterPurpose": self._register_purpose,
            "RegisterLegalGround": self._register_legal_ground,
            "EndLegalGround": self._end_legal_ground,
            "ListLegalGrounds": self._list_legal_grounds,
            "GrantAccessRight": self._grant_access_right,
            "WithdrawAccessRight": self._withdraw_access_right,
            "ListAccessRights": self._list_access_rights,
            "AdmitOfficer": self._admit_officer,
            "DismissOfficer": self._dismiss_officer,
            "ListOfficers": self._list_officers,
        }

    async def _register_purpose(
        self, call: LocalCall, request: pb.RegisterPurposeRequest
    ) -> pb.RegisterPurposeResponse:
        purpose = reading.read_purpose(request.purpose)

        def make(connection: Connection, facts: Facts) -> Message:
            rules.check_purpose(purpose, facts)
            store.add_purpose(connection, purpose)
            return messages.purpose_message(purpose)

        await self._record(call, _Change("PURPOSE_REGISTERED", make, purpose=purpose.code))
        return pb.RegisterPurposeResponse(purpose=messages.purpose_message(purpose))

    async def _register_legal_ground(
        self, call: LocalCall, request: pb.RegisterLegalGroundRequest
    ) -> pb.RegisterLegalGroundResponse:
        ground = reading.read_legal_ground(request.legal_ground, self._clock.now())
        header = HEADER_OF_BASIS.get(ground.basis, "")

        def make(connection: Connection, facts: Facts) -> Message:
            rules.check_legal_ground(ground, facts)
            store.add_legal_ground(connection, ground)
            return messages.legal_ground_message(ground)

        change = _Change("LEGAL_GROUND_REGISTERED", make, legal_basis=header, legal_reference=ground.code)
        await self._record(call, change)
        return pb.RegisterLegalGroundResponse(legal_ground=messages.legal_ground_message(ground))

    async def _end_legal_ground(self, call: LocalCall, request: pb.EndLegalGroundRequest) -> pb.EndLegalGroundResponse:
        last_day = reading.read_date("last_day", request.last_day) if request.HasField("last_day") else None

        def make(connection: Connection, facts: Facts) -> Message:
            ended = rules.ended_ground(request.code, last_day, facts)
            store.end_legal_ground(connection, ended)
            return messages.legal_ground_message(ended)

        await self._record(call, _Change("LEGAL_GROUND_ENDED", make, legal_reference=request.code))
        ended = self._registration.value.legal_grounds[request.code]
        return pb.EndLegalGroundResponse(legal_ground=messages.legal_ground_message(ended))

    async def _list_legal_grounds(
        self, call: LocalCall, _request: pb.ListLegalGroundsRequest
    ) -> pb.ListLegalGroundsResponse:
        registration = await self._registered_now()
        rules.check_administrator(registration, call.caller.system)
        grounds = (ground for _, ground in sorted(registration.legal_grounds.items()))
        return pb.ListLegalGroundsResponse(legal_grounds=[messages.legal_ground_message(ground) for ground in grounds])

    async def _grant_access_right(
        self, call: LocalCall, request: pb.GrantAccessRightRequest
    ) -> pb.GrantAccessRightResponse:
        asked = reading.read_access_right(request.access_right, self._clock.now())

        def make(connection: Connection, facts: Facts) -> Message:
            right = rules.granted_right(asked, facts)
            store.put_access_right(connection, right)
            return messages.access_right_message(right, facts.registration.purposes[right.purpose])

        await self._record(call, _Change.of_right("ACCESS_RIGHT_GRANTED", asked, make))
        return pb.GrantAccessRightResponse(access_right=self._registered(asked))

    async def _withdraw_access_right(
        self, call: LocalCall, request: pb.WithdrawAccessRightRequest
    ) -> pb.WithdrawAccessRightResponse:
        consumer = reading.read_system("consumer", request.consumer)
        asked = AccessRight(consumer, request.method, request.purpose, frozenset(), frozenset())

        def make(connection: Connection, facts: Facts) -> Message:
            right = rules.withdrawn_right(asked, facts)
            store.withdraw_access_right(connection, right, facts.now)
            withdrawn = replace(right, withdrawn_at=facts.now)
            return messages.access_right_message(withdrawn, facts.registration.purposes[right.purpose])

        await self._record(call, _Change.of_right("ACCESS_RIGHT_WITHDRAWN", asked, make))
        return pb.WithdrawAccessRightResponse(access_right=self._registered(asked))

    async def _list_access_rights(
        self, call: LocalCall, request: pb.ListAccessRightsRequest
    ) -> pb.ListAccessRightsResponse:
        registration = await self._registered_now()
        rules.check_administrator(registration, call.caller.system)
        rights = [right for _, right in sorted(registration.access_rights.items(), key=lambda item: item[0])]
        found = [
            messages.access_right_message(right, registration.purposes[right.purpose])
            for right in rights
            if request.consumer in {"", str(right.consumer)} and request.method in {"", right.method}
        ]
        return pb.ListAccessRightsResponse(access_rights=found)

    async def _admit_officer(self, call: LocalCall, request: pb.AdmitOfficerRequest) -> pb.AdmitOfficerResponse:
        system, officer_id = reading.read_officer(request.officer)

        def make(connection: Connection, facts: Facts) -> Message:
            rules.check_new_officer(system, officer_id, facts)
            store.add_officer(connection, system, officer_id)
            return messages.officer_message(system, officer_id)

        await self._record(call, _Change("OFFICER_ADMITTED", make, consumer=str(system)))
        return pb.AdmitOfficerResponse(officer=messages.officer_message(system, officer_id))

    async def _dismiss_officer(self, call: LocalCall, request: pb.DismissOfficerRequest) -> pb.DismissOfficerResponse:
        system, officer_id = reading.read_officer(request.officer)

        def make(connection: Connection, facts: Facts) -> Message:
            rules.check_dismissal(system, officer_id, facts)
            store.remove_officer(connection, system, officer_id)
            return messages.officer_message(system, officer_id)

        await self._record(call, _Change("OFFICER_DISMISSED", make, consumer=str(system)))
        return pb.DismissOfficerResponse()

    async def _list_officers(self, call: LocalCall, request: pb.ListOfficersRequest) -> pb.ListOfficersResponse:
        registration = await self._registered_now()
        rules.check_administrator(registration, call.caller.system)
        officers = [
            messages.officer_message(system, officer_id)
            for system, officer_id in sorted(registration.officers)
            if request.system_id in {"", str(system)}
        ]
        return pb.ListOfficersResponse(officers=officers)

    def _registered(self, asked: AccessRight) -> catalogue_pb2.AccessRight:
        registration = self._registration.value
        right = registration.access_rights[asked.consumer, asked.method, asked.purpose]
        return messages.access_right_message(right, registration.purposes[right.purpose])

    async def _registered_now(self) -> Registration:
        """Return what is registered, whichever replica has changed it."""
        await asyncio.to_thread(self._registration.refresh)
        return self._registration.value

    async def _record(self, call: LocalCall, change: _Change) -> None:
        caller, officer = call.caller.system, call.trace.officer
        rules.check_actor(await self._registered_now(), caller, officer)
        now, trace = self._clock.now(), change.in_trace(call.trace)

        def make(connection: Connection) -> None:
            # Checked where it is changed: another replica may have changed something since.
            facts = Facts(store.load_registration(connection), self._contracts, now)
            rules.check_actor(facts.registration, caller, officer)
            trace.registered = messages.canonical_text(change.make(connection, facts))

        entry = Entry(now, LogEvent.LOG_EVENT_ACCESS_RIGHT, trace, "OK", change.reason)
        await self._writer.write(Job(entry, make, Touches.REGISTRATION))
        await asyncio.to_thread(self._registration.refresh)
