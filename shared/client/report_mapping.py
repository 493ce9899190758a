"""Messages on reports, measures and orders, and the values a backend works with."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message

from shared.client.provider_mapping import filing_from_wire
from shared.client.report_types import (
    AppealState,
    Measure,
    MeasureState,
    Order,
    Report,
    ReportEvent,
    ReportOutcome,
    ReportState,
)
from shared.pb.filingnet.provider.v1 import measure_service_pb2, report_service_pb2
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind


def report_from_wire(message: report_service_pb2.Report) -> Report:
    """Reads a report."""
    return Report(
        report_id=message.report_id,
        account_id=message.account_id,
        baseline=message.baseline,
        item_url=message.item_url,
        item_digest=message.item_digest,
        state=ReportState(message.state),
        reports=message.reports,
        received_time=message.received_time.ToDatetime(UTC),
        answer_due_time=_time(message, "answer_due_time"),
        settle_due_time=_time(message, "settle_due_time"),
        paused=message.paused,
        outcome=message.outcome,
        events=tuple(
            ReportEvent(each.time.ToDatetime(UTC), each.action, each.actor, each.reason) for each in message.events
        ),
        etag=message.etag,
    )


def outcome_from_wire(message: report_service_pb2.GetOutcomeResponse) -> ReportOutcome:
    """Reads what a reporter is told."""
    return ReportOutcome(
        state=ReportState(message.state),
        outcome=message.outcome,
        received_time=message.received_time.ToDatetime(UTC),
        settle_due_time=_time(message, "settle_due_time"),
        answer=message.answer,
    )


def measure_from_wire(message: measure_service_pb2.Measure) -> Measure:
    """Reads a measure."""
    return Measure(
        measure_id=message.measure_id,
        account_id=message.account_id,
        kind=MeasureKind(message.kind),
        baseline=message.baseline,
        reason=message.reason,
        gravity=Gravity(message.gravity),
        start_time=message.start_time.ToDatetime(UTC),
        end_time=_time(message, "end_time"),
        order_entry_id=message.order_entry_id,
        state=MeasureState(message.state),
        appeal=AppealState(message.appeal),
        appeal_by_time=_time(message, "appeal_by_time"),
        statement_of_reasons=message.statement_of_reasons,
        report=filing_from_wire(message.report) if message.HasField("report") else None,
        etag=message.etag,
    )


def order_from_wire(message: measure_service_pb2.Order) -> Order:
    """Reads an order."""
    return Order(
        order_entry_id=message.order_entry_id,
        regulator=message.regulator,
        account_id=message.account_id,
        escalation_id=message.escalation_id,
        ordered_measure=MeasureKind(message.ordered_measure),
        baseline=message.baseline,
        gravity=Gravity(message.gravity),
        days=message.days,
        overturns=message.overturns,
        reason=message.reason,
        note=message.note,
        decided_time=message.decided_time.ToDatetime(UTC),
        answer_by_time=message.answer_by_time.ToDatetime(UTC),
        answer=OrderAnswer(message.answer),
    )


def _time(message: Message, field: str) -> datetime | None:
    return getattr(message, field).ToDatetime(UTC) if message.HasField(field) else None
