"""Whether what a provider tells of reports, measures, appeals and orders may enter the register: one judgement for all.

The provider asks it before it queues a statement and the regulator when the statement arrives, with what each knows;
once they know the same they answer the same. No licence is asked for: a provider whose licence lapsed still owes its
records (Art. 8(2)).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from shared.clock import micros
from shared.errors import Violation
from shared.provisions.account_history import AccountHistory
from shared.provisions.appeals import AppealRecord, judge_appeal
from shared.provisions.directives import OrderAnswerRecord, judge_order_answer
from shared.provisions.measures import MeasureRecord, judge_measure
from shared.provisions.policy import Policy
from shared.provisions.provider_standing import ProviderStanding, judge_reporting_provider
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.reports import (
    JoiningRecord,
    ReportRecord,
    SettlementRecord,
    judge_joining,
    judge_report,
    judge_settlement,
)
from shared.provisions.statements import Matter, Thread, judge_created_time, policy_of_entry

EscalationRecord: TypeAlias = (
    ReportRecord | SettlementRecord | JoiningRecord | MeasureRecord | AppealRecord | OrderAnswerRecord
)
"""Any statement of a provider in an Escalation."""


@dataclass(frozen=True, slots=True)
class EscalationContext:
    """What a statement is judged against.

    Attributes:
        standing: the provider.
        policies: in the order of their versions.
        now: the time of judging, aware.
        thread: what was stated under the escalation id before; None where nothing was.
        history: of the account.
    """

    standing: ProviderStanding
    policies: Sequence[Policy]
    now: datetime
    thread: Thread | None = None
    history: AccountHistory = field(default_factory=AccountHistory)


def judge_escalation(record: EscalationRecord, context: EscalationContext) -> Refusal | None:
    """Judges one statement of a provider on a report, a measure, an appeal or an order.

    Args:
        record: the statement.
        context: its provider, thread, account, the policies and the time.

    Returns:
        None where the statement may enter the register, else the refusal: PROVIDER_UNKNOWN, PROVIDER_DENIED,
        JURISDICTION_WRONG, MATTER_WRONG, ACCOUNT_CHANGED, TIME_IN_FUTURE, TIME_TOO_EARLY, and what `judge_report`,
        `judge_joining`, `judge_settlement`, `judge_measure`, `judge_appeal` and `judge_order_answer` say.
    """
    policy = policy_of_entry(context.policies, record.created_time)
    if isinstance(policy, Violation):
        return refusal_of([policy])
    refusal = _judge_matter(record, context, policy)
    found = (
        *judge_reporting_provider(context.standing),
        *_judge_thread(record, context.thread),
        *(refusal.violations if refusal else ()),
        *judge_created_time(record.created_time, micros(context.now), policy),
    )
    # The judgements of measures and appeals look at the time of making themselves.
    return refusal_of(dict.fromkeys(found))


def _judge_matter(record: EscalationRecord, context: EscalationContext, policy: Policy) -> Refusal | None:
    if isinstance(record, MeasureRecord):
        return judge_measure(record, context.history, context.policies, micros(context.now))
    if isinstance(record, AppealRecord):
        return judge_appeal(record, context.history, context.policies, micros(context.now))
    if isinstance(record, OrderAnswerRecord):
        return judge_order_answer(record, context.thread, context.history, policy)
    if isinstance(record, SettlementRecord):
        return judge_settlement(record, context.thread, policy)
    if isinstance(record, JoiningRecord):
        return judge_joining(record, context.thread)
    return judge_report(record, context.thread, policy)


def _judge_thread(record: EscalationRecord, thread: Thread | None) -> Iterator[Violation]:
    matter = {MeasureRecord: Matter.MEASURE, AppealRecord: Matter.APPEAL}.get(type(record))
    if thread is None or matter is None:
        return
    if thread.matter != matter:
        yield Violation("escalation.escalation_id", "MATTER_WRONG", "make a new id for a new matter")
    if thread.account_id != record.account_id:
        yield Violation("escalation.account_id", "ACCOUNT_CHANGED", "keep the account of the escalation")
