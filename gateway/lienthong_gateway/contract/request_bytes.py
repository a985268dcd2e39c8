"""A request's bytes, read: whoever reads them must find the same in them."""

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from lienthong_core.errors import exhausted, invalid
from lienthong_core.rpc import malformed
from lienthong_gateway.contract.field_paths import FieldPath
from lienthong_gateway.contract.wire import has_more_fields

MOST_FIELDS = 4_096
"""Nothing else is done while a request is read, and that takes as long as it has fields, however short they are."""
MessageT = TypeVar("MessageT", bound=Message)


@dataclass(frozen=True)
class Reading(Generic[MessageT]):
    """What a request says."""

    message: MessageT
    canonical: bytes
    """The gateway's own bytes of it."""


def read_once(message_type: type[MessageT], subject: FieldPath | None, request: bytes) -> Reading[MessageT]:
    """Return what a request says, whose field `subject` names the citizen it is about; None: none does.

    Refused, INVALID_ARGUMENT: REQUEST_MALFORMED, REQUEST_FIELD_UNKNOWN (the gateway cannot judge what it does not
    know), SUBJECT_AMBIGUOUS (it names two subjects). Refused, RESOURCE_EXHAUSTED: MESSAGE_TOO_LARGE (it has too many
    fields).
    """
    _check_fields(message_type, request)
    message = _parsed(message_type, request)
    message.DiscardUnknownFields()
    canonical = message.SerializeToString()
    if canonical != request:
        _check_difference(message_type, subject, request)
    return Reading(message, canonical)


def _check_fields(message_type: type[Message], request: bytes) -> None:
    try:
        if not has_more_fields(request, cast("Descriptor", message_type.DESCRIPTOR), MOST_FIELDS):
            return
    except ValueError:
        raise malformed() from None
    text = f"The request has more than the {MOST_FIELDS} fields that are taken; send fewer fields or shorter lists."
    raise exhausted("MESSAGE_TOO_LARGE", text)


def _check_difference(message_type: type[Message], subject: FieldPath | None, request: bytes) -> None:
    """Refuse what another reader could read otherwise; another order of the fields, for one, is no harm."""
    message = _parsed(message_type, request)
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        text = (
            "The request has fields that this gateway's contracts do not know, so it cannot judge them; generate the "
            "client from the contracts that it serves (gRPC reflection lists them)."
        )
        raise invalid("REQUEST_FIELD_UNKNOWN", text)
    if subject is not None and subject.count(request) > 1:
        text = f"The request names its subject, {subject}, more than once; ask about one citizen a call."
        raise invalid("SUBJECT_AMBIGUOUS", text)


def _parsed(message_type: type[MessageT], request: bytes) -> MessageT:
    try:
        return message_type.FromString(request)
    except DecodeError:
        raise malformed() from None
