"""Hashes of ranges of a log that is held here, by which two nodes find where what they hold differs.

They are read in one of two ways. What was acknowledged follows from the runs, a few reads for any range: that is the tree
that the regulator signed. What is stored follows from the bytes of the entries themselves, all of which are read: that is
what an edit of a file changes and no signature shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from regulator_node.log import log_size
from regulator_node.log_proofs import StoredTree
from shared.database import Transaction
from shared.errors import InvalidInput, Violation
from shared.evidence.hashing import HASH_SIZE, leaf_hashes_of
from shared.evidence.ranges import root_of
from shared.range_roots import MAX_ENTRIES, Range

NOTHING = bytes(HASH_SIZE)
"""Stands for the leaf hash of an entry that is missing."""


def read_range_roots(
    transaction: Transaction, jurisdiction: str, ranges: Sequence[Range], *, from_entries: bool
) -> list[bytes]:
    """Reads the hash of each range.

    Args:
        transaction: a read.
        jurisdiction: whose log.
        ranges: subtrees of the log's tree.
        from_entries: computed anew from stored bytes, instead of from what was acknowledged.

    Returns:
        32 bytes for each.

    Raises:
        InvalidInput: RANGE_WRONG, a range is none of this log's; too many entries are to be read.
        NotFound: LOG_INDEX_UNKNOWN, no run covers an index, because the log is damaged.
    """
    size = log_size(transaction, jurisdiction)
    for place, (start, end) in enumerate(ranges):
        if not start < end <= size or start % (1 << (end - start - 1).bit_length()):
            raise _wrong(f"ranges[{place}]", "give ranges within the log that are subtrees of its tree")
    if not from_entries:
        tree = StoredTree(transaction, jurisdiction)
        return [tree.root_of(start, end) for start, end in ranges]
    if sum(end - start for start, end in ranges) > MAX_ENTRIES:
        raise _wrong("ranges", f"have hashes of at most {MAX_ENTRIES:,} entries computed in one call")
    return [root_of(stored_leaves(transaction, jurisdiction, start, end)) for start, end in ranges]


def stored_leaves(transaction: Transaction, jurisdiction: str, start: int, end: int) -> list[bytes]:
    """Computes the leaf hashes of a range from the entries' stored bytes; `NOTHING` for each that is missing."""
    rows = transaction.execute(
        "SELECT log_index, entry FROM log_entry WHERE jurisdiction = ? AND log_index >= ? AND log_index < ?",
        (jurisdiction, start, end),
    )
    leaves = [NOTHING] * (end - start)
    for (index, _), leaf in zip(rows, leaf_hashes_of(bytes(entry) for _, entry in rows), strict=True):
        leaves[index - start] = leaf
    return leaves


def _wrong(field: str, mend: str) -> InvalidInput:
    return InvalidInput(
        f"no hash is read for that range: {mend}", "RANGE_WRONG", [Violation(field, "RANGE_WRONG", mend)]
    )
