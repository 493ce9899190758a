"""Reports between the local API's messages and the use cases."""

from __future__ import annotations

from provider_node.conservation import Balance
from provider_node.measure_messages import time_to_wire
from provider_node.report_rows import StoredEvent
from provider_node.reports import Outcome, ToldReport
from provider_node.submissions import Submission
from shared.pb.filingnet.provider.v1 import report_service_pb2 as pb


def submission_from_wire(request: pb.SubmitReportRequest) -> Submission:
    """Reads a report from the public."""
    return Submission(request.account_id, request.baseline, request.item_url, request.item_digest, request.statement)


def report_to_wire(told: ToldReport) -> pb.Report:
    """Returns the message of a report."""
    report = told.report
    return pb.Report(
        report_id=report.report_id,
        account_id=report.account_id,
        baseline=report.baseline,
        item_url=report.item_url,
        item_digest=report.item_digest,
        state=pb.ReportState.Name(report.state),
        reports=report.reports,
        received_time=time_to_wire(report.received_time),
        answer_due_time=time_to_wire(told.due.first_answer),
        settle_due_time=time_to_wire(told.due.settlement),
        paused=report.paused,
        outcome=report.outcome,
        events=map(_event, told.events),
        etag=report.etag,
    )


def outcome_to_wire(outcome: Outcome) -> pb.GetOutcomeResponse:
    """Returns what a reporter is told."""
    return pb.GetOutcomeResponse(
        state=pb.ReportState.Name(outcome.report.state),
        outcome=outcome.report.outcome,
        received_time=time_to_wire(outcome.received_time),
        settle_due_time=time_to_wire(outcome.due.settlement),
        answer=outcome.answer,
    )


def balance_to_wire(balance: Balance) -> pb.AuditReportsResponse:
    """Returns the message of an audit."""
    parties = [pb.ReportsOfParty(party=name, reports=count) for name, count in sorted(balance.parties.items())]
    findings = [pb.ReportFinding(report_id=each.report_id, rule=each.rule, mend=each.mend) for each in balance.findings]
    return pb.AuditReportsResponse(reports=balance.reports, parties=parties, wrong=balance.wrong, findings=findings)


def _event(event: StoredEvent) -> pb.ReportEvent:
    return pb.ReportEvent(time=time_to_wire(event.time), action=event.action, actor=event.actor, reason=event.reason)
