"""Calls that the gateway answers itself: consents, the log, the catalogue."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from lienthong_gateway.exchange import Caller, TokenHolder, Trace


@dataclass(frozen=True)
class LocalCall:
    """Who calls, and the citizen whose token came along, if one did."""

    caller: Caller
    holder: TokenHolder | None
    trace: Trace


Answer = Callable[[LocalCall, Any], Awaitable[Message]]


@dataclass(frozen=True)
class LocalMethod:
    """One method: the type of its request, and what answers it."""

    request_type: type[Message]
    answer: Answer


def local_methods(services: Iterable[tuple[ServiceDescriptor, Mapping[str, Answer]]]) -> dict[str, LocalMethod]:
    """Return the methods of the gateway's own services by path; raises ValueError unless each one is answered."""
    methods: dict[str, LocalMethod] = {}
    for service, answers in services:
        if {method.name for method in service.methods} != set(answers):
            raise ValueError(f"{service.full_name} has other methods than those that are answered")
        for method in service.methods:
            request_type = message_factory.GetMessageClass(method.input_type)
            methods[f"/{service.full_name}/{method.name}"] = LocalMethod(request_type, answers[method.name])
    return methods
