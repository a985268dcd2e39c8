"""A request says one thing, whoever reads it."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest, ListChangesRequest, VerifyCitizenRequest
from lienthong.api.types.v1.types_pb2 import PartialDate
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import Refusal
from lienthong_gateway.contracts import load_contracts
from lienthong_gateway.readings import MOST_FIELDS
from lienthong_gateway.steps.read_request import read_request
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI

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
