"""A log's tree in memory, to make proofs from."""

from collections.abc import Sequence

from lienthong_gateway.log.merkle import Tree


class TilesInMemory:
    """The tiles above some leaf hashes; counts how often it is asked."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels = [list(leaves)]
        while len(self.levels[-1]) >= 256:
            below = self.levels[-1]
            full = len(below) // 256
            self.levels.append([Tree.of(below[256 * at : 256 * at + 256]).root() for at in range(full)])
        self.read = 0

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile."""
        self.read += 1
        hashes = self.levels[level][256 * index : 256 * index + width]
        assert len(hashes) == width
        return b"".join(hashes)
