"""Checking stored tiles against the tree that the entries make."""

from collections.abc import Callable, Iterator, Sequence

from lienthong_gateway.log.growth import TILE_WIDTH
from lienthong_gateway.log.merkle import full_root

StoredTile = Sequence[object]


class TileFault(Exception):  # noqa: N818 (names what is wrong)
    """A stored tile is not that of the tree; `first` is the first entry below it."""

    def __init__(self, level: int, index: int, what: str) -> None:
        super().__init__(f"Tile {index} of level {level} {what}.")
        self.first = index * TILE_WIDTH ** (level + 1)
        self.last = (index + 1) * TILE_WIDTH ** (level + 1) - 1


class TileCheck:
    """Compares the tiles that leaf hashes fill with those that are stored."""

    def __init__(self, stored: Callable[[int], Iterator[StoredTile] | None]) -> None:
        """`stored` gives index, hashes and root of the tiles of a level, in order; None: nothing to compare."""
        self._stored = stored
        self._levels: list[_Level] = []

    def add(self, hashes: Sequence[bytes]) -> None:
        """Go on with leaf hashes that are known to be the log's; raises TileFault."""
        # Where much was pruned, those up to one checkpoint may be the first to fill tiles of several levels.
        at = 0
        while hashes and self._has_level(at):
            hashes = self._levels[at].add(hashes)
            at += 1

    def finish(self) -> None:
        """Look for tiles that are stored beyond what the log fills; raises TileFault."""
        for level in self._levels:
            level.finish()

    def _has_level(self, level: int) -> bool:
        """Return whether there are tiles of a level to compare, ready to be if it is the first that fills any."""
        if level == len(self._levels) and (stored := self._stored(level)) is not None:
            self._levels.append(_Level(level, stored))
        return level < len(self._levels)


class _Level:
    def __init__(self, level: int, stored: Iterator[StoredTile]) -> None:
        self._level = level
        self._stored = stored
        self._hashes: list[bytes] = []
        self._index = 0

    def add(self, hashes: Sequence[bytes]) -> list[bytes]:
        """Return the roots of the tiles that have been filled and found as stored."""
        self._hashes += hashes
        beyond = len(self._hashes) - len(self._hashes) % TILE_WIDTH
        roots = [self._compared(self._hashes[at : at + TILE_WIDTH]) for at in range(0, beyond, TILE_WIDTH)]
        del self._hashes[:beyond]
        return roots

    def finish(self) -> None:
        beyond = next(self._stored, None)
        if beyond is not None:
            raise TileFault(self._level, self._index, f"is not full yet, but {beyond[0]} is stored")

    def _compared(self, tile: list[bytes]) -> bytes:
        index, hashes, stored_root = next(self._stored, (None, None, None))
        if index != self._index:
            raise TileFault(self._level, self._index, "is not stored")
        root = full_root(tile)
        if hashes != b"".join(tile) or stored_root != root:
            raise TileFault(self._level, self._index, "was altered: the entries make another one")
        self._index += 1
        return root
