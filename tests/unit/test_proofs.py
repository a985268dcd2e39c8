"""Inclusion and consistency proofs, against RFC 9162's own definition of them."""

import hashlib
from functools import cache
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_gateway.log.merkle import EMPTY_ROOT, Tree, leaf_hash
from lienthong_gateway.log.proofs import (
    ProofFault,
    Prover,
    check_consistency,
    check_inclusion,
    peaks_of_last,
    shown_peaks,
)
from tests.support.tiles import TilesInMemory

LARGEST = 300
LEAVES = [leaf_hash(str(number).encode()) for number in range(LARGEST)]
TILES = TilesInMemory(LEAVES)


@cache
def root(start: int, end: int) -> bytes:
    """MTH of RFC 9162 section 2.1.1."""
    if start == end:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return LEAVES[start]
    split = start + split_of(end - start)
    return hashlib.sha256(b"\x01" + root(start, split) + root(split, end)).digest()


def split_of(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1."""
    if end - start == 1:
        return []
    split = start + split_of(end - start)
    if index < split:
        return [*path(index, start, split), root(split, end)]
    return [*path(index, split, end), root(start, split)]


def subproof(first: int, start: int, end: int, *, known: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 section 2.1.4.1."""
    if first == end:
        return [] if known else [root(start, end)]
    split = start + split_of(end - start)
    if first <= split:
        return [*subproof(first, start, split, known=known), root(split, end)]
    return [*subproof(first, split, end, known=False), root(start, split)]


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_every_inclusion_proof_is_the_one_that_is_defined_and_holds(size: int) -> None:
    prover = Prover(TILES, size)
    assert prover.root() == root(0, size)
    for index in range(size):
        proof = prover.inclusion(index)
        assert proof == path(index, 0, size)
        assert prover.leaf_hash(index) == LEAVES[index]
        check_inclusion(index, size, LEAVES[index], proof, root(0, size))


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_consistency_proof_is_the_one_that_is_defined_and_holds(size: int) -> None:
    prover = Prover(TILES, size)
    for first in range(1, size + 1):
        proof = prover.consistency(first)
        assert proof == subproof(first, 0, size, known=True)
        check_consistency(first, size, proof, root(0, first), root(0, size))


@pytest.mark.parametrize("first", range(1, LARGEST))
def test_a_tree_can_be_continued_from_what_a_consistency_proof_has_shown(first: int) -> None:
    proof = Prover(TILES, LARGEST).consistency(first)

    tree = Tree(first, shown_peaks(first, LARGEST, proof, root(0, first)))

    assert tree.root() == root(0, first)
    assert list(tree.peaks) == Prover(TILES, first).peaks()
    for leaf in LEAVES[first:]:
        tree.append(leaf)
    assert tree.root() == root(0, LARGEST)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_a_tree_can_be_continued_from_its_last_leafs_inclusion_proof(size: int) -> None:
    prover = Prover(TILES, size)

    assert peaks_of_last(size, LEAVES[size - 1], prover.inclusion(size - 1)) == prover.peaks()


def test_the_empty_tree_has_the_root_of_nothing_and_is_the_beginning_of_every_tree() -> None:
    assert Prover(TILES, 0).root() == EMPTY_ROOT
    assert Prover(TILES, 0).peaks() == []
    assert Prover(TILES, LARGEST).consistency(0) == []
    check_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    check_consistency(0, LARGEST, [], EMPTY_ROOT, root(0, LARGEST))
    with pytest.raises(ProofFault):
        check_consistency(0, LARGEST, [], root(0, 1), root(0, LARGEST))
    with pytest.raises(ProofFault):
        check_consistency(0, 0, [], EMPTY_ROOT, root(0, 1))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 5), (5, 5), (6, 5)])
def test_there_is_no_proof_of_a_leaf_that_the_tree_does_not_have(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        Prover(TILES, size).inclusion(index)
    with pytest.raises(ProofFault, match="no leaf"):
        check_inclusion(index, size, LEAVES[0], [], EMPTY_ROOT)


@pytest.mark.parametrize(("first", "second"), [(-1, 5), (6, 5), (1, 0)])
def test_there_is_no_proof_that_a_tree_begins_with_a_larger_one(first: int, second: int) -> None:
    with pytest.raises(IndexError):
        Prover(TILES, second).consistency(first)
    with pytest.raises(ProofFault, match="does not begin"):
        check_consistency(first, second, [], EMPTY_ROOT, EMPTY_ROOT)


def test_a_tree_has_no_negative_size() -> None:
    with pytest.raises(ValueError, match="negative"):
        Prover(TILES, -1)


sizes = st.integers(1, LARGEST)


def changed(proof: list[bytes], at: int, how: str) -> list[bytes]:
    at %= len(proof) + 1
    rest = proof[at + 1 :]
    match how:
        case "left out":
            return proof[:at] + rest
        case "added":
            return [*proof[:at], bytes(32), *proof[at:]]
        case "cut":
            return [*proof[:at], *(hashed[:-1] for hashed in proof[at : at + 1]), *rest]
        case _:
            return [*proof[:at], *(bytes(32) for _ in proof[at : at + 1]), *rest]


changes = st.sampled_from(["left out", "added", "cut", "replaced"])


@given(size=sizes, index=st.integers(0), at=st.integers(0, 20), how=changes)
def test_an_inclusion_proof_changed_in_any_way_proves_nothing(size: int, index: int, at: int, how: str) -> None:
    index %= size
    proof = path(index, 0, size)
    forged = changed(proof, at, how)
    if forged == proof:
        return
    with pytest.raises(ProofFault):
        check_inclusion(index, size, LEAVES[index], forged, root(0, size))


@given(size=sizes, first=st.integers(0), at=st.integers(0, 20), how=changes)
def test_a_consistency_proof_changed_in_any_way_proves_nothing(size: int, first: int, at: int, how: str) -> None:
    first = 1 + first % size
    proof = subproof(first, 0, size, known=True)
    forged = changed(proof, at, how)
    if forged == proof:
        return
    with pytest.raises(ProofFault):
        check_consistency(first, size, forged, root(0, first), root(0, size))


@given(size=sizes, index=st.integers(0), other=st.integers(0))
def test_an_inclusion_proof_holds_for_no_other_leaf_place_or_root(size: int, index: int, other: int) -> None:
    index, other = index % size, other % size
    proof = path(index, 0, size)
    if other != index:
        with pytest.raises(ProofFault):
            check_inclusion(index, size, LEAVES[other], proof, root(0, size))
        with pytest.raises(ProofFault):
            check_inclusion(other, size, LEAVES[index], proof, root(0, size))
    with pytest.raises(ProofFault):
        check_inclusion(index, size, LEAVES[index], proof, bytes(32))
    with pytest.raises(ProofFault, match="hashes of 32 bytes"):
        check_inclusion(index, size, LEAVES[index] + b"\0", proof, root(0, size))


@pytest.mark.parametrize("size", range(2, 18))
def test_an_inclusion_proof_holds_at_no_other_place_of_a_small_tree(size: int) -> None:
    for index, other in permutations(range(size), 2):
        with pytest.raises(ProofFault):
            check_inclusion(other, size, LEAVES[index], path(index, 0, size), root(0, size))


@pytest.mark.parametrize("size", range(2, 18))
def test_a_consistency_proof_shows_no_other_size_of_a_small_tree(size: int) -> None:
    for first, other in permutations(range(1, size + 1), 2):
        with pytest.raises(ProofFault):
            check_consistency(other, size, subproof(first, 0, size, known=True), root(0, first), root(0, size))


@given(size=st.integers(2, LARGEST), first=st.integers(0))
def test_no_consistency_is_shown_with_another_history(size: int, first: int) -> None:
    first = 1 + first % (size - 1)
    proof = subproof(first, 0, size, known=True)
    for old, new in ((bytes(32), root(0, size)), (root(0, first), bytes(32))):
        with pytest.raises(ProofFault):
            check_consistency(first, size, proof, old, new)


def test_a_byte_moved_from_a_hash_to_its_neighbour_shows_no_consistency() -> None:
    # What is hashed stays the same.
    (sibling,) = subproof(2, 0, 4, known=True)
    with pytest.raises(ProofFault, match="hashes of 32 bytes"):
        check_consistency(2, 4, [sibling[1:]], root(0, 2) + sibling[:1], root(0, 4))


EDGES = [65_535, 65_536, 65_537, 65_792, 65_793]


@pytest.fixture(scope="module")
def many() -> TilesInMemory:
    return TilesInMemory([leaf_hash(str(number).encode()) for number in range(EDGES[-1])])


@pytest.mark.parametrize("size", EDGES)
def test_proofs_hold_around_the_third_level_of_tiles(many: TilesInMemory, size: int) -> None:
    tree = Tree.of(many.levels[0][:size])
    for index in (0, 1, 255, 256, 32_767, 32_768, 65_279, 65_280, 65_534, size - 1):
        proof = Prover(many, size).inclusion(index)
        check_inclusion(index, size, many.levels[0][index], proof, tree.root())
    for first in (1, 255, 256, 257, 32_768, 65_280, 65_535, size):
        old = Prover(many, first).root()
        check_consistency(first, size, Prover(many, size).consistency(first), old, tree.root())
    assert Prover(many, size).peaks() == list(tree.peaks)


def test_a_proof_reads_a_few_tiles_however_long_the_log_is(many: TilesInMemory) -> None:
    for index in range(0, EDGES[-1], 997):
        before = many.read
        Prover(many, EDGES[-1]).inclusion(index)
        assert many.read - before <= 6
