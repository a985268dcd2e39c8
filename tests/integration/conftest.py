"""What tests of several files here begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lienthong_core.database import sqlite_url
from tests.support.gateway_world import GatewayWorld, gateway_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GatewayWorld]:
    """Give a gateway of the test's own, on SQLite. A file whose tests need another has a fixture of the same name."""
    with gateway_world(sqlite_url(tmp_path / "gateway.sqlite")) as world:
        yield world
