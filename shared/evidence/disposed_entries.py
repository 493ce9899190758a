"""Entries of a run that were disposed of (Art. 8(2)): what stands for each, and what has to hold for it.

Of such an entry the leaf hash is left, so that the tree, the batch that its origin signed and every proof of its
neighbours stay as they were. A hash alone could hide an entry that somebody lost or took out: the regulator of the log
has to have certified the disposal of exactly this leaf at this index, or the nation for its copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from shared.evidence.batches import KeyLookup
from shared.evidence.disposals import is_named, verify_signed_disposal
from shared.evidence.hashing import ProofError, UnusableProof, leaf_hash, leaf_hashes_of, split_hashes
from shared.evidence.merkle import verify_inclusion
from shared.evidence.names import regulator_of
from shared.pb.filingnet.network.v1 import disposal_pb2, evidence_pb2
from shared.provisions.regions import NATION


def record_of(disposed: evidence_pb2.DisposedEntry) -> disposal_pb2.DisposedRecord:
    """Reads the record of an entry that was disposed of.

    Raises:
        UnusableProof: it is damaged.
    """
    try:
        return disposal_pb2.DisposedRecord.FromString(disposed.record)
    except DecodeError as error:
        raise UnusableProof("The record of a disposed entry is damaged; fetch the run again.") from error


def run_leaf_hashes(run: evidence_pb2.Run) -> list[bytes]:
    """Returns the leaf hashes of a run: of its entries' bytes, and those that its disposed entries state.

    Args:
        run: what it states of disposed entries is not verified here.

    Raises:
        UnusableProof: an entry without bytes is not said to be disposed of, or one with bytes is.
    """
    leaves = leaf_hashes_of(run.entries)
    if not run.disposed and all(run.entries):
        return leaves
    places = [disposed.offset for disposed in run.disposed]
    if places != [offset for offset, entry in enumerate(run.entries) if not entry]:
        raise UnusableProof("The run does not say of each entry without bytes what was disposed of; fetch it again.")
    for disposed in run.disposed:
        leaves[disposed.offset] = record_of(disposed).leaf_hash
    return leaves


def verify_disposed_entries(run: evidence_pb2.Run, key_lookup: KeyLookup) -> None:
    """Verifies that every entry of a run that has no bytes was disposed of under a certificate.

    Args:
        run: the run.
        key_lookup: finds the keys of regulators.

    Raises:
        UnusableProof: something is malformed or a key is not known.
        ProofError: a certificate is not signed by who may dispose of it, or does not cover the entry.
    """
    certificates = [_certificate(signed, run.jurisdiction, key_lookup) for signed in run.certificates]
    for disposed in run.disposed:
        if disposed.certificate >= len(certificates):
            raise UnusableProof("The run lacks the certificate of an entry that was disposed of; fetch it again.")
        _verify(disposed, certificates[disposed.certificate], run)


def _certificate(
    signed: disposal_pb2.SignedDisposal, jurisdiction: str, key_lookup: KeyLookup
) -> disposal_pb2.DisposalCertificate:
    certificate = verify_signed_disposal(signed, key_lookup)
    if certificate.node not in disposers_of(jurisdiction):
        raise ProofError("The certificate is of a node that may not dispose of entries of this log.")
    return certificate


def disposers_of(jurisdiction: str) -> Sequence[str]:
    """Names the regulators whose certificates stand for entries of a log: its own, and the nation for its copy."""
    return regulator_of(jurisdiction), regulator_of(NATION)


def _verify(
    disposed: evidence_pb2.DisposedEntry, certificate: disposal_pb2.DisposalCertificate, run: evidence_pb2.Run
) -> None:
    record = record_of(disposed)
    if not is_named(record) or record.record_class != certificate.record_class:
        raise ProofError("A record of the certificate is no entry of a log.")
    if (record.jurisdiction, record.log_index) != (run.jurisdiction, run.first_index + disposed.offset):
        raise ProofError("The certificate states the disposal of another entry than the one that is missing.")
    leaf, path = leaf_hash(disposed.record), split_hashes(disposed.path)
    verify_inclusion(leaf, disposed.position, certificate.records, path, certificate.root)
