"""What datasets are called, as the contracts say it."""

from collections.abc import Iterable, Mapping

from lienthong.api.options.v1.options_pb2 import Dataset


def dataset_titles(names: Iterable[str], known: Mapping[str, Dataset]) -> list[Dataset]:
    """Return the datasets of these names; one that no contract here declares is titled by its name."""
    return [known.get(name, Dataset(name=name, title_vi=name, title_en=name)) for name in names]
