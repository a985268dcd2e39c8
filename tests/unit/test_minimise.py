"""Nothing leaves the gateway but what was granted."""

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.api.population.v1.citizen_pb2 import Citizen, Household, HouseholdMember
from lienthong.api.population.v1.population_pb2 import GetCitizenResponse, GetHouseholdResponse, ListChangesResponse
from lienthong.api.types.v1.types_pb2 import Address
from lienthong_core.contracts import all_contracts
from lienthong_gateway.contract.methods import MethodContract, load_contracts
from lienthong_gateway.exchange import Released
from lienthong_gateway.steps.minimise import minimise
from lienthong_seeds import members
from tests.support.citizens import citizen
from tests.support.made_answers import made_contracts
from tests.support.made_contracts import (
    BASIC,
    NOT_PERSONAL,
    RESIDENCE,
    WHOLE,
    load,
    message_field,
    plain_field,
    repeated,
)
from tests.support.messages import add_unknown, containers, leaves, messages, secrets

CONTRACTS = load_contracts(members.registration(), all_contracts())
POPULATION = "/lienthong.api.population.v1.PopulationService/"
GET_CITIZEN = CONTRACTS[f"{POPULATION}GetCitizen"]
GET_HOUSEHOLD = CONTRACTS[f"{POPULATION}GetHousehold"]

Drawn = tuple[MethodContract, Message, frozenset[str]]
real_contracts = st.sampled_from([CONTRACTS[path] for path in sorted(CONTRACTS)])


@st.composite
def answers(draw: st.DrawFn) -> Drawn:
    """Draw a method, real or made up, an answer of it, and what was granted."""
    contract = draw(st.one_of(made_contracts(), real_contracts))
    answer = draw(messages(contract.response_type))
    granted = draw(st.frozensets(st.sampled_from(sorted(contract.datasets)))) if contract.datasets else frozenset[str]()
    return contract, answer, granted


def minimised(contract: MethodContract, answer: Message | bytes, granted: frozenset[str]) -> Released:
    """Minimise an answer as the gateway does: read from its bytes."""
    received = answer if isinstance(answer, bytes) else answer.SerializeToString()
    return minimise(contract, contract.response_type.FromString(received), granted)


@settings(max_examples=300)
@given(drawn=answers())
def test_exactly_the_granted_fields_are_released_untouched(drawn: Drawn) -> None:
    contract, answer, granted = drawn

    released = minimised(contract, answer, granted)

    got = contract.response_type.FromString(released.message)
    told = [(leaf.path, leaf.value) for leaf in leaves(answer) if leaf.open_to(granted)]
    assert [(leaf.path, leaf.value) for leaf in leaves(got)] == told


@settings(max_examples=300)
@given(drawn=answers())
def test_no_byte_of_what_was_not_granted_is_released(drawn: Drawn) -> None:
    contract, answer, granted = drawn

    released = minimised(contract, answer, granted)

    for secret in secrets([leaf for leaf in leaves(answer) if not leaf.open_to(granted)]):
        assert secret not in released.message


@settings(max_examples=200)
@given(drawn=answers(), data=st.data())
def test_no_byte_of_a_field_that_the_contract_does_not_know_is_released(drawn: Drawn, data: st.DataObject) -> None:
    contract, answer, granted = drawn
    before = contract.response_type.FromString(minimised(contract, answer, granted).message)
    places = list(containers(answer))
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3))
    unknown = [add_unknown(place, number) for number, place in enumerate(chosen)]
    received = answer.SerializeToString()

    released = minimised(contract, received, granted)

    assert all(secret in received for secret in unknown)
    assert not any(secret in released.message for secret in unknown)
    assert contract.response_type.FromString(released.message) == before


@given(drawn=answers())
def test_minimising_twice_changes_nothing(drawn: Drawn) -> None:
    contract, answer, granted = drawn

    once = minimised(contract, answer, granted)
    twice = minimised(contract, once.message, granted)

    assert contract.response_type.FromString(twice.message) == contract.response_type.FromString(once.message)
    assert (twice.datasets, twice.fields, twice.withheld) == (once.datasets, once.fields, once.withheld)


@given(drawn=answers())
def test_which_datasets_were_withheld_and_released_is_told_whatever_was_answered(drawn: Drawn) -> None:
    contract, answer, granted = drawn

    released = minimised(contract, answer, granted)

    assert set(released.datasets) == granted
    assert set(released.withheld) == contract.datasets.keys() - granted


def test_a_field_is_named_by_its_path() -> None:
    released = minimised(GET_CITIZEN, GetCitizenResponse(citizen=citizen()), frozenset({"health.blood_group"}))

    assert released.fields == ("citizen.blood_group",)


def test_members_of_a_household_are_withheld_with_it_and_its_address_is_not() -> None:
    household = Household(
        household_number="17", address=Address(detail="Số 5"), members=[HouseholdMember(personal_number="099190000001")]
    )

    released = minimised(GET_HOUSEHOLD, GetHouseholdResponse(household=household), frozenset({"residence"}))

    got = GetHouseholdResponse.FromString(released.message).household
    assert got == Household(address=Address(detail="Số 5"))


def test_a_dataset_that_was_granted_and_not_answered_counts_as_released_because_its_absence_tells_something() -> None:
    released = minimised(GET_CITIZEN, GetCitizenResponse(citizen=Citizen(nationality="VN")), frozenset({"residence"}))

    assert (released.datasets, released.fields) == (("residence",), ())


def test_an_answer_in_which_nothing_is_set_stays_so() -> None:
    released = minimised(CONTRACTS[f"{POPULATION}ListChanges"], ListChangesResponse(), frozenset())

    assert (released.message, released.datasets, released.fields) == (b"", (), ())


@pytest.mark.parametrize(("granted", "kept"), [({"residence"}, True), ({"identity.basic"}, False)])
def test_a_field_that_can_hold_anything_is_released_whole_or_not_at_all(granted: set[str], kept: bool) -> None:
    fields = [plain_field("name", BASIC), message_field("extra", ".google.protobuf.Any", RESIDENCE)]
    contract = load(f"test.whole_any.k{kept:d}", WHOLE, DescriptorProto(name="Answer", field=fields))
    packed = {"type_url": "type.test/whatever", "value": citizen().SerializeToString()}
    answer = contract.response_type(name="Lan", extra=packed)

    released = minimised(contract, answer, frozenset(granted))

    got = contract.response_type.FromString(released.message)
    assert got == contract.response_type(**({"extra": packed} if kept else {"name": "Lan"}))


def test_an_extension_is_dropped_also_where_the_field_it_extends_was_granted() -> None:
    package = "test.extended"
    inner = DescriptorProto(name="Inner", field=[plain_field("name", None)])
    inner.extension_range.add(start=100, end=200)
    extension = plain_field("nickname", None, 100)
    extension.extendee = f".{package}.Inner"
    fields = [message_field("inner", f".{package}.Inner", BASIC)]
    answer = DescriptorProto(name="Answer", field=fields)
    contract = load(package, WHOLE, answer, inner, extensions=[extension], syntax="proto2")
    received = contract.response_type(inner={"name": "Lan"})
    nickname = received.DESCRIPTOR.file.extensions_by_name["nickname"]
    extendable: Any = received
    extendable.inner.Extensions[nickname] = "Lan béo"

    released = minimised(contract, received, frozenset({"identity.basic"}))

    assert "Lan béo".encode() in received.SerializeToString()
    assert released.message == contract.response_type(inner={"name": "Lan"}).SerializeToString()


def test_a_value_that_a_closed_enumeration_does_not_have_is_dropped_and_a_group_is_sieved() -> None:
    package = "test.closed"
    colour = EnumDescriptorProto(name="Colour")
    colour.value.add(name="RED", number=1)
    shade = plain_field("shade", BASIC, 1, FieldDescriptorProto.TYPE_ENUM)
    shade.type_name = f".{package}.Colour"
    group = message_field("pair", f".{package}.Answer.Pair", None, 2)
    group.type = FieldDescriptorProto.TYPE_GROUP
    pair = DescriptorProto(name="Pair", field=[plain_field("left", BASIC), plain_field("right", RESIDENCE, 2)])
    answer = DescriptorProto(name="Answer", field=[shade, group], nested_type=[pair])
    contract = load(package, WHOLE, answer, enums=[colour], syntax="proto2")

    released = minimised(contract, b"\x08\x07\x13\x0a\x01l\x12\x01r\x14", frozenset({"identity.basic"}))

    assert released.message == b"\x13\x0a\x01l\x14"
    assert (released.fields, released.withheld) == (("pair.left",), ("residence",))


@pytest.mark.parametrize("many", [True, False], ids=["how many", "whether one"])
def test_of_a_message_in_which_nothing_may_be_released_not_even_its_presence_is(*, many: bool) -> None:
    package = f"test.hollow.m{many:d}"
    debt = DescriptorProto(name="Debt", field=[plain_field("amount", RESIDENCE), message_field("older", ".", None)])
    debt.field[1].type_name = f".{package}.Debt"
    owed = message_field("owed", f".{package}.Debt", None)
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC), repeated(owed) if many else owed])
    contract = load(package, WHOLE, answer, debt)
    debts = [{"amount": "7"}, {"older": {"amount": "9"}}]
    answered = contract.response_type(name="Lan", owed=debts if many else debts[1])

    released = minimised(contract, answered, frozenset({"identity.basic"}))

    assert released.message == contract.response_type(name="Lan").SerializeToString()
    assert released.withheld == ("residence",)
    assert minimised(contract, answered, frozenset({"identity.basic", "residence"})).message == (
        answered.SerializeToString()
    )


@pytest.mark.parametrize("many", [True, False], ids=["how many", "whether one"])
def test_a_message_that_held_nothing_but_what_was_withheld_does_not_tell_that_it_was_there(*, many: bool) -> None:
    package = f"test.emptied.m{many:d}"
    home = DescriptorProto(name="Home", field=[plain_field("name", BASIC), plain_field("cell", RESIDENCE, 2)])
    place = DescriptorProto(name="Place", field=[message_field("home", f".{package}.Home", None)])
    places = message_field("places", f".{package}.Place", None)
    answer = DescriptorProto(name="Answer", field=[plain_field("name", BASIC), repeated(places) if many else places])
    contract = load(package, WHOLE, answer, place, home)
    granted = frozenset({"identity.basic"})

    def answered(*homes: dict[str, str]) -> Message:
        held = [{"home": each} for each in homes]
        return contract.response_type(name="Lan", places=held if many else held[0])

    secret, both = {"cell": "7"}, {"name": "Hòa", "cell": "9"}
    if many:
        got = minimised(contract, answered(secret, both, secret), granted)
        assert got.message == answered({"name": "Hòa"}).SerializeToString()
    assert minimised(contract, answered(secret), granted).message == b"\x0a\x03Lan"
    assert minimised(contract, answered(both), granted).message == answered({"name": "Hòa"}).SerializeToString()


def test_a_field_deep_within_a_labelled_one_is_withheld_with_its_own_dataset() -> None:
    package = "test.deep"
    street = DescriptorProto(name="Street", field=[plain_field("name", None), plain_field("tenant", RESIDENCE, 2)])
    place = DescriptorProto(name="Place", field=[message_field("street", f".{package}.Street", None)])
    answer = DescriptorProto(name="Answer", field=[message_field("place", f".{package}.Place", BASIC)])
    contract = load(package, WHOLE, answer, place, street)
    answered = contract.response_type(place={"street": {"name": "Hàng Bài", "tenant": "Lan"}})

    released = minimised(contract, answered, frozenset({"identity.basic"}))

    got = contract.response_type.FromString(released.message)
    assert got == contract.response_type(place={"street": {"name": "Hàng Bài"}})
    assert released.withheld == ("residence",)


def test_what_lies_within_a_withheld_field_does_not_tell_that_the_message_around_both_is_there() -> None:
    package = "test.around"
    home = DescriptorProto(name="Home", field=[plain_field("tenant", BASIC), plain_field("since", None, 2)])
    around = DescriptorProto(name="Around", field=[message_field("home", f".{package}.Home", RESIDENCE)])
    answer = DescriptorProto(name="Answer", field=[message_field("around", f".{package}.Around", None)])
    contract = load(package, WHOLE, answer, around, home)
    answered = contract.response_type(around={"home": {"tenant": "Lan", "since": "2020"}})

    assert minimised(contract, answered, frozenset({"identity.basic"})).message == b""


def test_a_message_in_which_something_is_not_personal_is_released_with_that() -> None:
    package = "test.page"
    page = DescriptorProto(name="Page", field=[plain_field("cursor", NOT_PERSONAL), plain_field("name", BASIC, 2)])
    answer = DescriptorProto(name="Answer", field=[message_field("page", f".{package}.Page", None)])
    contract = load(package, WHOLE, answer, page)

    released = minimised(contract, contract.response_type(page={"cursor": "7", "name": "Lan"}), frozenset())

    assert released.message == contract.response_type(page={"cursor": "7"}).SerializeToString()
