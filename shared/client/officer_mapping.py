"""The register's API and the values officers work with: the one place of the client where both are known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from shared.client.officer_types import (
    AuditEntry,
    Filing,
    FilingFilter,
    FilingState,
    NodeInfo,
    NodeKey,
    NodeRole,
    NodeState,
    OfficerRole,
    OfficerTokenInfo,
    RegulatorStatus,
    Replica,
    Verdict,
    VerdictResult,
)
from shared.errors import Violation
from shared.mapping.licence import licence_of
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.pb.filingnet.regulator.v1 import filing_service_pb2, network_service_pb2
from shared.provisions.subjects import SubjectKind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time_to_wire(time: datetime | None) -> Timestamp | None:
    """Returns the message of an aware time; None for None."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def time_from_wire(message: Timestamp) -> datetime:
    """Reads a time, in UTC, to the microsecond."""
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)


def filter_to_wire(given: FilingFilter) -> filing_service_pb2.FilingFilter:
    """Returns the message of a filter."""
    return filing_service_pb2.FilingFilter(
        jurisdiction=given.jurisdiction,
        provider=given.provider,
        category=given.category,
        subject_kind=int(given.subject_kind),  # type: ignore[arg-type]
        subject_region=given.subject_region,
        state=int(given.state),  # type: ignore[arg-type]
        filed_from=time_to_wire(given.filed_from),
        filed_before=time_to_wire(given.filed_before),
        text=given.text,
        as_of=time_to_wire(given.as_of),
    )


def filing_from_wire(message: filing_service_pb2.Filing) -> Filing:
    """Reads a filing."""
    return Filing(
        message.jurisdiction,
        message.provider,
        message.account_id,
        message.revision,
        message.display_name,
        message.category,
        SubjectKind(message.subject_kind),
        message.person_reference,
        message.uscc,
        message.organisation_name,
        message.subject_region,
        FilingState(message.state),
        time_from_wire(message.filed_time),
        time_from_wire(message.effective_time),
        time_from_wire(message.decided_time) if message.HasField("decided_time") else None,
        message.reason,
        tuple(message.fields),
        message.note,
        message.log_index,
        message.superseded,
        message.etag,
    )


def filings_from_wire(messages: Iterable[filing_service_pb2.Filing]) -> tuple[Filing, ...]:
    """Reads filings."""
    return tuple(map(filing_from_wire, messages))


def verdict_to_wire(verdict: Verdict) -> filing_service_pb2.FilingVerdict:
    """Returns the message of a verdict."""
    return filing_service_pb2.FilingVerdict(
        provider=verdict.provider,
        account_id=verdict.account_id,
        revision=verdict.revision,
        outcome=int(verdict.outcome),  # type: ignore[arg-type]
        reason=verdict.reason,
        fields=verdict.fields,
        note=verdict.note,
        etag=verdict.etag,
    )


def result_from_wire(message: filing_service_pb2.VerdictResult) -> VerdictResult:
    """Reads the result of a verdict."""
    stands = not message.error_reason
    return VerdictResult(message.error_reason, message.error_message, message.log_index if stands else None)


def status_from_wire(message: network_service_pb2.GetStatusResponse) -> RegulatorStatus:
    """Reads a node's state."""
    return RegulatorStatus(
        name=message.name,
        log_size=message.log_size,
        checkpoint=message.checkpoint,
        replicas=tuple(map(_replica, message.replicas)),
        directory_version=message.directory_version,
        policy_version=message.policy_version,
        certificate_expire_time=time_from_wire(message.certificate_expire_time),
        software_version=message.software_version,
        filings=message.filings,
        simulated_time=time_from_wire(message.simulated_time) if message.HasField("simulated_time") else None,
        log_error=message.log_error,
        alarms=tuple(Violation(each.field, each.rule, each.mend) for each in message.alarms),
    )


def _replica(message: network_service_pb2.Replica) -> Replica:
    return Replica(
        message.jurisdiction,
        message.size,
        message.head_size,
        time_from_wire(message.contact_time) if message.HasField("contact_time") else None,
        message.last_error,
    )


def node_from_wire(message: directory_pb2.Node) -> NodeInfo:
    """Reads a node of the directory."""
    return NodeInfo(
        name=message.name,
        role=NodeRole(message.role),
        jurisdiction=message.jurisdiction,
        title=message.title,
        endpoint=message.endpoint,
        signing_keys=tuple(
            NodeKey(key.key_id, key.public_key, time_from_wire(key.start_time)) for key in message.signing_keys
        ),
        state=NodeState(message.state),
        licence=licence_of(message),
        former_jurisdictions=tuple(former.jurisdiction for former in message.former_jurisdictions),
    )


def officer_token_from_wire(message: network_service_pb2.OfficerTokenInfo) -> OfficerTokenInfo:
    """Reads what is told of an officer's bearer token."""
    expires = time_from_wire(message.expire_time)
    return OfficerTokenInfo(message.token_id, message.officer, OfficerRole(message.role), expires)


def audit_entry_from_wire(message: network_service_pb2.AuditEntry) -> AuditEntry:
    """Reads an audit entry."""
    return AuditEntry(time_from_wire(message.time), message.actor, message.role, message.method, message.detail)
