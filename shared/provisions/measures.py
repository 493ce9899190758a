"""Measures on public accounts (Art. 8(1), answer 1): whether one may be taken, lifted, said to be over, or overturned.

No measure without an act, a baseline and a reason; every measure but closing has an end. The ladder is a rule: the
next step beyond what the account has had is open to every act, one more to a serious act, all to a grave one. Measures
stand each by itself, also where their times overlap: the gravest in force decides what is closed, and none is taken on
an account that is closed. What was overturned counts as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.errors import Violation
from shared.provisions.account_history import AccountHistory, Measure
from shared.provisions.agreements import BASELINES
from shared.provisions.appeals import final_time
from shared.provisions.measure_kinds import LADDER, Gravity, MeasureAction, MeasureKind
from shared.provisions.policy import Policy
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Statement, judge_created_time, judge_revision, policy_of_entry

__all__ = [
    "LADDER",
    "AccountHistory",
    "Gravity",
    "Measure",
    "MeasureAction",
    "MeasureKind",
    "MeasureRecord",
    "highest_step",
    "judge_measure",
    "judge_terms",
    "measure_after",
    "measure_terms",
    "measures_in_force",
    "open_kinds",
]

_DAY: Final = timedelta(days=1) // timedelta(microseconds=1)
_STEPS: Final[dict[int, int]] = {Gravity.ORDINARY: 1, Gravity.SERIOUS: 2, Gravity.GRAVE: len(LADDER)}


@dataclass(slots=True)
class MeasureRecord(Statement):
    """A statement on a measure as the rules see it: the fields of MeasureRecord. Times are microseconds.

    end_time is 0 where it is unset, which it is for closing only.
    """

    action: int
    kind: int
    baseline: int
    reason: str
    gravity: int
    start_time: int
    end_time: int
    order_entry_id: str


def measures_in_force(measures: Iterable[Measure], at: int) -> tuple[Measure, ...]:
    """Returns the measures in force at a moment, in microseconds, the gravest first."""
    return tuple(sorted((measure for measure in measures if measure.in_force(at)), key=lambda each: -each.kind))


def highest_step(measures: Iterable[Measure], at: int) -> int:
    """Returns how high on the ladder an account has been before a moment: from 0, for not at all, to 4, for closed."""
    taken = (measure.kind for measure in measures if not measure.overturned and measure.start_time <= at)
    return max(taken, default=0)


def open_kinds(measures: Iterable[Measure], gravity: int, at: int) -> tuple[MeasureKind, ...]:
    """Returns the measures that the ladder opens to an act, lightest first.

    Args:
        measures: all that were taken on the account.
        gravity: of the act, the number of a Gravity.
        at: when the measure is taken, in microseconds.
    """
    return LADDER[: min(highest_step(measures, at) + _STEPS.get(gravity, 0), len(LADDER))]


def judge_terms(
    field: str, kind: int, baseline: int, gravity: int, days: float, history: AccountHistory, policy: Policy, at: int
) -> Iterator[Violation]:
    """Yields what is wrong with the terms of a measure, taken by a provider or ordered by a regulator.

    Args:
        field: the path that violations begin with.
        kind: the number of a MeasureKind.
        baseline: that the act broke.
        gravity: of the act, the number of a Gravity.
        days: for how long; 0 for closing.
        history: of the account.
        policy: the policy in force when the measure is taken or ordered.
        at: that time, in microseconds.

    Yields:
        BASELINE_WRONG, GRAVITY_MISSING, MEASURE_UNKNOWN, LADDER_JUMPED, MEASURE_TOO_LONG.
    """
    if not 1 <= baseline <= len(BASELINES):
        mend = "name the baseline, 1 to 7, that the act broke: no measure for what an account is"
        yield Violation(f"{field}.baseline", "BASELINE_WRONG", mend)
    if gravity not in _STEPS:
        yield Violation(f"{field}.gravity", "GRAVITY_MISSING", "state how grave the act was")
    if kind not in policy.longest_days:
        yield Violation(f"{field}.kind", "MEASURE_UNKNOWN", f"take a measure of the ladder of policy {policy.version}")
        return
    open_now = open_kinds(history.measures, gravity, at)
    if gravity in _STEPS and kind not in open_now:
        mend = f"take at most {open_now[-1].name.lower()}, or state the gravity that opens more"
        yield Violation(f"{field}.kind", "LADDER_JUMPED", mend)
    longest = policy.longest_days[MeasureKind(kind)]
    if days > longest:
        yield Violation(f"{field}.end_time", "MEASURE_TOO_LONG", f"this measure lasts {longest} days at most")


def judge_measure(
    record: MeasureRecord, history: AccountHistory, policies: Sequence[Policy], at: int
) -> Refusal | None:
    """Judges one statement on a measure, at the provider before it bites and at the regulator when it arrives.

    Args:
        record: the statement.
        history: of its account, up to the statement; what only lies at the provider is left out, so that both ends
        judge
            alike.
        policies: in the order of their versions.
        at: the time of judging, in microseconds.

    Returns:
        None where it may enter the register, else the refusal. Of a measure taken: ACCOUNT_NOT_FILED,
        ACCOUNT_WITHDRAWN, ACCOUNT_CLOSED, REASON_UNKNOWN, END_WRONG, END_BEFORE_START, ORDER_UNKNOWN, ORDER_CHANGED,
        ORDER_REPEATED, and what `judge_terms` says. Of a later statement: MEASURE_UNKNOWN, MEASURE_CHANGED,
        MEASURE_STOPPED, MEASURE_RUNS, MEASURE_ENDED, MEASURE_FINAL, MEASURE_ORDERED, APPEAL_NOT_WON. Of both:
        REVISION_OUT_OF_ORDER, ACTION_WRONG, TIME_IN_FUTURE, TIME_TOO_EARLY.
    """
    policy = policy_of_entry(policies, record.created_time)
    if isinstance(policy, Violation):
        return refusal_of([policy])
    history = history.stated()
    measure = history.measure(record.escalation_id)
    if record.action == MeasureAction.APPLY:
        found = (*_judge_application(record, history, policy), *_judge_time(record, policy))
    else:
        found = tuple(_judge_change(record, measure, history, policies))
    return refusal_of(
        (
            *judge_revision("escalation", record.revision, measure.revision if measure else 0),
            *found,
            *judge_created_time(record.created_time, at, policy),
        )
    )


def measure_after(record: MeasureRecord, earlier: Measure | None) -> Measure:
    """Returns how a measure stands after a statement that `judge_measure` let pass; earlier is None before the first."""
    if earlier is None:
        return Measure(
            record.escalation_id,
            record.kind,
            record.baseline,
            record.reason,
            record.gravity,
            record.start_time,
            record.end_time or FOREVER,
            record.order_entry_id,
        )
    stops = record.action in (MeasureAction.LIFT, MeasureAction.OVERTURN)
    stopped = min(earlier.stopped_time, record.created_time) if stops else earlier.stopped_time
    return replace(earlier, action=record.action, revision=record.revision, stopped_time=stopped)


def _judge_application(record: MeasureRecord, history: AccountHistory, policy: Policy) -> Iterator[Violation]:
    if not history.filed:
        yield Violation("escalation.account_id", "ACCOUNT_NOT_FILED", "file the account first")
    elif history.withdrawn:
        yield Violation("escalation.account_id", "ACCOUNT_WITHDRAWN", "an account that was withdrawn takes no measure")
    if history.closed_at(record.start_time):
        yield Violation("escalation.account_id", "ACCOUNT_CLOSED", "an account that is closed takes no further measure")
    if record.reason not in policy.measure_reason_codes:
        mend = f"name the act by a measure reason of policy {policy.version}"
        yield Violation("escalation.measure.reason", "REASON_UNKNOWN", mend)
    closes = record.kind == MeasureKind.CLOSE
    if closes != (record.end_time == 0):
        mend = "give every measure an end, and closing none"
        yield Violation("escalation.measure.end_time", "END_WRONG", mend)
    elif not closes and record.end_time <= record.start_time:
        yield Violation("escalation.measure.end_time", "END_BEFORE_START", "let the measure end after its start")
    days = 0 if closes else (record.end_time - record.start_time) / _DAY
    if record.order_entry_id:
        yield from _judge_order(record, days, history)
    else:
        yield from judge_terms(
            "escalation.measure", record.kind, record.baseline, record.gravity, days, history, policy, record.start_time
        )


def _judge_order(record: MeasureRecord, days: float, history: AccountHistory) -> Iterator[Violation]:
    """Judges a measure that carries out an order: the regulator judged the ladder when it ordered."""
    field = "escalation.measure.order_entry_id"
    order = history.order(record.order_entry_id)
    if order is None:
        yield Violation(field, "ORDER_UNKNOWN", "name the regulator's decision on this account that orders it, or none")
        return
    if (order.measure, order.baseline, order.gravity, order.days) != (
        record.kind,
        record.baseline,
        record.gravity,
        days,
    ):
        mend = "carry out the order as it is: measure, baseline, gravity and days"
        yield Violation(field, "ORDER_CHANGED", mend)
    if history.carried_out(order.order_entry_id) is not None:
        yield Violation(field, "ORDER_REPEATED", "the order was carried out before")


def _judge_time(record: MeasureRecord, policy: Policy) -> Iterator[Violation]:
    if record.start_time < policy.earliest_micros:
        mend = f"no entry names a time before {policy.earliest_time.date().isoformat()}"
        yield Violation("escalation.measure.start_time", "TIME_TOO_EARLY", mend)
    if record.start_time > record.created_time + policy.effective_time_ahead_micros:
        yield Violation("escalation.measure.start_time", "TIME_IN_FUTURE", "take the measure nearer to its start")


def _judge_change(
    record: MeasureRecord, measure: Measure | None, history: AccountHistory, policies: Sequence[Policy]
) -> Iterator[Violation]:
    if measure is None:
        mend = "name a measure that was taken on this account"
        yield Violation("escalation.escalation_id", "MEASURE_UNKNOWN", mend)
        return
    if measure_terms(measure) != _stated_terms(record):
        yield Violation("escalation.measure", "MEASURE_CHANGED", "state the measure as it was taken")
    if record.action == MeasureAction.LIFT:
        yield from _judge_stop(record, measure, history, policies)
        if measure.order_entry_id:
            mend = "a regulator ordered the measure: only an appeal undoes it"
            yield Violation("escalation.measure.action", "MEASURE_ORDERED", mend)
        if measure.action != MeasureAction.APPLY or record.created_time >= measure.end_time:
            yield Violation(
                "escalation.measure.action", "MEASURE_ENDED", "the measure is over; there is nothing to lift"
            )
    elif record.action == MeasureAction.EXPIRE:
        if measure.action != MeasureAction.APPLY:
            yield Violation("escalation.measure.action", "MEASURE_STOPPED", "the measure did not run until its end")
        if record.created_time < measure.end_time:
            yield Violation("escalation.measure.action", "MEASURE_RUNS", "say so when the measure has ended")
    elif record.action == MeasureAction.OVERTURN:
        yield from _judge_overturning(measure, history)
    else:
        yield Violation("escalation.measure.action", "ACTION_WRONG", "apply, lift, expire or overturn")


def _judge_stop(
    record: MeasureRecord, measure: Measure, history: AccountHistory, policies: Sequence[Policy]
) -> Iterator[Violation]:
    if record.created_time >= final_time(measure, history.appeal_against(measure.measure_id), policies):
        yield Violation("escalation.measure.action", "MEASURE_FINAL", "closing is final after its appeal time")


def _judge_overturning(measure: Measure, history: AccountHistory) -> Iterator[Violation]:
    # A closing that became final had no appeal that was won, so that it is refused here as well.
    appeal = history.appeal_against(measure.measure_id)
    if appeal is None or not appeal.won:
        mend = "only an appeal that was granted overturns a measure; lift it instead"
        yield Violation("escalation.measure.action", "APPEAL_NOT_WON", mend)
    if measure.overturned:
        yield Violation("escalation.measure.action", "MEASURE_STOPPED", "the measure was overturned before")


def measure_terms(measure: Measure) -> tuple[object, ...]:
    """Returns what every statement on a measure repeats: kind, baseline, reason, gravity, times, order."""
    return (
        measure.kind,
        measure.baseline,
        measure.reason,
        measure.gravity,
        measure.start_time,
        measure.end_time,
        measure.order_entry_id,
    )


def _stated_terms(record: MeasureRecord) -> tuple[object, ...]:
    return (
        record.kind,
        record.baseline,
        record.reason,
        record.gravity,
        record.start_time,
        record.end_time or FOREVER,
        record.order_entry_id,
    )
