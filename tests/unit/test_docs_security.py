"""docs/security.md names tests that exist, and reasons that are given."""

import ast
import re

import pytest

from lienthong.api.errors.v1.errors_pb2 import ErrorReason
from tests.support.documents import ROOT, table_rows

PAGE = ROOT / "docs" / "security.md"
ROWS = table_rows(PAGE)
NAMED = re.compile(r"`((?:unit|integration)/[\w/]+\.py)::(\w+)(?:\[(.*)\])?`")


def parts(row: list[str]) -> tuple[str, str, str | None]:
    """Return file, function and case of the test that a row names."""
    match = NAMED.fullmatch(row[2])
    assert match, row
    return match[1], match[2], match[3]


def test_every_attack_says_what_happens_and_which_test_shows_it() -> None:
    assert len(ROWS) > 35
    assert all(len(row) == 3 and all(row) for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_test_that_shows_an_attack_refused_exists(row: list[str]) -> None:
    file, function, case = parts(row)
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))

    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert case is None or case in texts


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_reasons_that_are_named_are_in_the_contract(row: list[str]) -> None:
    reasons = re.findall(r"`([A-Z_]+)`", row[1])

    assert {f"ERROR_REASON_{reason}" for reason in reasons} <= set(ErrorReason.keys())
