"""One exchange from its first step to its last, and what happens when a step refuses."""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import grpc
from google.protobuf.message import DecodeError, Message
from sqlalchemy.exc import SQLAlchemyError

from lienthong_core.errors import Refusal, internal, unavailable
from lienthong_core.failures import log_failure
from lienthong_core.rpc import check_size, malformed, unknown_method
from lienthong_gateway.call import Answer, IncomingCall, Metadata, Refused
from lienthong_gateway.consents.rules import check_personal_number
from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.edge.passage import Edge
from lienthong_gateway.exchange import Caller, Claim, Released, Trace
from lienthong_gateway.local import LocalCall, LocalMethod
from lienthong_gateway.log.writer import LOG_UNAVAILABLE
from lienthong_gateway.steps.authenticate import Authenticator
from lienthong_gateway.steps.decide import Decider
from lienthong_gateway.steps.forward import Forwarder
from lienthong_gateway.steps.identify import Identifier, read_claim
from lienthong_gateway.steps.minimise import minimise
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.steps.release import trailing_metadata

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pipeline:
    """The steps, wired; one for all exchanges of a gateway, whichever way they come in."""

    contracts: Mapping[str, MethodContract]
    local: Mapping[str, LocalMethod]
    identifier: Identifier
    authenticator: Authenticator
    decider: Decider
    forwarder: Forwarder
    recorder: Recorder
    edge: Edge

    async def answer(self, call: IncomingCall) -> Answer:
        """Answer one call, whatever it is: an exchange, a call to the gateway itself, or nothing that exists.

        Raises Refused, and nothing else, once the refusal has been recorded (docs/limits.md: calls beyond the limits
        are recorded summarised).
        """
        trace = Trace(str(uuid.uuid4()), call.method)
        async with self.edge.passage(call, trace):
            return await self._answer(call, trace)

    async def _answer(self, call: IncomingCall, trace: Trace) -> Answer:
        trace.request_hash = hashlib.sha256(call.request).hexdigest()
        trace.request_bytes = len(call.request)
        try:
            caller = self._identified(trace, call)
            check_size(call.request)
            if call.fault is not None:
                raise call.fault
            if call.method in self.contracts:
                return await self._exchange(self.contracts[call.method], call, trace, caller)
            if call.method in self.local:
                return await self._answer_locally(self.local[call.method], call, trace, caller)
            raise unknown_method(call.method)
        except Refusal as refusal:
            await self._refuse(refusal, trace)
        except SQLAlchemyError as error:
            log_failure(_log, f"exchange {trace.exchange_id}", error)
            message = "The gateway cannot read its consents or its log now; try again."
            await self._refuse(unavailable("STORE_UNAVAILABLE", message), trace)
        except Exception as error:  # noqa: BLE001 (a failure nobody foresaw is recorded and answered like the others)
            log_failure(_log, f"exchange {trace.exchange_id}", error)
            await self._refuse(internal(), trace)

    async def _exchange(self, contract: MethodContract, call: IncomingCall, trace: Trace, caller: Caller) -> Answer:
        try:
            released = await self._released(contract, call, trace, caller)
        except asyncio.CancelledError:
            # The provider may have answered, or changed its register: the log says that it was asked.
            self.recorder.note(trace, _caller_gone())
            raise
        watch = _StopWatch(trace)
        log_index = await self.recorder.exchange(trace, released)
        watch.lap("record")
        return Answer(released.message, trailing_metadata(trace, log_index, released))

    async def _released(self, contract: MethodContract, call: IncomingCall, trace: Trace, caller: Caller) -> Released:
        watch = _StopWatch(trace)
        trace.provider = str(contract.provider)
        claim = _claimed(trace, call.metadata)
        holder = await self.authenticator.authenticate(caller, call.metadata)
        watch.lap("authenticate")
        trace.subject = _subject(contract, call.request)
        grant = await self.decider.decide(contract, caller, claim, holder, trace.subject)
        trace.consent_id = grant.consent_id
        watch.lap("decide")
        answer = await self.forwarder.forward(contract.provider, call.request, trace, call.remaining_s())
        watch.lap("forward")
        released = minimise(contract, answer, grant.datasets)
        trace.response_hash = hashlib.sha256(released.message).hexdigest()
        trace.response_bytes = len(released.message)
        watch.lap("minimise")
        return released

    def _identified(self, trace: Trace, call: IncomingCall) -> Caller:
        caller = self.identifier.identify(call.peer, call.metadata)
        trace.consumer = str(caller.system)
        trace.message_id = caller.message_id
        return caller

    async def _answer_locally(self, method: LocalMethod, call: IncomingCall, trace: Trace, caller: Caller) -> Answer:
        holder = await self.authenticator.authenticate(caller, call.metadata)
        answer = await method.answer(LocalCall(caller, holder, trace), _parsed(method.request_type, call.request))
        return Answer(answer.SerializeToString(), trailing_metadata(trace, None, None))

    async def _refuse(self, refusal: Refusal, trace: Trace) -> NoReturn:
        log_index = None
        about = {"exchange_id": trace.exchange_id, "origin": "gateway"}
        if refusal.reason == LOG_UNAVAILABLE:
            # Waiting for a log that has just failed would keep the caller a second time.
            self.recorder.note(trace, refusal)
        else:
            try:
                log_index = await self.recorder.refusal(trace, refusal)
                about["log_index"] = str(log_index)
            except Refusal as unrecorded:
                refusal = unrecorded
        raise Refused(refusal.with_metadata(**about), trailing_metadata(trace, log_index, None)) from refusal


class _StopWatch:
    """Notes in the trace how long each step took."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._at = time.perf_counter_ns()

    def lap(self, step: str) -> None:
        """Note the time since the step before."""
        now = time.perf_counter_ns()
        self._trace.step_us[step] = (now - self._at) // 1_000
        self._at = now


def _claimed(trace: Trace, metadata: Metadata) -> Claim:
    claim = read_claim(metadata)
    trace.purpose, trace.officer = claim.purpose, claim.officer
    trace.legal_basis, trace.legal_reference = claim.legal_basis, claim.legal_reference
    return claim


def _caller_gone() -> Refusal:
    message = "The caller went away, or its deadline passed, before there was an answer."
    return Refusal(grpc.StatusCode.CANCELLED, "CALLER_GONE", message)


def _subject(contract: MethodContract, request: bytes) -> str:
    subject = contract.subject_of(_parsed(contract.request_type, request))
    if contract.policy.subject:
        check_personal_number(subject)
    return subject


def _parsed(message_type: type[Message], request: bytes) -> Message:
    message = message_type()
    try:
        message.ParseFromString(request)
    except DecodeError:
        raise malformed() from None
    return message
