"""The RFC 6962 Merkle tree, as far as appending and knowing the root need it."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Self

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962 section 2.1: prefix 0x00)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an interior node (prefix 0x01)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root above a power of two of hashes: what `node_hash` does, without a call for each node."""
    sha256 = hashlib.sha256
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


class Tree:
    """A tree that grows at its right edge and remembers only the roots of its full subtrees (its peaks).

    That is all a root needs: at most one hash for each bit of the size.
    """

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Go on from `size` leaves with their `peaks`, largest subtree first."""
        self.size = size
        self._peaks = list(peaks)
        if len(self._peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in self._peaks):
            message = f"a tree of {size} leaves has {size.bit_count()} peaks of {HASH_BYTES} bytes"
            raise ValueError(message)

    @classmethod
    def of(cls, hashed_leaves: Iterable[bytes]) -> Self:
        """Return the tree of these leaf hashes; the hashes of inner nodes make the tree above them."""
        tree = cls()
        tree.extend(hashed_leaves)
        return tree

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the full subtrees, largest first."""
        return tuple(self._peaks)

    def append(self, hashed_leaf: bytes) -> None:
        """Add a leaf by its hash."""
        node = hashed_leaf
        full = self.size
        while full & 1:
            node = node_hash(self._peaks.pop(), node)
            full >>= 1
        self._peaks.append(node)
        self.size += 1

    def extend(self, hashed_leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes: what `append` does, without a call for each node."""
        peaks, size, sha256 = self._peaks, self.size, hashlib.sha256
        for hashed_leaf in hashed_leaves:
            node = hashed_leaf
            full = size
            while full & 1:
                node = sha256(b"\x01" + peaks.pop() + node).digest()
                full >>= 1
            peaks.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root; that of an empty tree is the hash of nothing."""
        if not self._peaks:
            return EMPTY_ROOT
        node, sha256 = self._peaks[-1], hashlib.sha256
        for peak in self._peaks[-2::-1]:
            node = sha256(b"\x01" + peak + node).digest()
        return node
