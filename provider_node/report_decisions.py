"""What a regulator's decision makes of the report it decides: told to the reporter by the tracking code (answer 2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from provider_node.escalation_statements import read_thread
from provider_node.order_rows import Decided
from provider_node.report_rows import StoredEvent, add_event, find_report, update_report
from shared.clock import micros
from shared.database import Transaction
from shared.provisions.directives import EscalationOutcome
from shared.provisions.reports import Actor, ReportEvent, ReportState, judge_report_event
from shared.provisions.spans import FOREVER


def report_decided(transaction: Transaction, decided: Decided, now: datetime) -> None:
    """Brings a decision to the report that it decides; one about anything else, or about a report that never left,
    changes nothing.

    Args:
        transaction: the write that stores the decision.
        decided: proven and for this provider.
        now: when it came.
    """
    record = decided.record
    transaction.lock(f"report {record.escalation_id}")
    report = find_report(transaction, record.escalation_id)
    if report is None or report.account_id != record.account_id:
        return
    if judge_report_event(report.state, ReportEvent.DECIDE, Actor.REGULATOR) is not None:
        return
    if read_thread(transaction, report.report_id) is None:
        return
    outcome = EscalationOutcome(record.outcome).name.lower()
    update_report(transaction, replace(report, state=ReportState.DECIDED, outcome=outcome, leave_time=FOREVER))
    add_event(transaction, report.report_id, StoredEvent(micros(now), "decided", decided.regulator, record.reason))
