"""Calls that the gateway answers itself: consents, citizens' requests, what is registered, the log, the catalogue."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from lienthong_core.errors import denied, invalid, unauthenticated
from lienthong_core.personal_numbers import is_personal_number
from lienthong_gateway.contract.field_paths import FieldPath
from lienthong_gateway.contract.methods import method_path
from lienthong_gateway.contract.request_bytes import read_once
from lienthong_gateway.exchange import Caller, TokenHolder, Trace

_SUBJECTS = ("subject_number", "filter.subject_number")
"""How the gateway's own contracts call the field."""
_ZERO = "\0"
_RIGHTS = "rights"
"""The scope of a token that a citizen's calls about her own data need."""


@dataclass(frozen=True)
class LocalCall:
    """Who calls, and the citizen whose token came along, if one did."""

    caller: Caller
    holder: TokenHolder | None
    trace: Trace
    remaining_s: Callable[[], float | None]
    """Gives how long the caller still waits, seconds; None: it did not say."""


def citizen_of(call: LocalCall) -> TokenHolder:
    """Return the citizen in whose name a call about her data is made, and note in the trace that it is about her.

    Refused: TOKEN_MISSING; SCOPE_MISSING, if she logged in without letting the system do that.
    """
    if call.holder is None:
        message = "Only a citizen asks about her own data; send her access token in `authorization: Bearer`."
        raise unauthenticated("TOKEN_MISSING", message)
    call.trace.subject = call.holder.personal_number
    if _RIGHTS not in call.holder.scopes:
        message = (
            f"The citizen has not let {call.caller.system} see who has used her data or make requests about it; log "
            f"her in with {_RIGHTS} in the scope, which she approves at the identity provider."
        )
        raise denied("SCOPE_MISSING", message)
    return call.holder


Answerer = Callable[[LocalCall, Any], Awaitable[Message]]
"""What answers one method: given the call and its request, it returns the response."""


NumbersOf = Callable[[LocalCall, str], Awaitable[Collection[str]]]
"""What gives all personal numbers that a citizen has and had, given the call that needs them, and one of them; refuses,
as `steps/ask_numbers.py` says, if they cannot be had."""


@dataclass(frozen=True)
class LocalMethod:
    """One method: the type of its request, and what answers it."""

    request_type: type[Message]
    answer: Answerer
    subject: FieldPath | None
    """The field of its request that names the citizen it is about; None: it names none."""

    def read(self, request: bytes) -> Message:
        """Return a request that the method can answer.

        Refused: as `read_once` says, and TEXT_INVALID (PostgreSQL takes no zero in a text, not even to look for it).
        """
        message = read_once(self.request_type, self.subject, request).message
        if _ZERO.encode() in request and any(_ZERO in text for text in _texts(message)):
            raise invalid("TEXT_INVALID", "A text of the request holds the character zero (U+0000); leave it out.")
        return message

    def subject_of(self, request: Message) -> str:
        """Return the personal number of the citizen that a request names; empty if it names nobody."""
        named = self.subject.texts(request)[0] if self.subject is not None else ""
        return named if is_personal_number(named) else ""


def local_methods(services: Iterable[tuple[ServiceDescriptor, Mapping[str, Answerer]]]) -> dict[str, LocalMethod]:
    """Return the methods of the gateway's own services by path; raises ValueError unless each one is answered."""
    methods: dict[str, LocalMethod] = {}
    for service, answers in services:
        if {method.name for method in service.methods} != set(answers):
            raise ValueError(f"{service.full_name} has other methods than those that are answered")
        for method in service.methods:
            request_type = message_factory.GetMessageClass(method.input_type)
            paths = (FieldPath.find(method.input_type, path) for path in _SUBJECTS)
            subject = next(filter(None, paths), None)
            methods[method_path(method)] = LocalMethod(request_type, answers[method.name], subject)
    return methods


def _texts(value: object) -> Iterator[str]:
    """Give every text of a message, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Message):
        for _, inside in value.ListFields():
            yield from _texts(inside)
    elif isinstance(value, Mapping):
        for entry in cast("Mapping[object, object]", value).items():
            yield from _texts(entry)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for inside in cast("Sequence[object]", value):
            yield from _texts(inside)
