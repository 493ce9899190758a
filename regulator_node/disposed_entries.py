"""Entries of logs that were disposed of, as they are stored: their rows without bytes, and what stands for each.

The row in log_entry stays, so that an entry's id is known for ever and a replay gets its first answer; the leaf hash is in
the run's acknowledgement as it always was. Beside it lie the record of the certificate, its path in it, and the certificate
itself, of this regulator or of the one from which the copy came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from shared.database import Transaction
from shared.evidence.disposals import MAX_RECORDS
from shared.evidence.hashing import leaf_hashes_of, split_hashes
from shared.evidence.ranges import CompactRange, RunTree
from shared.pb.filingnet.network.v1 import disposal_pb2, evidence_pb2

_COLUMNS: Final = ("jurisdiction", "log_index", "node", "number", "position", "record", "path")


def keep_certificate(transaction: Transaction, node: str, number: int, signed: disposal_pb2.SignedDisposal) -> None:
    """Keeps the certificate of a regulator, once."""
    transaction.execute(
        "INSERT INTO entry_certificate (node, number, certificate, signature) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (node, number) DO NOTHING",
        (node, number, signed.certificate, signed.signature),
    )


def dispose_of_bytes(
    transaction: Transaction, node: str, number: int, signed: disposal_pb2.SignedDisposal, leaves: Sequence[bytes]
) -> None:
    """Removes the bytes of every entry that a certificate of this node covers, and keeps what stands for them.

    Args:
        transaction: in which the certificate is stored.
        node: this node's name.
        number: of the certificate.
        signed: the certificate.
        leaves: its records, in order, at most 2,000.
    """
    assert len(leaves) <= MAX_RECORDS
    keep_certificate(transaction, node, number, signed)
    tree = RunTree(CompactRange(), leaf_hashes_of(leaves))
    rows, places = [], []
    for position, leaf in enumerate(leaves):
        record = disposal_pb2.DisposedRecord.FromString(leaf)
        place = (record.jurisdiction, record.log_index)
        places.append(place)
        rows.append((*place, node, number, position, leaf, b"".join(tree.inclusion_path(position))))
    transaction.executemany(
        "UPDATE log_entry SET entry = ? WHERE jurisdiction = ? AND log_index = ?", [(b"", *place) for place in places]
    )
    transaction.executemany("DELETE FROM foreign_receipt WHERE jurisdiction = ? AND log_index = ?", places)
    transaction.insert_many("disposed_entry", _COLUMNS, rows)


def fill_disposed(transaction: Transaction, run: evidence_pb2.Run) -> None:
    """Adds to a run what stands for those of its entries that have no bytes."""
    rows = transaction.execute(
        "SELECT d.log_index, d.node, d.number, d.position, d.record, d.path, c.certificate, c.signature"
        " FROM disposed_entry d JOIN entry_certificate c ON c.node = d.node AND c.number = d.number"
        " WHERE d.jurisdiction = ? AND d.log_index >= ? AND d.log_index < ? ORDER BY d.log_index",
        (run.jurisdiction, run.first_index, run.first_index + len(run.entries)),
    )
    places: dict[tuple[str, int], int] = {}
    for index, node, number, position, record, path, certificate, signature in rows:
        if (node, number) not in places:
            places[node, number] = len(run.certificates)
            run.certificates.add(certificate=bytes(certificate), signature=bytes(signature))
        run.disposed.add(
            offset=index - run.first_index,
            certificate=places[node, number],
            record=bytes(record),
            position=position,
            path=bytes(path),
        )


def keep_disposed(transaction: Transaction, run: evidence_pb2.Run) -> None:
    """Keeps what a verified run of another's log states of its disposed entries."""
    headers = [disposal_pb2.DisposalCertificate.FromString(signed.certificate) for signed in run.certificates]
    for header, signed in zip(headers, run.certificates, strict=True):
        keep_certificate(transaction, header.node, header.number, signed)
    rows = [
        (
            run.jurisdiction,
            run.first_index + each.offset,
            headers[each.certificate].node,
            headers[each.certificate].number,
            each.position,
            each.record,
            each.path,
        )
        for each in run.disposed
    ]
    transaction.insert_many("disposed_entry", _COLUMNS, rows)


def disposal_of(transaction: Transaction, jurisdiction: str, log_index: int) -> disposal_pb2.DisposalProof | None:
    """Reads the certificate of an entry with its record alone; None where the entry was not disposed of."""
    rows = transaction.execute(
        "SELECT d.record, d.position, d.path, c.certificate, c.signature FROM disposed_entry d JOIN entry_certificate c"
        " ON c.node = d.node AND c.number = d.number WHERE d.jurisdiction = ? AND d.log_index = ?",
        (jurisdiction, log_index),
    )
    if not rows:
        return None
    record, position, path, certificate, signature = rows[0]
    signed = disposal_pb2.SignedDisposal(certificate=bytes(certificate), signature=bytes(signature))
    return disposal_pb2.DisposalProof(
        signed=signed, records=[bytes(record)], position=position, path=split_hashes(bytes(path))
    )


def disposed_leaves(transaction: Transaction, jurisdiction: str, indexes: Iterable[int]) -> dict[int, bytes]:
    """Reads the leaf hashes of entries that were disposed of, by their indexes."""
    leaves = {}
    for index in indexes:
        rows = transaction.execute(
            "SELECT record FROM disposed_entry WHERE jurisdiction = ? AND log_index = ?", (jurisdiction, index)
        )
        if rows:
            leaves[index] = disposal_pb2.DisposedRecord.FromString(bytes(rows[0][0])).leaf_hash
    return leaves
