"""Everything that is written while the citizen's journey runs is searched for everybody in the register."""

import json
import logging
import sqlite3
import unicodedata
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lienthong_core.json_lines import JsonLines
from lienthong_sandbox import Sandbox
from lienthong_sandbox.demo.evidence import accesses, proof
from lienthong_sandbox.demo.journey import Journey
from lienthong_sandbox.demo.place import Place
from lienthong_sandbox.demo.refusals import refusals
from lienthong_seeds import members
from lienthong_seeds.personas import persona
from tests.support.collector import Collector, collector
from tests.support.curl import Curl

MAI = persona("nguyen-thi-mai")
GET_CITIZEN = "/lienthong.api.population.v1.PopulationService/GetCitizen"
UNSAMPLED = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
"""A caller's trace whose spans are not exported: those carry its `tracestate` as it came (docs/observing.md)."""
SHORTEST = 6
"""Of what is searched for: a shorter text could stand anywhere by chance."""
QUERIES = (
    "SELECT personal_number FROM citizen",
    "SELECT personal_number FROM formernumber",
    "SELECT trim(surname || ' ' || middle_name) || ' ' || given_name FROM citizen",
    "SELECT birth_date FROM citizen",
    "SELECT detail FROM residence",
    "SELECT detail FROM household",
    "SELECT household_number FROM household",
)


@dataclass
class Written:
    """What came out of the processes: log lines, standard output and error, metrics, spans."""

    lines: list[str] = field(default_factory=list[str])
    streams: str = ""
    metrics: str = ""
    spans: str = ""

    def texts(self) -> Iterator[str]:
        yield from self.lines
        yield from (self.streams, self.metrics, self.spans)


class _Keep(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(str(json.loads(self.format(record))))


def everybody(world: Path) -> set[str]:
    """Return every number, name, birth date and address in the register, as it stands and without diacritics."""
    with closing(sqlite3.connect(world / "population" / "population.sqlite")) as database:
        found = {str(row[0]) for query in QUERIES for row in database.execute(query)}
    whole = {text for text in found if len(text) >= SHORTEST}
    return {form for text in whole for form in (text.casefold(), plain(text))}


def plain(text: str) -> str:
    """Return a text without diacritics, in small letters, as systems write names in codes."""
    apart = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def run_journey(vn: Sandbox) -> None:
    place = Place.of(vn.world, vn.endpoints, vn.clock)
    journey = Journey(place)
    try:
        steps = [journey.log_in(), journey.consent(), journey.prefill(), journey.submit(), refusals(place)]
        steps += [accesses(place, journey.session), proof(place)]
    finally:
        journey.close()
        place.close()
    assert all(step.as_expected for step in steps)


def make_careless_calls(curl: Curl) -> None:
    """Put her number and name wherever a caller can put a text."""
    for place in ("x-road-id", "x-road-userid", "lienthong-purpose", "lienthong-legal-basis", "traceparent"):
        curl.call(GET_CITIZEN, {"personalNumber": MAI.personal_number}, [(place, MAI.personal_number)])
    for key in ("vendor", "1abc"):
        headers = [UNSAMPLED, ("tracestate", f"{key}={MAI.personal_number}")]
        curl.call(GET_CITIZEN, {"personalNumber": MAI.personal_number}, headers)
    curl.call(GET_CITIZEN, {"personalNumber": MAI.personal_number, plain(MAI.full_name): 1})
    curl.call(f"/{MAI.personal_number}/{MAI.personal_number}", {})
    curl.get(f"/{MAI.personal_number}?name={MAI.personal_number}")


def write(folder: Path, sent: Collector, written: Written) -> set[str]:
    with Sandbox(citizens=200, data=folder / "world", otlp_endpoint=sent.endpoint) as vn:
        run_journey(vn)
        tls = vn.world.tls(members.BANK)
        curl = Curl(vn.endpoints.gateway_url, folder / "curl", tls, tls.authority)
        make_careless_calls(curl)
        written.metrics = curl.get("/metrics").body.decode()
    return everybody(folder / "world")


@contextmanager
def every_logger(lines: list[str]) -> Generator[None]:
    """Keep what any logger writes from INFO on, as `lienthong serve` does."""
    keep, root = _Keep(lines), logging.getLogger()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(keep)
        root.setLevel(level)


def test_nothing_that_was_written_names_anybody(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    written = Written()
    with collector() as sent, every_logger(written.lines):
        names = write(tmp_path, sent, written)
    # Binary, but every text in it stands there as UTF-8.
    written.spans = b"".join(sent.bodies).decode(errors="replace")
    written.streams = "".join(capfd.readouterr())

    assert len(names) > 400
    assert {MAI.personal_number, MAI.full_name.casefold(), MAI.birth_date} <= names
    assert len(written.lines) > 30
    assert "PopulationService/GetCitizen" in written.spans
    assert "lienthong_gateway_decisions_total" in written.metrics
    texts = [form for text in written.texts() for form in (text.casefold(), plain(text))]
    assert [name for name in names if any(name in text for text in texts)] == []
