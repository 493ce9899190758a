"""Receipts out of what the node kept: with the cosignatures of other regulators once a filing is final.

What the regulator acknowledged is kept with every run. That a run lies below a cosigned checkpoint is proven by the few
hashes that its regulator gave for it (`finality`), which are kept too: so nobody has to be asked, and nothing is lost if
the regulator loses everything.
"""

from __future__ import annotations

import uuid

from shared.database import Transaction
from shared.delivery.outbox import OutboxState
from shared.errors import NotFound
from shared.evidence.hashing import split_hashes
from shared.evidence.receipts import Finality, build_receipt

_SELECT = (
    "SELECT o.entry, o.log_index, o.batch_index, d.acknowledgement, b.header, b.signature, b.leaf_hashes,"
    " f.size, f.checkpoint, f.beyond FROM outbox o"
    " JOIN delivered_run d ON d.destination = o.destination AND d.first_index = o.run_first_index"
    " JOIN sent_batch b ON b.destination = o.destination AND b.batch_id = o.batch_id"
    " LEFT JOIN final_run f ON f.destination = o.destination AND f.first_index = o.run_first_index"
)


def receipt_of(transaction: Transaction, entry_id: str) -> tuple[bytes, bool]:
    """Builds the receipt of a delivered entry.

    Args:
        transaction: a read.
        entry_id: the entry, a UUID.

    Returns:
        A serialised Receipt, and whether it shows that the entry is final.

    Raises:
        NotFound: RECEIPT_UNKNOWN, the entry is unknown or not acknowledged yet.
    """
    rows = transaction.execute(
        f"{_SELECT} WHERE o.entry_id = ? AND o.state = ?", (str(uuid.UUID(entry_id)), OutboxState.DELIVERED)
    )
    if not rows:
        raise NotFound("there is no receipt for this filing yet: it was not acknowledged", "RECEIPT_UNKNOWN")
    entry, log_index, batch_index, acknowledgement, header, signature, leaf_hashes, size, checkpoint, beyond = rows[0]
    finality = None if size is None else Finality(bytes(checkpoint), size, split_hashes(bytes(beyond)))
    receipt = build_receipt(
        acknowledgement=bytes(acknowledgement),
        entry=bytes(entry),
        log_index=log_index,
        batch_header=bytes(header),
        batch_signature=bytes(signature),
        batch_leaf_hashes=bytes(leaf_hashes),
        batch_index=batch_index,
        finality=finality,
    )
    return receipt, finality is not None
