"""Batches: one signature of an origin over hundreds of entries.

The origin signs a header with the Merkle root of its entries' exact bytes, so that one Ed25519 check serves the whole
batch and each entry still carries its own path to the signature. Protobuf bytes are not canonical: what is signed is
the header's bytes as they were first written, and nothing is ever serialised again to be verified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from shared.evidence.hashing import HASH_SIZE, ProofError, UnusableProof, leaf_hashes_of
from shared.evidence.keys import SigningKey, VerifyingKey
from shared.evidence.ranges import root_of
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

BATCH_PREFIX: Final = b"filingnet batch v1\n"
"""What a batch signature covers before the header, so that it can stand for nothing else."""

MAX_BATCH_ENTRIES: Final = 1000
"""Most entries in a batch."""

KeyLookup = Callable[[str, str], VerifyingKey | None]
"""Finds a key by (key id, node name); None if it is not known."""


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """A batch as its origin signed it: exact header bytes, 64 bytes of signature, one leaf hash per entry."""

    header: bytes
    signature: bytes
    leaf_hashes: list[bytes]

    def signed_header(self) -> entry_pb2.SignedBatchHeader:
        """Returns header and signature as they travel."""
        return entry_pb2.SignedBatchHeader(header=self.header, signature=self.signature)

    def origin_batch(self) -> evidence_pb2.OriginBatch:
        """Returns header, signature and leaf hashes as they travel."""
        return evidence_pb2.OriginBatch(signed_header=self.signed_header(), leaf_hashes=b"".join(self.leaf_hashes))


def sign_batch(entries: Sequence[bytes], origin: str, jurisdiction: str, key: SigningKey) -> SignedBatch:
    """Signs entries as one batch.

    Args:
        entries: exact bytes of 1 to 1,000 entries, in order.
        origin: the signing node's name.
        jurisdiction: the jurisdiction whose log the entries are meant for.
        key: the origin's signing key.

    Returns:
        The signed batch.

    Raises:
        ValueError: there are no entries or too many.
    """
    if not 1 <= len(entries) <= MAX_BATCH_ENTRIES:
        raise ValueError("a batch must have 1 to 1,000 entries")
    leaf_hashes = leaf_hashes_of(entries)
    header = entry_pb2.BatchHeader(
        origin=origin,
        jurisdiction=jurisdiction,
        size=len(entries),
        root=root_of(leaf_hashes),
        key_id=key.key_id,
    ).SerializeToString(deterministic=True)
    return SignedBatch(header, key.sign(BATCH_PREFIX + header), leaf_hashes)


def verify_header(header: bytes, signature: bytes, key_lookup: KeyLookup) -> entry_pb2.BatchHeader:
    """Verifies the signature over a batch header, and nothing about its entries.

    Args:
        header: the header's exact bytes.
        signature: 64 bytes.
        key_lookup: finds the origin's key.

    Returns:
        The header.

    Raises:
        UnusableProof: the header is malformed or the origin's key is not known.
        ProofError: the signature does not hold.
    """
    try:
        parsed = entry_pb2.BatchHeader.FromString(header)
    except DecodeError as error:
        raise UnusableProof("The batch header is damaged; fetch it again from its origin.") from error
    if not 1 <= parsed.size <= MAX_BATCH_ENTRIES or len(parsed.root) != HASH_SIZE:
        raise UnusableProof("The batch header does not state 1 to 1,000 entries and their root; fetch it again.")
    key = key_lookup(parsed.key_id, parsed.origin)
    if key is None:
        raise UnusableProof("The key that signed the batch is not known; add the origin's key to the key ring.")
    if not key.verifies(signature, BATCH_PREFIX + header):
        raise ProofError("The origin's signature does not hold for the batch.")
    return parsed


def verify_batch(
    header: bytes, signature: bytes, leaf_hashes: Sequence[bytes], key_lookup: KeyLookup
) -> entry_pb2.BatchHeader:
    """Verifies a whole batch: the signature, and that it covers exactly these entries in this order.

    Args:
        header: the header's exact bytes.
        signature: 64 bytes.
        leaf_hashes: of all entries of the batch, in order, computed from their exact bytes (`leaf_hashes_of`).
        key_lookup: finds the origin's key.

    Returns:
        The header.

    Raises:
        UnusableProof: the header is malformed or the origin's key is not known.
        ProofError: the signature does not hold, or it covers other entries.
    """
    parsed = verify_header(header, signature, key_lookup)
    if parsed.size != len(leaf_hashes) or parsed.root != root_of(leaf_hashes):
        raise ProofError("The batch does not hold the entries that its origin signed.")
    return parsed


def parse_entry(entry: bytes, header: entry_pb2.BatchHeader) -> entry_pb2.Entry:
    """Reads an entry and checks that it claims no other origin or jurisdiction than the batch that carries it.

    Args:
        entry: the entry's exact bytes, proven to be in the batch.
        header: the verified header of that batch.

    Returns:
        The entry.

    Raises:
        UnusableProof: the bytes are not an entry.
        ProofError: the entry names another origin or jurisdiction than the signed batch.
    """
    try:
        parsed = entry_pb2.Entry.FromString(entry)
    except DecodeError as error:
        raise UnusableProof("The entry is damaged; fetch it again as its origin sent it.") from error
    if parsed.origin != header.origin or parsed.jurisdiction != header.jurisdiction:
        raise ProofError("The entry names another origin or jurisdiction than the batch that carries it.")
    return parsed
