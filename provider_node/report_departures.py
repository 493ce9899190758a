"""How a report leaves for the regulator: told once, in the transaction that changes its state (Art. 5(3))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from provider_node.escalation_statements import Teller, refused
from provider_node.report_rows import (
    StoredEvent,
    StoredReport,
    add_event,
    due_to_leave,
    end_pause,
    handled_since,
    read_codes,
    read_report,
    update_report,
)
from provider_node.standing import Standing
from shared.clock import micros
from shared.database import Transaction
from shared.egress import findings
from shared.provisions.policy import Policy, policy_at_micros
from shared.provisions.reports import (
    MOST_DIGESTS,
    Actor,
    Departure,
    EscalationCause,
    JoiningRecord,
    ReportEvent,
    ReportRecord,
    ReportState,
    departure,
    judge_report_event,
)
from shared.provisions.spans import FOREVER

CLOCK: Final = "clock"
HANDLED: Final = (ReportState.RECEIVED, ReportState.ANSWERED)

log = structlog.get_logger(__name__)


def departure_of(report: StoredReport, policies: Sequence[Policy]) -> Departure | None:
    """Returns when a report leaves by itself, and why; None where it does not: it is over, or has left.

    Args:
        report: with its pauses.
        policies: in the order of their versions; the one in force when it was received sets its clocks.
    """
    policy = policy_at_micros(policies, report.received_time)
    if policy is None or report.state not in HANDLED:
        return None
    return departure(policy, report.received_time, report.pauses, report.answered_time, report.settled_time)


def with_leave_time(report: StoredReport, policies: Sequence[Policy]) -> StoredReport:
    """Returns a report with the moment at which it leaves by itself."""
    leaves = departure_of(report, policies)
    return replace(report, leave_time=leaves.time if leaves else FOREVER)


def leave(
    transaction: Transaction,
    standing: Standing,
    report: StoredReport,
    leaves: Departure,
    actor: str,
    now: datetime,
) -> StoredReport:
    """Tells the regulator of a report that leaves, with the tracking codes of everybody who reported it: each of them
    may ask and complain there.

    Args:
        transaction: a write that holds the report's lock.
        standing: the provider.
        report: as it is stored.
        leaves: when its clock ran out, or would have, and why it leaves.
        actor: who lets it leave.
        now: when.

    Returns:
        The report as it is to be stored in this transaction.

    Raises:
        FailedPrecondition: the regulator would refuse the statement.
    """
    teller = Teller(transaction, standing, now)
    joined = [digest for digest in read_codes(transaction, report.report_id) if digest != report.tracking_digest]
    record = _record(report, leaves)
    record.joined_digests = tuple(joined[:MOST_DIGESTS])
    teller.tell(record)
    for start in range(MOST_DIGESTS, len(joined), MOST_DIGESTS):
        digests = tuple(joined[start : start + MOST_DIGESTS])
        teller.tell(JoiningRecord(report.report_id, report.account_id, 0, 0, digests))
    end_pause(transaction, report.report_id, micros(now))
    add_event(transaction, report.report_id, StoredEvent(micros(now), "escalated", actor, leaves.cause.name.lower()))
    return replace(report, state=ReportState.ESCALATED, paused=False, leave_time=FOREVER)


def leave_where_due(transaction: Transaction, standing: Standing, report: StoredReport, now: datetime) -> StoredReport:
    """Lets a report leave whose time is up, and stores it so; any other is returned as it is.

    Where the regulator would refuse the statement, because the provider itself may state nothing, the report stays.
    """
    leaves = departure_of(report, standing.policies)
    if leaves is None or leaves.time > micros(now):
        return report
    refusal = judge_report_event(report.state, ReportEvent.ESCALATE, Actor.CLOCK)
    if refusal is not None:
        raise refused(refusal)
    refusal = Teller(transaction, standing, now).refusal(_record(report, leaves))
    if refusal is not None:
        log.warning("report_cannot_leave", report_id=report.report_id, reason=refusal.reason)
        return report
    return update_report(transaction, leave(transaction, standing, report, leaves, CLOCK, now))


def leave_all_due(transaction: Transaction, standing: Standing, now: datetime, limit: int) -> tuple[int, int]:
    """Lets reports leave whose time is up.

    Args:
        transaction: a write.
        standing: the provider.
        now: by the node's clock.
        limit: the most reports to look at.

    Returns:
        How many were looked at, and how many of them stay although they are due.
    """
    due = due_to_leave(transaction, micros(now), limit)
    stay = 0
    for report_id in due:
        transaction.lock(f"report {report_id}")
        report = read_report(transaction, report_id)
        if report.leave_time > micros(now):
            continue
        after = leave_where_due(transaction, standing, report, now)
        if after is report:
            moved = with_leave_time(report, standing.policies)
            if moved.leave_time > micros(now):
                # By a policy that came later than the report, its time is not up.
                update_report(transaction, moved)
            else:
                stay += 1
    return len(due), stay


def set_leave_times_anew(
    transaction: Transaction, policies: Sequence[Policy], received: int, after: str, limit: int
) -> str:
    """Sets anew when reports leave, because a policy arrived.

    Args:
        transaction: a write.
        policies: the newest.
        received: only reports received from this moment on, in microseconds.
        after: only reports with a later id.
        limit: the most reports.

    Returns:
        The id to go on after; empty after the last.
    """
    found = handled_since(transaction, received, after, limit)
    for report_id in found:
        transaction.lock(f"report {report_id}")
        report = read_report(transaction, report_id)
        moved = with_leave_time(report, policies)
        if moved.leave_time != report.leave_time:
            update_report(transaction, moved)
    return found[-1] if len(found) == limit else ""


def _record(report: StoredReport, leaves: Departure) -> ReportRecord:
    # The guard may know more by now than when the address was taken in; the digest stands alone then.
    url = "" if findings(report.item_url) else report.item_url
    return ReportRecord(
        escalation_id=report.report_id,
        account_id=report.account_id,
        revision=0,
        created_time=0,
        tracking_digest=report.tracking_digest,
        baseline=report.baseline,
        item_url=url,
        item_digest=report.item_digest,
        received_time=report.received_time,
        due_time=leaves.time,
        reports=report.reports,
        cause=EscalationCause(leaves.cause),
    )
