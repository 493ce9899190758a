"""Compact ranges and the proofs that follow from them, made without a whole log at hand.

A log of millions of entries is never rebuilt. What is kept of it is a compact range: the roots of the perfect subtrees
that cover it, at most 63 hashes. From the range before a run of new entries and the run's leaf hashes follow the new
root, every new entry's inclusion path and the consistency proof between the two sizes; `RunTree` holds these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from shared.evidence.hashing import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_TREE_SIZE,
    NODE_PREFIX,
    ProofError,
    UnusableProof,
    node_hash,
    split_hashes,
)


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Computes the Merkle tree hash over leaf hashes (RFC 6962, 2.1).

    Args:
        leaf_hashes: 32 bytes each, in order; none for the empty tree.

    Returns:
        The root, 32 bytes.
    """
    return _fold(_grow(0, [], leaf_hashes)[1])


def _fold(peaks: Sequence[bytes]) -> bytes:
    # The right edge of an RFC 6962 tree: smaller subtrees are joined first.
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


_Levels = list[tuple[int, list[bytes]]]


def _grow(size: int, peaks: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> tuple[_Levels, list[bytes]]:
    # Builds what new leaves add, level by level from the bottom: per level the position of the first known node and the
    # nodes, and the peaks after. An odd start means that a peak of this very height waits for its right neighbour.
    sha, prefix = sha256, NODE_PREFIX
    kept, loose, levels = list(peaks), [], []
    start, nodes = size, list(leaf_hashes)
    while nodes:
        if start & 1:
            nodes.insert(0, kept.pop())
            start -= 1
        levels.append((start, nodes))
        if len(nodes) & 1:
            loose.append(nodes[-1])
        # strict=False drops the last node of an odd level: it has no neighbour yet.
        nodes = [sha(prefix + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=False)]
        start >>= 1
    return levels, kept + loose[::-1]


class CompactRange:
    """What has to be kept of a tree to let it grow: the roots of its perfect subtrees, largest first."""

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Takes a range over the first `size` leaves of a tree.

        Args:
            size: number of leaves.
            hashes: roots of the perfect subtrees, largest first, 32 bytes each: one for each bit set in size.

        Raises:
            UnusableProof: the hashes do not fit the size.
        """
        if not 0 <= size <= MAX_TREE_SIZE:
            raise UnusableProof("The size of a tree is negative or beyond 63 bits; fetch the proof again.")
        if len(hashes) != size.bit_count() or any(len(node) != HASH_SIZE for node in hashes):
            raise UnusableProof("The subtree roots given do not fit the size of the tree; fetch the proof again.")
        self._size = size
        self._hashes = list(hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> CompactRange:
        """Reads what `to_bytes` wrote.

        Args:
            size: number of leaves.
            data: the hashes one after the other, 32 bytes each, largest subtree first.

        Raises:
            UnusableProof: the hashes do not fit the size.
        """
        return cls(size, split_hashes(data))

    def to_bytes(self) -> bytes:
        """Returns the hashes one after the other, 32 bytes each, largest subtree first; the size is kept beside it."""
        return b"".join(self._hashes)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Roots of the perfect subtrees, largest first, 32 bytes each."""
        return tuple(self._hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Adds one leaf at the end, in place.

        Args:
            leaf_hash: 32 bytes.
        """
        self.extend([leaf_hash])

    def extend(self, leaf_hashes: Sequence[bytes]) -> None:
        """Adds leaves at the end, in place.

        Args:
            leaf_hashes: 32 bytes each, in order.
        """
        self._hashes = _grow(self._size, self._hashes, leaf_hashes)[1]
        self._size += len(leaf_hashes)

    def root(self) -> bytes:
        """Returns the tree's root, 32 bytes."""
        return _fold(self._hashes)

    def copy(self) -> CompactRange:
        """Returns a range that grows apart from this one."""
        return CompactRange(self._size, self._hashes)

    def __eq__(self, other: object) -> bool:
        """Compares size and hashes."""
        if not isinstance(other, CompactRange):
            return NotImplemented
        return self._size == other._size and self._hashes == other._hashes

    __hash__ = None  # type: ignore[assignment]  # it grows in place

    def __repr__(self) -> str:
        """Names the size only: hashes say nothing to people."""
        return f"CompactRange(size={self._size})"


class RunTree:
    """The part of a tree that a run of new leaves made, with every path that starts in it."""

    __slots__ = ("_first_index", "_levels", "_peaks", "size")

    def __init__(self, before: CompactRange, leaf_hashes: Sequence[bytes]) -> None:
        """Builds the part of the tree.

        Args:
            before: the tree before the run; it is not changed.
            leaf_hashes: the run's leaves, 32 bytes each, in order.
        """
        self._first_index = before.size
        self.size = before.size + len(leaf_hashes)
        self._levels, self._peaks = _grow(before.size, before.hashes, leaf_hashes)

    def root(self) -> bytes:
        """Returns the root of the tree after the run, 32 bytes."""
        return _fold(self._peaks)

    def inclusion_path(self, index: int) -> list[bytes]:
        """Returns the inclusion path of a leaf of the run in the tree after it (RFC 9162, 2.1.3).

        Args:
            index: the leaf's index in the whole tree.

        Returns:
            Hashes from the leaf's sibling to below the root, 32 bytes each.

        Raises:
            ProofError: the leaf is not in the run.
        """
        if not self._first_index <= index < self.size:
            raise ProofError("The entry asked for lies outside of the run; use the acknowledgement that covers it.")
        return self._path(0, index)

    def consistency_path(self) -> list[bytes]:
        """Returns the consistency proof from the tree before the run to the tree after it (RFC 9162, 2.1.4).

        Returns:
            Hashes, 32 bytes each; none when either tree is empty or both are the same.
        """
        old_size = self._first_index
        if old_size in (0, self.size):
            return []
        height = (old_size & -old_size).bit_length() - 1
        position = (old_size >> height) - 1
        path = self._path(height, position)
        if old_size & (old_size - 1) == 0:
            return path
        return [self._node(height, position), *path]

    def _node(self, height: int, position: int) -> bytes:
        for peak_height, first_leaf, peak in self._placed_peaks():
            if peak_height == height and first_leaf >> height == position:
                return peak
        start, nodes = self._levels[height]
        return nodes[position - start]

    def _placed_peaks(self) -> Iterator[tuple[int, int, bytes]]:
        first_leaf = 0
        for peak in self._peaks:
            height = (self.size - first_leaf).bit_length() - 1
            yield height, first_leaf, peak
            first_leaf += 1 << height

    def _path(self, height: int, position: int) -> list[bytes]:
        # Siblings up to the peak over the node, then the smaller peaks as one, then the larger ones, nearest first.
        leaf = position << height
        place, peak_height = next(
            (place, peak_height)
            for place, (peak_height, first_leaf, _) in enumerate(self._placed_peaks())
            if leaf < first_leaf + (1 << peak_height)
        )
        path = []
        for level in range(height, peak_height):
            start, nodes = self._levels[level]
            path.append(nodes[(position ^ 1) - start])
            position >>= 1
        smaller = self._peaks[place + 1 :]
        if smaller:
            path.append(_fold(smaller))
        path.extend(reversed(self._peaks[:place]))
        return path


def range_inclusion_proof(before: bytes, first_index: int, leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Makes the inclusion path of one entry out of an acknowledgement's content alone.

    Args:
        before: roots of the perfect subtrees over the first `first_index` leaves, largest first, 32 bytes each.
        first_index: index of the run's first leaf, and the size of the tree before it.
        leaf_hashes: the run's leaves, 32 bytes each, in order.
        index: the entry's index in the whole tree, within the run.

    Returns:
        The path in the tree of size first_index + len(leaf_hashes), 32 bytes each.

    Raises:
        ProofError: the index lies outside of the run, or before does not fit first_index.
    """
    return RunTree(CompactRange.from_bytes(first_index, before), leaf_hashes).inclusion_path(index)


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Makes the inclusion path of a leaf in a tree that is at hand whole (RFC 9162, 2.1.3).

    Args:
        leaf_hashes: all leaves, 32 bytes each.
        index: the leaf's index.

    Returns:
        The path, 32 bytes each.

    Raises:
        ProofError: the index lies outside of the tree.
    """
    return RunTree(CompactRange(), leaf_hashes).inclusion_path(index)


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Makes the proof that a tree begins with its first `old_size` leaves (RFC 9162, 2.1.4).

    Args:
        leaf_hashes: all leaves of the newer tree, 32 bytes each.
        old_size: size of the older tree.

    Returns:
        The proof, 32 bytes each.

    Raises:
        ProofError: the older tree is larger than the newer.
    """
    if not 0 <= old_size <= len(leaf_hashes):
        raise ProofError("The older size lies outside of the tree; give a size between 0 and the tree's.")
    before = CompactRange()
    before.extend(leaf_hashes[:old_size])
    return RunTree(before, leaf_hashes[old_size:]).consistency_path()
