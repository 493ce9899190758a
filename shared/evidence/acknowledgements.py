"""Acknowledgements: a regulator's proof that a run of neighbouring entries is in its log.

An acknowledgement holds what is needed to compute the log's root anew: the compact range before the run and the run's
leaf hashes. If the result is the root that the regulator signed in the checkpoint, then every entry of the run is in
the log, and each one's inclusion path follows from the acknowledgement alone. It is written once and never changed, so
that a retry gets the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from shared.evidence.checkpoints import Checkpoint, verify_checkpoint
from shared.evidence.hashing import ProofError, UnusableProof, split_hashes
from shared.evidence.names import log_origin
from shared.evidence.notes import Keys
from shared.evidence.ranges import CompactRange, RunTree
from shared.pb.filingnet.network.v1 import evidence_pb2


@dataclass(frozen=True, slots=True)
class VerifiedAcknowledgement:
    """A run that is proven to be in a log: its place, its leaf hashes and the checkpoint at its end."""

    jurisdiction: str
    first_index: int
    leaf_hashes: list[bytes]
    checkpoint: Checkpoint
    checkpoint_note: bytes
    tree: RunTree

    def check_covers(self, log_index: int, leaf_hash: bytes) -> None:
        """Checks that an entry is at an index of the log.

        Args:
            log_index: the index claimed for it, from 0.
            leaf_hash: of the entry's exact bytes, 32 bytes.

        Raises:
            ProofError: the run does not cover the index, or holds another entry there.
        """
        offset = log_index - self.first_index
        if not 0 <= offset < len(self.leaf_hashes):
            raise ProofError("The acknowledgement does not cover the index in the log; ask for the one that does.")
        if self.leaf_hashes[offset] != leaf_hash:
            raise ProofError("The acknowledgement covers another entry at that index of the log.")


def build_acknowledgement(
    jurisdiction: str, before: CompactRange, leaf_hashes: Sequence[bytes], checkpoint: bytes
) -> bytes:
    """Writes the acknowledgement of a run.

    Args:
        jurisdiction: whose log it is.
        before: the log before the run.
        leaf_hashes: the run's leaves, 32 bytes each, 1 to 1,000.
        checkpoint: the signed checkpoint at the end of the run.

    Returns:
        A serialised Acknowledgement: to be stored and sent as it is.
    """
    return evidence_pb2.Acknowledgement(
        jurisdiction=jurisdiction,
        first_index=before.size,
        leaf_hashes=b"".join(leaf_hashes),
        before=before.to_bytes(),
        checkpoint=checkpoint,
    ).SerializeToString(deterministic=True)


def verify_acknowledgement(
    acknowledgement: bytes, leaf_hashes: Sequence[bytes] | None, key: Keys, *, jurisdiction: str | None = None
) -> VerifiedAcknowledgement:
    """Verifies that a regulator's log holds a run of entries.

    Args:
        acknowledgement: exact bytes, as the regulator sent them.
        leaf_hashes: of the entries that the run must consist of, in order; None to check single entries afterwards
            with `check_covers`.
        key: the regulator's key, or its keys while one is rotated.
        jurisdiction: whose log it must be; None for the one that it names and the key signed.

    Returns:
        The run, from which the paths of its entries follow.

    Raises:
        UnusableProof: it is malformed, or signed by a key that was not given.
        ProofError: the log does not hold this run.
    """
    parsed = _parse(acknowledgement)
    if jurisdiction not in (None, parsed.jurisdiction):
        raise ProofError("The acknowledgement is of another jurisdiction's log.")
    checkpoint = verify_checkpoint(parsed.checkpoint, log_origin(parsed.jurisdiction), key)
    if leaf_hashes is not None and b"".join(leaf_hashes) != parsed.leaf_hashes:
        raise ProofError("The acknowledgement covers other entries than those that were sent.")
    run = split_hashes(parsed.leaf_hashes)
    tree = RunTree(CompactRange.from_bytes(parsed.first_index, parsed.before), run)
    if tree.size != checkpoint.size:
        raise ProofError("The checkpoint in the acknowledgement is not the one at the end of the run.")
    if tree.root() != checkpoint.root:
        raise ProofError("The entries acknowledged do not lead to the root that the regulator signed.")
    return VerifiedAcknowledgement(
        jurisdiction=parsed.jurisdiction,
        first_index=parsed.first_index,
        leaf_hashes=run,
        checkpoint=checkpoint,
        checkpoint_note=parsed.checkpoint,
        tree=tree,
    )


def _parse(acknowledgement: bytes) -> evidence_pb2.Acknowledgement:
    try:
        parsed = evidence_pb2.Acknowledgement.FromString(acknowledgement)
    except DecodeError as error:
        raise UnusableProof("The acknowledgement is damaged; send the batch again to get it once more.") from error
    if not parsed.leaf_hashes:
        raise UnusableProof("The acknowledgement covers no entry; send the batch again to get it once more.")
    return parsed
