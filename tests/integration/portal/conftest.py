"""A portal between doubles of its neighbours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lienthong_core.database import sqlite_url
from tests.support.portal_world import PortalWorld, portal_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PortalWorld]:
    with portal_world(sqlite_url(tmp_path / "portal.sqlite")) as started:
        yield started


@pytest.fixture
def stored(database_url: str) -> Iterator[PortalWorld]:
    """Give a portal on each kind of database, for what rests on how it stores."""
    with portal_world(database_url) as started:
        yield started
