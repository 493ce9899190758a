"""RFC 6962 Merkle trees: the checks of RFC 9162, and in one place everything else that concerns trees.

The checks are strict: a proof that is one node too long or too short, an index outside of the tree or a node that is
not 32 bytes is refused like a wrong hash. Every refusal is a `ProofError`. Hashes live in `hashing`, growing trees and
making proofs in `ranges`; both are offered here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.evidence.hashing import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_TREE_SIZE,
    ProofError,
    UnusableProof,
    leaf_hash,
    leaf_hashes_of,
    node_hash,
    split_hashes,
)
from shared.evidence.ranges import (
    CompactRange,
    RunTree,
    consistency_proof,
    inclusion_proof,
    range_inclusion_proof,
    root_of,
)

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "MAX_TREE_SIZE",
    "CompactRange",
    "ProofError",
    "RunTree",
    "UnusableProof",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "leaf_hashes_of",
    "node_hash",
    "range_inclusion_proof",
    "root_of",
    "split_hashes",
    "verify_consistency",
    "verify_inclusion",
]


def _check_nodes(sizes: Sequence[int], nodes: Iterable[bytes]) -> None:
    if any(not 0 <= size <= MAX_TREE_SIZE for size in sizes):
        raise ProofError("An index or a size in the proof is negative or beyond 63 bits.")
    if any(len(node) != HASH_SIZE for node in nodes):
        raise ProofError("A hash in the proof is not 32 bytes long.")


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Checks that a leaf is at an index of the tree with this size and root (RFC 9162, 2.1.3.2).

    Args:
        leaf_hash: the leaf, 32 bytes.
        index: its index, from 0.
        size: number of leaves of the tree.
        proof: the inclusion path, 32 bytes each, from the leaf's sibling upwards; of exactly the right length.
        root: root of the tree, 32 bytes.

    Raises:
        ProofError: it is not proven.
    """
    _check_nodes((index, size), (leaf_hash, root, *proof))
    if index >= size:
        raise ProofError("The index lies outside of the tree.")
    position, last, computed = index, size - 1, leaf_hash
    for node in proof:
        if last == 0:
            raise ProofError("The inclusion path is longer than the tree is high.")
        if position & 1 or position == last:
            computed = node_hash(node, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, node)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("The inclusion path is shorter than the tree is high.")
    if computed != root:
        raise ProofError("The inclusion path does not lead to the root of the tree.")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Checks that the newer tree begins with all of the older one (RFC 9162, 2.1.4.2).

    Every tree begins with the empty one: then the proof is empty and the older root the hash of nothing. Between trees
    of one size the proof is empty and the roots are equal.

    Args:
        old_size: number of leaves of the older tree.
        new_size: number of leaves of the newer tree.
        proof: the consistency proof, 32 bytes each, of exactly the right length.
        old_root: root of the older tree, 32 bytes.
        new_root: root of the newer tree, 32 bytes.

    Raises:
        ProofError: it is not proven.
    """
    _check_nodes((old_size, new_size), (old_root, new_root, *proof))
    if old_size > new_size:
        raise ProofError("The older tree is larger than the newer.")
    if old_size in (0, new_size):
        _verify_trivial_consistency(old_size, proof, old_root, new_root, same_size=old_size == new_size)
        return
    nodes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not proof:
        raise ProofError("The consistency proof is empty.")
    # Up to the largest perfect subtree that ends where the older tree ends.
    height = (old_size ^ (old_size - 1)).bit_length() - 1
    position, last = (old_size - 1) >> height, (new_size - 1) >> height
    old_computed = new_computed = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise ProofError("The consistency proof is too long.")
        if position & 1 or position == last:
            old_computed, new_computed = node_hash(node, old_computed), node_hash(node, new_computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_computed = node_hash(new_computed, node)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("The consistency proof is too short.")
    if old_computed != old_root:
        raise ProofError("The consistency proof does not lead to the older root.")
    if new_computed != new_root:
        raise ProofError("The consistency proof does not lead to the newer root.")


def _verify_trivial_consistency(
    old_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes, *, same_size: bool
) -> None:
    if proof:
        raise ProofError("The consistency proof is too long.")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofError("The older tree is empty but its root is not that of the empty tree.")
    if same_size and old_root != new_root:
        raise ProofError("Two trees of the same size have different roots.")
