import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = sorted((ROOT / "proto").rglob("*.proto"))
GENERATED = sorted((ROOT / "sdk").rglob("*_pb2*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "sdk").with_suffix("").parts)


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_a_contract_has_its_generated_module_and_stub(path: Path) -> None:
    module = ROOT / "sdk" / path.relative_to(ROOT / "proto").with_name(f"{path.stem}_pb2.py")

    assert module in GENERATED
    assert module.with_suffix(".pyi").exists()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.stem)
def test_a_generated_module_imports(path: Path) -> None:
    importlib.import_module(module_name(path))
