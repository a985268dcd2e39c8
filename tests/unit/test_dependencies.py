"""docs/dependencies.md holds one table a group of pyproject.toml: dependency, what for, why this one."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADING_OF_GROUP = {
    "runtime": "Runtime",
    "build": "Build",
    "dev": "Development",
    "proto": "Generator",
    "bench": "Measurements",
}
NAME = re.compile(r"[A-Za-z0-9._-]+")


def declared() -> dict[str, set[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    groups: dict[str, list[object]] = {"runtime": project["project"]["dependencies"], **project["dependency-groups"]}
    return {group: {name_of(entry) for entry in entries if isinstance(entry, str)} for group, entries in groups.items()}


def name_of(requirement: str) -> str:
    match = NAME.match(requirement)
    assert match, requirement
    return match.group()


def documented() -> dict[str, list[list[str]]]:
    """Return the rows of each table by the heading above it, each row as its cells."""
    tables: dict[str, list[list[str]]] = {}
    for section in (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, *lines = section.splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
        tables[heading] = rows
    return tables


def test_every_group_of_dependencies_has_its_table() -> None:
    assert set(HEADING_OF_GROUP) == set(declared())
    assert set(HEADING_OF_GROUP.values()) == set(documented())


@pytest.mark.parametrize("group", HEADING_OF_GROUP)
def test_the_table_names_exactly_the_dependencies_of_its_group(group: str) -> None:
    rows = documented()[HEADING_OF_GROUP[group]]
    names = [row[0].strip("`") for row in rows]

    assert set(names) == declared()[group]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("group", HEADING_OF_GROUP)
def test_every_dependency_says_what_it_is_for_and_why_this_one(group: str) -> None:
    for row in documented()[HEADING_OF_GROUP[group]]:
        _, purpose, reason = row
        assert purpose, row
        assert reason, row
