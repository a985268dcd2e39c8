"""The stored log read as C2SP tlog-tiles: what any such monitor asks for."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Executable, text, update

from lienthong_core.database import sqlite_url, writing
from lienthong_core.errors import Refusal
from lienthong_gateway.log.append import Appender
from lienthong_gateway.log.checkpoint import CheckpointFault, CheckpointKey
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.proofs import Prover, check_inclusion
from lienthong_gateway.log.store import ENTRIES, TILES
from lienthong_gateway.log.tiles import LogDamaged, StoredTiles, TilePath, TileSource, TileStatements, bundle, unbundle
from tests.support.log import extend, filled

SIZE = 600


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = filled(sqlite_url(tmp_path_factory.mktemp("tiles") / "log.sqlite"), SIZE)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def source(engine: Engine) -> TileSource:
    return TileSource(engine)


def leaves(source: TileSource) -> list[bytes]:
    paths = ("tile/entries/000", "tile/entries/001", f"tile/entries/002.p/{SIZE - 512}")
    return [leaf for path in paths for leaf in unbundle(source.read(path))]


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.reason


def test_a_monitor_that_has_only_the_files_recomputes_the_signed_root(source: TileSource) -> None:
    _, size, root, *_ = source.checkpoint().decode().split("\n")
    tree = Tree.of(leaf_hash(leaf) for leaf in leaves(source))
    assert (tree.size, SIZE) == (int(size), int(size))
    assert json.loads(leaves(source)[SIZE - 1])["exchange_id"] == f"exchange-{SIZE - 1}"
    hashes = source.read("tile/0/000") + source.read("tile/0/001") + source.read(f"tile/0/002.p/{SIZE - 512}")
    assert hashes == b"".join(leaf_hash(leaf) for leaf in leaves(source))
    above = source.read("tile/1/000.p/2")
    assert above == Tree.of(leaf_hash(leaf) for leaf in leaves(source)[:256]).root() + above[32:]
    assert base64.b64encode(tree.root()).decode() == root


def test_a_partial_tile_stays_available_after_it_was_filled(source: TileSource) -> None:
    full = source.tile(0, 0)
    for width in (1, 17, 255):
        assert source.tile(0, 0, width) == full[: 32 * width]
        assert source.entries(0, width) == bundle(leaves(source)[:width])


@pytest.mark.parametrize(
    "path",
    [
        f"tile/0/002.p/{SIZE - 512 + 1}",
        f"tile/entries/002.p/{SIZE - 512 + 1}",
        "tile/0/002",
        "tile/0/003.p/1",
        "tile/1/000.p/3",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
        "tile/64/000.p/1",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/00/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/entries/000/",
        "tile/-1/000",
        "/checkpoint",
        "tile/0/\u0660\u0660\u0660",
        "",
    ],
)
def test_what_lies_beyond_the_log_or_is_not_written_as_specified_is_unknown(source: TileSource, path: str) -> None:
    assert reason(lambda: source.read(path)) == "TILE_UNKNOWN"


@pytest.mark.parametrize(("level", "index", "width"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 1 << 60, 1)])
def test_a_tile_that_can_never_be_is_unknown(source: TileSource, level: int, index: int, width: int) -> None:
    assert reason(lambda: source.tile(level, index, width)) == "TILE_UNKNOWN"
    assert reason(lambda: source.entries(index if level == 0 else -1, width)) == "TILE_UNKNOWN"


@given(
    level=st.none() | st.integers(0, 63),
    index=st.integers(0, 10**21 - 1),
    width=st.integers(1, 256),
)
def test_a_path_is_read_as_it_was_written(level: int | None, index: int, width: int) -> None:
    path = TilePath(level, index, width)
    assert TilePath.parse(str(path)) == path


def test_a_path_is_written_as_the_specification_shows() -> None:
    assert str(TilePath(0, 1_234_067)) == "tile/0/x001/x234/067"
    assert str(TilePath(None, 0, 13)) == "tile/entries/000.p/13"
    assert str(TilePath(3, 1_000, 1)) == "tile/3/x001/000.p/1"


@given(found=st.lists(st.binary(max_size=300), max_size=5), cut=st.integers(1, 3))
def test_a_bundle_gives_back_its_entries_and_is_noticed_when_it_is_cut(found: list[bytes], cut: int) -> None:
    data = bundle(found)
    assert unbundle(data) == found
    if found and cut <= len(found[-1]) + 1:
        with pytest.raises(ValueError, match="cut short"):
            unbundle(data[:-cut])


def test_an_entry_that_a_bundle_cannot_hold_is_not_cut_short() -> None:
    assert unbundle(bundle([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(LogDamaged, match="65535"):
        bundle([bytes(65_536)])


def test_an_empty_log_has_a_checkpoint_and_no_tiles(tmp_path: Path) -> None:
    engine = filled(sqlite_url(tmp_path / "log.sqlite"), 0)
    source = TileSource(engine)
    assert source.checkpoint().decode().split("\n")[1] == "0"
    assert reason(lambda: source.read("tile/0/000.p/1")) == "TILE_UNKNOWN"
    assert reason(lambda: source.read("tile/entries/000.p/1")) == "TILE_UNKNOWN"
    engine.dispose()


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512])
def test_proofs_from_the_stored_tiles_hold_on_every_database(database_url: str, size: int) -> None:
    engine = filled(database_url, size)
    with engine.connect() as connection:
        prover = Prover(StoredTiles(connection, TileStatements(connection.dialect)), size)
        root = prover.root()
        for index in {0, size // 2, size - 1}:
            check_inclusion(index, size, prover.leaf_hash(index), prover.inclusion(index), root)
    engine.dispose()


DAMAGE: dict[str, Executable] = {
    "no hashes": update(TILES).values(hashes=b"short"),
    "too few": update(TILES).values(hashes=bytes(32)),
    "text": text("UPDATE log_tile SET hashes = 'text'"),
    "a number of bytes": text("UPDATE log_tile SET hashes = 8192"),
    "a root that is none": update(TILES).values(root=b"short"),
    "a leaf's hash that is none": update(ENTRIES).where(ENTRIES.c.log_index == 256).values(leaf_hash=b"short"),
}


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        ("no hashes", "tile/0/000"),
        ("too few", "tile/0/000"),
        ("text", "tile/0/000"),
        ("a number of bytes", "tile/0/000"),
        ("a root that is none", "tile/1/000.p/1"),
        ("a leaf's hash that is none", "tile/0/001.p/1"),
    ],
)
def test_a_stored_value_that_is_no_hash_is_never_served(tmp_path: Path, damage: str, path: str) -> None:
    engine = filled(sqlite_url(tmp_path / "log.sqlite"), 257)
    assert TileSource(engine).read(path)
    with writing(engine) as connection:
        connection.execute(DAMAGE[damage])
    with pytest.raises(LogDamaged, match="does not hold hashes of 32 bytes"):
        TileSource(engine).read(path)
    engine.dispose()


@pytest.mark.parametrize(
    ("size", "damage", "why"),
    [
        (257, "UPDATE log_tile SET root = 'text'", "something else than a hash"),
        (257, "UPDATE log_entry SET leaf_hash = 'text' WHERE log_index = 256", "something else than a hash"),
        (300, "UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE log_index = 299", "not one of the stored tree"),
        (900, "DELETE FROM checkpoint WHERE tree_size > 300", "more are stored"),
    ],
    ids=["a root is text", "a hash is text", "a hash is not the signed one", "its last checkpoints are gone"],
)
def test_a_log_that_was_damaged_is_not_gone_on_with(tmp_path: Path, size: int, damage: str, why: str) -> None:
    key = CheckpointKey.create()
    engine = filled(sqlite_url(tmp_path / "log.sqlite"), size, key)
    with writing(engine) as connection:
        connection.execute(text(damage))
    with pytest.raises(CheckpointFault, match=why):
        Appender(engine, key)
    engine.dispose()


def test_text_in_place_of_a_hash_that_another_replica_wrote_is_not_gone_on_with(tmp_path: Path) -> None:
    key = CheckpointKey.create()
    engine = filled(sqlite_url(tmp_path / "log.sqlite"), 0, key)
    appender = Appender(engine, key)
    extend(engine, 0, 3, key)
    with writing(engine) as connection:
        connection.execute(text("UPDATE log_entry SET leaf_hash = 'text' WHERE log_index = 1"))
        with pytest.raises(CheckpointFault):
            appender.begin(connection)
    engine.dispose()
