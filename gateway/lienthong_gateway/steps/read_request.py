"""Before step 3, decide: what the request says, and that it says one thing only, whoever reads it."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError, Message

from lienthong_core.errors import invalid
from lienthong_core.rpc import malformed
from lienthong_gateway.consents.rules import check_personal_number
from lienthong_gateway.contracts import MethodContract


@dataclass(frozen=True)
class ReadRequest:
    """A request that has been read."""

    subject: str
    """Personal number of the citizen that it is about; empty if the method is about nobody in particular."""
    canonical: bytes
    """What is forwarded: the gateway's own bytes, so that the provider reads what was decided on and nothing else."""


def read_request(contract: MethodContract, request: bytes) -> ReadRequest:
    """Return what a request says.

    Refused, INVALID_ARGUMENT: REQUEST_MALFORMED, REQUEST_FIELD_UNKNOWN (the gateway cannot judge what it does not
    know), SUBJECT_AMBIGUOUS (it names two subjects), PERSONAL_NUMBER_INVALID.
    """
    message = _parsed(contract.request_type, request)
    message.DiscardUnknownFields()
    canonical = message.SerializeToString()
    if canonical != request:
        _check_difference(contract, request)
    subject = contract.subject_of(message)
    if contract.policy.subject:
        check_personal_number(subject)
    return ReadRequest(subject, canonical)


def _check_difference(contract: MethodContract, request: bytes) -> None:
    """Refuse what another reader could read otherwise; another order of the fields, for one, is no harm."""
    message = _parsed(contract.request_type, request)
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        text = (
            "The request has fields that this gateway's contracts do not know, so it cannot judge them; generate the "
            "client from the contracts that it serves (gRPC reflection lists them)."
        )
        raise invalid("REQUEST_FIELD_UNKNOWN", text)
    if contract.subject is not None and contract.subject.count(request) > 1:
        text = (
            f"The request names its subject, {contract.policy.subject}, more than once; ask about one citizen a call."
        )
        raise invalid("SUBJECT_AMBIGUOUS", text)


def _parsed(message_type: type[Message], request: bytes) -> Message:
    try:
        return message_type.FromString(request)
    except DecodeError:
        raise malformed() from None
