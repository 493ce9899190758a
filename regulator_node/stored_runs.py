"""The runs of logs as they are stored: found by index, read as they are replicated, and made into receipts.

A run is stored with the acknowledgement that its sender got, so that all of this comes out the same for ever. The log
may be this regulator's or a copy of another's.
"""

from __future__ import annotations

from typing import Any

from regulator_node.disposed_entries import fill_disposed
from shared.database import Transaction
from shared.errors import NotFound
from shared.evidence.receipts import Finality, build_receipt
from shared.pb.filingnet.network.v1 import evidence_pb2


def acknowledgement_of(transaction: Transaction, jurisdiction: str, log_index: int) -> tuple[int, int, bytes]:
    """Finds the run that covers an index.

    Returns:
        The run's first index, its number of entries and its acknowledgement.

    Raises:
        NotFound when the index is not in the log.
    """
    rows = transaction.execute(
        "SELECT first_index, size, acknowledgement FROM run WHERE jurisdiction = ? AND first_index <= ?"
        " ORDER BY first_index DESC LIMIT 1",
        (jurisdiction, log_index),
    )
    if not rows or log_index >= rows[0][0] + rows[0][1]:
        raise NotFound(f"the log of {jurisdiction} has no entry {log_index}", "LOG_INDEX_UNKNOWN")
    return rows[0][0], rows[0][1], bytes(rows[0][2])


def filed_time_of(transaction: Transaction, jurisdiction: str, log_index: int) -> int:
    """Reads when an entry entered its log, in microseconds since 1970.

    Raises:
        NotFound when the index is not in the log.
    """
    first_index, _, _ = acknowledgement_of(transaction, jurisdiction, log_index)
    ((filed_time,),) = transaction.execute(
        "SELECT filed_time FROM run WHERE jurisdiction = ? AND first_index = ?", (jurisdiction, first_index)
    )
    return int(filed_time)


_RUN_COLUMNS = (
    "first_index, size, acknowledgement, batch_header, batch_signature, batch_leaf_hashes, batch_indexes, filed_time"
)


def read_runs(
    transaction: Transaction, jurisdiction: str, from_index: int, max_runs: int, max_bytes: int
) -> list[evidence_pb2.Run]:
    """Reads the runs from an index on, which is where a run begins, as they are replicated.

    Args:
        transaction: a read.
        jurisdiction: whose log.
        from_index: size of what the follower holds.
        max_runs: at most so many runs.
        max_bytes: no further run is begun once so many bytes of entries are read.

    Returns:
        The runs in order.
    """
    rows = transaction.execute(
        f"SELECT {_RUN_COLUMNS} FROM run WHERE jurisdiction = ? AND first_index >= ? ORDER BY first_index LIMIT ?",  # noqa: S608
        (jurisdiction, from_index, max_runs),
    )
    runs: list[evidence_pb2.Run] = []
    size = 0
    for row in rows:
        if runs and size >= max_bytes:
            break
        run = _run_from_row(transaction, jurisdiction, row)
        size += sum(map(len, run.entries)) + sum(each.ByteSize() for each in (*run.disposed, *run.certificates))
        runs.append(run)
    return runs


def _run_from_row(transaction: Transaction, jurisdiction: str, row: tuple[Any, ...]) -> evidence_pb2.Run:
    first_index, size, acknowledgement, header, signature, leaf_hashes, indexes, filed_time = row
    acknowledged = evidence_pb2.Acknowledgement.FromString(acknowledgement)
    run = evidence_pb2.Run(jurisdiction=jurisdiction, first_index=first_index, checkpoint=acknowledged.checkpoint)
    run.filed_time.FromMicroseconds(filed_time)
    run.batch.signed_header.header = header
    run.batch.signed_header.signature = signature
    run.batch.leaf_hashes = acknowledged.leaf_hashes if leaf_hashes is None else leaf_hashes
    if indexes is not None:
        run.batch_indexes.extend(_unpack_indexes(indexes))
    run.entries.extend(
        bytes(entry)
        for (entry,) in transaction.execute(
            "SELECT entry FROM log_entry WHERE jurisdiction = ? AND log_index >= ? AND log_index < ?"
            " ORDER BY log_index",
            (jurisdiction, first_index, first_index + size),
        )
    )
    if not all(run.entries):
        fill_disposed(transaction, run)
    return run


def read_receipt(
    transaction: Transaction, jurisdiction: str, log_index: int, finality: Finality | None = None
) -> bytes:
    """Builds the receipt of one entry: the same bytes for ever, or with a cosigned checkpoint to lead to.

    Raises:
        NotFound when the index is not in the log, or the entry was disposed of.
    """
    first_index, _, acknowledgement = acknowledgement_of(transaction, jurisdiction, log_index)
    ((header, signature, leaf_hashes, indexes),) = transaction.execute(
        "SELECT batch_header, batch_signature, batch_leaf_hashes, batch_indexes FROM run"
        " WHERE jurisdiction = ? AND first_index = ?",
        (jurisdiction, first_index),
    )
    ((entry,),) = transaction.execute(
        "SELECT entry FROM log_entry WHERE jurisdiction = ? AND log_index = ?", (jurisdiction, log_index)
    )
    if not entry:
        message = f"entry {log_index} of the log of {jurisdiction} was disposed of: its certificate proves that"
        raise NotFound(message, "ENTRY_DISPOSED_OF")
    if leaf_hashes is None:
        leaf_hashes = evidence_pb2.Acknowledgement.FromString(acknowledgement).leaf_hashes
    offset = log_index - first_index
    return build_receipt(
        acknowledgement=acknowledgement,
        entry=bytes(entry),
        log_index=log_index,
        batch_header=bytes(header),
        batch_signature=bytes(signature),
        batch_leaf_hashes=bytes(leaf_hashes),
        batch_index=offset if indexes is None else _unpack_indexes(indexes)[offset],
        finality=finality,
    )


def _unpack_indexes(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[start : start + 2], "big") for start in range(0, len(packed), 2)]
