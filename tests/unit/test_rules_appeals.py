"""Appeals (Art. 8, answer 1): once at the provider and once at the regulator, within time, and when closing is final."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.provisions.account_history import AccountHistory, Appeal, Measure
from shared.provisions.appeals import (
    AppealRecord,
    AppealStage,
    appeal_after,
    appeal_by,
    appeal_decided,
    decision_by,
    final_time,
    judge_appeal,
    judge_submission,
    regulator_appeal_by,
)
from shared.provisions.measures import MeasureAction, MeasureKind
from shared.provisions.policy import Policy
from shared.provisions.spans import FOREVER
from tests.unit.rule_samples import (
    ACCOUNT,
    APPEAL,
    AT,
    CREATED,
    DAY,
    HOUR,
    MEASURE,
    ORDER,
    OTHER_MEASURE,
    POLICIES,
    POLICY,
    history,
    measure,
    reason_of,
)

UPHELD, OVERTURNED, TO_REGULATOR = (
    AppealStage.PROVIDER_UPHELD,
    AppealStage.PROVIDER_OVERTURNED,
    AppealStage.TO_REGULATOR,
)
SUSPENSION = measure(MeasureKind.SUSPEND_UPDATES)
CLOSING = measure(MeasureKind.CLOSE)


def told(stage: AppealStage = UPHELD, **changes: Any) -> AppealRecord:
    """A statement on an appeal, made now, with changes."""
    good = AppealRecord(APPEAL, ACCOUNT, 1, CREATED, MEASURE, stage, CREATED, bytes(32))
    return replace(good, **changes)


def upheld(**changes: Any) -> Appeal:
    """An appeal against the measure that the provider refused, with changes."""
    return replace(Appeal(APPEAL, MEASURE, 1, AT - HOUR, AT - HOUR // 2), **changes)


def reason(record: AppealRecord, past: AccountHistory) -> str | None:
    """The reason for which a statement on an appeal is refused; None where it stands."""
    return reason_of(judge_appeal(record, past, POLICIES, AT))


LONG_AGO = measure(MeasureKind.SUSPEND_UPDATES, start_time=AT - 40 * DAY)


@pytest.mark.parametrize(
    ("record", "past", "expected"),
    [
        (told(), history(SUSPENSION), None),
        (told(OVERTURNED), history(SUSPENSION), None),
        (told(), history(), "MEASURE_UNKNOWN"),
        (told(), history(SUSPENSION, appeals=(upheld(),)), "APPEAL_REPEATED"),
        (told(), history(SUSPENSION, appeals=(upheld(revision=0),)), None),
        (told(), history(replace(SUSPENSION, action=MeasureAction.OVERTURN)), "MEASURE_OVERTURNED"),
        (told(), history(replace(SUSPENSION, action=MeasureAction.LIFT)), None),
        (told(), history(LONG_AGO), "APPEAL_TOO_LATE"),
        (told(appealed_time=AT - 30 * DAY), history(LONG_AGO), None),
        (told(OVERTURNED), history(replace(SUSPENSION, order_entry_id=ORDER)), "MEASURE_ORDERED"),
        (told(UPHELD), history(replace(SUSPENSION, order_entry_id=ORDER)), None),
        (told(revision=2), history(SUSPENSION), "REVISION_OUT_OF_ORDER"),
        (told(undecided_since_time=AT), history(SUSPENSION), "STAGE_WRONG"),
        (told(AppealStage.UNSPECIFIED), history(SUSPENSION), "STAGE_WRONG"),
        (told(statement_digest=b""), history(SUSPENSION), "STATEMENT_MISSING"),
        (told(appealed_time=CREATED + 1), history(SUSPENSION), "TIME_ORDER_WRONG"),
        (told(created_time=AT + DAY), history(SUSPENSION), "TIME_IN_FUTURE"),
        (told(created_time=1), history(SUSPENSION), "TIME_TOO_EARLY"),
    ],
)
def test_answer_1_owner_appeals_once_at_the_provider(record: AppealRecord, past: AccountHistory, expected: str) -> None:
    """Answer 1: the owner may appeal at the provider, once, in time, against any measure that was not undone."""
    assert expected == reason(record, past)


def undecided(**changes: Any) -> AppealRecord:
    """An appeal to the regulator because the provider has not decided for forty days, with changes."""
    return told(TO_REGULATOR, **{"undecided_since_time": AT - 40 * DAY, **changes})


RECENT = measure(MeasureKind.SUSPEND_UPDATES, start_time=AT - 45 * DAY)


@pytest.mark.parametrize(
    ("record", "past", "expected"),
    [
        (told(TO_REGULATOR, revision=2), history(SUSPENSION, appeals=(upheld(),)), None),
        (told(TO_REGULATOR), history(SUSPENSION, appeals=(upheld(),)), "REVISION_OUT_OF_ORDER"),
        (told(TO_REGULATOR), history(SUSPENSION), "STAGE_WRONG"),
        (
            told(TO_REGULATOR, revision=2, escalation_id=OTHER_MEASURE),
            history(SUSPENSION, appeals=(upheld(),)),
            "APPEAL_CHANGED",
        ),
        (
            told(TO_REGULATOR, revision=3),
            history(SUSPENSION, appeals=(upheld(revision=2, regulator_appealed_time=AT),)),
            "APPEAL_REPEATED",
        ),
        (
            told(TO_REGULATOR, revision=2),
            history(SUSPENSION, appeals=(upheld(overturned=True),)),
            "MEASURE_OVERTURNED",
        ),
        (
            told(TO_REGULATOR, revision=2),
            history(SUSPENSION, appeals=(upheld(decided_time=AT - 17 * DAY),)),
            "APPEAL_TOO_LATE",
        ),
        (undecided(revision=2), history(SUSPENSION, appeals=(upheld(),)), "STAGE_WRONG"),
        (undecided(), history(RECENT), None),
        (undecided(), history(RECENT, appeals=(upheld(revision=0),)), None),
        (undecided(undecided_since_time=AT - 2 * DAY), history(SUSPENSION), "APPEAL_TOO_EARLY"),
        (undecided(), history(measure(start_time=AT - 60 * DAY)), "APPEAL_TOO_LATE"),
        (undecided(), history(), "MEASURE_UNKNOWN"),
    ],
)
def test_answer_1_owner_appeals_once_at_the_regulator(
    record: AppealRecord, past: AccountHistory, expected: str | None
) -> None:
    """Answer 1: after the provider refused, or let its time run out, the owner may go on to the regulator, once, in time."""
    assert expected == reason(record, past)


def test_answer_1_appeal_that_lies_at_the_provider_counts_there() -> None:
    """Answer 1: at the provider a second appeal is refused while the first still lies there."""
    for appeals, expected in (((), None), ((upheld(revision=0, decided_time=FOREVER),), "APPEAL_REPEATED")):
        past = history(SUSPENSION, appeals=appeals)
        assert expected == reason_of(judge_submission(SUSPENSION, past, POLICIES, AT))
    assert "MEASURE_UNKNOWN" == reason_of(judge_submission(None, history(), POLICIES, AT))
    late = judge_submission(SUSPENSION, history(SUSPENSION), POLICIES, appeal_by(SUSPENSION, POLICIES))
    assert "APPEAL_TOO_LATE" == reason_of(late)


def test_answer_1_time_to_appeal_is_that_of_its_own_policy() -> None:
    """Answer 1: a later policy with a shorter time takes nothing from an owner whose measure began before it."""
    shorter = tuple(
        replace(period, amount=1) if period.name == "appeal_after_measure" else period for period in POLICY.periods
    )
    later = replace(POLICY, version=2, periods=shorter, effective_time=POLICY.effective_time + timedelta(days=4000))
    policies: tuple[Policy, ...] = (POLICY, later)
    assert later.effective_micros < AT
    before = replace(SUSPENSION, start_time=later.effective_micros - HOUR)
    assert 15 * DAY <= appeal_by(before, policies) - before.start_time
    assert appeal_by(SUSPENSION, policies) - SUSPENSION.start_time < 3 * DAY


@pytest.mark.parametrize(
    ("held", "appeal", "expected"),
    [
        (SUSPENSION, None, FOREVER),
        (CLOSING, None, appeal_by(CLOSING, POLICIES)),
        (replace(CLOSING, stopped_time=AT), None, FOREVER),
        (CLOSING, upheld(revision=0, decided_time=FOREVER), FOREVER),
        (CLOSING, upheld(), regulator_appeal_by(upheld(), POLICIES)),
        (CLOSING, upheld(regulator_appealed_time=AT), FOREVER),
        (CLOSING, upheld(regulator_appealed_time=AT, regulator_decided_time=AT + DAY), AT + DAY),
        (CLOSING, upheld(regulator_appealed_time=AT, regulator_decided_time=AT + DAY, granted=True), FOREVER),
        (CLOSING, upheld(overturned=True), FOREVER),
    ],
)
def test_art_8_1_closing_is_final_after_its_appeal_time(held: Measure, appeal: Appeal | None, expected: int) -> None:
    """Art. 8(1): closing is final once nobody can appeal against it any more, and never while an appeal is undecided."""
    assert expected == final_time(held, appeal, POLICIES)


def test_appeal_is_folded_out_of_its_statements() -> None:
    """Both ends hold the same appeal after the same statements, and the regulator's first decision on it stands."""
    first = appeal_after(told(), None)
    assert (CREATED, False, 1) == (first.decided_time, first.overturned, first.revision)
    gone_on = appeal_after(told(TO_REGULATOR, revision=2, appealed_time=AT), first)
    assert (AT, 2, CREATED) == (gone_on.regulator_appealed_time, gone_on.revision, gone_on.decided_time)
    granted = appeal_decided(gone_on, AT + 1, granted=True)
    assert (True, granted) == (granted.won, appeal_decided(granted, AT + 2, granted=False))
    passed_by = appeal_after(undecided(), None)
    assert (AT - 40 * DAY, FOREVER, 1) == (passed_by.appealed_time, passed_by.decided_time, passed_by.revision)
    assert decision_by(AT - 40 * DAY, POLICIES) < AT
