"""What datasets are called on the pages."""

from lienthong_core.contracts import declared_datasets
from lienthong_services.identity.datasets import dataset_titles


def test_the_datasets_of_every_agency_are_found_without_being_listed() -> None:
    assert {"residence", "identity.verification", "account"} <= declared_datasets().keys()


def test_a_dataset_that_no_contract_declares_is_shown_by_its_name() -> None:
    found = dataset_titles(["residence", "unheard.of"], declared_datasets())
    assert [dataset.name for dataset in found] == ["residence", "unheard.of"]
    assert (found[1].title_vi, found[1].title_en) == ("unheard.of", "unheard.of")
    assert found[0].title_en == "Permanent, temporary and current residence"
