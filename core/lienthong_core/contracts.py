"""Every contract of the SDK, so that a new agency's is found without being listed."""

import importlib
import pkgutil

from google.protobuf.descriptor import FileDescriptor

import lienthong.api
from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import Dataset


def all_contracts() -> list[FileDescriptor]:
    """Return the contracts under `lienthong.api`."""
    modules = pkgutil.walk_packages(lienthong.api.__path__, "lienthong.api.")
    return [importlib.import_module(module.name).DESCRIPTOR for module in modules if module.name.endswith("_pb2")]


def declared_datasets() -> dict[str, Dataset]:
    """Return the datasets that the contracts declare, by name."""
    options = (contract.GetOptions().Extensions[options_pb2.dataset] for contract in all_contracts())
    return {dataset.name: dataset for datasets in options for dataset in datasets}
