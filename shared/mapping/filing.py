"""Reads a filing off the wire into the record that the rules judge. On the bulk path: it copies fields and nothing else."""

from __future__ import annotations

from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.filings import FilingRecord


def record_from_wire(entry: entry_pb2.Entry) -> FilingRecord:
    """Returns the record of an entry that holds a filing.

    Args:
        entry: an entry whose body is a filing; an unset field reads as its default.

    Returns:
        The record, with times in microseconds since the epoch; what is finer is cut off.
    """
    filing = entry.filing
    verified = filing.identity_verified_time
    reviewed = filing.reviewed_time
    effective = filing.effective_time
    created = entry.created_time
    return FilingRecord(
        filing.account_id,
        filing.revision,
        filing.action,
        filing.display_name,
        filing.category,
        filing.subject_kind,
        filing.person_reference,
        filing.uscc,
        filing.organisation_name,
        filing.subject_region,
        verified.seconds * 1_000_000 + verified.nanos // 1000,
        filing.agreement_version,
        reviewed.seconds * 1_000_000 + reviewed.nanos // 1000,
        effective.seconds * 1_000_000 + effective.nanos // 1000,
        filing.withdrawal_reason,
        created.seconds * 1_000_000 + created.nanos // 1000,
    )
