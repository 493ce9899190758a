"""Appeals (Art. 8, answer 1): the owner may appeal once at the provider and once at the regulator, each within its
time.

A period runs by the policy in force when it began, so that no later policy takes from an owner the time that he was
told. Closing is final once nobody can appeal against it any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from shared.errors import Violation
from shared.provisions.account_history import AccountHistory, Appeal, Measure
from shared.provisions.measure_kinds import MeasureAction, MeasureKind
from shared.provisions.policy import (
    APPEAL_AFTER_MEASURE,
    APPEAL_DECISION,
    CLOSE_FINAL_AFTER,
    Policy,
    period_end_micros,
    policy_at_micros,
)
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Statement, judge_created_time, judge_past, judge_revision, policy_of_entry


class AppealStage(IntEnum):
    """Where an appeal stands, with the numbers of the wire."""

    UNSPECIFIED = 0
    PROVIDER_UPHELD = 1
    PROVIDER_OVERTURNED = 2
    TO_REGULATOR = 3


@dataclass(slots=True)
class AppealRecord(Statement):
    """A statement on an appeal as the rules see it: the fields of AppealRecord. Times are microseconds.

    undecided_since_time is 0 where it is unset.
    """

    measure_id: str
    stage: int
    appealed_time: int
    statement_digest: bytes
    undecided_since_time: int = 0


def appeal_by(measure: Measure, policies: Sequence[Policy]) -> int:
    """Returns until when, exclusive, in microseconds, the owner may appeal at the provider against a measure."""
    return _period_end(policies, APPEAL_AFTER_MEASURE, measure.start_time)


def regulator_appeal_by(appeal: Appeal, policies: Sequence[Policy]) -> int:
    """Returns until when, exclusive, the owner may go on to the regulator; FOREVER while the provider has not decided."""
    return _period_end(policies, APPEAL_AFTER_MEASURE, appeal.decided_time)


def decision_by(appealed_time: int, policies: Sequence[Policy]) -> int:
    """Returns until when, exclusive, an appeal is to be decided, at the provider or at the regulator, in microseconds."""
    return _period_end(policies, APPEAL_DECISION, appealed_time)


def final_time(measure: Measure, appeal: Appeal | None, policies: Sequence[Policy]) -> int:
    """Returns from when a closing is final: it can neither be lifted nor overturned any more.

    Args:
        measure: the measure.
        appeal: the appeal against it; None where there is none.
        policies: in the order of their versions.

    Returns:
        Microseconds since the epoch; FOREVER for what never becomes final: every other measure, one that was lifted or
        overturned, and a closing while an appeal against it is undecided.
    """
    if measure.kind != MeasureKind.CLOSE or measure.stopped_time != FOREVER or (appeal is not None and appeal.won):
        return FOREVER
    closed = max(appeal_by(measure, policies), _period_end(policies, CLOSE_FINAL_AFTER, measure.start_time))
    if appeal is None:
        return closed
    if appeal.regulator_appealed_time != FOREVER:
        return appeal.regulator_decided_time
    return max(closed, regulator_appeal_by(appeal, policies))


def judge_submission(
    measure: Measure | None, history: AccountHistory, policies: Sequence[Policy], appealed_time: int
) -> Refusal | None:
    """Judges whether an owner may appeal at the provider.

    Args:
        measure: the measure appealed against; None where the account has no such measure.
        history: of its account.
        policies: in the order of their versions.
        appealed_time: when the owner appeals, in microseconds.

    Returns:
        None where he may, else the refusal: MEASURE_UNKNOWN, APPEAL_REPEATED, MEASURE_OVERTURNED, APPEAL_TOO_LATE.
    """
    return refusal_of(_judge_submission(measure, history, policies, appealed_time))


def judge_appeal(record: AppealRecord, history: AccountHistory, policies: Sequence[Policy], at: int) -> Refusal | None:
    """Judges one statement on an appeal, at the provider before it is sent and at the regulator when it arrives.

    Args:
        record: the statement.
        history: of the account; what only lies at the provider is left out, so that both ends judge alike.
        policies: in the order of their versions.
        at: the time of judging, in microseconds.

    Returns:
        None where it may enter the register, else the refusal: MEASURE_UNKNOWN, APPEAL_REPEATED, MEASURE_OVERTURNED,
        APPEAL_TOO_LATE, APPEAL_TOO_EARLY, APPEAL_CHANGED, STAGE_WRONG, MEASURE_ORDERED, REVISION_OUT_OF_ORDER,
        STATEMENT_MISSING, TIME_ORDER_WRONG, TIME_TOO_EARLY, TIME_IN_FUTURE.
    """
    policy = policy_of_entry(policies, record.created_time)
    if isinstance(policy, Violation):
        return refusal_of([policy])
    history = history.stated()
    measure = history.measure(record.measure_id)
    stage = (
        _judge_to_regulator(record, measure, history, policies)
        if record.stage == AppealStage.TO_REGULATOR
        else _judge_provider_decision(record, measure, history, policies)
    )
    return refusal_of((*stage, *_judge_record(record, policy, at)))


def appeal_after(record: AppealRecord, earlier: Appeal | None) -> Appeal:
    """Returns how an appeal stands after a statement that `judge_appeal` let pass; earlier is None before the first."""
    if record.stage == AppealStage.TO_REGULATOR:
        undecided = Appeal(record.escalation_id, record.measure_id, 0, record.undecided_since_time)
        return replace(earlier or undecided, revision=record.revision, regulator_appealed_time=record.appealed_time)
    return Appeal(
        record.escalation_id,
        record.measure_id,
        record.revision,
        record.appealed_time,
        decided_time=record.created_time,
        overturned=record.stage == AppealStage.PROVIDER_OVERTURNED,
    )


def appeal_decided(appeal: Appeal, decided_time: int, *, granted: bool) -> Appeal:
    """Returns how an appeal stands after the regulator decided it; its first decision stands."""
    if appeal.regulator_decided_time != FOREVER:
        return appeal
    return replace(appeal, regulator_decided_time=decided_time, granted=granted)


def _judge_submission(
    measure: Measure | None, history: AccountHistory, policies: Sequence[Policy], appealed_time: int
) -> Iterator[Violation]:
    if measure is None:
        yield Violation("measure_id", "MEASURE_UNKNOWN", "name a measure that was taken on this account")
        return
    if history.appeal_against(measure.measure_id) is not None:
        yield Violation("measure_id", "APPEAL_REPEATED", "a measure is appealed against once at the provider")
    if measure.action == MeasureAction.OVERTURN:
        yield Violation(
            "measure_id", "MEASURE_OVERTURNED", "the measure was undone; there is nothing to appeal against"
        )
    if appealed_time >= appeal_by(measure, policies):
        yield Violation("appealed_time", "APPEAL_TOO_LATE", "the time to appeal at the provider is over")


def _judge_provider_decision(
    record: AppealRecord, measure: Measure | None, history: AccountHistory, policies: Sequence[Policy]
) -> Iterator[Violation]:
    for violation in _judge_submission(measure, history, policies, record.appealed_time):
        yield Violation(f"escalation.appeal.{violation.field}", violation.rule, violation.mend)
    yield from judge_revision("escalation", record.revision, 0)
    if record.undecided_since_time:
        yield Violation("escalation.appeal.undecided_since_time", "STAGE_WRONG", "leave it out: the provider decided")
    if record.stage not in (AppealStage.PROVIDER_UPHELD, AppealStage.PROVIDER_OVERTURNED):
        yield Violation("escalation.appeal.stage", "STAGE_WRONG", "say what the provider decided")
    elif record.stage == AppealStage.PROVIDER_OVERTURNED and measure is not None and measure.order_entry_id:
        mend = "a regulator ordered the measure: uphold it, so that the owner can go on to the regulator"
        yield Violation("escalation.appeal.stage", "MEASURE_ORDERED", mend)


def _judge_to_regulator(
    record: AppealRecord, measure: Measure | None, history: AccountHistory, policies: Sequence[Policy]
) -> Iterator[Violation]:
    appeal = history.appeal_against(record.measure_id)
    if appeal is None:
        yield from _judge_undecided(record, measure, history, policies)
        return
    yield from judge_revision("escalation", record.revision, appeal.revision)
    if record.escalation_id != appeal.appeal_id:
        yield Violation("escalation.escalation_id", "APPEAL_CHANGED", f"go on with appeal {appeal.appeal_id}")
    if appeal.regulator_appealed_time != FOREVER:
        mend = "a measure is appealed against once at the regulator"
        yield Violation("escalation.appeal.measure_id", "APPEAL_REPEATED", mend)
    elif appeal.won:
        mend = "the measure was undone; there is nothing to appeal against"
        yield Violation("escalation.appeal.measure_id", "MEASURE_OVERTURNED", mend)
    elif record.appealed_time >= regulator_appeal_by(appeal, policies):
        mend = "the time to appeal to the regulator is over"
        yield Violation("escalation.appeal.appealed_time", "APPEAL_TOO_LATE", mend)
    if record.undecided_since_time:
        yield Violation("escalation.appeal.undecided_since_time", "STAGE_WRONG", "leave it out: the provider decided")


def _judge_undecided(
    record: AppealRecord, measure: Measure | None, history: AccountHistory, policies: Sequence[Policy]
) -> Iterator[Violation]:
    """Judges an appeal to the regulator that passes a provider by which let its time run out."""
    yield from judge_revision("escalation", record.revision, 0)
    since = record.undecided_since_time
    if not since:
        mend = "appeal at the provider first; where it does not decide in time, say since when"
        yield Violation("escalation.appeal.undecided_since_time", "STAGE_WRONG", mend)
        return
    for violation in _judge_submission(measure, history, policies, since):
        yield Violation(f"escalation.appeal.{violation.field}", violation.rule, violation.mend)
    if record.appealed_time < decision_by(since, policies):
        mend = "the provider still has time to decide"
        yield Violation("escalation.appeal.appealed_time", "APPEAL_TOO_EARLY", mend)


def _judge_record(record: AppealRecord, policy: Policy, at: int) -> Iterator[Violation]:
    if not record.statement_digest:
        mend = "give the SHA-256 of the owner's words"
        yield Violation("escalation.appeal.statement_digest", "STATEMENT_MISSING", mend)
    yield from judge_past("escalation.appeal.appealed_time", record.appealed_time, record.created_time, policy)
    yield from judge_created_time(record.created_time, at, policy)


def _period_end(policies: Sequence[Policy], name: str, start: int) -> int:
    # Before the first policy and while it has not begun, a period does not end: nobody loses a right by it.
    policy = None if start == FOREVER else policy_at_micros(policies, start)
    return FOREVER if policy is None else period_end_micros(policy, name, start)
