"""A filing as the rules see it, written as the message that goes into the outbox."""

from __future__ import annotations

from shared.pb.filingnet.network.v1 import filing_pb2
from shared.provisions.filings import FilingRecord


def filing_to_wire(record: FilingRecord) -> filing_pb2.Filing:
    """Returns the message of a record that was judged.

    Args:
        record: times in microseconds since 1970; an empty person_reference or uscc is left unset.
    """
    filing = filing_pb2.Filing(
        account_id=record.account_id,
        revision=record.revision,
        action=filing_pb2.FilingAction.Name(record.action),
        display_name=record.display_name,
        category=record.category,
        subject_kind=filing_pb2.SubjectKind.Name(record.subject_kind),
        organisation_name=record.organisation_name,
        subject_region=record.subject_region,
        agreement_version=record.agreement_version,
        withdrawal_reason=filing_pb2.WithdrawalReason.Name(record.withdrawal_reason),
    )
    if record.person_reference:
        filing.person_reference = record.person_reference
    else:
        filing.uscc = record.uscc
    filing.identity_verified_time.FromMicroseconds(record.identity_verified_time)
    filing.reviewed_time.FromMicroseconds(record.reviewed_time)
    filing.effective_time.FromMicroseconds(record.effective_time)
    return filing
