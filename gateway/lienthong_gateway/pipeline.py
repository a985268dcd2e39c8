"""One exchange from its first step to its last, and what happens when a step refuses."""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message
from sqlalchemy.exc import SQLAlchemyError

from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, internal, unavailable
from lienthong_core.failures import log_failure
from lienthong_core.rpc import check_size, malformed, unknown_method
from lienthong_gateway.consents.rules import check_personal_number
from lienthong_gateway.consents.store import ConsentStore
from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.exchange import Caller, Claim, Grant, Released, TokenHolder, Trace
from lienthong_gateway.local import LocalCall, LocalMethod
from lienthong_gateway.log.writer import LOG_UNAVAILABLE
from lienthong_gateway.registration import Registration
from lienthong_gateway.steps.authenticate import Authenticator
from lienthong_gateway.steps.decide import decide_by_consent, decide_by_law, find_right
from lienthong_gateway.steps.forward import Forwarder
from lienthong_gateway.steps.identify import Identifier, Metadata, read_claim
from lienthong_gateway.steps.minimise import minimise
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.steps.release import trailing_metadata

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pipeline:
    """The steps, wired; one for all exchanges of a gateway."""

    registration: Registration
    contracts: Mapping[str, MethodContract]
    local: Mapping[str, LocalMethod]
    identifier: Identifier
    authenticator: Authenticator
    consents: ConsentStore
    forwarder: Forwarder
    recorder: Recorder
    clock: Clock

    async def answer(self, method: str, request: bytes, context: Context) -> bytes:
        """Answer one call, whatever it is: an exchange, a call to the gateway itself, or nothing that exists."""
        digest = hashlib.sha256(request).hexdigest()
        trace = Trace(str(uuid.uuid4()), method, request_hash=digest, request_bytes=len(request))
        try:
            metadata = tuple(context.invocation_metadata() or ())
            caller = self._identified(trace, context, metadata)
            check_size(request)
            if method in self.contracts:
                return await self._exchange(self.contracts[method], request, trace, caller, metadata, context)
            if method in self.local:
                return await self._answer_locally(self.local[method], request, trace, caller, metadata, context)
            raise unknown_method(method)
        except Refusal as refusal:
            await self._refuse(refusal, trace, context)
        except SQLAlchemyError as error:
            log_failure(_log, f"exchange {trace.exchange_id}", error)
            message = "The gateway cannot read its consents or its log now; try again."
            await self._refuse(unavailable("STORE_UNAVAILABLE", message), trace, context)
        except Exception as error:  # noqa: BLE001 (a failure nobody foresaw is recorded and answered like the others)
            log_failure(_log, f"exchange {trace.exchange_id}", error)
            await self._refuse(internal(), trace, context)

    async def _exchange(
        self,
        contract: MethodContract,
        request: bytes,
        trace: Trace,
        caller: Caller,
        metadata: Metadata,
        context: Context,
    ) -> bytes:
        try:
            released = await self._released(contract, request, trace, caller, metadata, context)
        except asyncio.CancelledError:
            # The provider may have answered, or changed its register: the log says that it was asked.
            self.recorder.note(trace, _caller_gone())
            raise
        log_index = await self.recorder.exchange(trace, released)
        context.set_trailing_metadata(trailing_metadata(trace, log_index, released))
        return released.message

    async def _released(
        self,
        contract: MethodContract,
        request: bytes,
        trace: Trace,
        caller: Caller,
        metadata: Metadata,
        context: Context,
    ) -> Released:
        watch = _StopWatch(trace)
        trace.provider = str(contract.provider)
        claim = _claimed(trace, metadata)
        holder = await self.authenticator.authenticate(caller, metadata)
        watch.lap("authenticate")
        trace.subject = _subject(contract, request)
        grant = await self._decided(contract, caller, claim, holder, trace.subject)
        trace.consent_id = grant.consent_id
        watch.lap("decide")
        answer = await self.forwarder.forward(contract.provider, request, trace, context.time_remaining())
        watch.lap("forward")
        released = minimise(contract, answer, grant.datasets)
        trace.response_hash = hashlib.sha256(released.message).hexdigest()
        trace.response_bytes = len(released.message)
        watch.lap("minimise")
        return released

    def _identified(self, trace: Trace, context: Context, metadata: Metadata) -> Caller:
        caller = self.identifier.identify(context.auth_context(), metadata)
        trace.consumer = str(caller.system)
        trace.message_id = caller.message_id
        return caller

    async def _decided(
        self, contract: MethodContract, caller: Caller, claim: Claim, holder: TokenHolder | None, subject: str
    ) -> Grant:
        right = find_right(caller, contract, claim, self.registration)
        if claim.legal_basis != "consent":
            return decide_by_law(contract, claim, right)
        consents = await asyncio.to_thread(
            self.consents.consents_between, subject, str(caller.system), str(contract.provider)
        )
        return decide_by_consent(contract, subject, claim, right, holder, consents, self.clock.now())

    async def _answer_locally(
        self,
        method: LocalMethod,
        request: bytes,
        trace: Trace,
        caller: Caller,
        metadata: Metadata,
        context: Context,
    ) -> bytes:
        holder = await self.authenticator.authenticate(caller, metadata)
        answer = await method.answer(LocalCall(caller, holder, trace), _parsed(method.request_type, request))
        context.set_trailing_metadata(trailing_metadata(trace, None, None))
        return answer.SerializeToString()

    async def _refuse(self, refusal: Refusal, trace: Trace, context: Context) -> NoReturn:
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
        status = refusal.with_metadata(**about).rpc_status()
        own = trailing_metadata(trace, log_index, None)
        await context.abort(status.code, status.details, (*(status.trailing_metadata or ()), *own))


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
