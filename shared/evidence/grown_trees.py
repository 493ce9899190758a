"""Proofs about a tree of which only parts are at hand: a run of leaves, what came before it, and what came after.

A log of millions of entries is never read whole to prove one of them. The subtrees that cover a log before a run are kept
with the run; those that cover it from there on are few as well, and each follows from the compact range just before its
last leaf, because all left neighbours of that leaf's way up are peaks of that range. So whoever keeps the runs of a log
can prove any entry to any later head by reading some twenty of them (`hash_between`, `cover_from`); and whoever got the
few hashes beyond a run can make the paths of all of its entries (`GrownTree`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from shared.evidence.hashing import ProofError, UnusableProof, node_hash
from shared.evidence.ranges import CompactRange

ReadRange = Callable[[int], CompactRange]
"""Reads the compact range of a log at a size."""

ReadLeaf = Callable[[int], bytes]
"""Reads the leaf hash of an entry by its index."""

_MOST_HASHES: Final = 127


def cover_from(start: int, size: int) -> list[tuple[int, int]]:
    """Returns the subtrees that cover a tree from an index on, in order, each as first index and end (exclusive).

    Args:
        start: from where on, at most size.
        size: number of leaves of the tree.
    """
    return list(_cover(0, size, start))


def _cover(low: int, high: int, start: int) -> Iterator[tuple[int, int]]:
    if start >= high:
        return
    if low >= start:
        yield low, high
        return
    middle = low + _split(high - low)
    yield from _cover(low, middle, start)
    yield from _cover(middle, high, start)


def hash_between(start: int, end: int, read_range: ReadRange, read_leaf: ReadLeaf) -> bytes:
    """Computes the root of one subtree of a log out of what is kept with its runs.

    Args:
        start: index of its first leaf.
        end: index after its last; the subtree is one of a tree of this log (RFC 6962, 2.1).
        read_range: reads the compact range at a size.
        read_leaf: reads a leaf hash.

    Returns:
        The root, 32 bytes.
    """
    before = read_range(end - 1)
    root = read_leaf(end - 1)
    place = before.size
    for peak in reversed(before.hashes):
        # The smallest peak is as wide as the lowest bit that is set in the size up to it.
        place -= place & -place
        if place < start:
            break
        root = node_hash(peak, root)
    return root


def hashes_beyond(start: int, size: int, read_range: ReadRange, read_leaf: ReadLeaf) -> list[bytes]:
    """Computes the roots of the subtrees that cover a log from an index on; see `cover_from`."""
    return [hash_between(low, high, read_range, read_leaf) for low, high in cover_from(start, size)]


def consistency_path(old_size: int, size: int, read_range: ReadRange, read_leaf: ReadLeaf) -> list[bytes]:
    """Makes the consistency proof between two sizes of a log out of what is kept with its runs (RFC 9162, 2.1.4).

    Args:
        old_size: the older size.
        size: the newer one.
        read_range: reads the compact range at a size.
        read_leaf: reads a leaf hash.

    Returns:
        The proof, 32 bytes each; none where one is empty or both are the same.

    Raises:
        ProofError: the older size is the larger one.
    """
    if not 0 <= old_size <= size:
        raise ProofError("The older size lies outside of the tree; give a size between 0 and the tree's.")
    if old_size in (0, size):
        return []
    tree = GrownTree(read_range(old_size), (), hashes_beyond(old_size, size, read_range, read_leaf), size)
    return tree.consistency_path()


class GrownTree:
    """A tree that grew around a run of leaves, with the paths that start in the run.

    Args:
        before: the tree before the run.
        leaf_hashes: the run's leaves, 32 bytes each, in order; none to prove consistency alone.
        beyond: roots of the subtrees that cover the tree from the end of the run on; see `cover_from`.
        size: number of leaves of the tree.

    Raises:
        UnusableProof: the hashes do not fit the size.
    """

    def __init__(self, before: CompactRange, leaf_hashes: Sequence[bytes], beyond: Sequence[bytes], size: int) -> None:
        end = before.size + len(leaf_hashes)
        places = cover_from(end, size) if end <= size else []
        if end > size or len(places) != len(beyond) or len(beyond) > _MOST_HASHES:
            raise UnusableProof("The hashes given do not fit the size of the tree; fetch the proof again.")
        self._known = dict(zip(places, beyond, strict=True))
        place = 0
        for peak in before.hashes:
            width = _largest_power(before.size - place)
            self._known[place, place + width] = peak
            place += width
        for index, leaf in enumerate(leaf_hashes, before.size):
            self._known[index, index + 1] = leaf
        self._first, self._end, self.size = before.size, end, size

    def root(self) -> bytes:
        """Returns the root of the tree, 32 bytes."""
        return self._hash(0, self.size)

    def inclusion_path(self, index: int) -> list[bytes]:
        """Returns the inclusion path of a leaf of the run (RFC 9162, 2.1.3), from its sibling upwards.

        Raises:
            ProofError: the leaf is not in the run.
        """
        if not self._first <= index < self._end:
            raise ProofError("The entry asked for lies outside of the run; use the acknowledgement that covers it.")
        path, low, high = [], 0, self.size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        return path[::-1]

    def consistency_path(self) -> list[bytes]:
        """Returns the proof that the tree continues the one before the run (RFC 9162, 2.1.4)."""
        path, low, high, whole = [], 0, self.size, True
        while high != self._first:
            middle = low + _split(high - low)
            if self._first <= middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low, whole = middle, False
        # A perfect older tree that begins at the first leaf is the older root itself, which the other side has.
        if not whole:
            path.append(self._hash(low, high))
        return path[::-1]

    def _hash(self, low: int, high: int) -> bytes:
        known = self._known.get((low, high))
        if known is None:
            if high - low <= 1:
                raise ProofError("A part of the tree is not at hand; fetch the proof again.")
            middle = low + _split(high - low)
            known = self._known[low, high] = node_hash(self._hash(low, middle), self._hash(middle, high))
        return known


def _largest_power(width: int) -> int:
    """Returns the largest power of two that is not larger."""
    return 1 << (width.bit_length() - 1)


def _split(width: int) -> int:
    """Returns the largest power of two that is smaller: how many leaves the left half of a tree has."""
    return 1 << ((width - 1).bit_length() - 1)
