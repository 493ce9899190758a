"""Receipts: the offline proof that one entry was stated by its origin and is in a regulator's log.

A receipt joins the entry's exact bytes, the origin's signature with a path to it, and the regulator's checkpoint with
a path to it. It is made from an acknowledgement and the signed batch without asking anyone, and always comes out the
same. Once another regulator cosigned the log beyond the entry, the receipt can be made to that checkpoint instead, with
the cosignatures on it (`Finality`): then it shows by itself that the entry is final.

A receipt has one encoding only: unknown fields, fields out of order, numbers written longer than needed, signature
lines of unknown keys and anything else that nobody signed is refused, so that no bit of the file can be changed and
still pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from shared.evidence.batches import parse_entry, verify_header
from shared.evidence.checkpoints import SignedHead, verify_head
from shared.evidence.grown_trees import GrownTree
from shared.evidence.hashing import ProofError, UnusableProof, leaf_hash, split_hashes
from shared.evidence.keyring import KeyRing
from shared.evidence.merkle import verify_inclusion
from shared.evidence.ranges import CompactRange, RunTree
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

MAX_RECEIPT_BYTES: Final = 131072
"""Longest receipt that is read, in bytes: an entry of 64 KiB and its proofs, with room to spare."""


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What a receipt proves: the origin signed the entry, and the log held it at log_index when it had head's size."""

    entry_bytes: bytes
    entry: entry_pb2.Entry
    header: entry_pb2.BatchHeader
    batch_index: int
    log_index: int
    head: SignedHead


@dataclass(frozen=True, slots=True)
class Finality:
    """What makes a run's receipts final: a checkpoint that was cosigned, and how the log grew from the run to it.

    Attributes:
        checkpoint: a signed note with cosignatures.
        size: number of entries that it covers.
        beyond: roots of the subtrees that cover the log from the end of the run on (`grown_trees.cover_from`).
    """

    checkpoint: bytes
    size: int
    beyond: Sequence[bytes]


class ReceiptMaker:
    """Makes the receipts of the entries that one batch brought into a log in one run; the trees are built once."""

    def __init__(
        self,
        acknowledgement: bytes,
        batch_header: bytes,
        batch_signature: bytes,
        batch_leaf_hashes: bytes,
        finality: Finality | None = None,
    ) -> None:
        """Takes what sender or regulator has stored, all of it verified before.

        Args:
            acknowledgement: serialised Acknowledgement of the run.
            batch_header: exact bytes of the batch's header.
            batch_signature: 64 bytes.
            batch_leaf_hashes: leaf hashes of all entries of the batch, 32 bytes each, in order.
            finality: where the receipts are to lead to a cosigned checkpoint instead of the run's own.

        Raises:
            UnusableProof: the acknowledgement or the hashes are malformed.
        """
        try:
            run = evidence_pb2.Acknowledgement.FromString(acknowledgement)
        except DecodeError as error:
            raise UnusableProof("The stored acknowledgement is damaged; restore it from a backup.") from error
        self._first_index = run.first_index
        self._checkpoint = run.checkpoint if finality is None else finality.checkpoint
        self._run_hashes = split_hashes(run.leaf_hashes)
        self._batch_hashes = split_hashes(batch_leaf_hashes)
        self._header = entry_pb2.SignedBatchHeader(header=batch_header, signature=batch_signature)
        before = CompactRange.from_bytes(run.first_index, run.before)
        self._log_tree: RunTree | GrownTree = (
            RunTree(before, self._run_hashes)
            if finality is None
            else GrownTree(before, self._run_hashes, finality.beyond, finality.size)
        )
        self._batch_tree = RunTree(CompactRange(), self._batch_hashes)

    def receipt(self, entry: bytes, log_index: int, batch_index: int) -> bytes:
        """Makes the receipt of one entry.

        Args:
            entry: the entry's exact bytes.
            log_index: its index in the log.
            batch_index: its position in the batch, from 0.

        Returns:
            A serialised Receipt; the same arguments always give the same bytes.

        Raises:
            ProofError: the entry is not at these places of batch and run.
        """
        log_path = self._log_tree.inclusion_path(log_index)
        batch_path = self._batch_tree.inclusion_path(batch_index)
        leaf = leaf_hash(entry)
        if leaf != self._batch_hashes[batch_index] or leaf != self._run_hashes[log_index - self._first_index]:
            raise ProofError("The entry is not the one at that place of its batch and of the log.")
        return evidence_pb2.Receipt(
            entry=entry,
            batch=self._header,
            batch_index=batch_index,
            batch_path=batch_path,
            log_index=log_index,
            log_path=log_path,
            checkpoint=self._checkpoint,
        ).SerializeToString(deterministic=True)


def build_receipt(
    *,
    acknowledgement: bytes,
    entry: bytes,
    log_index: int,
    batch_header: bytes,
    batch_signature: bytes,
    batch_leaf_hashes: bytes,
    batch_index: int,
    finality: Finality | None = None,
) -> bytes:
    """Makes the receipt of one entry; for many of one run, `ReceiptMaker` builds the trees once.

    Args:
        acknowledgement: serialised Acknowledgement of the run that holds the entry.
        entry: the entry's exact bytes.
        log_index: its index in the log.
        batch_header: exact bytes of the header of the batch that it came in.
        batch_signature: 64 bytes.
        batch_leaf_hashes: leaf hashes of all entries of the batch, 32 bytes each, in order.
        batch_index: the entry's position in the batch, from 0.
        finality: where it is to lead to a cosigned checkpoint instead of the run's own.

    Returns:
        A serialised Receipt; the same arguments always give the same bytes.

    Raises:
        UnusableProof: the acknowledgement or the hashes are malformed.
        ProofError: the entry is not at these places of batch and run.
    """
    maker = ReceiptMaker(acknowledgement, batch_header, batch_signature, batch_leaf_hashes, finality)
    return maker.receipt(entry, log_index, batch_index)


def verify_receipt(data: bytes, keys: KeyRing) -> VerifiedReceipt:
    """Verifies a receipt with pinned keys and nothing else.

    Args:
        data: the receipt's bytes.
        keys: the keys of its origin, of the regulator and of every witness that cosigned.

    Returns:
        What is proven.

    Raises:
        UnusableProof: it is no receipt, not in its one encoding, or a key is missing.
        ProofError: it is refuted.
    """
    receipt = parse_receipt(data)
    header = verify_header(receipt.batch.header, receipt.batch.signature, keys.lookup)
    leaf = leaf_hash(receipt.entry)
    _check_path("batch", leaf, receipt.batch_index, header.size, receipt.batch_path, header.root)
    entry = parse_entry(receipt.entry, header)
    head = verify_head(receipt.checkpoint, entry.jurisdiction, keys.keys_of)
    _check_path("log", leaf, receipt.log_index, head.checkpoint.size, receipt.log_path, head.checkpoint.root)
    return VerifiedReceipt(
        entry_bytes=receipt.entry,
        entry=entry,
        header=header,
        batch_index=receipt.batch_index,
        log_index=receipt.log_index,
        head=head,
    )


def parse_receipt(data: bytes) -> evidence_pb2.Receipt:
    """Reads a receipt in its one encoding, and verifies nothing.

    Args:
        data: the receipt's bytes.

    Returns:
        The receipt.

    Raises:
        UnusableProof: it is no receipt, or not in its one encoding.
    """
    if len(data) > MAX_RECEIPT_BYTES:
        raise UnusableProof("The file is longer than a receipt can be, 131,072 bytes; give the receipt itself.")
    try:
        receipt = evidence_pb2.Receipt.FromString(data)
    except DecodeError as error:
        raise UnusableProof("The file is not a receipt, or it is damaged; fetch the receipt again.") from error
    receipt.DiscardUnknownFields()
    if not data or receipt.SerializeToString(deterministic=True) != data:
        raise UnusableProof("The receipt is not in its one encoding, so it was changed; fetch the receipt again.")
    return receipt


def _check_path(tree: str, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    try:
        verify_inclusion(leaf, index, size, path, root)
    except ProofError as error:
        raise ProofError(f"The entry is not proven to be in the {tree}: {error}") from error
