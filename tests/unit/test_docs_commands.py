"""The `lienthong` command is as the documents say."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lienthong_sandbox.cli import app
from tests.support.documents import DOCUMENTS, ROOT, code_lines
from tools.configuration_page import PAGE, commands, page

COMMANDS = [command for command, _ in commands()]
MENTION = re.compile(r"(?:\.venv/bin/)?(lienthong(?: [a-z][a-z-]*)+)(.*)")


def test_the_configuration_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs` and commit docs/configuration.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself(command: str) -> None:
    assert CliRunner().invoke(app, [*command.split()[1:], "--help"]).exit_code == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_command_and_option_that_is_named_exists(document: Path) -> None:
    sections = {section.partition("`")[0]: section for section in page().split("\n### `")[1:]}
    for said, rest in (match.groups() for line in code_lines(document) if (match := MENTION.match(line))):
        command = next((known for known in COMMANDS if f"{said} ".startswith(f"{known} ")), "")
        assert command, said
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"| `{option}` |" in sections[command], f"{said} {rest}"
