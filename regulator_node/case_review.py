"""What a decision on a case is made of and judged against: the message, and what the account has gone through."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from regulator_node.case_rows import CaseFile
from regulator_node.held_escalations import provider_of_account, read_histories
from shared.clock import micros
from shared.database import Transaction
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.account_history import AccountHistory
from shared.provisions.escalations import directive_times
from shared.provisions.filings import FilingAction
from shared.provisions.policy import Policy


def decision_of(
    case: CaseFile, terms: tuple[int, int, int, int, str, str], policy: Policy, now: datetime
) -> escalation_pb2.EscalationDecision:
    """Makes the message of a decision; the deadlines are those of the policy, the baseline is that of the case.

    Args:
        case: that is decided.
        terms: outcome, measure ordered, gravity, days, reason and note.
        policy: in force now.
        now: when it is decided.
    """
    outcome, measure, gravity, days, reason, note = terms
    decision = escalation_pb2.EscalationDecision(
        provider=case.provider,
        account_id=id_text(case.account_id),
        escalation_id=id_text(case.escalation_id),
        outcome=outcome,  # type: ignore[arg-type]
        ordered_measure=measure,  # type: ignore[arg-type]
        baseline=case.baseline if measure else 0,
        gravity=gravity,  # type: ignore[arg-type]
        days=days,
        reason=reason,
        note=note,
    )
    acknowledge_by, answer_by = directive_times(policy, micros(now))
    decision.decided_time.FromDatetime(now)
    decision.acknowledge_by.FromMicroseconds(acknowledge_by)
    decision.answer_by.FromMicroseconds(answer_by)
    return decision


def account_history(transaction: Transaction, case: CaseFile) -> AccountHistory:
    """Reads what the account of a case has gone through, wherever it is on file."""
    place = provider_of_account(transaction, case.jurisdiction, case.account_id)
    jurisdiction = place[0] if place else case.jurisdiction
    histories = read_histories(transaction, jurisdiction, case.provider, [case.account_id])
    history = histories.get(id_text(case.account_id), AccountHistory())
    ((newest, action),) = transaction.execute(
        "SELECT MAX(revision), MAX(action) FROM filing WHERE jurisdiction = ? AND provider = ? AND account_id = ?",
        (jurisdiction, case.provider, case.account_id),
    )
    # WITHDRAW is the highest action, and nothing follows it.
    return replace(history, filed=newest is not None, withdrawn=action == FilingAction.WITHDRAW)
