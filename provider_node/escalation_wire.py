"""Statements on reports, measures, appeals and orders as the rules see them, written as what goes into the outbox."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.provisions.appeals import AppealRecord
from shared.provisions.directives import OrderAnswerRecord
from shared.provisions.escalation_judgement import EscalationRecord
from shared.provisions.measures import MeasureRecord
from shared.provisions.reports import JoiningRecord, ReportRecord


def escalation_to_wire(record: EscalationRecord) -> pb.Escalation:
    """Returns the message of a record that was judged.

    Args:
        record: times in microseconds since 1970; a time of 0 that may be unset is left unset.
    """
    message = pb.Escalation(escalation_id=record.escalation_id, account_id=record.account_id, revision=record.revision)
    if isinstance(record, ReportRecord):
        message.report.CopyFrom(_report(record))
    elif isinstance(record, MeasureRecord):
        message.measure.CopyFrom(_measure(record))
    elif isinstance(record, AppealRecord):
        message.appeal.CopyFrom(_appeal(record))
    elif isinstance(record, OrderAnswerRecord):
        message.order_answered.CopyFrom(_answered(record))
    elif isinstance(record, JoiningRecord):
        message.report_joined.tracking_digests.extend(record.tracking_digests)
    else:
        message.report_settled.outcome = record.outcome
        message.report_settled.settled_time.FromMicroseconds(record.settled_time)
    return message


def _report(record: ReportRecord) -> pb.ReportEscalation:
    return pb.ReportEscalation(
        tracking_digest=record.tracking_digest,
        baseline=record.baseline,
        item_url=record.item_url,
        item_digest=record.item_digest,
        received_time=_time(record.received_time),
        due_time=_time(record.due_time),
        reports=record.reports,
        cause=pb.EscalationCause.Name(record.cause),
        joined_digests=record.joined_digests,
        report_digest=record.report_digest,
    )


def _measure(record: MeasureRecord) -> pb.MeasureRecord:
    return pb.MeasureRecord(
        action=pb.MeasureAction.Name(record.action),
        kind=pb.MeasureKind.Name(record.kind),
        baseline=record.baseline,
        reason=record.reason,
        gravity=pb.Gravity.Name(record.gravity),
        start_time=_time(record.start_time),
        end_time=_time(record.end_time),
        order_entry_id=record.order_entry_id,
    )


def _appeal(record: AppealRecord) -> pb.AppealRecord:
    return pb.AppealRecord(
        measure_id=record.measure_id,
        stage=pb.AppealStage.Name(record.stage),
        appealed_time=_time(record.appealed_time),
        statement_digest=record.statement_digest,
        undecided_since_time=_time(record.undecided_since_time),
    )


def _answered(record: OrderAnswerRecord) -> pb.OrderAnswered:
    return pb.OrderAnswered(
        order_entry_id=record.order_entry_id,
        answer=pb.OrderAnswer.Name(record.answer),
        reason=record.reason,
        answered_time=_time(record.answered_time),
    )


def _time(value: int) -> Timestamp | None:
    if not value:
        return None
    time = Timestamp()
    time.FromMicroseconds(value)
    return time
