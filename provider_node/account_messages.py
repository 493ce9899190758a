"""Accounts, filings and imports between the local API's messages and the use cases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from provider_node.account_rows import Account
from provider_node.evidence import Evidence
from provider_node.filing_states import FilingStatus
from provider_node.imports import ImportResult, ImportRow
from provider_node.status import NodeStatus
from shared.delivery.outbox import DestinationStatus
from shared.errors import Violation
from shared.pb.filingnet.network.v1 import evidence_pb2, filing_pb2
from shared.pb.filingnet.provider.v1 import account_service_pb2, node_service_pb2
from shared.validation import field_violations


def time_from_wire(
    message: account_service_pb2.ReviewAccountRequest | account_service_pb2.AmendAccountRequest,
) -> datetime | None:
    """Reads the effective time of a request; None where it is unset."""
    return message.effective_time.ToDatetime(UTC) if message.HasField("effective_time") else None


def account_to_wire(account: Account) -> account_service_pb2.Account:
    """Returns the message of an account with its newest filing."""
    message = account_service_pb2.Account(
        account_id=account.account_id,
        subject_reference=account.reference,
        display_name=account.display_name,
        category=account.category,
        review_outcome=account_service_pb2.ReviewOutcome.Name(account.review_outcome),
        review_reason=account.review_reason,
        withdrawn=account.withdrawn,
        etag=account.etag,
    )
    message.open_time.FromDatetime(account.open_time)
    if account.filing is not None:
        message.filing.CopyFrom(filing_to_wire(account.filing))
    return message


def filing_to_wire(filing: FilingStatus) -> account_service_pb2.FilingStatus:
    """Returns the message of a filing."""
    message = account_service_pb2.FilingStatus(
        entry_id=filing.entry_id,
        revision=filing.revision,
        action=filing_pb2.FilingAction.Name(filing.action),
        state=account_service_pb2.FilingState.Name(filing.state),
        reason=filing.reason,
        violations=_violations_to_wire(filing.violations),
        note=filing.note,
        log_index=filing.log_index,
    )
    message.created_time.FromDatetime(filing.created_time)
    return message


def import_rows_from_wire(rows: Iterable[account_service_pb2.ImportRow]) -> list[ImportRow]:
    """Reads rows to import, each checked by itself against its contract."""
    return [
        ImportRow(
            number=row.row,
            reference=row.subject_reference,
            display_name=row.display_name,
            category=row.category,
            reviewed_time=_time(row.reviewed_time) if row.HasField("reviewed_time") else None,
            violations=tuple(field_violations(row)),
        )
        for row in rows
    ]


def import_result_to_wire(result: ImportResult) -> account_service_pb2.ImportAccountsResponse:
    """Returns the answer to an import."""
    return account_service_pb2.ImportAccountsResponse(
        imported=result.imported,
        already_imported=result.already_imported,
        failures=[
            account_service_pb2.ImportFailure(
                row=failure.number, reason=failure.reason, violations=_violations_to_wire(failure.violations)
            )
            for failure in result.failures
        ],
        failed=result.failed,
        resume_row=result.resume_row,
    )


def status_to_wire(status: NodeStatus) -> node_service_pb2.GetStatusResponse:
    """Returns the answer that tells the node's state."""
    message = node_service_pb2.GetStatusResponse(
        name=status.name,
        jurisdiction=status.jurisdiction,
        destinations=[_destination_to_wire(each) for each in status.destinations],
        directory_version=status.directory_version,
        policy_version=status.policy_version,
        accounts=status.accounts,
        software_version=status.software_version,
        licence_renewal_due=status.licence_renewal_due,
        state=int(status.state),  # type: ignore[arg-type]
        warnings=_violations_to_wire(status.warnings),
    )
    if status.licence is not None:
        message.licence_start_time.FromDatetime(status.licence.start_time)
        message.licence_number = status.licence.number
        message.licence_end_time.FromDatetime(status.licence.end_time)
    message.certificate_expire_time.FromDatetime(status.certificate_expire_time)
    if status.simulated_time is not None:
        message.simulated_time.FromDatetime(status.simulated_time)
    return message


def evidence_to_wire(piece: Evidence) -> node_service_pb2.Evidence:
    """Returns one piece of evidence as it is exported."""
    return node_service_pb2.Evidence(
        kind=int(piece.kind),  # type: ignore[arg-type]
        entry_id=piece.entry_id,
        account_id=piece.account_id,
        sequence=piece.sequence,
        entry=piece.entry,
        proof=piece.proof,
        final=piece.final,
    )


def _destination_to_wire(status: DestinationStatus) -> node_service_pb2.Destination:
    message = node_service_pb2.Destination(
        name=status.name,
        queued=status.queued,
        parked=status.parked,
        last_error=status.last_error,
        attempts=status.attempts,
    )
    for field, time in (
        (message.oldest_time, status.oldest_time),
        (message.last_success_time, status.last_success_time),
        (message.next_attempt_time, status.next_attempt_time),
    ):
        if time is not None:
            field.FromDatetime(time)
    return message


def _violations_to_wire(violations: Iterable[Violation]) -> list[evidence_pb2.FieldViolation]:
    return [evidence_pb2.FieldViolation(field=each.field, rule=each.rule, mend=each.mend) for each in violations]


def _time(message: Timestamp) -> datetime | None:
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError):
        # Out of the calendar: the row's own violations tell it.
        return None
