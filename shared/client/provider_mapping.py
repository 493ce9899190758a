"""The local API's messages and the values a backend works with: the one place of the client where both are known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from shared.client.provider_types import (
    Account,
    Agreement,
    AuditEntry,
    Destination,
    EvidenceKind,
    EvidencePiece,
    FilingStatus,
    ImportFailure,
    ImportRow,
    NodeStatus,
    Subject,
)
from shared.clock import system_clock
from shared.errors import Violation
from shared.mapping.identity import organisation_from_wire, person_from_wire
from shared.pb.filingnet.network.v1 import evidence_pb2
from shared.pb.filingnet.provider.v1 import account_service_pb2, node_service_pb2, subject_service_pb2
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.agreements import AgreementSignature
from shared.provisions.filings import FilingAction, ProviderState
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity


def identity_from_wire(answer: subject_service_pb2.ReadIdentityResponse) -> PersonIdentity | OrganisationIdentity:
    """Reads an identity."""
    if answer.HasField("person"):
        return person_from_wire(answer.person)
    return organisation_from_wire(answer.organisation)


def signature_to_wire(agreement: Agreement | AgreementSignature) -> subject_service_pb2.AgreementSignature:
    """Returns the message of a signature; an agreement stands for one that was signed just now."""
    signature = agreement.signed_at(system_clock()) if isinstance(agreement, Agreement) else agreement
    message = subject_service_pb2.AgreementSignature(version=signature.version, digest=signature.digest)
    message.sign_time.FromDatetime(signature.sign_time)
    return message


def subject_from_wire(message: subject_service_pb2.Subject) -> Subject:
    """Reads a subject."""
    agreement = message.agreement
    return Subject(
        reference=message.reference,
        kind=SubjectKind(message.kind),
        nickname=message.nickname,
        region=message.region,
        verified_time=_time(message.verified_time),
        agreement=AgreementSignature(agreement.version, agreement.digest, _time(agreement.sign_time)),
        etag=message.etag,
    )


def account_from_wire(message: account_service_pb2.Account) -> Account:
    """Reads an account."""
    return Account(
        account_id=message.account_id,
        subject_reference=message.subject_reference,
        display_name=message.display_name,
        category=message.category,
        review_outcome=ReviewOutcome(message.review_outcome),
        review_reason=message.review_reason,
        filing=filing_from_wire(message.filing) if message.HasField("filing") else None,
        withdrawn=message.withdrawn,
        open_time=_time(message.open_time),
        etag=message.etag,
    )


def filing_from_wire(message: account_service_pb2.FilingStatus) -> FilingStatus:
    """Reads a filing."""
    return FilingStatus(
        entry_id=message.entry_id,
        revision=message.revision,
        action=FilingAction(message.action),
        state=FilingState(message.state),
        reason=message.reason,
        violations=_violations(message.violations),
        note=message.note,
        created_time=_time(message.created_time),
        log_index=message.log_index if message.log_index >= 0 else None,
    )


def import_row_to_wire(row: ImportRow) -> account_service_pb2.ImportRow:
    """Returns the message of a row of an import."""
    message = account_service_pb2.ImportRow(
        row=row.number,
        subject_reference=row.subject_reference,
        display_name=row.display_name,
        category=row.category,
    )
    set_time(message, "reviewed_time", row.reviewed_time)
    return message


def import_failure_from_wire(message: account_service_pb2.ImportFailure) -> ImportFailure:
    """Reads a row that was refused."""
    return ImportFailure(message.row, message.reason, _violations(message.violations))


def status_from_wire(message: node_service_pb2.GetStatusResponse) -> NodeStatus:
    """Reads the node's state."""
    return NodeStatus(
        name=message.name,
        jurisdiction=message.jurisdiction,
        destinations=tuple(_destination(each) for each in message.destinations),
        certificate_expire_time=_time(message.certificate_expire_time),
        directory_version=message.directory_version,
        policy_version=message.policy_version,
        accounts=message.accounts,
        software_version=message.software_version,
        licence_number=message.licence_number,
        licence_end_time=_optional_time(message, "licence_end_time"),
        licence_renewal_due=message.licence_renewal_due,
        simulated_time=_optional_time(message, "simulated_time"),
        state=ProviderState(message.state),
        licence_start_time=_optional_time(message, "licence_start_time"),
        warnings=tuple(Violation(each.field, each.rule, each.mend) for each in message.warnings),
    )


def evidence_from_wire(message: node_service_pb2.Evidence) -> EvidencePiece:
    """Reads one piece of evidence."""
    return EvidencePiece(
        EvidenceKind(message.kind),
        message.entry_id,
        message.account_id,
        message.sequence,
        message.entry,
        message.proof,
        message.final,
    )


def audit_entry_from_wire(message: node_service_pb2.AuditEntry) -> AuditEntry:
    """Reads a line of the audit trail."""
    return AuditEntry(
        message.number, _time(message.time), message.action, message.reference, message.purpose, message.reader
    )


def set_time(message: Message, field: str, time: datetime | None) -> None:
    """Sets a time of a message; None leaves it unset."""
    if time is not None:
        getattr(message, field).FromDatetime(time)


def _destination(message: node_service_pb2.Destination) -> Destination:
    return Destination(
        name=message.name,
        queued=message.queued,
        parked=message.parked,
        oldest_time=_optional_time(message, "oldest_time"),
        last_success_time=_optional_time(message, "last_success_time"),
        next_attempt_time=_optional_time(message, "next_attempt_time"),
        last_error=message.last_error,
        attempts=message.attempts,
    )


def _violations(messages: Iterable[evidence_pb2.FieldViolation]) -> tuple[Violation, ...]:
    return tuple(Violation(each.field, each.rule, each.mend) for each in messages)


def _time(message: Timestamp) -> datetime:
    return message.ToDatetime(UTC)


def _optional_time(message: Message, field: str) -> datetime | None:
    return _time(getattr(message, field)) if message.HasField(field) else None
