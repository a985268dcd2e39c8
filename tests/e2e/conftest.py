"""One sandbox for all tests that only read from it or bring their own citizens."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lienthong_sandbox import Sandbox


@pytest.fixture(scope="session")
def vn() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def lienthong() -> str:
    """Give the path of the command under test."""
    found = shutil.which("lienthong", path=str(Path(sys.executable).parent))
    assert found, "the lienthong command is not installed beside this Python"
    return found
