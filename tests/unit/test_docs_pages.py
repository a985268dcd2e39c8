"""What the documents name exists, under that name."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lienthong.api.exchange.v1.log_pb2 import LogEvent
from lienthong_gateway.exchange import Trace
from lienthong_gateway.log.checkpoint import ORIGIN
from lienthong_gateway.log.leaf import Entry
from tests.support.documents import DOCUMENTS, ROOT, blocks, code_lines, table_rows, text_of

LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PATH = re.compile(r"(?:core|docs|gateway|proto|sandbox|sdk|seeds|services)/[\w./-]*|docker-compose\.yml")
TARGET = re.compile(r"make ([a-z-]+)")
PORT = re.compile(r"\b74\d\d\b")
ARCHITECTURE = ROOT / "docs" / "architecture.md"
LOG_FORMAT = ROOT / "docs" / "adr" / "0003-log-format.md"


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = [link for link in LINK.findall(text_of(document)) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_target_of_make_that_is_named_exists(document: Path) -> None:
    named = {match[1] for line in code_lines(document) if (match := TARGET.match(line))}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


def test_every_file_that_the_architecture_names_exists() -> None:
    named = [code for code in code_lines(ARCHITECTURE) if PATH.fullmatch(code)]
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_architecture_follows_an_exchange_through_every_step() -> None:
    steps = {str(file.relative_to(ROOT)) for file in (ROOT / "gateway").rglob("steps/[a-z]*.py")}
    assert steps
    assert steps <= set(code_lines(ARCHITECTURE))


def test_the_log_format_names_the_fields_of_a_leaf_in_order() -> None:
    entry = Entry(datetime(2026, 1, 1, tzinfo=UTC), LogEvent.LOG_EVENT_EXCHANGE, Trace("id", "method"), "OK")
    documented = [row[0].strip("`") for row in table_rows(LOG_FORMAT)]
    assert sorted(documented) == re.findall(r'"(\w+)":', entry.leaf("", "").decode())
    assert f"origin `{ORIGIN}`" in text_of(LOG_FORMAT)


def test_every_divergence_says_what_is_here_and_why() -> None:
    rows = table_rows(ROOT / "docs" / "divergences.md")
    assert len(rows) > 30
    assert [row for row in rows if len(row) != 3 or not all(row)] == []


def test_the_containers_page_names_the_ports_that_are_published_and_the_volumes() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    page = ROOT / "docs" / "containers.md"
    published = {port for ports in re.findall(r"ports: \[(.*)\]", compose) for port in PORT.findall(ports)}
    volumes = set(re.findall(r"^  ([a-z-]+):$", compose.partition("\nvolumes:\n")[2], re.MULTILINE))
    named = {code for row in table_rows(page) for code in re.findall(r"`([a-z-]+)`", row[0])}
    assert published == {port for row in table_rows(page) for port in PORT.findall(row[-1])}
    assert volumes <= named


def test_the_readme_shows_a_consented_read_in_six_lines() -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    assert len(example[example.index("with Sandbox") :].splitlines()) <= 6
