"""What datasets are called, as the contracts say it."""

from collections.abc import Iterable, Mapping

from google.protobuf.descriptor import FileDescriptor

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import Dataset


def collect_datasets(contracts: Iterable[FileDescriptor]) -> Mapping[str, Dataset]:
    """Return the datasets that `contracts`, and all contracts these import, declare; by name."""
    found: dict[str, Dataset] = {}
    waiting, seen = list(contracts), set[str]()
    while waiting:
        contract = waiting.pop()
        if contract.name in seen:
            continue
        seen.add(contract.name)
        waiting.extend(contract.dependencies)
        found.update((dataset.name, dataset) for dataset in contract.GetOptions().Extensions[options_pb2.dataset])
    return found


def dataset_titles(names: Iterable[str], known: Mapping[str, Dataset]) -> list[Dataset]:
    """Return the datasets of these names; one that no contract here declares is titled by its name."""
    return [known.get(name, Dataset(name=name, title_vi=name, title_en=name)) for name in names]
