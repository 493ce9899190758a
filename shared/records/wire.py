"""Holds, certificates and what is due, as messages."""

from __future__ import annotations

from shared.clock import from_micros
from shared.mapping.policy import period_to_wire
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.retention import Hold, HoldScope, RecordClass
from shared.provisions.spans import FOREVER
from shared.records.certificate_rows import Summary
from shared.records.due import Standing
from shared.records.hold_rows import StoredHold


def hold_from_wire(message: disposal_pb2.LegalHold) -> Hold:
    """Returns what a hold is to keep."""
    return Hold(message.hold_id, HoldScope(message.scope), RecordClass(message.record_class), message.target)


def hold_to_wire(stored: StoredHold) -> disposal_pb2.LegalHold:
    """Returns the message of a hold."""
    hold = stored.hold
    message = disposal_pb2.LegalHold(
        hold_id=hold.hold_id,
        scope=int(hold.scope),  # type: ignore[arg-type]
        record_class=int(hold.record_class),  # type: ignore[arg-type]
        target=hold.target,
        reason=stored.reason,
        placed_by=stored.placed_by,
        lifted_by=stored.lifted_by,
        lift_reason=stored.lift_reason,
    )
    message.placed_time.FromMicroseconds(hold.placed_time)
    message.provider = stored.provider
    if hold.lifted_time != FOREVER:
        message.lifted_time.FromMicroseconds(hold.lifted_time)
    if hold.end_time != FOREVER:
        message.end_time.FromMicroseconds(hold.end_time)
    if stored.acknowledge_by:
        message.acknowledge_by.FromMicroseconds(stored.acknowledge_by)
    if stored.acknowledged_time:
        message.acknowledged_time.FromMicroseconds(stored.acknowledged_time)
    return message


def standing_to_wire(standing: Standing) -> disposal_pb2.ClassStanding:
    """Returns the message of how a class stands."""
    message = disposal_pb2.ClassStanding(
        record_class=int(standing.record_class),  # type: ignore[arg-type]
        due=standing.due,
        held=standing.held,
    )
    if standing.period is not None:
        message.period.CopyFrom(period_to_wire(standing.period))
    for record in standing.records:
        record_class = int(record.record_class)
        each = message.records.add(record_class=record_class, record_id=record.record_id)
        each.ceased_time.FromDatetime(from_micros(record.ceased_time))
    return message


def summary_to_wire(summary: Summary) -> disposal_pb2.CertificateSummary:
    """Returns the message of a certificate in a list."""
    message = disposal_pb2.CertificateSummary(
        number=summary.number,
        record_class=int(summary.record_class),  # type: ignore[arg-type]
        records=summary.records,
        policy_version=summary.policy_version,
        actor=summary.actor,
    )
    message.disposed_time.FromMicroseconds(summary.disposed_time)
    return message
