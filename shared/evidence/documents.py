"""Signed documents: the directory and the policies, each one entry signed by the nation.

A node reads them at every start and gets them from whoever is near, so that each carries its own proof: a batch,
mostly of this one entry, under the nation's signature.
"""

from __future__ import annotations

from typing import Final

from shared.evidence.batches import KeyLookup, parse_entry, sign_batch, verify_batch
from shared.evidence.hashing import ProofError, UnusableProof, leaf_hash, split_hashes
from shared.evidence.keys import SigningKey
from shared.evidence.names import NATION, regulator_of
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

_KINDS: Final = ("directory", "policy")


def sign_document(entry: bytes, key: SigningKey) -> evidence_pb2.SignedDocument:
    """Signs a document as the nation.

    Args:
        entry: exact bytes of an entry with a directory or a policy, origin "regulator/100000", jurisdiction "100000".
        key: the nation's signing key.

    Returns:
        The document in a batch of its own.
    """
    batch = sign_batch([entry], regulator_of(NATION), NATION, key)
    return evidence_pb2.SignedDocument(entry=entry, batch=batch.origin_batch(), batch_index=0)


def verify_document(document: evidence_pb2.SignedDocument, key_lookup: KeyLookup) -> entry_pb2.Entry:
    """Verifies that the nation signed a document.

    Args:
        document: the entry and its batch.
        key_lookup: finds the nation's key, pinned or from the directory held before.

    Returns:
        The entry, with a directory or a policy in it.

    Raises:
        UnusableProof: it is malformed or the nation's key is not known.
        ProofError: the nation did not sign it, or it is another kind of entry.
    """
    signed, leaf_hashes = document.batch.signed_header, split_hashes(document.batch.leaf_hashes)
    header = verify_batch(signed.header, signed.signature, leaf_hashes, key_lookup)
    if not 0 <= document.batch_index < len(leaf_hashes):
        raise UnusableProof("The document names a place outside of its batch; fetch it again.")
    if leaf_hashes[document.batch_index] != leaf_hash(document.entry):
        raise ProofError("The document is not the one that was signed.")
    if header.origin != regulator_of(NATION) or header.jurisdiction != NATION:
        raise ProofError("The document is not signed by the nation.")
    entry = parse_entry(document.entry, header)
    if entry.WhichOneof("body") not in _KINDS:
        raise ProofError("The document is neither a directory nor a policy.")
    return entry
