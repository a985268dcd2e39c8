"""An answer that names datasets, as a list of changes does, tells nothing of those that were not granted."""

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from lienthong.api.options.v1.options_pb2 import FieldPolicy, MethodPolicy
from lienthong.api.population.v1.population_pb2 import Change, ListChangesResponse
from lienthong_core.contracts import all_contracts
from lienthong_gateway.contract.field_rules import ContractFault
from lienthong_gateway.contract.methods import load_contracts
from lienthong_gateway.steps.minimise import minimise
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.made_contracts import READ, RESIDENCE, add_map, load, message_field, plain_field, repeated

POPULATION = "/lienthong.api.population.v1.PopulationService/"
CONTRACTS = load_contracts(members.registration(), all_contracts())
LIST_CHANGES = CONTRACTS[f"{POPULATION}ListChanges"]
NAMES = FieldPolicy(names_datasets=True)
LISTING = MethodPolicy(access=READ)


def changes(granted: set[str], *changed: Change) -> list[Change]:
    """Return what is left of changes where that was granted."""
    released = minimise(LIST_CHANGES, ListChangesResponse(changes=changed), granted)
    return list(ListChangesResponse.FromString(released.message).changes)


def test_a_change_names_the_granted_ones_of_the_datasets_that_changed() -> None:
    both = Change(change_number=7, personal_number=LAN, datasets=["residence.history", "residence", "household"])

    left = changes({"identity.basic", "residence", "household"}, both)

    assert left == [Change(change_number=7, personal_number=LAN, datasets=["residence", "household"])]


def test_a_change_of_nothing_that_was_granted_is_left_out_as_the_citizen_in_it_would_tell_that_there_was_one() -> None:
    moved = Change(change_number=7, personal_number=LAN, datasets=["residence"])
    renamed = Change(change_number=8, personal_number=LAN, datasets=["identity.basic"])

    assert changes({"identity.basic"}, moved, renamed, moved) == [renamed]
    assert changes(set(), moved, renamed) == []


@pytest.mark.parametrize("named", [[], ["identity.basik"], ["identity"], [""]], ids=["none", "no", "part", "blank"])
def test_a_change_that_names_no_dataset_is_left_out(named: list[str]) -> None:
    assert changes({"identity.basic"}, Change(personal_number=LAN, datasets=named)) == []


def test_a_citizen_who_was_not_granted_is_withheld_from_a_change_that_was() -> None:
    moved = Change(change_number=7, personal_number=LAN, datasets=["residence"])

    assert changes({"residence"}, moved) == [Change(change_number=7, datasets=["residence"])]


def test_what_names_datasets_can_tell_of_all_that_the_methods_of_its_service_answer() -> None:
    answered = {name for path, each in CONTRACTS.items() if path.startswith(POPULATION) for name in each.datasets}

    assert LIST_CHANGES.datasets.keys() == answered
    assert answered > {"identity.basic", "residence.history", "household", "health.blood_group"}
    assert "account" not in answered


def test_names_are_taken_in_an_item_of_a_list_also_within_a_labelled_field() -> None:
    package = "test.naming.taken"
    change = DescriptorProto(name="Change", field=[repeated(plain_field("about", NAMES)), plain_field("when", None, 2)])
    changed = repeated(message_field("changed", f".{package}.Change", RESIDENCE))
    contract = load(package, LISTING, DescriptorProto(name="Answer", field=[changed]), change)
    answered = contract.response_type(changed=[{"about": ["family"], "when": "1"}, {"about": ["residence"]}])

    released = minimise(contract, answered, {"residence"})

    assert released.message == contract.response_type(changed=[{"about": ["residence"]}]).SerializeToString()


def faulty(package: str, *about: FieldDescriptorProto, shape: str = "list") -> tuple[DescriptorProto, ...]:
    """Return an answer that holds a message with those fields, and that message."""
    change, name = DescriptorProto(name="Change", field=[*about]), f".{package}.Change"
    answer = DescriptorProto(name="Answer")
    if shape == "map":
        add_map(answer, f".{package}.Answer", plain_field("changed", RESIDENCE), message_field("value", name, None))
    else:
        field = message_field("changed", name, RESIDENCE)
        answer.field.append(repeated(field) if shape == "list" else field)
    return answer, change


NUMBERS = repeated(plain_field("about", NAMES, 1, FieldDescriptorProto.TYPE_INT32))
FAULTY = {
    "single": faulty("test.naming.single", repeated(plain_field("about", NAMES)), shape="single"),
    "map": faulty("test.naming.map", repeated(plain_field("about", NAMES)), shape="map"),
    "text": faulty("test.naming.text", plain_field("about", NAMES)),
    "numbers": faulty("test.naming.numbers", NUMBERS),
    "two": faulty("test.naming.two", *(repeated(plain_field(f"about_{n}", NAMES, n)) for n in (1, 2))),
    "whole": (DescriptorProto(name="Answer", field=[repeated(plain_field("about", NAMES))]),),
}


@pytest.mark.parametrize("name", FAULTY)
def test_names_that_could_not_be_withheld_with_what_is_said_of_them_are_a_fault(name: str) -> None:
    with pytest.raises(ContractFault, match=r"names datasets.* an item of a list"):
        load(f"test.naming.{name}", LISTING, *FAULTY[name])
