"""Merkle trees: the vectors of Certificate Transparency, and every proof against a tree built the slow way."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.evidence.merkle import (
    EMPTY_ROOT,
    MAX_TREE_SIZE,
    CompactRange,
    ProofError,
    RunTree,
    UnusableProof,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hashes_of,
    node_hash,
    range_inclusion_proof,
    root_of,
    split_hashes,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [bytes.fromhex(data) for data in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    """The roots over the leaves that Certificate Transparency tests with come out as published."""
    assert ROOTS[size - 1] == root_of(leaf_hashes_of(LEAVES[:size])).hex()


def test_empty_tree() -> None:
    """The empty tree has the hash of nothing as root."""
    assert EMPTY_ROOT == root_of([]) == CompactRange().root()


@given(HASHES)
def test_root_is_the_slow_root(leaves: list[bytes]) -> None:
    """Growing level by level gives the root that the definition gives."""
    assert slow_root(leaves) == root_of(leaves)


@given(HASHES, st.data())
def test_every_inclusion_is_proven(leaves: list[bytes], data: st.DataObject) -> None:
    """A proof made from the whole tree or from the run alone verifies, and for no other leaf, index or size."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    first = data.draw(st.integers(0, index))
    before = CompactRange()
    before.extend(leaves[:first])
    proof = inclusion_proof(leaves, index)
    assert proof == range_inclusion_proof(before.to_bytes(), first, leaves[first:], index)
    root = root_of(leaves)
    verify_inclusion(leaf_hash=leaves[index], index=index, size=len(leaves), proof=proof, root=root)
    with pytest.raises(ProofError):
        verify_inclusion(sha256(leaves[index]).digest(), index, len(leaves), proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(leaves[index], index, len(leaves), [*proof, root], root)
    if proof:
        with pytest.raises(ProofError):
            verify_inclusion(leaves[index], index, len(leaves), proof[:-1], root)
        with pytest.raises(ProofError):
            verify_inclusion(leaves[index], index ^ 1, len(leaves), proof, root)


@given(HASHES, st.data())
def test_every_consistency_is_proven(leaves: list[bytes], data: st.DataObject) -> None:
    """A tree is proven to begin with each older one, and with no other."""
    old_size = data.draw(st.integers(0, len(leaves)))
    proof, old_root, new_root = consistency_proof(leaves, old_size), root_of(leaves[:old_size]), root_of(leaves)
    verify_consistency(old_size=old_size, new_size=len(leaves), proof=proof, old_root=old_root, new_root=new_root)
    wrong = sha256(old_root).digest()
    with pytest.raises(ProofError):
        verify_consistency(old_size, len(leaves), proof, wrong, new_root)
    with pytest.raises(ProofError):
        verify_consistency(old_size, len(leaves), [*proof, wrong], old_root, new_root)
    if 0 < old_size < len(leaves):
        with pytest.raises(ProofError):
            verify_consistency(old_size, len(leaves), proof, old_root, wrong)
        with pytest.raises(ProofError):
            verify_consistency(old_size, len(leaves), proof[:-1], old_root, new_root)


@given(HASHES, st.data())
def test_a_range_grows_in_any_steps(leaves: list[bytes], data: st.DataObject) -> None:
    """However the leaves are split into runs, the compact range comes out the same, through its bytes too."""
    whole, stepwise, at = CompactRange(), CompactRange(), 0
    whole.extend(leaves)
    while at < len(leaves):
        step = data.draw(st.integers(1, len(leaves) - at))
        stepwise.extend(leaves[at : at + step])
        stepwise, at = CompactRange.from_bytes(stepwise.size, stepwise.to_bytes()), at + step
    assert whole == stepwise
    assert whole.root() == stepwise.root()


def test_flipped_bits_are_refused() -> None:
    """No bit of leaf, path or root can be flipped and still verify."""
    leaves = leaf_hashes_of(LEAVES)
    parts = [leaves[5], *inclusion_proof(leaves, 5), root_of(leaves)]
    for place, part in enumerate(parts):
        for bit in range(256):
            flipped = list(parts)
            flipped[place] = (int.from_bytes(part, "big") ^ 1 << bit).to_bytes(32, "big")
            with pytest.raises(ProofError, match="does not lead to the root"):
                verify_inclusion(flipped[0], 5, 8, flipped[1:-1], flipped[-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 8), (8, 8), (5, 0), (5, -8), (0, MAX_TREE_SIZE + 1)], ids=str)
def test_places_outside_are_refused(index: int, size: int) -> None:
    """An index or a size that no tree has is refused as a wrong proof, not as a crash."""
    leaves = leaf_hashes_of(LEAVES)
    with pytest.raises(ProofError):
        verify_inclusion(leaves[5], index, size, inclusion_proof(leaves, 5), root_of(leaves))


BEYOND = "negative or beyond 63 bits"


def test_an_index_is_never_negative() -> None:
    """Promise 3: -1 has the bits of the last leaf of a full tree, whose path would lead to the root."""
    leaves = leaf_hashes_of(LEAVES)
    with pytest.raises(ProofError, match=BEYOND):
        verify_inclusion(leaves[7], -1, 8, inclusion_proof(leaves, 7), root_of(leaves))


def test_the_largest_tree() -> None:
    """Promise 3: a leaf of the largest tree is proven, and none of a tree that is larger by one."""
    leaf, *siblings = (sha256(bytes([place])).digest() for place in range(64))
    root = leaf
    for sibling in siblings:
        root = node_hash(root, sibling)
    verify_inclusion(leaf, 0, MAX_TREE_SIZE, siblings, root)
    with pytest.raises(ProofError, match=BEYOND):
        verify_inclusion(leaf, 0, MAX_TREE_SIZE + 1, siblings, root)


@pytest.mark.parametrize("sizes", [(-1, 8), (-2, -1), (5, MAX_TREE_SIZE + 1)], ids=str)
def test_sizes_that_no_tree_has_are_refused(sizes: tuple[int, int]) -> None:
    """Promise 4: no consistency is proven of a size that no tree has."""
    leaves = leaf_hashes_of(LEAVES)
    with pytest.raises(ProofError, match=BEYOND):
        verify_consistency(*sizes, consistency_proof(leaves, 5), root_of(leaves[:5]), root_of(leaves))


def test_bytes_never_move_from_one_hash_to_its_neighbour() -> None:
    """Promise 3: two hashes of 33 and 31 bytes have the node of two of 32; whichever is odd, it is refused."""
    left, right = leaf_hashes_of(LEAVES[:2])
    root = root_of([left, right])
    verify_inclusion(left, 0, 2, [right], root)
    odd = [(left + right[:1], [right[1:]], root), (left, [right[:31]], root), (left[:31], [left[31:] + right], root)]
    for leaf, proof, top in [
        *odd,
        (left[:31], [right], root),
        (left + b"\0", [right], root),
        (left, [right], root[:31]),
        (left, [right], root + b"\0"),
    ]:
        with pytest.raises(ProofError, match="not 32 bytes"):
            verify_inclusion(leaf, 0, 2, proof, top)
    leaves = leaf_hashes_of(LEAVES)
    proof, old_root, new_root = consistency_proof(leaves, 5), root_of(leaves[:5]), root_of(leaves)
    for place in range(len(proof)):
        with pytest.raises(ProofError, match="not 32 bytes"):
            verify_consistency(5, 8, [*proof[:place], proof[place][:31], *proof[place + 1 :]], old_root, new_root)
    for roots in ((old_root[:31], new_root), (old_root, new_root[:31])):
        with pytest.raises(ProofError, match="not 32 bytes"):
            verify_consistency(5, 8, proof, *roots)


def test_a_path_is_exactly_as_long_as_the_tree_is_high() -> None:
    """Promise 3: an index beyond the tree has the path of another leaf, and a longer path leads to a larger tree's root."""
    leaves = leaf_hashes_of(LEAVES)
    root, pair = root_of(leaves), root_of(leaves[:2])
    with pytest.raises(ProofError, match="outside of the tree"):
        verify_inclusion(leaves[0], 8, 8, inclusion_proof(leaves, 0), root)
    with pytest.raises(ProofError, match="longer than"):
        verify_inclusion(leaves[1], 0, 1, [leaves[0]], pair)
    with pytest.raises(ProofError, match="shorter than"):
        verify_inclusion(pair, 0, 8, inclusion_proof(leaves, 0)[1:], root)


def test_a_consistency_proof_is_exactly_as_long_as_the_trees_are_high() -> None:
    """Promise 4: one node more or fewer is named, whatever the roots are."""
    leaves = leaf_hashes_of(LEAVES)
    proof, old_root, new_root = consistency_proof(leaves, 5), root_of(leaves[:5]), root_of(leaves)
    for wrong, why in (([*proof, old_root], "too long"), (proof[:-1], "too short"), ([], "is empty")):
        with pytest.raises(ProofError, match=why):
            verify_consistency(5, 8, wrong, old_root, new_root)
    for size, root in ((0, EMPTY_ROOT), (8, new_root)):
        with pytest.raises(ProofError, match="too long"):
            verify_consistency(size, 8, [old_root], root, new_root)
    for roots, why in (((new_root, new_root), "older root"), ((old_root, old_root), "newer root")):
        with pytest.raises(ProofError, match=why):
            verify_consistency(5, 8, proof, *roots)
    with pytest.raises(ProofError, match="empty tree"):
        verify_consistency(0, 8, [], old_root, new_root)
    with pytest.raises(ProofError, match="different roots"):
        verify_consistency(8, 8, [], old_root, new_root)


def test_every_pair_of_sizes() -> None:
    """Promise 4: of all trees up to 33 leaves, each begins with every smaller one, and every leaf is in it."""
    leaves = leaf_hashes_of([bytes([number]) for number in range(33)])
    roots = [root_of(leaves[:size]) for size in range(34)]
    for size in range(1, 34):
        for smaller in range(size):
            verify_inclusion(leaves[smaller], smaller, size, inclusion_proof(leaves[:size], smaller), roots[size])
            proof = consistency_proof(leaves[:size], smaller)
            verify_consistency(smaller, size, proof, roots[smaller], roots[size])


def test_shrinking_is_refused() -> None:
    """A newer head that is smaller than the older is refused: a log never shrinks."""
    leaves = leaf_hashes_of(LEAVES)
    with pytest.raises(ProofError, match="larger"):
        verify_consistency(8, 7, [], root_of(leaves), root_of(leaves[:7]))


def test_odd_hashes_are_refused() -> None:
    """Hashes of another length are refused wherever they come from."""
    leaves = leaf_hashes_of(LEAVES)
    with pytest.raises(ProofError):
        verify_inclusion(leaves[0], 0, 2, [leaves[1][:31]], root_of(leaves[:2]))
    with pytest.raises(UnusableProof):
        split_hashes(b"x" * 33)
    with pytest.raises(UnusableProof):
        CompactRange(3, [leaves[0]])
    with pytest.raises(ProofError):
        RunTree(CompactRange(), leaves).inclusion_path(8)
    with pytest.raises(ProofError):
        consistency_proof(leaves, 9)


def test_leaves_and_nodes_never_meet() -> None:
    """A leaf over two hashes is not the node over them: else an inner node could pass for an entry."""
    left, right = leaf_hashes_of(LEAVES[:2])
    assert root_of([left, right]) != leaf_hash(left + right)
