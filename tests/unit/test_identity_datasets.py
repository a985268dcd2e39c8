"""What datasets are called on the pages."""

from lienthong.api.population.v1 import citizen_pb2, population_pb2
from lienthong_services.identity.datasets import collect_datasets, dataset_titles


def test_datasets_are_found_in_the_contracts_given_and_in_those_they_import() -> None:
    assert "residence" in collect_datasets([population_pb2.DESCRIPTOR])
    assert collect_datasets([citizen_pb2.DESCRIPTOR]).keys() < collect_datasets([population_pb2.DESCRIPTOR]).keys()


def test_a_dataset_that_no_contract_declares_is_shown_by_its_name() -> None:
    found = dataset_titles(["residence", "unheard.of"], collect_datasets([citizen_pb2.DESCRIPTOR]))
    assert [dataset.name for dataset in found] == ["residence", "unheard.of"]
    assert (found[1].title_vi, found[1].title_en) == ("unheard.of", "unheard.of")
    assert found[0].title_en == "Permanent, temporary and current residence"
