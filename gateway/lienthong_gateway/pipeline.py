"""One exchange from its first step to its last, and what happens when a step refuses."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from lienthong_core.errors import Refusal
from lienthong_core.failures import log_failure
from lienthong_core.metadata import CallHeaders
from lienthong_core.rpc import check_size, unknown_method
from lienthong_core.systems import SystemId
from lienthong_gateway.call import Answer, IncomingCall, Nothing, Refused
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.decisions.question import Decision, Question
from lienthong_gateway.edge.passage import Edge, Passage
from lienthong_gateway.exchange import Caller, Claim, Released, Trace
from lienthong_gateway.failures import STORE_UNAVAILABLE, refusal_of
from lienthong_gateway.local import LocalCall, LocalMethod
from lienthong_gateway.log.batch import LOG_UNAVAILABLE, Check
from lienthong_gateway.steps.authenticate import Authenticator
from lienthong_gateway.steps.decide import Decider
from lienthong_gateway.steps.forward import Forwarder
from lienthong_gateway.steps.identify import Identifier, read_claim, read_officer
from lienthong_gateway.steps.minimise import minimise
from lienthong_gateway.steps.read_answer import present_number, read_answer
from lienthong_gateway.steps.read_request import read_request
from lienthong_gateway.steps.record import Recorder
from lienthong_gateway.steps.release import trailing_metadata
from lienthong_gateway.telemetry.step_watch import StepWatch

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

    def methods(self) -> Iterable[str]:
        """Return the paths of all methods that exist."""
        return (*self.contracts, *self.local)

    def streams(self, method: str) -> bool:
        """Return whether a method answers with any number of messages: `stream` answers it, and `answer` all others."""
        return method in self.contracts and self.contracts[method].streams

    async def answer(self, call: IncomingCall) -> Answer:
        """Answer one call, whatever it is: an exchange, a call to the gateway itself, or nothing that exists.

        Raises Refused once the refusal has been recorded (docs/limits.md: calls beyond the limits are recorded
        summarised), and nothing else but what waiting for the call's request raises.
        """
        passage = self.edge.passage(call, self._provider(call.method))
        async with passage as trace:
            await passage.arrive()
            async with self.edge.admission.turns.turn():
                return await self._answer(passage, trace)

    async def _answer(self, passage: Passage, trace: Trace) -> Answer:
        try:
            call, caller = self._arrived(passage, trace)
            if call.method in self.contracts:
                with self.recorder.expecting():
                    return await self._exchange(self.contracts[call.method], passage, trace, caller)
            if call.method in self.local:
                return await self._answer_locally(self.local[call.method], call, trace, caller)
            raise unknown_method(call.method)
        except Refused:
            # Turned away, which is recorded summed up.
            raise
        except Exception as error:
            raise await self._refused(_refusal(error, trace), trace) from error

    async def stream(self, call: IncomingCall) -> AsyncGenerator[Answer | Nothing]:
        """Answer a call of a method that streams, message by message, each of them recorded before it is released.

        If there is none, that is recorded and said. What the call rests on is confirmed at each message. Raises Refused
        as `answer` does, also in between.
        """
        passage = self.edge.passage(call, self._provider(call.method), streams=True)
        async with passage as trace, aclosing(self._answers(passage, trace)) as answers:
            async for answer in answers:
                yield answer

    def _provider(self, method: str) -> SystemId | None:
        return self.contracts[method].provider if method in self.contracts else None

    async def _answers(self, passage: Passage, trace: Trace) -> AsyncGenerator[Answer | Nothing]:
        try:
            call, caller = self._arrived(passage, trace)
            async with aclosing(self._stream(self.contracts[call.method], passage, trace, caller)) as answers:
                async for answer in answers:
                    yield answer
        except Exception as error:
            raise await self._refused(_refusal(error, trace), trace) from error

    async def _exchange(self, contract: MethodContract, passage: Passage, trace: Trace, caller: Caller) -> Answer:
        watch, call = StepWatch(trace), passage.whole()
        try:
            decision, request = await self._decided(contract, call, trace, caller, watch)
            with self.edge.admission.turns.away(), watch.step("forward"):
                message = await self.forwarder.forward(contract, request, trace, call.remaining_s())
            released = _minimised(decision, message, trace, watch)
            trace.digests.answered(released.message)
            # Before it is recorded: what cannot be written is not released.
            written = call.written(released.message)
        except asyncio.CancelledError:
            # The provider may have answered, or changed its register: the log says that it was asked.
            self.recorder.note(trace, passage.interruption())
            raise
        answer = await self._released(decision, released, trace, watch)
        return answer._replace(message=written)

    async def _stream(
        self, contract: MethodContract, passage: Passage, trace: Trace, caller: Caller
    ) -> AsyncGenerator[Answer | Nothing]:
        watch, call = StepWatch(trace), passage.whole()
        try:
            async with self.edge.admission.turns.turn():
                decision, request = await self._decided(contract, call, trace, caller, watch)
            messages = self.forwarder.stream(contract, request, trace, call.remaining_s())
            async with aclosing(messages):
                while (message := await _next(messages, watch)) is not None:
                    released = _minimised(decision, message, trace, watch)
                    if message and not released.message:
                        # How many there are of what was not granted is not told.
                        continue
                    trace.digests.answered(released.message)
                    answer = await self._released(decision, released, trace, watch)
                    # Before the answer is given: a caller may go away with it, and is then noted after it.
                    trace.sequence += 1
                    # The next entry is not about how long recording this one took.
                    trace.step_us.pop("record")
                    yield answer
            if not trace.sequence:
                # An answer of nothing is an answer: the log says who was given it, and of what there is nothing.
                nothing = minimise(contract, contract.response_type(), decision.grant.datasets)
                answer = await self._released(decision, nothing, trace, watch)
                trace.sequence += 1
                yield Nothing(answer.trailer)
        except (asyncio.CancelledError, GeneratorExit):
            self.recorder.note(trace, passage.interruption())
            raise

    async def _decided(
        self, contract: MethodContract, call: IncomingCall, trace: Trace, caller: Caller, watch: StepWatch
    ) -> tuple[Decision, bytes]:
        """Return what was decided, and the request as it is forwarded; of a change, once the log says that it is."""
        trace.provider = str(contract.provider)
        with watch.step("authenticate"):
            claim = _claimed(trace, call.headers)
            holder = await self.authenticator.authenticate(caller, call.headers)
        with watch.step("decide"):
            request = read_request(contract, call.request)
            trace.subject = request.subject
            decision = await self.decider.decide(Question(contract, caller, claim, holder, trace.subject))
        trace.consent_id, trace.consent_digest = decision.grant.consent_id, decision.grant.consent_digest
        if contract.changes:
            confirm = self._confirming(decision, trace)
            with watch.step("allow"):
                await self.recorder.change_allowed(trace, confirm)
        return decision, request.canonical

    async def _released(self, decision: Decision, released: Released, trace: Trace, watch: StepWatch) -> Answer:
        with watch.step("record"):
            if decision.question.contract.changes:
                log_index = await self.recorder.exchange(trace, released, confirm=None)
            else:
                confirm = self._confirming(decision, trace)
                log_index = await self.recorder.exchange(trace, released, confirm, decision.grant.consent_limit)
        trace.released_bytes += len(released.message)
        return Answer(released.message, trailing_metadata(trace, log_index, released))

    def _confirming(self, decision: Decision, trace: Trace) -> Check:
        return partial(self.decider.confirm, decision, trace.exchange_id)

    def _arrived(self, passage: Passage, trace: Trace) -> tuple[IncomingCall, Caller]:
        """Return the call and who makes it; whatever else is wrong with it is refused once that is known."""
        call = passage.whole()
        caller = self.identifier.identify(call.peer, call.headers)
        trace.message_id = caller.message_id
        check_size(call.request)
        if call.fault is not None:
            raise call.fault
        return call, caller

    async def _answer_locally(self, method: LocalMethod, call: IncomingCall, trace: Trace, caller: Caller) -> Answer:
        trace.officer = read_officer(call.headers)
        await self.identifier.check_officer(caller, trace.officer)
        holder = await self.authenticator.authenticate(caller, call.headers)
        request = method.read(call.request)
        trace.subject = method.subject_of(request)
        answer = await method.answer(LocalCall(caller, holder, trace, call.remaining_s), request)
        return Answer(call.written(answer.SerializeToString()), trailing_metadata(trace, None, None))

    async def _refused(self, refusal: Refusal, trace: Trace) -> Refused:
        """Record a refusal and return it as what ends the call."""
        log_index = None
        about = {"exchange_id": trace.exchange_id, "origin": "gateway"}
        if refusal.reason in {LOG_UNAVAILABLE, STORE_UNAVAILABLE}:
            # Waiting for a database that has just failed would keep the caller a second time.
            self.recorder.note(trace, refusal)
        else:
            try:
                log_index = await self.recorder.refusal(trace, refusal)
                about["log_index"] = str(log_index)
            except Refusal as unrecorded:
                refusal = unrecorded
        return Refused(refusal.with_metadata(**about), trailing_metadata(trace, log_index, None))


def _refusal(error: Exception, trace: Trace) -> Refusal:
    """Return what an exchange is refused with when a step failed; a failure that nobody foresaw is logged."""
    if isinstance(error, Refusal):
        return error
    log_failure(_log, f"exchange {trace.exchange_id}", error)
    return refusal_of(error)


async def _next(messages: AsyncGenerator[bytes], watch: StepWatch) -> bytes | None:
    """Return the provider's next message; None: there is no other."""
    with watch.step("forward"):
        return await anext(messages, None)


def _minimised(decision: Decision, message: bytes, trace: Trace, watch: StepWatch) -> Released:
    contract = decision.question.contract
    with watch.step("minimise"):
        answer = read_answer(contract, message, decision.question.subject)
        if not trace.commitments:
            # She may have been asked for by a former number, under which she would not find it.
            trace.subject = present_number(contract, answer, trace.subject)
        return minimise(contract, answer, decision.grant.datasets)


def _claimed(trace: Trace, headers: CallHeaders) -> Claim:
    claim = read_claim(headers)
    trace.purpose, trace.officer = claim.purpose, claim.officer
    trace.represented_party = claim.represented_party
    trace.legal_basis, trace.legal_reference = claim.legal_basis, claim.legal_reference
    return claim
