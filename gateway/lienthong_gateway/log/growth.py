"""The right edge of the log's tree: what appending needs to know, cut into C2SP `tlog-tiles`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from lienthong_gateway.log.merkle import Tree, full_root

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


@dataclass(frozen=True)
class Tile:
    """A full tile: 256 hashes of one level, and the root above them. Level L is made of the roots of level L - 1."""

    level: int
    index: int
    hashes: tuple[bytes, ...]
    root: bytes


class Growth:
    """A tree that grows and says which tiles it fills."""

    def __init__(self, tree: Tree, partial: Iterable[Iterable[bytes]]) -> None:
        """Go on from a tree and what `of_partial` says."""
        self._tree = tree
        self._partial = [list(hashes) for hashes in partial]

    @classmethod
    def of_partial(cls, partial: Sequence[Sequence[bytes]]) -> Self:
        """Go on from the hashes of each level's last tile, the one that is not full; level 0 (leaf hashes) first."""
        size, peaks = 0, list[bytes]()
        for hashes in reversed(partial):
            size = (size << TILE_HEIGHT) + len(hashes)
            peaks += Tree.of(hashes).peaks
        return cls(Tree(size, peaks), partial)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._tree.size

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return self._tree.root()

    def append(self, hashed_leaf: bytes) -> list[Tile]:
        """Add a leaf by its hash; return the tiles that it filled, lowest level first."""
        self._tree.append(hashed_leaf)
        filled: list[Tile] = []
        node = hashed_leaf
        for level in range(len(self._partial) + 1):
            if level == len(self._partial):
                self._partial.append([])
            hashes = self._partial[level]
            hashes.append(node)
            if len(hashes) < TILE_WIDTH:
                break
            node = full_root(hashes)
            index = (self._tree.size >> (TILE_HEIGHT * (level + 1))) - 1
            filled.append(Tile(level, index, tuple(hashes), node))
            hashes.clear()
        return filled
