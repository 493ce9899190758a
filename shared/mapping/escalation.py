"""Reads what providers tell and regulators decide of reports, measures and appeals off the wire into the rules' records."""

from __future__ import annotations

from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.appeals import AppealRecord
from shared.provisions.directives import DecisionRecord, OrderAnswerRecord
from shared.provisions.escalation_judgement import EscalationRecord
from shared.provisions.measures import MeasureRecord
from shared.provisions.reports import JoiningRecord, ReportRecord, SettlementRecord


def escalation_from_wire(escalation: escalation_pb2.Escalation, created_time: int) -> EscalationRecord:
    """Returns the record of a provider's statement on a report, a measure, an appeal or an order.

    Args:
        escalation: the statement, with its matter set; any other unset field reads as its default.
        created_time: of its entry, in microseconds since the epoch.

    Returns:
        The record of its matter, with times in microseconds; what is finer is cut off, and an unset one is 0. Ids are in
        small letters.

    Raises:
        ValueError: it has no matter, which no entry has that kept its contract.
    """
    head = (escalation.escalation_id.lower(), escalation.account_id.lower(), escalation.revision, created_time)
    matter = escalation.WhichOneof("matter")
    if matter == "report":
        return _report(head, escalation.report)
    if matter == "report_settled":
        settled = escalation.report_settled
        return SettlementRecord(*head, micros_of(settled.settled_time), settled.outcome)
    if matter == "report_joined":
        return JoiningRecord(*head, tuple(escalation.report_joined.tracking_digests))
    if matter == "measure":
        return _measure(head, escalation.measure)
    if matter == "appeal":
        return _appeal(head, escalation.appeal)
    if matter == "order_answered":
        answered = escalation.order_answered
        return OrderAnswerRecord(
            *head, answered.order_entry_id.lower(), answered.answer, answered.reason, micros_of(answered.answered_time)
        )
    raise ValueError("an escalation has a matter")


def escalation_decision_from_wire(decision: escalation_pb2.EscalationDecision) -> DecisionRecord:
    """Returns the record of a regulator's decision on an escalation; times as `escalation_from_wire` reads them."""
    return DecisionRecord(
        decision.provider,
        decision.account_id.lower(),
        decision.escalation_id.lower(),
        decision.outcome,
        decision.ordered_measure,
        decision.baseline,
        decision.gravity,
        decision.days,
        decision.reason,
        micros_of(decision.decided_time),
        micros_of(decision.acknowledge_by),
        micros_of(decision.answer_by),
    )


def _report(head: tuple[str, str, int, int], report: escalation_pb2.ReportEscalation) -> ReportRecord:
    return ReportRecord(
        *head,
        report.tracking_digest,
        report.baseline,
        report.item_url,
        report.item_digest,
        micros_of(report.received_time),
        micros_of(report.due_time),
        report.reports,
        report.cause,
        tuple(report.joined_digests),
        report.report_digest,
    )


def _measure(head: tuple[str, str, int, int], measure: escalation_pb2.MeasureRecord) -> MeasureRecord:
    return MeasureRecord(
        *head,
        measure.action,
        measure.kind,
        measure.baseline,
        measure.reason,
        measure.gravity,
        micros_of(measure.start_time),
        micros_of(measure.end_time),
        measure.order_entry_id,
    )


def _appeal(head: tuple[str, str, int, int], appeal: escalation_pb2.AppealRecord) -> AppealRecord:
    return AppealRecord(
        *head,
        appeal.measure_id.lower(),
        appeal.stage,
        micros_of(appeal.appealed_time),
        appeal.statement_digest,
        micros_of(appeal.undecided_since_time),
    )
