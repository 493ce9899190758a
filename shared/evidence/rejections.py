"""Signed rejections: a regulator's refusal of one entry that it cannot deny later.

The leaf hash in it binds the refusal to the exact bytes refused. As with batches, the exact bytes of the rejection are
what is signed, kept and verified.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from shared.evidence.batches import KeyLookup
from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keys import SigningKey
from shared.evidence.names import regulator_of
from shared.pb.filingnet.network.v1 import evidence_pb2

REJECTION_PREFIX: Final = b"filingnet rejection v1\n"
"""What a rejection's signature covers before it, so that it can stand for nothing else."""


def sign_rejection(rejection: evidence_pb2.Rejection, key: SigningKey) -> evidence_pb2.SignedRejection:
    """Signs a rejection.

    Args:
        rejection: the refusal; its key_id is set by this call, the message given stays as it is.
        key: the regulator's signing key.

    Returns:
        The exact bytes and the signature over them.
    """
    named = evidence_pb2.Rejection()
    named.CopyFrom(rejection)
    named.key_id = key.key_id
    data = named.SerializeToString(deterministic=True)
    return evidence_pb2.SignedRejection(rejection=data, signature=key.sign(REJECTION_PREFIX + data))


def verify_rejection(
    signed: evidence_pb2.SignedRejection, key_lookup: KeyLookup, *, leaf_hash: bytes | None = None
) -> evidence_pb2.Rejection:
    """Verifies that the regulator of the jurisdiction it names signed a rejection.

    Args:
        signed: the exact bytes and the signature.
        key_lookup: finds the regulator's key.
        leaf_hash: of the entry that it must refuse, 32 bytes; None to leave that to the caller.

    Returns:
        The rejection.

    Raises:
        UnusableProof: it is malformed or the regulator's key is not known.
        ProofError: the signature does not hold, or it refuses another entry.
    """
    try:
        rejection = evidence_pb2.Rejection.FromString(signed.rejection)
    except DecodeError as error:
        raise UnusableProof("The rejection is damaged; send the entry again to get it once more.") from error
    key = key_lookup(rejection.key_id, regulator_of(rejection.jurisdiction))
    if key is None:
        raise UnusableProof("The key that signed the rejection is not known; fetch the newest directory.")
    if not key.verifies(signed.signature, REJECTION_PREFIX + signed.rejection):
        raise ProofError("The regulator's signature does not hold for the rejection.")
    if leaf_hash not in (None, rejection.leaf_hash):
        raise ProofError("The rejection refuses another entry.")
    return rejection
