"""What a benchmark found, and how it is told: a table for people, an object for programs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table

Tell: TypeAlias = Callable[[str], None]
"""Hears what is being measured now."""

_PIPE_WIDTH = 140


@dataclass(frozen=True)
class Figure:
    """One quantity, measured once or several times."""

    what: str
    unit: str
    values: tuple[float, ...]
    """One for each run, in the order in which they were made."""
    at_most: float | None = None
    """What it must not exceed, where that was promised."""
    at_least: float | None = None
    """What it must reach, where that was promised."""

    def as_object(self) -> dict[str, Any]:
        """Return it with its median, for JSON."""
        return {
            "what": self.what,
            "unit": self.unit,
            "median": median(self.values),
            "min": min(self.values),
            "max": max(self.values),
            "values": self.values,
            "at_most": self.at_most,
            "at_least": self.at_least,
        }

    def cells(self) -> tuple[str, ...]:
        """Return it as a row: what, median, range, unit, number of runs, target."""
        spread = f"{_number(min(self.values))} to {_number(max(self.values))}" if len(self.values) > 1 else ""
        return self.what, _number(median(self.values)), spread, self.unit, str(len(self.values)), self._target()

    def _target(self) -> str:
        found = median(self.values)
        if self.at_most is not None:
            return f"≤ {_number(self.at_most)}: {'met' if found <= self.at_most else 'MISSED'}"
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)}: {'met' if found >= self.at_least else 'MISSED'}"
        return ""


@dataclass(frozen=True)
class Report:
    """Everything that one benchmark found; `notes` say how to read it."""

    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()

    def as_object(self) -> dict[str, Any]:
        """Return it for JSON."""
        figures = [figure.as_object() for figure in self.figures]
        return {"title": self.title, "figures": figures, "notes": list(self.notes)}


def console() -> Console:
    """Return where the tables go; a pipe gets lines as long as they are."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def show(report: Report, out: Console) -> None:
    """Print a report."""
    table = Table(title=report.title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("median", justify="right")
    table.add_column("min to max", justify="right")
    for heading in ("unit", "runs", "target"):
        table.add_column(heading)
    for figure in report.figures:
        table.add_row(*figure.cells())
    out.print(table)
    for note in report.notes:
        out.print(f"  {note}", style="dim")
    out.print()


def _number(value: float) -> str:
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"
