"""What intake checks of a batch before it asks the register: the signature, then each entry by itself.

In order: the signature over the whole batch and whom it names; then, entry by entry, form, wall and grammar. Nothing
here needs the database, so that one batch is checked while another is being written. A batch that cannot be trusted is
refused as a whole; an entry that is wrong is refused alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from regulator_node.intake_contexts import Record
from shared.egress import check_message
from shared.errors import InvalidInput, Violation
from shared.evidence.batches import KeyLookup, SignedBatch, verify_batch
from shared.evidence.hashing import ProofError, leaf_hashes_of
from shared.identifiers import id_bytes
from shared.mapping.duty import duty_profile_from_wire
from shared.mapping.escalation import escalation_from_wire
from shared.mapping.filing import record_from_wire
from shared.mapping.filing_contract import entry_violations
from shared.mapping.label import label_from_wire
from shared.mapping.record_hold import hold_answer_from_wire
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import entry_pb2, intake_service_pb2
from shared.provisions.filings import FilingRecord, Refusal
from shared.provisions.transfers import DepartureRecord


@dataclass(slots=True)
class PreparedEntry:
    """One entry of a batch before the register was asked: parsed and well-formed, or refused."""

    raw: bytes
    leaf_hash: bytes
    entry_id: str = ""
    entry_key: bytes = b""
    account_key: bytes = b""
    entry: entry_pb2.Entry | None = None
    record: Record | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch whose signature holds."""

    origin: str
    batch: SignedBatch
    entries: Sequence[PreparedEntry]


def prepare(
    request: intake_service_pb2.SubmitEntriesRequest, *, origin: str, jurisdiction: str, key_lookup: KeyLookup
) -> PreparedBatch:
    """Checks the signature and everything about each entry that needs no database.

    Args:
        request: the batch.
        origin: the authenticated sender.
        jurisdiction: this regulator's.
        key_lookup: finds signing keys in the directory.

    Returns:
        The batch, each entry parsed or refused.

    Raises:
        InvalidInput: the batch as a whole cannot be trusted; nothing of it was looked at.
    """
    leaves = leaf_hashes_of(request.entries)
    try:
        header = verify_batch(request.batch.header, request.batch.signature, leaves, key_lookup)
    except ProofError as error:
        mend = "sign the batch's header with the sender's key in the directory"
        raise InvalidInput(str(error), "BATCH_SIGNATURE", [Violation("batch", "BATCH_SIGNATURE", mend)]) from error
    if header.origin != origin or header.jurisdiction != jurisdiction:
        field = "batch.header.origin" if header.origin != origin else "batch.header.jurisdiction"
        mend = f"send batches of {origin} meant for {jurisdiction}"
        raise InvalidInput(
            f"{field} is somebody else's", "BATCH_MISADDRESSED", [Violation(field, "MISADDRESSED", mend)]
        )
    batch = SignedBatch(request.batch.header, request.batch.signature, leaves)
    entries = [
        _prepare_entry(raw, leaf, origin, jurisdiction) for raw, leaf in zip(request.entries, leaves, strict=True)
    ]
    return PreparedBatch(origin, batch, entries)


def _prepare_entry(raw: bytes, leaf: bytes, origin: str, jurisdiction: str) -> PreparedEntry:
    prepared = PreparedEntry(raw, leaf)
    try:
        entry = entry_pb2.Entry.FromString(raw)
    except DecodeError:
        prepared.refusal = refusal_of("MALFORMED_ENTRY", "", "send a serialised filingnet.network.v1.Entry")
        return prepared
    entry.DiscardUnknownFields()
    violations = entry_violations(entry)
    if violations:
        prepared.refusal = Refusal("FIELD_VIOLATIONS", tuple(violations))
        return prepared
    prepared.entry_id = entry.entry_id
    prepared.entry_key = id_bytes(entry.entry_id)
    prepared.refusal = _misplaced(entry, raw, origin, jurisdiction)
    if prepared.refusal is None:
        findings = check_message(entry, no_unknown_fields=True)
        if findings:
            prepared.refusal = Refusal("IDENTITY_DATA", tuple(findings))
        else:
            prepared.entry = entry
            prepared.record, account_id = _READERS[entry.WhichOneof("body")](entry)
            prepared.account_key = id_bytes(account_id)
    return prepared


def _read_filing(entry: entry_pb2.Entry) -> tuple[Record, str]:
    return record_from_wire(entry), entry.filing.account_id


def _read_label(entry: entry_pb2.Entry) -> tuple[Record, str]:
    record = label_from_wire(entry.label_grant, micros_of(entry.created_time))
    return record, record.account_id


def _read_escalation(entry: entry_pb2.Entry) -> tuple[Record, str]:
    record = escalation_from_wire(entry.escalation, micros_of(entry.created_time))
    return record, record.account_id


def _read_departure(entry: entry_pb2.Entry) -> tuple[Record, str]:
    return DepartureRecord(entry.departure.number, entry.departure.to_jurisdiction), ""


def _read_hold_answer(entry: entry_pb2.Entry) -> tuple[Record, str]:
    return hold_answer_from_wire(entry.record_hold_answer, micros_of(entry.created_time)), ""


def _read_duty_profile(entry: entry_pb2.Entry) -> tuple[Record, str]:
    return duty_profile_from_wire(entry.duty_profile, micros_of(entry.created_time)), ""


_READERS: Final[Mapping[str | None, Callable[[entry_pb2.Entry], tuple[Record, str]]]] = {
    "filing": _read_filing,
    "label_grant": _read_label,
    "escalation": _read_escalation,
    "duty_profile": _read_duty_profile,
    "departure": _read_departure,
    "record_hold_answer": _read_hold_answer,
}
"""What a provider may send, by the field of the entry's body: each reader returns the record and its account."""


def _misplaced(entry: entry_pb2.Entry, raw: bytes, origin: str, jurisdiction: str) -> Refusal | None:
    if entry.ByteSize() != len(raw):
        # A hidden second value or an unknown field would travel, be signed and be stored, past every check.
        return refusal_of("ENTRY_NOT_MINIMAL", "", "send no unknown fields and each field once")
    if entry.origin != origin:
        return refusal_of("ORIGIN_WRONG", "origin", "an entry states its sender as origin")
    if entry.jurisdiction != jurisdiction:
        return refusal_of(
            "JURISDICTION_WRONG", "jurisdiction", f"this regulator takes entries meant for {jurisdiction}"
        )
    if entry.WhichOneof("body") not in _READERS:
        mend = "a provider sends filings, label grants, escalations, duty profiles, departures and answers to holds"
        return refusal_of("BODY_NOT_ALLOWED", "body", mend)
    return None


def refusal_of(reason: str, field: str, mend: str) -> Refusal:
    """Makes a refusal for one reason, which is also the rule that one field breaks."""
    return Refusal(reason, (Violation(field, reason, mend),))


def only_opens(batch: PreparedBatch) -> bool:
    """Tells whether a batch holds nothing but filings that open accounts, none of them refused so far."""
    return all(isinstance(entry.record, FilingRecord) and entry.record.revision == 1 for entry in batch.entries)
