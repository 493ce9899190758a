"""Reports from the public (Art. 5(3)): their states, their clocks, and when they leave for the regulator by themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisions.policy import REPORT_FIRST_ANSWER, REPORT_SETTLEMENT, period_end_micros
from shared.provisions.reports import (
    MOST_DIGESTS,
    TRANSITIONS,
    Actor,
    Departure,
    EscalationCause,
    JoiningRecord,
    Pause,
    ReportEvent,
    ReportRecord,
    ReportState,
    SettlementRecord,
    departure,
    due_times,
    judge_joining,
    judge_report,
    judge_report_event,
    judge_settlement,
    next_report_state,
    report_clocks,
    would_be_late,
)
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Matter, Thread
from tests.unit.rule_samples import ACCOUNT, AT, CREATED, DAY, HOUR, OTHER_ACCOUNT, POLICY, REPORT, reason_of

RECEIVED = AT
ANSWER_DUE = period_end_micros(POLICY, REPORT_FIRST_ANSWER, RECEIVED)
SETTLE_DUE = period_end_micros(POLICY, REPORT_SETTLEMENT, RECEIVED)


def test_art_5_3_report_is_answered_and_settled_in_its_time() -> None:
    """Art. 5(3): first answer within 24 hours by the clock, settlement within three working days, both administrative."""
    assert (AT + 24 * HOUR, SETTLE_DUE) == due_times(POLICY, RECEIVED)
    paused = due_times(POLICY, RECEIVED, [Pause(RECEIVED + HOUR, RECEIVED + 2 * HOUR)])
    assert (AT + 24 * HOUR, SETTLE_DUE + HOUR) == paused


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ({}, Departure(ANSWER_DUE, EscalationCause.FIRST_ANSWER_OVERDUE)),
        ({"answered": ANSWER_DUE - 1}, Departure(SETTLE_DUE, EscalationCause.SETTLEMENT_OVERDUE)),
        ({"answered": ANSWER_DUE}, Departure(ANSWER_DUE, EscalationCause.FIRST_ANSWER_OVERDUE)),
        ({"settled": ANSWER_DUE - 1}, None),
        ({"answered": AT, "settled": SETTLE_DUE - 1}, None),
        ({"answered": AT, "settled": SETTLE_DUE}, Departure(SETTLE_DUE, EscalationCause.SETTLEMENT_OVERDUE)),
    ],
)
def test_art_5_3_overdue_report_leaves_by_itself(happened: dict[str, Any], expected: Departure | None) -> None:
    """Art. 5(3): a report leaves at the first moment at which one of its clocks is late, and never one that was in time."""
    assert expected == departure(POLICY, RECEIVED, **happened)


@given(
    st.integers(0, 400).map(lambda hours: AT + hours * HOUR),
    st.one_of(st.just(FOREVER), st.integers(0, 400).map(lambda hours: AT + hours * HOUR)),
    st.integers(0, 900).map(lambda hours: AT + hours * HOUR),
)
def test_art_5_3_nothing_is_late_that_the_clock_did_not_make_late(answered: int, settled: int, at: int) -> None:
    """Art. 5(3): a report has left at a moment exactly where one of its clocks is late then; the answer never goes back."""
    left = departure(POLICY, RECEIVED, (), answered, settled)
    late = any(would_be_late(clock, at) for clock in report_clocks(POLICY, RECEIVED, (), answered, settled))
    assert late == (left is not None and left.time <= at)


def test_art_5_3_every_state_of_a_report_is_left_by_the_table_alone() -> None:
    """Art. 5(3): what the table does not list cannot happen, by nobody's hand; what it lists only by the hand it names."""
    for state, event, actor in product(ReportState, ReportEvent, Actor):
        transition = TRANSITIONS.get((state, event))
        reason = "awaiting_evidence" if event is ReportEvent.PAUSE else "no_violation"
        paused = event is ReportEvent.RESUME
        refusal = judge_report_event(state, event, actor, paused=paused, reason=reason, policy=POLICY)
        assert (transition is not None and transition.actor is actor) == (refusal is None)
        assert next_report_state(state, event) == (transition.to if transition else None)


def test_art_5_3_report_never_comes_back() -> None:
    """Art. 5(3): what was settled, sent off or decided is never received or answered again."""
    order = [
        ReportState.RECEIVED,
        ReportState.ANSWERED,
        ReportState.ESCALATED,
        ReportState.SETTLED,
        ReportState.DECIDED,
    ]
    for (state, _), transition in TRANSITIONS.items():
        if state is not ReportState.UNSPECIFIED:
            assert order.index(state) <= order.index(transition.to)


@pytest.mark.parametrize(
    ("event", "changes", "expected"),
    [
        (ReportEvent.PAUSE, {"reason": "awaiting_court"}, None),
        (ReportEvent.PAUSE, {"reason": "busy"}, "REASON_UNKNOWN"),
        (ReportEvent.PAUSE, {"reason": "awaiting_court", "paused": True}, "ALREADY_PAUSED"),
        (ReportEvent.RESUME, {}, "NOT_PAUSED"),
        (ReportEvent.RESUME, {"paused": True}, None),
        (ReportEvent.SETTLE, {"reason": "measure_taken"}, None),
        (ReportEvent.SETTLE, {"reason": "forgotten"}, "OUTCOME_UNKNOWN"),
        (ReportEvent.SETTLE, {"reason": "measure_taken", "policy": None}, "OUTCOME_UNKNOWN"),
        (ReportEvent.ESCALATE, {}, "ACTOR_WRONG"),
        (ReportEvent.DECIDE, {}, "REPORT_STATE_WRONG"),
    ],
)
def test_art_5_3_clock_is_paused_for_stated_reasons_only(
    event: ReportEvent, changes: dict[str, Any], expected: str | None
) -> None:
    """Art. 5(3): a pause needs a reason of the policy and a settlement an outcome of it; only the clock sends a report off."""
    values: dict[str, Any] = {"policy": POLICY, **changes}
    assert expected == reason_of(judge_report_event(ReportState.ANSWERED, event, Actor.PROVIDER, **values))


def left(**changes: Any) -> ReportRecord:
    """The statement that a report left when its settlement was due, with changes."""
    good = ReportRecord(
        escalation_id=REPORT,
        account_id=ACCOUNT,
        revision=1,
        created_time=CREATED,
        tracking_digest=bytes(32),
        baseline=7,
        item_url="https://example.org/1",
        item_digest=bytes(32),
        received_time=CREATED - 4 * DAY,
        due_time=CREATED,
        reports=3,
        cause=EscalationCause.SETTLEMENT_OVERDUE,
    )
    return replace(good, **changes)


@pytest.mark.parametrize(
    ("record", "thread", "expected"),
    [
        (left(), None, None),
        (left(item_url=""), None, None),
        (left(item_url="", item_digest=b""), None, None),
        (left(due_time=CREATED + DAY, cause=EscalationCause.HANDED_OVER), None, None),
        (left(due_time=CREATED + 1), None, "TIME_ORDER_WRONG"),
        (left(due_time=CREATED - 4 * DAY), None, "TIME_ORDER_WRONG"),
        (left(received_time=CREATED + 1), None, "TIME_ORDER_WRONG"),
        (left(received_time=0), None, "TIME_TOO_EARLY"),
        (left(baseline=8), None, "BASELINE_WRONG"),
        (left(item_digest=b""), None, "ITEM_WRONG"),
        (left(item_digest=bytes(31)), None, "ITEM_WRONG"),
        (left(joined_digests=(b"1" * 32, b"2" * 32)), None, None),
        (left(joined_digests=(b"1" * 32, b"2" * 32, b"3" * 32)), None, "DIGESTS_WRONG"),
        (left(joined_digests=(b"1" * 32, b"1" * 32)), None, "DIGESTS_WRONG"),
        (left(joined_digests=(bytes(32),)), None, "DIGESTS_WRONG"),
        (left(report_digest=b"1" * 32), None, "DIGESTS_WRONG"),
        (left(revision=2), None, "REVISION_OUT_OF_ORDER"),
        (left(), Thread(Matter.REPORT, ACCOUNT, 1), "REVISION_OUT_OF_ORDER"),
        (left(revision=2), Thread(Matter.REPORT, ACCOUNT, 1), "REVISION_OUT_OF_ORDER"),
        (left(), Thread(Matter.MEASURE, ACCOUNT, 1), "MATTER_WRONG"),
    ],
)
def test_art_5_3_report_leaves_once_and_when_it_is_due(
    record: ReportRecord, thread: Thread | None, expected: str | None
) -> None:
    """Art. 5(3): a report leaves once, not before it is due unless handed over, and about an item that can be told again."""
    assert expected == reason_of(judge_report(record, thread, POLICY))


@pytest.mark.parametrize(
    ("changes", "thread", "expected"),
    [
        ({}, Thread(Matter.REPORT, ACCOUNT, 1), None),
        ({"revision": 3}, Thread(Matter.REPORT, ACCOUNT, 1), "REVISION_OUT_OF_ORDER"),
        ({}, None, "REPORT_UNKNOWN"),
        ({}, Thread(Matter.COMPLAINT, ACCOUNT, 1), "REPORT_UNKNOWN"),
        ({}, Thread(Matter.REPORT, OTHER_ACCOUNT, 1), "ACCOUNT_CHANGED"),
        ({"outcome": "forgotten"}, Thread(Matter.REPORT, ACCOUNT, 1), "OUTCOME_UNKNOWN"),
        ({"settled_time": CREATED + 1}, Thread(Matter.REPORT, ACCOUNT, 1), "TIME_ORDER_WRONG"),
    ],
)
def test_art_5_3_late_settlement_is_told(changes: dict[str, Any], thread: Thread | None, expected: str | None) -> None:
    """Art. 5(3): what is settled after it left is told to the regulator, of a report that did leave."""
    good = SettlementRecord(REPORT, ACCOUNT, 2, CREATED, CREATED, "item_removed")
    assert expected == reason_of(judge_settlement(replace(good, **changes), thread, POLICY))


@pytest.mark.parametrize(
    ("changes", "thread", "expected"),
    [
        ({}, Thread(Matter.REPORT, ACCOUNT, 1), None),
        ({"revision": 3}, Thread(Matter.REPORT, ACCOUNT, 1), "REVISION_OUT_OF_ORDER"),
        ({}, None, "REPORT_UNKNOWN"),
        ({}, Thread(Matter.MEASURE, ACCOUNT, 1), "REPORT_UNKNOWN"),
        ({}, Thread(Matter.REPORT, OTHER_ACCOUNT, 1), "ACCOUNT_CHANGED"),
        ({"tracking_digests": ()}, Thread(Matter.REPORT, ACCOUNT, 1), "DIGESTS_WRONG"),
        ({"tracking_digests": (bytes(32),) * 2}, Thread(Matter.REPORT, ACCOUNT, 1), "DIGESTS_WRONG"),
        (
            {"tracking_digests": tuple(number.to_bytes(32) for number in range(MOST_DIGESTS + 1))},
            Thread(Matter.REPORT, ACCOUNT, 1),
            "DIGESTS_WRONG",
        ),
    ],
)
def test_answer_2_further_reporters_are_told(
    changes: dict[str, Any], thread: Thread | None, expected: str | None
) -> None:
    """Answer 2: reporters beyond what the departure holds are told after it, by codes of their own, a bounded number each."""
    good = JoiningRecord(REPORT, ACCOUNT, 2, CREATED, (b"1" * 32, b"2" * 32))
    assert expected == reason_of(judge_joining(replace(good, **changes), thread))
