"""Proofs to any head of a log that this node holds, its own or a copy, read out of some twenty of its runs.

Each run is kept with the subtrees that cover the log before it, so that a log of millions of entries is never read to
prove one of them (shared.evidence.grown_trees).
"""

from __future__ import annotations

from collections.abc import Sequence

from regulator_node.log import log_size, read_checkpoint
from regulator_node.stored_runs import acknowledgement_of, read_receipt
from regulator_node.witness import read_cosigned
from shared.database import Transaction
from shared.errors import InvalidInput, NotFound, Violation
from shared.evidence import grown_trees
from shared.evidence.forks import TreeParts, parts_needed
from shared.evidence.hashing import HASH_SIZE
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import Finality
from shared.pb.filingnet.network.v1 import evidence_pb2


class StoredTree:
    """The tree of one log as it is stored; what was read is kept for further questions.

    Args:
        transaction: a read.
        jurisdiction: whose log.
    """

    def __init__(self, transaction: Transaction, jurisdiction: str) -> None:
        self._transaction = transaction
        self._jurisdiction = jurisdiction
        self._runs: dict[int, evidence_pb2.Acknowledgement] = {}
        self._known: dict[tuple[int, int], bytes] = {}

    def beyond(self, start: int, size: int) -> list[bytes]:
        """Returns the roots of the subtrees that cover the log of a size from an index on, 32 bytes each."""
        return [self._hash(low, high) for low, high in grown_trees.cover_from(start, size)]

    def consistency_path(self, old_size: int, size: int) -> list[bytes]:
        """Returns the consistency proof between two sizes (RFC 9162, 2.1.4).

        Raises:
            InvalidInput: SIZE_AHEAD, the older size is larger than the newer.
        """
        if old_size > size:
            mend = "give the size of a checkpoint that this log had before"
            violation = Violation("old_size", "SIZE_AHEAD", mend)
            raise InvalidInput(f"the log has {size} entries, fewer than that: {mend}", "SIZE_AHEAD", [violation])
        return grown_trees.consistency_path(old_size, size, self.range_at, self._leaf)

    def root_of(self, start: int, end: int) -> bytes:
        """Returns the root of one subtree of the log, 32 bytes.

        Args:
            start: index of its first leaf.
            end: index after its last.

        Raises:
            NotFound: LOG_INDEX_UNKNOWN, no run covers it.
        """
        return self._hash(start, end)

    def parts_at(self, size: int, whole: int) -> TreeParts:
        """Returns the subtrees that cover the log of one size up to a smaller one, and from there on."""
        before, beyond = parts_needed(size, whole)
        return TreeParts(tuple(self._hash(*each) for each in before), tuple(self._hash(*each) for each in beyond))

    def root_at(self, size: int) -> bytes:
        """Returns the root that the log had with so many entries, 32 bytes."""
        return self.range_at(size).root()

    def _hash(self, low: int, high: int) -> bytes:
        if (low, high) not in self._known:
            self._known[low, high] = grown_trees.hash_between(low, high, self.range_at, self._leaf)
        return self._known[low, high]

    def range_at(self, size: int) -> CompactRange:
        """Returns the compact range of the log with so many entries."""
        if not size:
            return CompactRange()
        run = self._run(size - 1)
        held = CompactRange.from_bytes(run.first_index, run.before)
        leaves = run.leaf_hashes[: (size - run.first_index) * HASH_SIZE]
        held.extend([leaves[start : start + HASH_SIZE] for start in range(0, len(leaves), HASH_SIZE)])
        return held

    def _leaf(self, index: int) -> bytes:
        run = self._run(index)
        start = (index - run.first_index) * HASH_SIZE
        return run.leaf_hashes[start : start + HASH_SIZE]

    def _run(self, index: int) -> evidence_pb2.Acknowledgement:
        for first, run in self._runs.items():
            if first <= index < first + len(run.leaf_hashes) // HASH_SIZE:
                return run
        first, _, acknowledgement = acknowledgement_of(self._transaction, self._jurisdiction, index)
        self._runs[first] = evidence_pb2.Acknowledgement.FromString(acknowledgement)
        return self._runs[first]


def prove_final(
    transaction: Transaction, jurisdiction: str, sizes: Sequence[int]
) -> tuple[bytes, dict[int, list[bytes]]]:
    """Proves that what the log held at some sizes lies below its newest cosigned checkpoint.

    Args:
        transaction: a read.
        jurisdiction: whose log.
        sizes: of the log, each the end of a run.

    Returns:
        The checkpoint, and for each size the roots beyond it.

    Raises:
        NotFound: NOT_COSIGNED_YET, no other regulator has cosigned the log as far as that.
    """
    size, checkpoint = read_cosigned(transaction, jurisdiction)
    if max(sizes) > size:
        raise NotFound(
            f"the log of {jurisdiction} is cosigned up to {size} entries only: ask again when the filing is FINAL",
            "NOT_COSIGNED_YET",
        )
    tree = StoredTree(transaction, jurisdiction)
    return checkpoint, {each: tree.beyond(each, size) for each in sizes}


def read_best_receipt(transaction: Transaction, jurisdiction: str, log_index: int) -> bytes:
    """Builds the receipt of one entry that proves the most: with cosignatures once the entry is final.

    Raises:
        NotFound: LOG_INDEX_UNKNOWN.
    """
    size, checkpoint = read_cosigned(transaction, jurisdiction)
    if log_index >= size:
        return read_receipt(transaction, jurisdiction, log_index)
    first, count, _ = acknowledgement_of(transaction, jurisdiction, log_index)
    # A cosigned checkpoint is one that the log had, and so never ends within a run.
    beyond = StoredTree(transaction, jurisdiction).beyond(first + count, size)
    return read_receipt(transaction, jurisdiction, log_index, Finality(checkpoint, size, beyond))


def read_head(
    transaction: Transaction, jurisdiction: str, old_size: int, *, cosigned: bool = False
) -> tuple[int, bytes, list[bytes]]:
    """Reads a signed head of a log with the proof that it continues an older one.

    Args:
        transaction: a read.
        jurisdiction: whose log.
        old_size: size of the older one; 0 for no proof.
        cosigned: whether the newest cosigned one is wanted instead of the newest; where they are of one size, that is
            the one that is returned.

    Returns:
        Size, signed note and consistency path.

    Raises:
        NotFound: LOG_UNKNOWN, nothing of that log is held; NOT_COSIGNED_YET.
        InvalidInput: SIZE_AHEAD, the older one is larger.
    """
    size, checkpoint = log_size(transaction, jurisdiction), read_checkpoint(transaction, jurisdiction)
    if not checkpoint:
        raise NotFound(f"nothing of the log of {jurisdiction} is held here: ask its regulator", "LOG_UNKNOWN")
    cosigned_size, cosigned_checkpoint = read_cosigned(transaction, jurisdiction)
    if cosigned and not cosigned_checkpoint:
        raise NotFound(f"no other regulator has cosigned the log of {jurisdiction} yet: ask again", "NOT_COSIGNED_YET")
    if cosigned or (cosigned_checkpoint and cosigned_size == size):
        size, checkpoint = cosigned_size, cosigned_checkpoint
    path = StoredTree(transaction, jurisdiction).consistency_path(old_size, size) if old_size else []
    return size, checkpoint, path
