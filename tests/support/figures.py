"""Figures that tests have seen, told at the end of the run."""

from dataclasses import dataclass, field

import pytest


@dataclass
class Figures:
    """Sentences with the figures of one test run."""

    told: list[str] = field(default_factory=list[str])

    def tell(self, sentence: str) -> None:
        """Keep a sentence for the end of the run."""
        self.told.append(sentence)


_FIGURES = pytest.StashKey[Figures]()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Give what a test tells its figures to."""
    return request.config.stash.setdefault(_FIGURES, Figures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print every sentence."""
    told = config.stash.get(_FIGURES, Figures()).told
    if told:
        terminalreporter.section("figures")
        for sentence in told:
            terminalreporter.line(sentence)
