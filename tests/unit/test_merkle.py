"""The Merkle tree of the exchange log, against RFC 6962's definition and the roots that CT implementations agree on."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_gateway.log.merkle import EMPTY_ROOT, Tree, leaf_hash

# The leaves and roots that certificate-transparency implementations test with.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LARGEST = 300


def tree_of(leaves: Sequence[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return tree


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = root_by_definition(leaves[:split]), root_by_definition(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_the_root_of_an_empty_tree_is_the_hash_of_nothing() -> None:
    assert Tree().root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_other_implementations(size: int) -> None:
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size - 1]


def test_every_size_has_the_root_that_the_definition_gives() -> None:
    leaves = [str(index).encode() for index in range(LARGEST)]
    tree = Tree()

    for size, leaf in enumerate(leaves):
        assert tree.root() == root_by_definition(leaves[:size]), size
        tree.append(leaf_hash(leaf))


@given(leaves=st.lists(st.binary(max_size=8), max_size=80), cut=st.integers(0, 80))
def test_a_tree_goes_on_from_its_peaks_as_if_it_had_never_stopped(leaves: list[bytes], cut: int) -> None:
    before = tree_of(leaves[:cut])

    resumed = Tree(before.size, before.peaks)
    for leaf in leaves[cut:]:
        resumed.append(leaf_hash(leaf))

    assert (resumed.size, resumed.root()) == (len(leaves), root_by_definition(leaves))


@given(size=st.integers(0, 1_000), peaks=st.lists(st.binary(min_size=31, max_size=33), max_size=12))
def test_peaks_that_do_not_fit_the_size_are_refused(size: int, peaks: list[bytes]) -> None:
    if len(peaks) == size.bit_count() and all(len(peak) == 32 for peak in peaks):
        assert Tree(size, peaks).peaks == tuple(peaks)
    else:
        with pytest.raises(ValueError, match="peaks of 32 bytes"):
            Tree(size, peaks)


@given(leaf=st.binary(max_size=70))
def test_a_leaf_cannot_pass_for_an_interior_node(leaf: bytes) -> None:
    assert leaf_hash(leaf) != hashlib.sha256(b"\x01" + leaf).digest()
