"""Messages as they stand in a request's or an answer's body: ProtoJSON or the binary form.

https://protobuf.dev/programming-guides/json/
"""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from lienthong_core.errors import Refusal, exhausted, invalid
from lienthong_core.rpc import MAX_MESSAGE_BYTES
from lienthong_gateway.contract.methods import MethodContract, method_path
from lienthong_gateway.web.spelling import fields_named_twice

_LONGEST_QUOTE = 300
_DEEPEST = 32
_LIBRARY_SAYS = "Failed to load JSON: "


@dataclass(frozen=True)
class MethodTypes:
    """The messages of one method."""

    request: type[Message]
    response: type[Message]


class Codec(Protocol):
    """One form of messages, and the content type that names it."""

    @property
    def content_type(self) -> str:
        """What the form is named by."""
        ...

    @property
    def most_bytes(self) -> int:
        """How large a request may be in it."""
        ...

    def request(self, types: MethodTypes, body: bytes) -> bytes:
        """Return the request in binary form; refused: REQUEST_MALFORMED, MESSAGE_TOO_LARGE."""
        ...

    def answer(self, types: MethodTypes, message: bytes) -> bytes:
        """Return an answer's body, from its binary form."""
        ...


class BinaryCodec:
    """`application/proto`: as over gRPC, whatever the method's types are."""

    content_type = "application/proto"
    most_bytes = MAX_MESSAGE_BYTES

    def request(self, types: MethodTypes, body: bytes) -> bytes:  # noqa: ARG002 (as every form takes it)
        """Return the body as it is: the pipeline reads it."""
        return body

    def answer(self, types: MethodTypes, message: bytes) -> bytes:  # noqa: ARG002 (as above)
        """Return the message as it is."""
        return message


class JsonCodec:
    """`application/json`: ProtoJSON, with unknown and repeated fields refused."""

    content_type = "application/json"
    most_bytes = 64 << 10
    most_commas = 2_048
    """Nothing else is done while JSON is read, and that takes as long as it has values, however short they are."""

    def request(self, types: MethodTypes, body: bytes) -> bytes:
        """Return the request in binary form; refused: REQUEST_MALFORMED, MESSAGE_TOO_LARGE."""
        if body.count(b",") > self.most_commas:
            text = f"The message has more than the {self.most_commas} commas that are taken in JSON; send fewer values."
            raise exhausted("MESSAGE_TOO_LARGE", text)
        if body.startswith(BOM_UTF8):
            # Editors put it there and show nothing of it.
            raise _malformed(types, "it begins with a byte order mark, without which it has to be saved")
        if not body.lstrip().startswith(b"{"):
            # The library takes an empty list for an empty message.
            raise _malformed(types, "it is no JSON object")
        message = types.request()
        try:
            text = body.decode()
            value = _read(types, text)
            json_format.Parse(text, message, max_recursion_depth=_DEEPEST)
            # The library takes the field's other name for another value of it, and keeps the last.
            twice = next(fields_named_twice(value, types.request), None)
        except UnicodeDecodeError:
            raise _malformed(types, "it is not UTF-8") from None
        except RecursionError:
            raise _malformed(types, "it is nested too deep") from None
        except (json_format.ParseError, ValueError) as error:
            raise _malformed(types, str(error)) from None
        if twice is not None:
            raise _malformed(types, f"field {twice} is in it twice, under both its names")
        return message.SerializeToString()

    def answer(self, types: MethodTypes, message: bytes) -> bytes:
        """Return an answer's body, from its binary form. Refused: PROVIDER_ANSWER_INVALID, if JSON has none for it."""
        try:
            fields = json_format.MessageToDict(types.response.FromString(message))
        except (json_format.SerializeToJsonError, DecodeError, TypeError, ValueError):
            # Binary form has room for days before the year 1, and for messages of types that nobody here knows.
            text = "The provider's answer holds a value that JSON cannot say; make the call over gRPC."
            raise Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", text) from None
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


CODECS: Mapping[str, Codec] = {codec.content_type: codec for codec in (JsonCodec(), BinaryCodec())}
"""The forms that are spoken here, by content type."""


def method_types(
    contracts: Mapping[str, MethodContract], services: Iterable[ServiceDescriptor]
) -> dict[str, MethodTypes]:
    """Return the messages of every method that does not stream: of the providers and of the gateway's own services."""
    types = {
        path: MethodTypes(contract.request_type, contract.response_type)
        for path, contract in contracts.items()
        if not contract.streams
    }
    for service in services:
        for method in service.methods:
            request, response = (message_factory.GetMessageClass(t) for t in (method.input_type, method.output_type))
            types[method_path(method)] = MethodTypes(request, response)
    return types


def _read(types: MethodTypes, text: str) -> object:
    """Return what is in a text of JSON; raises RecursionError. Refused: REQUEST_MALFORMED."""
    try:
        value: object = json.loads(text)
        # Python reads what JSON has no room for, and the library then fails over it; nor can it be written again.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise _malformed(types, "it has half of a surrogate pair, which is no character") from None
    except json.JSONDecodeError as error:
        raise _malformed(types, str(error)) from None
    except ValueError:
        raise _malformed(types, "it has a number that is none or is too large") from None
    return value


def _malformed(types: MethodTypes, why: str) -> Refusal:
    name = types.request.DESCRIPTOR.full_name
    text = " ".join(why.replace(_LIBRARY_SAYS, "").split())[:_LONGEST_QUOTE].rstrip(".")
    return invalid("REQUEST_MALFORMED", f"The body is no {name} in JSON: {text}; GET /openapi.json has its form.")
