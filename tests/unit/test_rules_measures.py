"""Measures (Art. 8(1), answer 1): the ladder, what a measure needs, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisions.account_history import AccountHistory, Appeal, Measure, Order
from shared.provisions.measures import (
    LADDER,
    Gravity,
    MeasureAction,
    MeasureKind,
    MeasureRecord,
    judge_measure,
    measure_after,
    measures_in_force,
    open_kinds,
)
from shared.provisions.spans import FOREVER
from tests.unit.rule_samples import (
    APPEAL,
    AT,
    CREATED,
    DAY,
    HOUR,
    MEASURE,
    ORDER,
    OTHER_MEASURE,
    POLICIES,
    REPORT,
    history,
    measure,
    reason_of,
    rules_of,
    stated,
    taken,
)

WARN, RESTRICT, SUSPEND, CLOSE = LADDER
ORDINARY, SERIOUS, GRAVE = Gravity.ORDINARY, Gravity.SERIOUS, Gravity.GRAVE


def reason(record: MeasureRecord, past: AccountHistory | None = None) -> str | None:
    """The reason for which a statement on a measure is refused; None where it stands."""
    return reason_of(judge_measure(record, past or history(), POLICIES, AT))


def earlier(kind: MeasureKind, **changes: Any) -> Measure:
    """A measure that ended long ago, with changes."""
    values = {"measure_id": OTHER_MEASURE, "start_time": AT - 300 * DAY, "end_time": AT - 290 * DAY}
    return measure(kind, **{**values, **changes})


@pytest.mark.parametrize(
    ("before", "gravity", "highest"),
    [
        ((), ORDINARY, WARN),
        ((), SERIOUS, RESTRICT),
        ((), GRAVE, CLOSE),
        ((WARN,), ORDINARY, RESTRICT),
        ((WARN,), SERIOUS, SUSPEND),
        ((WARN, RESTRICT), ORDINARY, SUSPEND),
        ((SUSPEND,), ORDINARY, CLOSE),
        ((RESTRICT,), SERIOUS, CLOSE),
    ],
)
def test_art_8_1_ladder_opens_by_gravity(
    before: tuple[MeasureKind, ...], gravity: Gravity, highest: MeasureKind
) -> None:
    """Art. 8(1): by gravity: the next step to every act, one more to a serious one, all to a grave one; lower ones always."""
    past = [earlier(kind, measure_id=str(number)) for number, kind in enumerate(before)]
    assert LADDER[: LADDER.index(highest) + 1] == open_kinds(past, gravity, AT)
    for kind in LADDER:
        expected = None if kind <= highest else "LADDER_JUMPED"
        assert expected == reason(taken(kind, gravity=gravity), history(*past))


def test_art_8_1_overturned_measure_opens_no_step() -> None:
    """Art. 8(1): what was overturned counts as if it had not been; what was lifted or expired counts."""
    overturned = earlier(WARN, action=MeasureAction.OVERTURN, stopped_time=AT - DAY)
    lifted = earlier(WARN, action=MeasureAction.LIFT, stopped_time=AT - 299 * DAY)
    assert ["LADDER_JUMPED", None] == [reason(taken(RESTRICT), history(each)) for each in (overturned, lifted)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"baseline": 0}, "BASELINE_WRONG"),
        ({"baseline": 8}, "BASELINE_WRONG"),
        ({"reason": ""}, "REASON_UNKNOWN"),
        ({"reason": "unpopular"}, "REASON_UNKNOWN"),
        ({"gravity": 0}, "GRAVITY_MISSING"),
        ({"revision": 2}, "REVISION_OUT_OF_ORDER"),
    ],
)
def test_answer_1_no_measure_without_an_act(changes: dict[str, Any], expected: str) -> None:
    """Answer 1: an account is judged by what it publishes: no measure without act, baseline, reason and gravity."""
    assert expected == reason(taken(**changes))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (taken(end_time=0), "END_WRONG"),
        (taken(end_time=CREATED), "END_BEFORE_START"),
        (taken(end_time=CREATED + 30 * DAY), None),
        (taken(end_time=CREATED + 30 * DAY + 1), "MEASURE_TOO_LONG"),
        (taken(CLOSE, gravity=GRAVE), None),
        (taken(CLOSE, gravity=GRAVE, end_time=AT + DAY), "END_WRONG"),
        (taken(kind=MeasureKind.UNSPECIFIED), "MEASURE_UNKNOWN"),
        (taken(start_time=0, end_time=DAY), "TIME_TOO_EARLY"),
        (taken(start_time=AT + 200 * DAY, end_time=AT + 207 * DAY), "TIME_IN_FUTURE"),
        (taken(created_time=AT + DAY), "TIME_IN_FUTURE"),
        (taken(created_time=1), "TIME_TOO_EARLY"),
        (taken(action=MeasureAction.UNSPECIFIED), "REVISION_OUT_OF_ORDER"),
    ],
)
def test_art_8_1_every_measure_but_closing_has_an_end(record: MeasureRecord, expected: str | None) -> None:
    """Art. 8(1): a measure has an end within the longest time of its step; only closing has none."""
    past = history(measure()) if record.action == MeasureAction.UNSPECIFIED else history()
    assert expected == reason(record, past)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        (history(measure(CLOSE, measure_id=OTHER_MEASURE)), "ACCOUNT_CLOSED"),
        (history(measure(CLOSE, measure_id=OTHER_MEASURE, stopped_time=AT - 3 * HOUR // 4)), None),
        (history(measure(SUSPEND, measure_id=OTHER_MEASURE)), None),
        (history(withdrawn=True), "ACCOUNT_WITHDRAWN"),
        (history(filed=False), "ACCOUNT_NOT_FILED"),
    ],
)
def test_art_8_1_closed_account_takes_no_measure(past: AccountHistory, expected: str | None) -> None:
    """Art. 8(1): nothing is left to close on an account that is closed or given up; other measures may overlap."""
    assert expected == reason(taken(), past)


@pytest.mark.parametrize(
    ("held", "action", "changes", "expected"),
    [
        (measure(SUSPEND), MeasureAction.LIFT, {}, None),
        (measure(CLOSE), MeasureAction.LIFT, {}, None),
        (measure(SUSPEND), MeasureAction.LIFT, {"kind": WARN}, "MEASURE_CHANGED"),
        (measure(SUSPEND), MeasureAction.LIFT, {"end_time": AT}, "MEASURE_CHANGED"),
        (measure(SUSPEND), MeasureAction.LIFT, {"revision": 3}, "REVISION_OUT_OF_ORDER"),
        (measure(SUSPEND, end_time=CREATED), MeasureAction.LIFT, {}, "MEASURE_ENDED"),
        (measure(SUSPEND, action=MeasureAction.LIFT), MeasureAction.LIFT, {}, "MEASURE_ENDED"),
        (measure(SUSPEND, order_entry_id=ORDER), MeasureAction.LIFT, {}, "MEASURE_ORDERED"),
        (measure(CLOSE, start_time=AT - 20 * DAY), MeasureAction.LIFT, {}, "MEASURE_FINAL"),
        (measure(SUSPEND, end_time=CREATED), MeasureAction.EXPIRE, {}, None),
        (measure(SUSPEND, end_time=CREATED + 1), MeasureAction.EXPIRE, {}, "MEASURE_RUNS"),
        (measure(CLOSE), MeasureAction.EXPIRE, {}, "MEASURE_RUNS"),
        (measure(SUSPEND, end_time=CREATED, action=MeasureAction.LIFT), MeasureAction.EXPIRE, {}, "MEASURE_STOPPED"),
        (measure(SUSPEND, end_time=CREATED, action=MeasureAction.EXPIRE), MeasureAction.EXPIRE, {}, "MEASURE_STOPPED"),
        (measure(SUSPEND), MeasureAction.OVERTURN, {}, "APPEAL_NOT_WON"),
        (measure(SUSPEND), MeasureAction.UNSPECIFIED, {}, "ACTION_WRONG"),
    ],
)
def test_art_8_1_measure_ends_once(
    held: Measure, action: MeasureAction, changes: dict[str, Any], expected: str | None
) -> None:
    """Art. 8(1): a measure is lifted before its end or expires at it, once, and closing is final after its appeal time."""
    assert expected == reason(stated(held, action, **changes), history(held))


def test_measure_that_nobody_took_cannot_end() -> None:
    """A later statement names a measure of this account."""
    assert ["REVISION_OUT_OF_ORDER", "MEASURE_UNKNOWN"] == rules_of(
        judge_measure(stated(measure(), MeasureAction.LIFT), history(), POLICIES, AT)
    )


def won(**changes: Any) -> Appeal:
    """An appeal that the provider granted, with changes."""
    return replace(Appeal(APPEAL, MEASURE, 1, AT - HOUR // 2, AT - HOUR // 4, overturned=True), **changes)


@pytest.mark.parametrize(
    ("appeal", "expected"),
    [
        (won(), None),
        (won(overturned=False, regulator_appealed_time=AT, regulator_decided_time=AT, granted=True), None),
        (won(overturned=False), "APPEAL_NOT_WON"),
        (won(measure_id=OTHER_MEASURE), "APPEAL_NOT_WON"),
        (won(revision=0), "APPEAL_NOT_WON"),
    ],
)
@pytest.mark.parametrize(
    "held", [measure(SUSPEND), measure(CLOSE, start_time=AT - 30 * DAY), measure(WARN, end_time=CREATED)]
)
def test_art_8_1_overturned_measure_is_undone(held: Measure, appeal: Appeal, expected: str | None) -> None:
    """Art. 8(1): only an appeal that was won overturns, also what has ended, and then nothing of it is in force."""
    record = stated(held, MeasureAction.OVERTURN)
    past = history(held, appeals=(appeal,))
    assert expected == reason(record, past)
    undone = measure_after(record, held)
    assert (True, ()) == (undone.overturned, measures_in_force((undone,), CREATED))
    assert "MEASURE_STOPPED" in rules_of(
        judge_measure(stated(undone, MeasureAction.OVERTURN), history(undone, appeals=(won(),)), POLICIES, AT)
    )


def ordered(**changes: Any) -> Order:
    """An order to suspend for seven days, with changes."""
    return replace(Order(ORDER, REPORT, SUSPEND, 7, SERIOUS, 7), **changes)


@pytest.mark.parametrize(
    ("orders", "before", "expected"),
    [
        ((ordered(),), (), None),
        ((), (), "ORDER_UNKNOWN"),
        ((ordered(order_entry_id=APPEAL),), (), "ORDER_UNKNOWN"),
        ((ordered(days=8),), (), "ORDER_CHANGED"),
        ((ordered(measure=RESTRICT),), (), "ORDER_CHANGED"),
        ((ordered(baseline=1),), (), "ORDER_CHANGED"),
        ((ordered(gravity=GRAVE),), (), "ORDER_CHANGED"),
        ((ordered(),), (earlier(SUSPEND, order_entry_id=ORDER),), "ORDER_REPEATED"),
    ],
)
def test_art_9_order_is_carried_out_as_it_is(
    orders: tuple[Order, ...], before: tuple[Measure, ...], expected: str | None
) -> None:
    """Art. 9: a measure that names an order is the measure ordered, once; the regulator judged the ladder."""
    record = taken(SUSPEND, gravity=SERIOUS, order_entry_id=ORDER)
    assert expected == reason(record, history(*before, orders=orders))


def test_gravest_measure_in_force_comes_first() -> None:
    """Measures stand each by itself where they overlap; who asks sees the gravest first."""
    held = [measure(WARN), measure(CLOSE, start_time=AT + 1), measure(SUSPEND), measure(RESTRICT, end_time=AT)]
    assert [SUSPEND, WARN] == [each.kind for each in measures_in_force(held, AT)]
    assert [CLOSE, SUSPEND, WARN] == [each.kind for each in measures_in_force(held, AT + 1)]


@given(
    st.lists(st.sampled_from([WARN, RESTRICT, SUSPEND]), max_size=4),
    st.sampled_from(LADDER),
    st.sampled_from([ORDINARY, SERIOUS, GRAVE]),
)
def test_art_8_1_more_gravity_never_opens_less(before: list[MeasureKind], kind: MeasureKind, gravity: Gravity) -> None:
    """Art. 8(1): what is open to an act is open to every graver act, and stays open after any further measure."""
    past = [earlier(each, measure_id=str(number)) for number, each in enumerate(before)]
    if kind in open_kinds(past, gravity, AT):
        assert all(kind in open_kinds(past, graver, AT) for graver in (SERIOUS, GRAVE) if graver >= gravity)
        assert kind in open_kinds([*past, earlier(RESTRICT)], gravity, AT)


@given(st.sampled_from(LADDER), st.integers(-2, 40), st.sampled_from([ORDINARY, SERIOUS, GRAVE]), st.integers(0, 8))
def test_art_8_1_measure_that_is_taken_is_in_force(
    kind: MeasureKind, days: int, gravity: Gravity, baseline: int
) -> None:
    """Art. 8(1): what passes is in force from its start until its end, and for ever where it closes."""
    end = 0 if kind is CLOSE else CREATED + days * DAY
    record = taken(kind, gravity=gravity, baseline=baseline, end_time=end)
    if reason(record) is None:
        held = measure_after(record, None)
        moments = (CREATED - 1, CREATED, (end or FOREVER) - 1, end or FOREVER)
        assert [False, True, True, False] == [held.in_force(at) for at in moments]
        assert kind in open_kinds((), gravity, AT)
