"""For calls that the gateway answers itself: which numbers a citizen has and had, asked of the register that knows.

What named her by a number that she had before may be recorded as about that one: a refusal, or what a provider answered
without saying which number she has now.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

import grpc

from lienthong_core.errors import Refusal
from lienthong_core.personal_numbers import is_personal_number
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Trace
from lienthong_gateway.local import LocalCall
from lienthong_gateway.steps.forward import Forwarder
from lienthong_gateway.steps.read_answer import read_answer

_MOST_NUMBERS = 20
"""Of one citizen. Far more than anybody can have had: all that an answer names are shown to her, or erased, as one."""


@dataclass(frozen=True)
class NumberRegister:
    """The register that knows which numbers a citizen has and had."""

    gateway: SystemId
    contract: MethodContract | None
    """Its method that tells them; None: no contract has one."""
    forwarder: Forwarder
    waiting: Callable[[SystemId, SystemId], AbstractContextManager[None]]
    """What is entered while a call of a system waits for the register; raises Refused if too many do."""

    async def numbers_of(self, call: LocalCall, number: str) -> Collection[str]:
        """Return all numbers of the citizen who has or had a number; of one whom the register does not know, that one.

        The trace of the call that needs them is told whom they come from. Refused: as `Forwarder.forward` and
        `read_answer` say, PROVIDER_ANSWER_MISMATCH if there are more than anybody can have had, and as `waiting` is.
        """
        contract = self.contract
        if contract is None:
            return {number}
        call.trace.provider = str(contract.provider)
        request = contract.request_about(number)
        # With an id of its own: with the call's, what the register keeps would lead from her number to her erasure.
        asked = Trace.begin(contract.path, request)
        asked.consumer = str(self.gateway)
        try:
            with self.waiting(call.caller.system, contract.provider):
                message = await self.forwarder.forward(contract, request, asked, call.remaining_s())
        except Refusal as refusal:
            if refusal.status is grpc.StatusCode.NOT_FOUND:
                return {number}
            raise
        answer = read_answer(contract, message, number)
        told = (text for path in contract.answer_subjects for text in path.texts(answer))
        numbers = set(filter(is_personal_number, told))
        if len(numbers) > _MOST_NUMBERS:
            raise _of_several(contract.provider)
        return numbers


def _of_several(provider: SystemId) -> Refusal:
    message = (
        f"{provider} answered with more than {_MOST_NUMBERS} numbers, which cannot all be of one citizen; none of them "
        "is used. Report the exchange id to whoever runs that system."
    )
    return Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_MISMATCH", message)
