"""Figures that tests have seen, told at the end of the run. Nothing else may run beside a test that takes some."""

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that take figures; before `-m` selects by marks."""
    for item in items:
        if isinstance(item, pytest.Function) and "figures" in item.fixturenames:
            item.add_marker(pytest.mark.alone)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print every sentence."""
    told = config.stash.get(_FIGURES, Figures()).told
    if told:
        terminalreporter.section("figures")
        for sentence in told:
            terminalreporter.line(sentence)
