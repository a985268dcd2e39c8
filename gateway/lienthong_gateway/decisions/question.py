"""What is to be decided, and what was."""

from dataclasses import dataclass

from lienthong_gateway.contracts import MethodContract
from lienthong_gateway.exchange import Caller, Claim, Grant, TokenHolder
from lienthong_gateway.log.head import Head


@dataclass(frozen=True)
class Question:
    """Whether this caller may have this method's answer about this citizen, by what it claims."""

    contract: MethodContract
    caller: Caller
    claim: Claim
    holder: TokenHolder | None
    subject: str
    """Personal number; empty if the call is about nobody in particular."""


@dataclass(frozen=True)
class Decision:
    """What a question was answered with, and the state of consents and registrations that it was answered in."""

    question: Question
    grant: Grant
    head: Head
