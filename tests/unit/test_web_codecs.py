"""Messages in JSON: what goes out can come in again, and is what the OpenAPI document says."""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol, cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, reject
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from lienthong.api.population.v1 import population_pb2 as pb
from lienthong_core.certificates import Authority
from lienthong_core.contracts import all_contracts, declared_datasets
from lienthong_core.errors import Refusal
from lienthong_core.peer import peer_certificate, peer_system
from lienthong_gateway.contract.methods import load_contracts
from lienthong_gateway.web import connect
from lienthong_gateway.web.codecs import JsonCodec, MethodTypes, method_types
from lienthong_gateway.web.peer import Peers
from lienthong_gateway.web.schemas import Schemas
from lienthong_seeds import members
from tests.support.made_contracts import BASIC, WHOLE, add_map, load, message_field, plain_field
from tests.support.messages import messages

NO_OBJECT: st.SearchStrategy[object] = st.sampled_from(["", "1", "2000-01-01T00:00:00Z", 0, 1.5, True, None, [], {}])
TYPES = MethodTypes(pb.GetCitizenResponse, pb.GetCitizenResponse)
ANSWERS = messages(pb.GetCitizenResponse) | messages(pb.ListChangesResponse)


class Validator(Protocol):
    """What checks JSON against a schema; the library has no types."""

    def is_valid(self, instance: object) -> bool: ...


@cache
def validator(answer: str = "GetCitizenResponse") -> Validator:
    """Return what checks an answer in JSON against its schema."""
    schemas = Schemas(declared_datasets())
    reference = schemas.reference(getattr(pb, answer))
    return cast("Validator", OAS31Validator({"components": {"schemas": schemas.components}, **reference}))


@given(ANSWERS)
def test_a_message_comes_back_from_json_as_it_went(message: Message) -> None:
    assert message.FromString(JsonCodec().request(types_of(message), body_of(message))) == message


@given(ANSWERS)
def test_every_answer_is_of_the_form_that_the_openapi_document_gives(message: Message) -> None:
    body = json.loads(body_of(message))
    assert validator(message.DESCRIPTOR.name).is_valid(body), body


def types_of(message: Message) -> MethodTypes:
    return MethodTypes(type(message), type(message))


def body_of(message: Message) -> bytes:
    """Return the message in JSON; the example is left out if its time is none that JSON can say."""
    try:
        return JsonCodec().answer(types_of(message), message.SerializeToString())
    except Refusal:
        reject()


def test_an_answer_that_json_cannot_say_is_refused() -> None:
    before_all_time = pb.ListChangesResponse(changes=[pb.Change(changed_at=Timestamp(seconds=-62135596801))])
    with pytest.raises(Refusal) as caught:
        JsonCodec().answer(types_of(before_all_time), before_all_time.SerializeToString())
    assert caught.value.reason == "PROVIDER_ANSWER_INVALID"


@pytest.mark.parametrize("packed", [("test/nobodys.Type", b""), ("test/google.protobuf.Any", b"\xff")])
def test_an_answer_that_holds_a_message_of_a_type_that_json_cannot_say_is_refused(packed: tuple[str, bytes]) -> None:
    answer = DescriptorProto(name="Answer", field=[message_field("extra", ".google.protobuf.Any", BASIC)])
    contract = load("packed", WHOLE, answer)
    answered = contract.response_type(extra=dict(zip(("type_url", "value"), packed, strict=True)))
    with pytest.raises(Refusal) as caught:
        JsonCodec().answer(MethodTypes(contract.request_type, contract.response_type), answered.SerializeToString())
    assert caught.value.reason == "PROVIDER_ANSWER_INVALID"


WRITTEN_IN_JSON: dict[str, list[dict[str, object]]] = {
    "Any": [{}, {"type_url": "type.googleapis.com/google.protobuf.BoolValue", "value": b"\x08\x01"}],
    "Struct": [{}, {"fields": {"a": {"bool_value": True}}}],
    "Value": [{"string_value": "a"}, {"number_value": 1.5}, {"null_value": 0}, {"list_value": {}}],
    "ListValue": [{}, {"values": [{"string_value": "a"}]}],
    "StringValue": [{}, {"value": "a"}],
    "BytesValue": [{}, {"value": b"\xff"}],
    "BoolValue": [{}],
    "Int32Value": [{}],
    "UInt32Value": [{}],
    "Int64Value": [{}],
    "UInt64Value": [{}],
    "FloatValue": [{"value": math.inf}, {"value": 1.5}],
    "DoubleValue": [{"value": math.nan}, {"value": -math.inf}, {"value": 1.5}],
}


@pytest.mark.parametrize("kind", WRITTEN_IN_JSON)
def test_an_answer_that_has_a_form_of_its_own_in_json_is_of_the_form_that_the_document_gives(kind: str) -> None:
    field = message_field("extra", f".google.protobuf.{kind}", BASIC)
    contract = load(f"written.{kind.lower()}", WHOLE, DescriptorProto(name="Answer", field=[field]))
    types, schemas = MethodTypes(contract.request_type, contract.response_type), Schemas({})
    schema = {**schemas.reference(contract.response_type), "components": {"schemas": schemas.components}}
    for value in WRITTEN_IN_JSON[kind]:
        body = json.loads(JsonCodec().answer(types, contract.response_type(extra=value).SerializeToString()))
        assert cast("Validator", OAS31Validator(schema)).is_valid(body), body


def test_the_schema_admits_no_field_that_the_contract_does_not_have() -> None:
    assert validator().is_valid({"citizen": {"personalNumber": "099190000001"}})
    assert not validator().is_valid({"citizen": {"nickname": "Lan"}})


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    assert read_or_refused(body) in {"read", "REQUEST_MALFORMED"}


def read_or_refused(body: bytes) -> str:
    try:
        JsonCodec().request(TYPES, body)
    except Refusal as refusal:
        return refusal.reason
    return "read"


def json_like(message: Descriptor, deepest: int) -> st.SearchStrategy[object]:
    """Draw what has the names of a message's fields, and in them what fits or does not."""
    fields = {name: field for field in message.fields for name in (field.name, field.json_name)}
    inside = [field.message_type for field in fields.values() if field.message_type is not None and deepest]
    value = st.one_of(NO_OBJECT, *(json_like(kind, deepest - 1) for kind in inside))
    return st.dictionaries(st.sampled_from(sorted(fields) or [""]), value | st.lists(value, max_size=2), max_size=4)


@given(json_like(pb.GetCitizenResponse.DESCRIPTOR, 3))
def test_any_json_that_has_the_fields_of_a_message_is_read_or_refused(shaped: object) -> None:
    assert read_or_refused(json.dumps(shaped).encode()) in {"read", "REQUEST_MALFORMED"}


@pytest.mark.parametrize("empty", ['""', "[]", "{}", "null"])
def test_only_an_object_stands_for_a_message(empty: str) -> None:
    body = f'{{"citizen": {empty}}}'.encode()
    assert read_or_refused(body) == ("read" if empty in {"{}", "null"} else "REQUEST_MALFORMED")


NO_JSON = {
    "half a surrogate pair in a name": (r'{"\ud800": 1}', "half of a surrogate pair"),
    "half a surrogate pair in a text": (r'{"citizen": {"personalNumber": "\udfff"}}', "half of a surrogate pair"),
    "half a surrogate pair where a list stands": (
        r'{"citizen": {"formerNumbers": "\ud800"}}',
        "half of a surrogate pair",
    ),
    "an infinite number": ('{"citizen": {"sex": 1e400}}', "a number that is none or is too large"),
    "what is no number": ('{"citizen": {"sex": NaN}}', "a number that is none or is too large"),
    "a number of too many digits": (f'{{"citizen": {{"sex": {"9" * 5_000}}}}}', "a number that is none or is too"),
}


@pytest.mark.parametrize("what", NO_JSON)
def test_what_json_has_no_room_for_is_refused_in_a_sentence_of_the_gateways_own(what: str) -> None:
    body, said = NO_JSON[what]
    with pytest.raises(Refusal) as caught:
        JsonCodec().request(TYPES, body.encode())
    assert caught.value.reason == "REQUEST_MALFORMED"
    assert f"in JSON: it has {said}" in caught.value.message


def test_both_halves_of_a_surrogate_pair_are_a_character() -> None:
    types = MethodTypes(pb.VerifyCitizenRequest, pb.VerifyCitizenResponse)
    read = pb.VerifyCitizenRequest.FromString(JsonCodec().request(types, rb'{"fullName": "\ud83d\ude00"}'))
    assert read.full_name == "\U0001f600"


TWICE = {
    "another value": (pb.GetCitizenRequest, '{"personalNumber": "1", "personal_number": "2"}', "personal_number"),
    "the same value": (pb.GetCitizenRequest, '{"personal_number": "1", "personalNumber": "1"}', "personal_number"),
    "nothing": (pb.GetCitizenRequest, '{"personalNumber": null, "personal_number": "1"}', "personal_number"),
    "escaped": (pb.GetCitizenRequest, r'{"personal\u004eumber": "1", "personal_number": "1"}', "personal_number"),
    "deeper": (pb.GetCitizenResponse, '{"citizen": {"birthDate": {}, "birth_date": {}}}', "birth_date"),
    "in a list": (
        pb.GetHouseholdResponse,
        '{"household": {"members": [{}, {"personalNumber": "1", "personal_number": "2"}]}}',
        "personal_number",
    ),
}


@pytest.mark.parametrize("where", TWICE)
def test_a_field_that_is_there_under_both_its_names_is_refused(where: str) -> None:
    request, body, name = TWICE[where]
    with pytest.raises(Refusal) as caught:
        JsonCodec().request(MethodTypes(request, request), body.encode())
    assert caught.value.reason == "REQUEST_MALFORMED"
    assert name in caught.value.message


def test_a_field_that_is_there_under_both_its_names_in_a_map_is_refused_and_names_that_are_data_are_not() -> None:
    answer = DescriptorProto(name="Answer", field=[message_field("any_names", ".google.protobuf.Struct", BASIC)])
    add_map(answer, ".spelling.Answer", plain_field("by_name", BASIC), message_field("value", ".spelling.Held", None))
    held = DescriptorProto(name="Held", field=[plain_field("same_name", BASIC)])
    types = MethodTypes(*[load("spelling", WHOLE, answer, held).response_type] * 2)
    alike = '{"sameName": "1", "same_name": "2"}'
    with pytest.raises(Refusal, match="same_name is in it twice"):
        JsonCodec().request(types, f'{{"byName": {{"a": {alike}}}}}'.encode())
    assert JsonCodec().request(types, f'{{"anyNames": {alike}, "byName": {{"aB": {{}}, "a_b": {{}}}}}}'.encode())


def test_every_method_of_every_provider_has_its_messages() -> None:
    contracts = load_contracts(members.registration(), all_contracts())
    types = method_types(contracts, ())
    assert {path: t.request for path, t in types.items()} == {p: c.request_type for p, c in contracts.items()}


def test_a_certificate_is_described_as_grpc_describes_it() -> None:
    certificate = Authority.create().issue(members.BANK).certificate
    peer = Peers().peer([certificate.decode()])
    assert peer_system(peer) == members.BANK
    assert peer_certificate(peer) == certificate


def test_every_system_that_a_certificate_names_is_seen_and_no_host_is_taken_for_one() -> None:
    names = [x509.UniformResourceIdentifier(members.BANK.spiffe_id), x509.DNSName(members.SHOP.spiffe_id)]
    assert Peers().peer([self_signed(names)])["peer_uri"] == (members.BANK.spiffe_id.encode(),)

    two = Peers().peer([self_signed([*names, x509.UniformResourceIdentifier(members.PORTAL.spiffe_id)])])
    with pytest.raises(Refusal, match="SYSTEM_UNKNOWN"):
        peer_system(two)


def self_signed(names: Iterable[x509.GeneralName]) -> str:
    key, today = Ed25519PrivateKey.generate(), datetime(2026, 11, 30, tzinfo=UTC)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + timedelta(days=1))
    certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, None)
    return certificate.public_bytes(Encoding.PEM).decode()


def test_a_certificate_without_names_names_no_system() -> None:
    peer = Peers().peer([Authority.create().certificate.decode()])
    with pytest.raises(Refusal, match="SYSTEM_UNKNOWN"):
        peer_system(peer)


def test_without_a_certificate_nothing_is_known() -> None:
    assert Peers().peer(()) == {}


@pytest.mark.parametrize(
    ("status", "code", "http_status"),
    [
        ("CANCELLED", "canceled", 499),
        ("UNKNOWN", "unknown", 500),
        ("INVALID_ARGUMENT", "invalid_argument", 400),
        ("DEADLINE_EXCEEDED", "deadline_exceeded", 504),
        ("NOT_FOUND", "not_found", 404),
        ("ALREADY_EXISTS", "already_exists", 409),
        ("PERMISSION_DENIED", "permission_denied", 403),
        ("RESOURCE_EXHAUSTED", "resource_exhausted", 429),
        ("FAILED_PRECONDITION", "failed_precondition", 400),
        ("ABORTED", "aborted", 409),
        ("OUT_OF_RANGE", "out_of_range", 400),
        ("UNIMPLEMENTED", "unimplemented", 501),
        ("INTERNAL", "internal", 500),
        ("UNAVAILABLE", "unavailable", 503),
        ("DATA_LOSS", "data_loss", 500),
        ("UNAUTHENTICATED", "unauthenticated", 401),
    ],
)
def test_a_refusal_has_the_code_and_the_status_that_connect_gives_it(status: str, code: str, http_status: int) -> None:
    answer = connect.error(Refusal(grpc.StatusCode[status], "REASON", "Why."), ())

    assert (answer.status_code, json.loads(bytes(answer.body))["code"]) == (http_status, code)
