"""Proofs out of parts of a tree are the very proofs that the whole tree gives, at every size."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.evidence.grown_trees import GrownTree, consistency_path, cover_from, hash_between, hashes_beyond
from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.merkle import verify_consistency, verify_inclusion
from shared.evidence.ranges import CompactRange, consistency_proof, inclusion_proof, root_of

LEAVES = [sha256(b"%d" % index).digest() for index in range(140)]


def range_at(size: int) -> CompactRange:
    held = CompactRange()
    held.extend(LEAVES[:size])
    return held


def leaf_at(index: int) -> bytes:
    return LEAVES[index]


def test_a_subtree_is_the_tree_over_its_leaves() -> None:
    """Every subtree that any path needs comes out as if it were built from its own leaves."""
    for size in (1, 2, 3, 7, 8, 13, 64, 100):
        for start in range(size):
            for low, high in cover_from(start, size):
                assert root_of(LEAVES[low:high]) == hash_between(low, high, range_at, leaf_at)


def test_a_cover_has_every_index_once_and_is_short() -> None:
    """The subtrees beyond a size are neighbours, reach to the end, and are few."""
    for size in range(1, 130):
        for start in range(size + 1):
            covered = [index for low, high in cover_from(start, size) for index in range(low, high)]
            assert list(range(start, size)) == covered
            assert len(cover_from(start, size)) <= size.bit_length()


@given(st.integers(1, 140), st.data())
def test_paths_are_those_of_the_whole_tree(size: int, data: st.DataObject) -> None:
    """Inclusion and consistency out of a run and what lies beyond it, byte for byte."""
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first + 1, size))
    tree = GrownTree(range_at(first), LEAVES[first:end], hashes_beyond(end, size, range_at, leaf_at), size)
    root = root_of(LEAVES[:size])
    assert root == tree.root()
    for index in range(first, end):
        path = tree.inclusion_path(index)
        assert inclusion_proof(LEAVES[:size], index) == path
        verify_inclusion(LEAVES[index], index, size, path, root)
    proof = consistency_path(first, size, range_at, leaf_at)
    assert consistency_proof(LEAVES[:size], first) == proof
    verify_consistency(first, size, proof, root_of(LEAVES[:first]), root)


def test_what_does_not_fit_is_refused() -> None:
    """Hashes too many or too few, an index elsewhere, sizes the wrong way round."""
    with pytest.raises(UnusableProof):
        GrownTree(range_at(3), LEAVES[3:5], [LEAVES[0]] * 9, 8)
    with pytest.raises(UnusableProof):
        GrownTree(range_at(3), LEAVES[3:5], [], 4)
    tree = GrownTree(range_at(3), LEAVES[3:5], hashes_beyond(5, 8, range_at, leaf_at), 8)
    for index in (2, 5):
        with pytest.raises(ProofError):
            tree.inclusion_path(index)
    with pytest.raises(ProofError):
        consistency_path(5, 4, range_at, leaf_at)
