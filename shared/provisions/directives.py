"""Directives (Art. 9, answer 2): what a regulator decides on a case, and how the provider answers it.

A decision fits what the case is about, gives a reason of the policy, and orders no measure that the ladder does not
open to the act. The provider acknowledges it and answers it once: carried out, which the measures of the account must
show, or impossible, with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from shared.errors import Violation
from shared.provisions.account_history import AccountHistory, Order
from shared.provisions.escalations import CaseEvent, CaseKind, CaseState, directive_times, next_case_state
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.measures import judge_terms
from shared.provisions.policy import Policy
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.statements import Statement, Thread, judge_past, judge_revision


class EscalationOutcome(IntEnum):
    """What a regulator decided on an escalation, with the numbers of the wire."""

    UNSPECIFIED = 0
    VERIFIED = 1
    DISMISSED = 2
    APPEAL_REFUSED = 3
    APPEAL_GRANTED = 4


class OrderAnswer(IntEnum):
    """How a provider answered an order, with the numbers of the wire."""

    UNSPECIFIED = 0
    ACKNOWLEDGED = 1
    DONE = 2
    IMPOSSIBLE = 3


@dataclass(slots=True)
class DecisionRecord:
    """A decision on an escalation as the rules see it: the fields of EscalationDecision. Times are microseconds."""

    provider: str
    account_id: str
    escalation_id: str
    outcome: int
    ordered_measure: int
    baseline: int
    gravity: int
    days: int
    reason: str
    decided_time: int
    acknowledge_by: int
    answer_by: int


@dataclass(frozen=True, slots=True)
class DecidedCase:
    """The case that a decision is on.

    Attributes:
        kind: what it is about.
        state: where it stands.
        provider: of the account, e.g. "provider/wave".
        account_id: of the account.
        escalation_id: of the escalation, or the id that the regulator made for a complaint.
        measure_id: that an appeal is against; empty for every other case.
    """

    kind: CaseKind
    state: CaseState
    provider: str
    account_id: str
    escalation_id: str
    measure_id: str = ""


@dataclass(slots=True)
class OrderAnswerRecord(Statement):
    """A provider's answer to an order as the rules see it: the fields of OrderAnswered. Times are microseconds."""

    order_entry_id: str
    answer: int
    reason: str
    answered_time: int


CASE_EVENTS: Final[dict[int, CaseEvent]] = {
    EscalationOutcome.VERIFIED: CaseEvent.DIRECT,
    EscalationOutcome.DISMISSED: CaseEvent.DISMISS,
    EscalationOutcome.APPEAL_REFUSED: CaseEvent.DISMISS,
    EscalationOutcome.APPEAL_GRANTED: CaseEvent.DIRECT,
}
"""What each outcome does to its case. A granted appeal directs the provider to undo the measure."""

ANSWER_EVENTS: Final[dict[int, CaseEvent]] = {
    OrderAnswer.ACKNOWLEDGED: CaseEvent.ACKNOWLEDGE,
    OrderAnswer.DONE: CaseEvent.COMPLETE,
    OrderAnswer.IMPOSSIBLE: CaseEvent.DECLINE,
}
"""What each answer does to the case of its order."""

_APPEAL_OUTCOMES: Final = (EscalationOutcome.APPEAL_REFUSED, EscalationOutcome.APPEAL_GRANTED)


def judge_decision(
    decision: DecisionRecord, case: DecidedCase, history: AccountHistory, policy: Policy
) -> Refusal | None:
    """Judges a decision before it enters the regulator's log.

    Args:
        decision: the decision.
        case: the case as the regulator has it.
        history: of the account.
        policy: the policy in force at decided_time.

    Returns:
        None where the decision stands, else the refusal: CASE_CHANGED, CASE_STATE_WRONG, OUTCOME_WRONG, REASON_UNKNOWN,
        ORDER_WRONG, ACCOUNT_CLOSED, ACCOUNT_WITHDRAWN, DUE_TIME_WRONG, and what `measures.judge_terms` says.
    """
    return refusal_of(
        (
            *_judge_case(decision, case),
            *_judge_decision_reason(decision, policy),
            *_judge_ordered(decision, history, policy),
            *_judge_due(decision, policy),
        )
    )


def order_of(decision: DecisionRecord, entry_id: str, measure_id: str = "") -> Order | None:
    """Returns the order in a decision; None where it orders nothing.

    Args:
        decision: a decision that `judge_decision` let pass.
        entry_id: of the entry with it.
        measure_id: of the measure that an appeal is against; empty for other decisions.
    """
    if decision.outcome not in (EscalationOutcome.VERIFIED, EscalationOutcome.APPEAL_GRANTED):
        return None
    return Order(
        entry_id,
        decision.escalation_id,
        decision.ordered_measure,
        decision.baseline,
        decision.gravity,
        decision.days,
        measure_id if decision.outcome == EscalationOutcome.APPEAL_GRANTED else "",
    )


def order_after(record: OrderAnswerRecord, order: Order) -> Order:
    """Returns an order after an answer that `judge_order_answer` let pass."""
    return replace(order, answer=record.answer)


def judge_order_answer(
    record: OrderAnswerRecord, thread: Thread | None, history: AccountHistory, policy: Policy
) -> Refusal | None:
    """Judges a provider's answer to an order, at the provider before it is sent and at the regulator when it arrives.

    Args:
        record: the answer.
        thread: what was stated under its escalation id before; None where nothing was.
        history: of the account, with its orders.
        policy: the policy in force when it was made.

    Returns:
        None where it may enter the register, else the refusal: ORDER_UNKNOWN, ORDER_ANSWERED, ORDER_NOT_CARRIED_OUT,
        ANSWER_WRONG, REASON_UNKNOWN, ACCOUNT_CHANGED, REVISION_OUT_OF_ORDER, TIME_ORDER_WRONG, TIME_TOO_EARLY.
    """
    return refusal_of(
        (
            *_judge_answered(record, history),
            *_judge_answer_reason(record, policy),
            *_judge_thread(record, thread),
            *judge_past("escalation.order_answered.answered_time", record.answered_time, record.created_time, policy),
        )
    )


def _judge_case(decision: DecisionRecord, case: DecidedCase) -> Iterator[Violation]:
    for field in ("provider", "account_id", "escalation_id"):
        if getattr(decision, field) != getattr(case, field):
            yield Violation(field, "CASE_CHANGED", "decide on the provider, account and escalation of the case")
    event = CASE_EVENTS.get(decision.outcome)
    if event is None or (decision.outcome in _APPEAL_OUTCOMES) != (case.kind is CaseKind.APPEAL):
        mend = "grant or refuse an appeal; verify or dismiss every other case"
        yield Violation("outcome", "OUTCOME_WRONG", mend)
    elif next_case_state(case.state, event) is None:
        mend = f"read the case again: it is {case.state.name.lower()}"
        yield Violation("outcome", "CASE_STATE_WRONG", mend)


def _judge_decision_reason(decision: DecisionRecord, policy: Policy) -> Iterator[Violation]:
    kind, codes = "measure", policy.measure_reason_codes
    if decision.outcome == EscalationOutcome.DISMISSED:
        kind, codes = "dismissal", policy.dismissal_reason_codes
    elif decision.outcome in _APPEAL_OUTCOMES:
        kind, codes = "appeal", policy.appeal_reason_codes
    if decision.reason not in codes:
        yield Violation("reason", "REASON_UNKNOWN", f"give a {kind} reason of policy {policy.version}")


def _judge_ordered(decision: DecisionRecord, history: AccountHistory, policy: Policy) -> Iterator[Violation]:
    if decision.ordered_measure == MeasureKind.UNSPECIFIED:
        if decision.baseline or decision.gravity or decision.days:
            yield Violation("ordered_measure", "ORDER_WRONG", "name the measure, or neither baseline, gravity nor days")
        return
    if decision.outcome != EscalationOutcome.VERIFIED:
        yield Violation("ordered_measure", "ORDER_WRONG", "order a measure only where the facts were verified")
    if (decision.ordered_measure == MeasureKind.CLOSE) != (decision.days == 0):
        yield Violation("days", "ORDER_WRONG", "give the days of every measure, and none of closing")
    if history.withdrawn:
        yield Violation("account_id", "ACCOUNT_WITHDRAWN", "an account that was withdrawn takes no measure")
    if history.closed_at(decision.decided_time):
        yield Violation("account_id", "ACCOUNT_CLOSED", "an account that is closed takes no further measure")
    yield from judge_terms(
        "ordered",
        decision.ordered_measure,
        decision.baseline,
        decision.gravity,
        decision.days,
        history,
        policy,
        decision.decided_time,
    )


def _judge_due(decision: DecisionRecord, policy: Policy) -> Iterator[Violation]:
    times = directive_times(policy, decision.decided_time)
    for field, stated, due in zip(
        ("acknowledge_by", "answer_by"), (decision.acknowledge_by, decision.answer_by), times, strict=True
    ):
        if stated != due:
            yield Violation(field, "DUE_TIME_WRONG", f"set it as policy {policy.version} says")


def _judge_answered(record: OrderAnswerRecord, history: AccountHistory) -> Iterator[Violation]:
    order = history.order(record.order_entry_id)
    if order is None or order.escalation_id != record.escalation_id:
        mend = "name a regulator's decision on this account and this escalation"
        yield Violation("escalation.order_answered.order_entry_id", "ORDER_UNKNOWN", mend)
        return
    answered = order.answer in (OrderAnswer.DONE, OrderAnswer.IMPOSSIBLE)
    if answered or (order.answer and record.answer == OrderAnswer.ACKNOWLEDGED):
        mend = "an order is acknowledged once and answered once"
        yield Violation("escalation.order_answered.answer", "ORDER_ANSWERED", mend)
    if record.answer == OrderAnswer.DONE and not _is_carried_out(order, history):
        mend = "take the measure that was ordered, or undo the one that was overturned, then answer"
        yield Violation("escalation.order_answered.answer", "ORDER_NOT_CARRIED_OUT", mend)


def _is_carried_out(order: Order, history: AccountHistory) -> bool:
    if order.overturns:
        measure = history.measure(order.overturns)
        return measure is not None and measure.overturned
    return order.measure == MeasureKind.UNSPECIFIED or history.carried_out(order.order_entry_id) is not None


def _judge_answer_reason(record: OrderAnswerRecord, policy: Policy) -> Iterator[Violation]:
    if record.answer not in ANSWER_EVENTS:
        mend = "acknowledge it, carry it out, or say that it is impossible"
        yield Violation("escalation.order_answered.answer", "ANSWER_WRONG", mend)
    elif record.answer != OrderAnswer.IMPOSSIBLE:
        if record.reason:
            yield Violation(
                "escalation.order_answered.reason", "REASON_UNKNOWN", "give a reason only where it is impossible"
            )
    elif record.reason not in policy.answer_reason_codes:
        mend = f"say by an answer reason of policy {policy.version} why it is impossible"
        yield Violation("escalation.order_answered.reason", "REASON_UNKNOWN", mend)


def _judge_thread(record: OrderAnswerRecord, thread: Thread | None) -> Iterator[Violation]:
    yield from judge_revision("escalation", record.revision, 0 if thread is None else thread.revision)
    if thread is not None and thread.account_id != record.account_id:
        yield Violation("escalation.account_id", "ACCOUNT_CHANGED", "keep the account of the escalation")
