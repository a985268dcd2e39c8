"""What is to be decided, and what was."""

from datetime import datetime
from typing import NamedTuple

from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Caller, Claim, Grant, TokenHolder
from lienthong_gateway.log.head import Head


class Question(NamedTuple):
    """Whether this caller may have this method's answer about this citizen, by what it claims."""

    contract: MethodContract
    caller: Caller
    claim: Claim
    holder: TokenHolder | None
    subject: str
    """Personal number; empty if the call is about nobody in particular."""


class Decision(NamedTuple):
    """What a question was answered with, when, and in which state of consents and registrations."""

    question: Question
    grant: Grant
    head: Head
    made_at: datetime

    def holds(self, head: Head, now: datetime) -> bool:
        """Return whether the answer is still the same without asking again."""
        return head == self.head and self.made_at <= now < self.grant.holds_until
