"""Certificates of disposal (Art. 8(2)): what a node states about records that it removed, provable for each record alone.

The records are the leaves of a Merkle tree in the order of their ids, so that a certificate proves the disposal of one
record without showing the others. The exact bytes of a certificate are what is signed, chained, kept and verified.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from shared.evidence.batches import KeyLookup
from shared.evidence.hashing import HASH_SIZE, ProofError, UnusableProof, leaf_hash, leaf_hashes_of
from shared.evidence.keys import SigningKey
from shared.evidence.merkle import verify_inclusion
from shared.evidence.ranges import inclusion_proof, root_of
from shared.mapping.policy import period_from_wire
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.policy import PeriodUnit, initial_policy, period_end
from shared.provisions.retention import RecordClass, RetainedEntry

DISPOSAL_PREFIX: Final = b"filingnet disposal v1\n"
"""What a certificate's signature covers before it, so that it can stand for nothing else."""

MAX_RECORDS: Final = 2_000
"""Most records in a certificate."""

MAX_PROOF_BYTES: Final = 1_000_000
"""Most bytes in the file of a certificate."""


@dataclass(frozen=True, slots=True)
class VerifiedDisposal:
    """A certificate that was verified, and the records that it was verified with: all, or one."""

    certificate: disposal_pb2.DisposalCertificate
    records: tuple[disposal_pb2.DisposedRecord, ...]
    digest: bytes

    @property
    def whole(self) -> bool:
        """Whether every record of the certificate is at hand."""
        return len(self.records) == self.certificate.records


def class_word(record_class: int) -> str:
    """Returns the name of a RecordClass's number as people write it, e.g. "query_audit"."""
    named = disposal_pb2.RecordClass.DESCRIPTOR.values_by_number.get(record_class)
    return str(record_class) if named is None else named.name.removeprefix("RECORD_CLASS_").lower()


def record_bytes(
    record_class: int, record_id: str, ceased_time: datetime.datetime, entry: RetainedEntry | None = None
) -> bytes:
    """Returns the leaf of a record.

    Args:
        record_class: the number of a RecordClass.
        record_id: its id at the node, a UUID in small letters.
        ceased_time: when it ceased to matter, aware.
        entry: of a log, that the record is; None for one outside of the log.
    """
    record = disposal_pb2.DisposedRecord(record_class=record_class, record_id=record_id)  # type: ignore[arg-type]
    record.ceased_time.FromDatetime(ceased_time)
    if entry is not None:
        record.jurisdiction, record.log_index, record.leaf_hash = entry.jurisdiction, entry.log_index, entry.leaf_hash
    return record.SerializeToString(deterministic=True)


def sign_disposal(certificate: disposal_pb2.DisposalCertificate, key: SigningKey) -> disposal_pb2.SignedDisposal:
    """Signs a certificate.

    Args:
        certificate: all but its key_id, which is set here; the message given stays as it is.
        key: the node's signing key.

    Returns:
        The exact bytes and the signature over them.
    """
    named = disposal_pb2.DisposalCertificate()
    named.CopyFrom(certificate)
    named.key_id = key.key_id
    data = named.SerializeToString(deterministic=True)
    return disposal_pb2.SignedDisposal(certificate=data, signature=key.sign(DISPOSAL_PREFIX + data))


def certificate_digest(certificate: bytes) -> bytes:
    """Returns what the next certificate names this one by: SHA-256 over its exact bytes."""
    return sha256(certificate).digest()


def disposal_root(records: Sequence[bytes]) -> bytes:
    """Returns the Merkle root over records, each as `record_bytes` made it, in the order of their ids."""
    return root_of(leaf_hashes_of(records))


def prove_disposal(
    signed: disposal_pb2.SignedDisposal, records: Sequence[bytes], position: int | None = None
) -> disposal_pb2.DisposalProof:
    """Makes the file of a certificate.

    Args:
        signed: the certificate.
        records: all its records, in order.
        position: of the one record that is to be proven alone; None for all.
    """
    if position is None:
        return disposal_pb2.DisposalProof(signed=signed, records=records)
    path = inclusion_proof(leaf_hashes_of(records), position)
    return disposal_pb2.DisposalProof(signed=signed, records=[records[position]], position=position, path=path)


def verify_disposal(data: bytes, key_lookup: KeyLookup) -> VerifiedDisposal:
    """Verifies the file of a certificate.

    Args:
        data: the file, a serialised DisposalProof.
        key_lookup: finds the node's key.

    Returns:
        The certificate and the records in the file.

    Raises:
        UnusableProof: it is damaged or the node's key is not known.
        ProofError: the signature does not hold, or a record is not what the certificate states.
    """
    try:
        proof = disposal_pb2.DisposalProof.FromString(data)
        certificate = disposal_pb2.DisposalCertificate.FromString(proof.signed.certificate)
        records = tuple(disposal_pb2.DisposedRecord.FromString(record) for record in proof.records)
    except DecodeError as error:
        raise UnusableProof("The certificate is damaged; fetch it again from its node.") from error
    if len(data) > MAX_PROOF_BYTES or not records:
        raise UnusableProof("The file is no certificate with its records; fetch it again from its node.")
    verify_signed_disposal(proof.signed, key_lookup)
    _check_tree(certificate, proof)
    try:
        _check_records(certificate, records)
    except (ValueError, OverflowError) as error:
        if isinstance(error, ProofError):
            raise
        raise UnusableProof(
            "A time or the period in the certificate is none; no node of this network signs it."
        ) from error
    return VerifiedDisposal(certificate, records, certificate_digest(proof.signed.certificate))


def verify_signed_disposal(
    signed: disposal_pb2.SignedDisposal, key_lookup: KeyLookup
) -> disposal_pb2.DisposalCertificate:
    """Verifies that a node signed a certificate, and nothing about its records.

    Args:
        signed: the certificate.
        key_lookup: finds the node's key.

    Returns:
        The certificate.

    Raises:
        UnusableProof: it is damaged or the node's key is not known.
        ProofError: the signature does not hold.
    """
    try:
        certificate = disposal_pb2.DisposalCertificate.FromString(signed.certificate)
    except DecodeError as error:
        raise UnusableProof("The certificate is damaged; fetch it again from its node.") from error
    key = key_lookup(certificate.key_id, certificate.node)
    if key is None:
        raise UnusableProof("The key that signed the certificate is not known; add the node's key to the key ring.")
    if not key.verifies(signed.signature, DISPOSAL_PREFIX + signed.certificate):
        raise ProofError("The node's signature does not hold for the certificate.")
    return certificate


def _check_tree(certificate: disposal_pb2.DisposalCertificate, proof: disposal_pb2.DisposalProof) -> None:
    if len(proof.records) == 1:
        leaf = leaf_hash(proof.records[0])
        verify_inclusion(leaf, proof.position, certificate.records, list(proof.path), certificate.root)
    elif len(proof.records) != certificate.records or disposal_root(list(proof.records)) != certificate.root:
        raise ProofError("The records in the file are not those of the certificate.")


def _check_records(
    certificate: disposal_pb2.DisposalCertificate, records: Sequence[disposal_pb2.DisposedRecord]
) -> None:
    # An entry id is its origin's alone, so that two entries may have one; a place in a log is nobody else's.
    ids = [(record.record_id, record.jurisdiction, record.log_index) for record in records]
    if ids != sorted(set(ids)):
        raise ProofError("The certificate counts a record twice, or its records are out of order.")
    if any(not is_named(record) for record in records):
        raise ProofError("A record does not name the entry that it is, or names one though it is none.")
    if any(record.record_class != certificate.record_class for record in records):
        raise ProofError("A record is not of the certificate's class.")
    first, last = _nanos(certificate.first_ceased_time), _nanos(certificate.last_ceased_time)
    if any(not first <= _nanos(record.ceased_time) <= last for record in records):
        raise ProofError("A record ceased to matter outside of the time that the certificate states.")
    certificate.first_ceased_time.ToDatetime(datetime.UTC)
    if last > _nanos(certificate.disposed_time):
        raise ProofError("The certificate states that a record was disposed of before it ceased to matter.")
    if _kept_until(certificate) > certificate.disposed_time.ToDatetime(datetime.UTC):
        raise ProofError("The certificate states that a record was disposed of before its period was over.")


def is_named(record: disposal_pb2.DisposedRecord) -> bool:
    """Tells whether a record names its entry, log and leaf hash, where it is one, and nothing of it where it is none."""
    if record.record_class >= RecordClass.FILING_ENTRY:
        return bool(record.jurisdiction) and len(record.leaf_hash) == HASH_SIZE
    return not record.jurisdiction and not record.leaf_hash and not record.log_index


def _kept_until(certificate: disposal_pb2.DisposalCertificate) -> datetime.datetime:
    last, period = certificate.last_ceased_time.ToDatetime(datetime.UTC), period_from_wire(certificate.period)
    if period.unit is PeriodUnit.WORKING_DAYS:
        # The calendar is in the policy, which is not in the certificate.
        return last
    return period_end(replace(initial_policy(), periods=(period,)), period.name, last)


def _nanos(time: Timestamp) -> int:
    return time.seconds * 1_000_000_000 + time.nanos
