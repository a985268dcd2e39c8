"""The project's documents, and what stands in them as code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def blocks(document: Path, language: str) -> list[str]:
    """Return the blocks of code in one language; lines that a backslash continues are joined."""
    return [code.replace("\\\n", "") for found, code in _BLOCK.findall(text_of(document)) if found == language]


def code_lines(document: Path) -> list[str]:
    """Return every line of shell blocks, without its comment, and every piece of code within a sentence."""
    lines = [line.partition("  #")[0].strip() for block in blocks(document, "sh") for line in block.splitlines()]
    return lines + _SPAN.findall(_BLOCK.sub("", text_of(document)))


def table_rows(document: Path) -> list[list[str]]:
    """Return the cells of every row of every table, headings left out."""
    lines = text_of(document).splitlines()
    headings = {number for number, line in enumerate(lines, start=-1) if line.startswith("|---")}
    rows = (line for n, line in enumerate(lines) if line.startswith("|") and not {n, n - 1} & headings)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
