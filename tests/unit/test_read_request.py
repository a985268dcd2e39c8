"""A request says one thing, whoever reads it."""

from typing import cast

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, ListChangesRequest, VerifyCitizenRequest
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import Refusal
from lienthong_gateway.contract.field_paths import FieldPath
from lienthong_gateway.contract.methods import load_contracts
from lienthong_gateway.contract.request_bytes import MOST_FIELDS, read_once
from lienthong_gateway.steps.read_request import read_request
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.made_contracts import BASIC, NOT_PERSONAL, WHOLE, load, message_field, plain_field, repeated

CONTRACTS = {
    path.rsplit("/", 1)[1]: contract
    for path, contract in load_contracts(members.registration(), all_contracts()).items()
}
VERIFY = CONTRACTS["VerifyCitizen"]
ASKED = GetCitizenRequest(personal_number=LAN).SerializeToString()
ASKED_OTHER = GetCitizenRequest(personal_number=MAI).SerializeToString()
UNKNOWN = b"\xfa\x3e\x06secret"


def reason_of(method: str, request: bytes, status: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> str:
    with pytest.raises(Refusal) as caught:
        read_request(CONTRACTS[method], request)
    assert caught.value.status == status
    return caught.value.reason


@given(name=st.text(max_size=20), year=st.integers(0, 9_999))
def test_what_a_client_writes_is_forwarded_as_it_is(name: str, year: int) -> None:
    request = VerifyCitizenRequest(
        personal_number=LAN, full_name=name, birth_date=PartialDate(year=year)
    ).SerializeToString()

    read = read_request(VERIFY, request)

    assert (read.subject, read.canonical) == (LAN, request)


@given(parts=st.permutations([b"\x0a\x0c" + LAN.encode(), b"\x12\x03Lan", b"\x1a\x03\x08\xc6\x0f"]))
def test_fields_may_come_in_any_order_and_the_provider_gets_them_in_one(parts: list[bytes]) -> None:
    read = read_request(VERIFY, b"".join(parts))

    expected = VerifyCitizenRequest(personal_number=LAN, full_name="Lan", birth_date=PartialDate(year=1990))
    assert read.canonical == expected.SerializeToString()


def test_an_empty_value_that_is_written_out_is_no_harm() -> None:
    assert read_request(VERIFY, ASKED + b"\x12\x00").canonical == ASKED


@pytest.mark.parametrize(
    "request_bytes", [ASKED_OTHER + ASKED, ASKED + ASKED_OTHER, ASKED + ASKED, b"\x0a\x00" + ASKED]
)
def test_a_request_that_names_its_subject_twice_is_refused(request_bytes: bytes) -> None:
    assert reason_of("GetCitizen", request_bytes) == "SUBJECT_AMBIGUOUS"


def test_of_another_value_that_comes_twice_the_provider_gets_the_one_that_was_read() -> None:
    assert read_request(VERIFY, ASKED + b"\x12\x03Mai\x12\x03Lan").canonical == ASKED + b"\x12\x03Lan"


@pytest.mark.parametrize(
    ("method", "request_bytes"),
    [
        ("GetCitizen", ASKED + UNKNOWN),
        ("GetCitizen", UNKNOWN + ASKED),
        ("GetCitizen", ASKED + b"\x08\x01"),
        ("VerifyCitizen", ASKED + b"\x1a\x09" + UNKNOWN),
        ("ListChanges", UNKNOWN),
    ],
    ids=["after", "before", "of another type", "deeper", "about nobody"],
)
def test_fields_that_the_contract_does_not_know_are_refused(method: str, request_bytes: bytes) -> None:
    assert reason_of(method, request_bytes) == "REQUEST_FIELD_UNKNOWN"


@pytest.mark.parametrize("field", [b"\x0a\x00", b"\x12\x00", b"\x1a\x00", b"\x20\x01"])
def test_fields_that_come_more_often_than_any_request_needs_are_refused(field: bytes) -> None:
    once_more = ASKED + field * MOST_FIELDS
    assert reason_of("VerifyCitizen", once_more, grpc.StatusCode.RESOURCE_EXHAUSTED) == "MESSAGE_TOO_LARGE"


@pytest.mark.parametrize("end", [b"\xff" * 11, b"\x0a\x7f", b"\x0f", b"\x09"])
def test_a_long_request_that_ends_in_no_field_is_refused(end: bytes) -> None:
    assert reason_of("VerifyCitizen", b"\x12\xff\x7f" + b"n" * 16_383 + end) == "REQUEST_MALFORMED"


def test_a_method_about_nobody_in_particular_has_no_subject() -> None:
    request = ListChangesRequest(cursor="7").SerializeToString()

    assert read_request(CONTRACTS["ListChanges"], request).subject == ""


def grouped() -> tuple[type[Message], FieldPath]:
    """Return a type with a group whose fields have the numbers of others outside it, and its subject."""
    package = "test.grouped"
    pair = DescriptorProto(name="Pair", field=[plain_field("left", None), plain_field("right", None, 3)])
    numbers = repeated(plain_field("numbers", None, 4, FieldDescriptorProto.TYPE_INT32))
    numbers.options.packed = True
    pair.field.append(numbers)
    group = message_field("pair", f".{package}.Answer.Pair", NOT_PERSONAL, 2)
    group.type = FieldDescriptorProto.TYPE_GROUP
    held = message_field("held", f".{package}.Answer.Held", NOT_PERSONAL, 3)
    kinds = [pair, DescriptorProto(name="Held", field=[plain_field("name", None)])]
    answer = DescriptorProto(name="Answer", field=[plain_field("number", BASIC), group, held], nested_type=kinds)
    made = load(package, WHOLE, answer, syntax="proto2").response_type
    subject = FieldPath.find(cast("Descriptor", made.DESCRIPTOR), "number")
    assert subject is not None
    return made, subject


def test_what_is_in_a_group_is_not_taken_for_what_is_outside_it() -> None:
    made, subject = grouped()
    number, pair = made(number=LAN), made(pair={"left": MAI, "right": "R" * MOST_FIELDS})

    read = read_once(made, subject, pair.SerializeToString() + number.SerializeToString())

    assert subject.texts(read.message) == [LAN]
    assert made.FromString(read.canonical) == made(number=LAN, pair={"left": MAI, "right": "R" * MOST_FIELDS})


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x13\x22" + b"\x81\x20" + b"\x01" * (MOST_FIELDS + 1) + b"\x14", "MESSAGE_TOO_LARGE"),
        (b"\x13" * (MOST_FIELDS + 1), "MESSAGE_TOO_LARGE"),
        (b"\x14" + b"\x08" * MOST_FIELDS, "REQUEST_MALFORMED"),
    ],
    ids=["numbers in it", "one in the other", "one that has not begun"],
)
def test_the_fields_of_a_group_are_counted(sent: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_once(*grouped(), sent)
    assert caught.value.reason == reason


def test_a_subject_that_is_no_text_is_no_number() -> None:
    contract = load(
        "test.bytes", WHOLE, DescriptorProto(name="Answer", field=[plain_field("name", BASIC)]), syntax="proto2"
    )
    with pytest.raises(Refusal) as caught:
        read_request(contract, b"\x0a\x01\xff")
    assert caught.value.reason == "PERSONAL_NUMBER_INVALID"
