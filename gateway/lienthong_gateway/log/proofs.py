"""Inclusion and consistency proofs of RFC 9162 section 2.1 (as in RFC 6962), made from tiles and checked.

A proof needs about one hash for each level of the tree. Each is computed from one tile of 256 hashes, so making a proof
reads two or three tiles for each eight levels, however long the log is.
"""

from collections.abc import Sequence
from typing import Protocol

from lienthong_gateway.log.growth import TILE_HEIGHT, TILE_WIDTH
from lienthong_gateway.log.merkle import EMPTY_ROOT, HASH_BYTES, full_root, node_hash


class ProofFault(Exception):  # noqa: N818 (names what is wrong)
    """A proof does not prove what it should; the message says why."""


class TileHashes(Protocol):
    """Where the hashes of a tree are read."""

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile, one after another; raises IndexError if there are fewer."""
        ...


class Prover:
    """Makes proofs about the first `size` leaves of a tree. It keeps the tiles it has read: use it for one request."""

    def __init__(self, hashes: TileHashes, size: int) -> None:
        """Raises ValueError if the size is negative."""
        if size < 0:
            raise ValueError("a tree has no negative size")
        self._hashes = hashes
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self) -> bytes:
        """Return the tree's root."""
        return self._range(0, self._size)

    def peaks(self) -> list[bytes]:
        """Return the roots of the tree's full subtrees, largest first: what it takes to go on from here."""
        return [self._subtree(height, start >> height) for start, height in _full_subtrees(0, self._size)]

    def leaf_hash(self, index: int) -> bytes:
        """Return the hash of a leaf; raises IndexError if the tree has none there."""
        self._check_index(index)
        return self._subtree(0, index)

    def inclusion(self, index: int) -> list[bytes]:
        """Return the proof that the tree holds leaf `index`, nearest sibling first. Raises IndexError."""
        self._check_index(index)
        proof: list[bytes] = []
        start, end = 0, self._size
        while end - start > 1:
            split = start + _split(end - start)
            if index < split:
                proof.append(self._range(split, end))
                end = split
            else:
                proof.append(self._range(start, split))
                start = split
        return proof[::-1]

    def consistency(self, first: int) -> list[bytes]:
        """Return the proof that the tree's first `first` leaves are those of the tree of that size.

        Empty for the empty tree and for the tree itself. Raises IndexError if the tree is smaller.
        """
        if not 0 <= first <= self._size:
            raise IndexError(f"a tree of {self._size} leaves does not begin with {first}")
        proof: list[bytes] = []
        start, end = 0, self._size
        while first not in {start, end}:
            split = start + _split(end - start)
            if first <= split:
                proof.append(self._range(split, end))
                end = split
            else:
                proof.append(self._range(start, split))
                start = split
        if start > 0:
            proof.append(self._range(start, end))
        return proof[::-1]

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self._size:
            raise IndexError(f"a tree of {self._size} leaves has no leaf {index}")

    def _range(self, start: int, end: int) -> bytes:
        """Return the root of the leaves from `start` up to `end`, as the tree's definition cuts them."""
        nodes = [self._subtree(height, at >> height) for at, height in _full_subtrees(start, end)]
        if not nodes:
            return EMPTY_ROOT
        root = nodes.pop()
        while nodes:
            root = node_hash(nodes.pop(), root)
        return root

    def _subtree(self, height: int, index: int) -> bytes:
        """Return the root of a full subtree of `1 << height` leaves."""
        level, above = divmod(height, TILE_HEIGHT)
        first = index << above
        tile = self._tile(level, first // TILE_WIDTH)
        at = first % TILE_WIDTH * HASH_BYTES
        return full_root(
            [tile[at + step : at + step + HASH_BYTES] for step in range(0, HASH_BYTES << above, HASH_BYTES)]
        )

    def _tile(self, level: int, index: int) -> bytes:
        known = self._tiles.get((level, index))
        if known is None:
            width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - index * TILE_WIDTH)
            known = self._hashes.tile(level, index, width)
            if len(known) != width * HASH_BYTES:
                raise ValueError(f"a tile of {width} hashes of {HASH_BYTES} bytes has {len(known)} bytes")
            self._tiles[level, index] = known
        return known


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash is at `index` of the tree of `size` leaves (RFC 9162 section 2.1.3.2).

    Raises ProofFault if it is not shown to be.
    """
    if not 0 <= index < size:
        raise ProofFault(f"a tree of {size} leaves has no leaf {index}")
    _check_hashes(leaf, root, *proof)
    computed = leaf
    for sibling, on_the_left in _sides(index, size - 1, proof):
        computed = node_hash(sibling, computed) if on_the_left else node_hash(computed, sibling)
    if computed != root:
        raise ProofFault(f"the proof does not lead from leaf {index} to the root of {size} leaves")


def check_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, root: bytes) -> None:
    """Check that the tree of `second` leaves begins with that of `first` leaves (RFC 9162 section 2.1.4.2).

    The empty tree is the beginning of every tree, and a tree of itself; the proof of both is empty. Raises ProofFault
    if it is not shown that it does.
    """
    if not 0 <= first <= second:
        raise ProofFault(f"a tree of {second} leaves does not begin with {first}")
    _check_hashes(first_root, root, *proof)
    if first in {0, second}:
        expected = root if first else EMPTY_ROOT
        if proof or first_root != expected or (second == 0 and root != EMPTY_ROOT):
            raise ProofFault(f"the roots of {first} and {second} leaves do not agree")
        return
    seed, siblings = _seed(first, second, proof, first_root)
    old = new = seed
    for sibling, on_the_left in siblings:
        new = node_hash(sibling, new) if on_the_left else node_hash(new, sibling)
        old = node_hash(sibling, old) if on_the_left else old
    if old != first_root or new != root:
        raise ProofFault(f"the tree of {second} leaves is not shown to begin with the one of {first}")


def shown_peaks(first: int, second: int, proof: Sequence[bytes], first_root: bytes) -> list[bytes]:
    """Return the peaks of the first tree, largest first, out of a consistency proof that has been checked.

    The tree can be continued from there. The first tree is neither empty nor the second one.
    """
    seed, siblings = _seed(first, second, proof, first_root)
    return [seed, *(sibling for sibling, on_the_left in siblings if on_the_left)][::-1]


def peaks_of_last(size: int, leaf: bytes, proof: Sequence[bytes]) -> list[bytes]:
    """Return the peaks of a tree, largest first, out of its last leaf's hash and inclusion proof; neither is checked.

    All that the proof puts beside the last leaf is on its left: first within the smallest peak, then the other peaks.
    """
    levels = (size & -size).bit_length() - 1
    peak = leaf
    for sibling in proof[:levels]:
        peak = node_hash(sibling, peak)
    return [*reversed(proof[levels:]), peak]


def _seed(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes
) -> tuple[bytes, Sequence[tuple[bytes, bool]]]:
    """Return the smallest peak of the first tree, and what the proof puts beside it on which side."""
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # A first tree that is full is a subtree of the second: the proof leaves out what its reader knows.
    seed, *siblings = proof if node and proof else [first_root, *proof]
    return seed, _sides(node, last, siblings)


def _sides(node: int, last: int, siblings: Sequence[bytes]) -> Sequence[tuple[bytes, bool]]:
    """Return each sibling on the way from a node to the root, and whether it is on the left.

    Until the way is the last node's as well, the bits of the node's index say. From there on all are on the left, one
    for each bit that is set. Raises ProofFault if they are more or fewer.
    """
    inner = (node ^ last).bit_length()
    if len(siblings) != inner + (node >> inner).bit_count():
        raise ProofFault("the proof is longer or shorter than the tree is high")
    return [(sibling, level >= inner or bool(node >> level & 1)) for level, sibling in enumerate(siblings)]


def _check_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise ProofFault(f"a proof is made of hashes of {HASH_BYTES} bytes")


def _split(size: int) -> int:
    """Return the largest power of two below `size`: how many leaves are on the left."""
    return 1 << (size - 1).bit_length() - 1


def _full_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Return first leaf and height of the full subtrees that make up a range whose root the definition names.

    Such a range begins at a multiple of a power of two not below its length, so it is cut from the left like a tree.
    """
    found: list[tuple[int, int]] = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((start, height))
        start += 1 << height
    return found
