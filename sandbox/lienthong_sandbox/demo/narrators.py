"""Telling the journey: drawn for a terminal, plain for a log, or one JSON object a step for a program."""

import json
from dataclasses import asdict
from typing import Any, Protocol, TextIO

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lienthong_sandbox.demo.story import DONE, Happening, Step


class Narrator(Protocol):
    """Hears the story as it happens."""

    def begin(self, where: str) -> None:
        """The journey begins, at `where`."""
        ...

    def step(self, step: Step) -> None:
        """A step has ended."""
        ...

    def end(self, *, as_expected: bool, seconds: float) -> None:
        """The journey has ended."""
        ...


class RichNarrator:
    """Draws each step as a panel."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, where: str) -> None:
        """Say what this is."""
        text = Text.assemble(
            ("Liên Thông", "bold"),
            " simulates Vietnam's national data exchange: a population database, an identity provider, a "
            "public-service portal, and a gateway that lets personal data pass only on the citizen's consent or "
            "another legal basis, and records every exchange in a log that proves itself.\n",
            ("SIMULATION: every person here is synthetic. ", "bold yellow"),
            (where, "dim"),
        )
        self._console.print(Panel(text, border_style="cyan"))

    def step(self, step: Step) -> None:
        """Draw a step."""
        title = Text.assemble(
            (f" {step.number} ", "reverse bold"), (f" {step.title_vi}", "bold"), f"  {step.title_en} "
        )
        style = "green" if step.as_expected else "red"
        body = Group(Text(step.explanation, style="dim"), *(_drawn(happening) for happening in step.happenings))
        self._console.print(Panel(body, title=title, title_align="left", border_style=style))

    def end(self, *, as_expected: bool, seconds: float) -> None:
        """Say how it ended."""
        verdict = (
            "Every step had the outcome it should." if as_expected else "A step did not have the outcome it should."
        )
        self._console.print(Text(f"{verdict} {seconds:.1f} s", style="bold green" if as_expected else "bold red"))


class PlainNarrator:
    """Writes one line for each thing that happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, where: str) -> None:
        """Say what this is."""
        self._write(f"Lien Thong: the citizen's journey (SIMULATION, every person is synthetic). {where}")

    def step(self, step: Step) -> None:
        """Write a step."""
        self._write(f"step {step.number}: {step.title_en} ({step.title_vi})")
        for happening in step.happenings:
            self._write(f"  {_line(happening)}")

    def end(self, *, as_expected: bool, seconds: float) -> None:
        """Say how it ended."""
        self._write(f"{'every step had the outcome it should' if as_expected else 'FAILED'} in {seconds:.1f} s")

    def _write(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


class JsonNarrator:
    """Writes one JSON object a step."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, where: str) -> None:
        """Write nothing: only steps are objects."""

    def step(self, step: Step) -> None:
        """Write a step."""
        told: dict[str, Any] = {**asdict(step), "as_expected": step.as_expected}
        for happening in told["happenings"]:
            # A word for people, of outcomes other than OK only.
            del happening["verdict"]
        self._out.write(f"{json.dumps(told, ensure_ascii=False)}\n")
        self._out.flush()

    def end(self, *, as_expected: bool, seconds: float) -> None:
        """Write nothing: the exit code says how it ended."""


def _drawn(happening: Happening) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2)
    grid.add_column()
    mark = Text("✓", style="green") if happening.as_expected else Text("✗", style="bold red")
    call = Text.assemble((happening.who, "cyan"), " → ", (happening.whom, "cyan"), f"  {happening.what}")
    if happening.outcome != DONE:
        call.append(f"  {happening.verdict}: {happening.outcome}", style="yellow")
    if not happening.as_expected:
        call.append(f"  (expected {happening.expected})", style="bold red")
    if happening.log_index is not None:
        call.append(f"  log #{happening.log_index}", style="magenta")
    grid.add_row(mark, call)
    for label, names, style in (("released", happening.released, "green"), ("withheld", happening.withheld, "yellow")):
        if names:
            grid.add_row("", Text(f"{label}: {', '.join(names)}", style=style))
    if happening.note:
        grid.add_row("", Text(happening.note, style="dim"))
    return grid


def _line(happening: Happening) -> str:
    parts = [
        "ok  " if happening.as_expected else "FAIL",
        f"{happening.who} -> {happening.whom}: {happening.what}",
        f"outcome={happening.outcome}",
    ]
    if not happening.as_expected:
        parts.append(f"expected={happening.expected}")
    if happening.log_index is not None:
        parts.append(f"log={happening.log_index}")
    parts += [f"{label}={','.join(names)}" for label, names in _named(happening) if names]
    return " ".join((*parts, happening.note)).rstrip().replace("\n", " ")


def _named(happening: Happening) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("released", tuple(happening.released)), ("withheld", tuple(happening.withheld))
