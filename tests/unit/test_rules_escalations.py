"""Cases, directives and their answers (Art. 9, answer 2): states, clocks, and exactly one party that has to act."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Violation
from shared.provisions.account_history import AccountHistory, Order
from shared.provisions.conservation import LONGEST_DELAY, HeldReport, ReportTrail, locate, locate_held
from shared.provisions.directives import (
    ANSWER_EVENTS,
    CASE_EVENTS,
    DecidedCase,
    DecisionRecord,
    EscalationOutcome,
    OrderAnswer,
    OrderAnswerRecord,
    judge_decision,
    judge_order_answer,
    order_after,
    order_of,
)
from shared.provisions.escalations import (
    CASE_TRANSITIONS,
    CaseActor,
    CaseEvent,
    CaseKind,
    CaseState,
    Party,
    case_clock,
    directive_times,
    due_time,
    judge_case_event,
    next_case_state,
    responsible_party,
    rise_clock,
    would_be_late,
)
from shared.provisions.measures import Gravity, MeasureAction, MeasureKind
from shared.provisions.policy import (
    APPEAL_DECISION,
    DIRECTIVE_ACKNOWLEDGEMENT,
    DIRECTIVE_ANSWER,
    ESCALATION_DECISION,
    period_end_micros,
)
from shared.provisions.reports import ReportState
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Matter, Thread
from tests.unit.rule_samples import (
    ACCOUNT,
    APPEAL,
    AT,
    CREATED,
    HOUR,
    MEASURE,
    ORDER,
    OTHER_ACCOUNT,
    POLICY,
    REPORT,
    history,
    measure,
    reason_of,
)

S, E = CaseState, CaseEvent
REGULATORS = (Party.PROVINCE, Party.NATION)
OVER = (S.DISMISSED, S.CLOSED)


def test_answer_2_every_state_of_a_case_is_left_by_the_table_alone() -> None:
    """Answer 2: what the table does not list cannot happen to a case, and what it lists only by the hand it names."""
    for state, event, actor in product(CaseState, CaseEvent, CaseActor):
        transition = CASE_TRANSITIONS.get((state, event))
        allowed = transition is not None and transition.actor is actor
        assert allowed == (judge_case_event(state, event, actor) is None)
        assert (allowed and event is not E.RISE) == (judge_case_event(state, event, actor, Party.NATION) is None)


@given(st.lists(st.sampled_from(CaseEvent), max_size=12), st.sampled_from(REGULATORS))
def test_answer_2_exactly_one_party_has_to_act(events: list[CaseEvent], regulator: Party) -> None:
    """Answer 2: after any history a case is in one state at one party; nobody has it exactly where it is over, for good."""
    state = S.OPEN
    for event in events:
        party = responsible_party(state, regulator)
        assert (state in OVER) == (party is Party.NOBODY)
        assert party in (Party.NOBODY, Party.PROVIDER, Party.NATION, regulator)
        following = next_case_state(state, event)
        if following is not None and (event is not E.RISE or regulator is not Party.NATION):
            assert state not in OVER or following is state
            state = following


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([E.ASSIGN, E.VERIFY, E.DIRECT, E.ACKNOWLEDGE, E.COMPLETE], S.CLOSED),
        ([E.ASSIGN, E.DISMISS], S.DISMISSED),
        ([E.DIRECT, E.DECLINE, E.DIRECT, E.COMPLETE], S.CLOSED),
        ([E.ASSIGN, E.SETTLE], S.CLOSED),
        ([E.DIRECT, E.SETTLE], S.DIRECTED),
        ([E.ASSIGN, E.RISE, E.SETTLE], S.RISEN),
        ([E.DIRECT, E.RISE, E.COMPLETE], S.RISEN),
    ],
)
def test_answer_2_ways_of_a_case(events: list[CaseEvent], expected: CaseState) -> None:
    """Answer 2: a case is verified and directed, dismissed, settled meanwhile, or risen to the nation."""
    state = S.OPEN
    for event in events:
        following = next_case_state(state, event)
        assert following is not None
        state = following
    assert expected == state


def test_art_9_clocks_of_a_case() -> None:
    """Art. 9: decision, acknowledgement and answer each have their own clock, and what is over or risen has none."""
    periods = {
        (S.OPEN, CaseKind.REPORT): ESCALATION_DECISION,
        (S.ANSWERED, CaseKind.COMPLAINT): ESCALATION_DECISION,
        (S.ASSIGNED, CaseKind.APPEAL): APPEAL_DECISION,
        (S.DIRECTED, CaseKind.REPORT): DIRECTIVE_ACKNOWLEDGEMENT,
        (S.ACKNOWLEDGED, CaseKind.REPORT): DIRECTIVE_ANSWER,
    }
    for (state, kind), period in periods.items():
        clock = case_clock(state, kind, AT, POLICY)
        assert clock is not None
        assert period_end_micros(POLICY, period, AT) == due_time(clock)
    assert [None] * 3 == [case_clock(state, CaseKind.REPORT, AT, POLICY) for state in (S.CLOSED, S.DISMISSED, S.RISEN)]


def test_answer_2_overdue_case_rises_by_itself() -> None:
    """Answer 2: a case rises when its decision is overdue, and a directive when it is not answered, not yet when unread."""
    undecided = rise_clock(S.OPEN, CaseKind.REPORT, AT, POLICY)
    directed = rise_clock(S.DIRECTED, CaseKind.REPORT, AT, POLICY)
    assert undecided is not None
    assert directed is not None
    assert due_time(directed) == period_end_micros(POLICY, DIRECTIVE_ANSWER, AT)
    due = due_time(undecided)
    assert [False, True] == [would_be_late(undecided, at) for at in (due - 1, due)]
    assert None is rise_clock(S.RISEN, CaseKind.REPORT, AT, POLICY)


CASE = DecidedCase(CaseKind.REPORT, S.ASSIGNED, "provider/wave", ACCOUNT, REPORT)
APPEALED = DecidedCase(CaseKind.APPEAL, S.ASSIGNED, "provider/wave", ACCOUNT, APPEAL, MEASURE)


def decision(outcome: EscalationOutcome = EscalationOutcome.VERIFIED, **changes: Any) -> DecisionRecord:
    """A decision on the report, or on the appeal, made now, with changes."""
    appeal = outcome in (EscalationOutcome.APPEAL_REFUSED, EscalationOutcome.APPEAL_GRANTED)
    acknowledge_by, answer_by = directive_times(POLICY, AT)
    reasons = {EscalationOutcome.VERIFIED: "false_information", EscalationOutcome.DISMISSED: "no_violation"}
    good = DecisionRecord(
        provider="provider/wave",
        account_id=ACCOUNT,
        escalation_id=APPEAL if appeal else REPORT,
        outcome=outcome,
        ordered_measure=0,
        baseline=0,
        gravity=0,
        days=0,
        reason=reasons.get(outcome, "disproportionate"),
        decided_time=AT,
        acknowledge_by=acknowledge_by,
        answer_by=answer_by,
    )
    return replace(good, **changes)


SUSPENDS: dict[str, Any] = {
    "ordered_measure": MeasureKind.SUSPEND_UPDATES,
    "baseline": 7,
    "gravity": Gravity.GRAVE,
    "days": 7,
}
CLOSES: dict[str, Any] = {"ordered_measure": MeasureKind.CLOSE, "baseline": 7, "gravity": Gravity.GRAVE}


@pytest.mark.parametrize(
    ("record", "case", "past", "expected"),
    [
        (decision(), CASE, history(), None),
        (decision(**SUSPENDS), CASE, history(), None),
        (decision(**CLOSES), CASE, history(), None),
        (decision(EscalationOutcome.DISMISSED), CASE, history(), None),
        (decision(EscalationOutcome.APPEAL_GRANTED), APPEALED, history(), None),
        (decision(EscalationOutcome.APPEAL_REFUSED), APPEALED, history(), None),
        (decision(EscalationOutcome.APPEAL_GRANTED, escalation_id=REPORT), CASE, history(), "OUTCOME_WRONG"),
        (decision(escalation_id=APPEAL), APPEALED, history(), "OUTCOME_WRONG"),
        (decision(EscalationOutcome.UNSPECIFIED), CASE, history(), "OUTCOME_WRONG"),
        (decision(provider="provider/other"), CASE, history(), "CASE_CHANGED"),
        (decision(account_id=OTHER_ACCOUNT), CASE, history(), "CASE_CHANGED"),
        (decision(), replace(CASE, state=S.DIRECTED), history(), "CASE_STATE_WRONG"),
        (decision(), replace(CASE, state=S.CLOSED), history(), "CASE_STATE_WRONG"),
        (decision(), replace(CASE, state=S.RISEN), history(), "CASE_STATE_WRONG"),
        (decision(reason="no_violation"), CASE, history(), "REASON_UNKNOWN"),
        (decision(EscalationOutcome.DISMISSED, reason="illegal_content"), CASE, history(), "REASON_UNKNOWN"),
        (decision(EscalationOutcome.APPEAL_REFUSED, reason="whim"), APPEALED, history(), "REASON_UNKNOWN"),
        (decision(**{**SUSPENDS, "gravity": Gravity.ORDINARY}), CASE, history(), "LADDER_JUMPED"),
        (decision(**{**SUSPENDS, "days": 91}), CASE, history(), "MEASURE_TOO_LONG"),
        (decision(**{**SUSPENDS, "days": 0}), CASE, history(), "ORDER_WRONG"),
        (decision(**{**SUSPENDS, "baseline": 0}), CASE, history(), "BASELINE_WRONG"),
        (decision(days=7), CASE, history(), "ORDER_WRONG"),
        (decision(EscalationOutcome.DISMISSED, **SUSPENDS), CASE, history(), "ORDER_WRONG"),
        (decision(**SUSPENDS), CASE, history(measure(MeasureKind.CLOSE)), "ACCOUNT_CLOSED"),
        (decision(**SUSPENDS), CASE, history(withdrawn=True), "ACCOUNT_WITHDRAWN"),
        (decision(answer_by=AT), CASE, history(), "DUE_TIME_WRONG"),
        (decision(acknowledge_by=AT), CASE, history(), "DUE_TIME_WRONG"),
    ],
)
def test_art_9_decision_fits_its_case(
    record: DecisionRecord, case: DecidedCase, past: AccountHistory, expected: str | None
) -> None:
    """Art. 9: a decision is on the case as it stands, has a reason of its kind, and orders no more than the ladder opens."""
    assert expected == reason_of(judge_decision(record, case, past, POLICY))


def test_art_9_every_outcome_and_answer_moves_its_case() -> None:
    """Art. 9: no decision and no answer leaves its case where it was."""
    for event in CASE_EVENTS.values():
        assert next_case_state(S.ASSIGNED, event) in (S.DIRECTED, S.DISMISSED)
    answers = {answer: next_case_state(S.DIRECTED, event) for answer, event in ANSWER_EVENTS.items()}
    assert {
        OrderAnswer.ACKNOWLEDGED: S.ACKNOWLEDGED,
        OrderAnswer.DONE: S.CLOSED,
        OrderAnswer.IMPOSSIBLE: S.ANSWERED,
    } == answers


def answer(given: OrderAnswer = OrderAnswer.DONE, **changes: Any) -> OrderAnswerRecord:
    """An answer to the order, made now, with changes."""
    reason = "legal_obstacle" if given is OrderAnswer.IMPOSSIBLE else ""
    good = OrderAnswerRecord(REPORT, ACCOUNT, 2, CREATED, ORDER, given, reason, CREATED)
    return replace(good, **changes)


SUSPENSION = order_of(decision(**SUSPENDS), ORDER)
REMOVAL = order_of(decision(), ORDER)
CARRIED_OUT = measure(MeasureKind.SUSPEND_UPDATES, order_entry_id=ORDER)
THREAD = Thread(Matter.REPORT, ACCOUNT, 1)


def having(order: Order | None, *measures: Any) -> AccountHistory:
    """The history of an account with an order and measures."""
    assert order is not None
    return history(*measures, orders=(order,))


@pytest.mark.parametrize(
    ("record", "past", "thread", "expected"),
    [
        (answer(), having(REMOVAL), THREAD, None),
        (answer(), having(SUSPENSION, CARRIED_OUT), THREAD, None),
        (answer(), having(SUSPENSION), THREAD, "ORDER_NOT_CARRIED_OUT"),
        (answer(), having(SUSPENSION, measure(MeasureKind.SUSPEND_UPDATES)), THREAD, "ORDER_NOT_CARRIED_OUT"),
        (answer(OrderAnswer.ACKNOWLEDGED), having(SUSPENSION), THREAD, None),
        (answer(OrderAnswer.IMPOSSIBLE), having(SUSPENSION), THREAD, None),
        (answer(revision=1), having(REMOVAL), None, None),
        (answer(), having(REMOVAL), None, "REVISION_OUT_OF_ORDER"),
        (answer(), having(REMOVAL), replace(THREAD, account_id=OTHER_ACCOUNT), "ACCOUNT_CHANGED"),
        (answer(), history(), THREAD, "ORDER_UNKNOWN"),
        (answer(escalation_id=APPEAL), having(REMOVAL), THREAD, "ORDER_UNKNOWN"),
        (answer(OrderAnswer.IMPOSSIBLE, reason=""), having(REMOVAL), THREAD, "REASON_UNKNOWN"),
        (answer(reason="legal_obstacle"), having(REMOVAL), THREAD, "REASON_UNKNOWN"),
        (answer(OrderAnswer.UNSPECIFIED), having(REMOVAL), THREAD, "ANSWER_WRONG"),
        (answer(answered_time=CREATED + 1), having(REMOVAL), THREAD, "TIME_ORDER_WRONG"),
    ],
)
def test_art_9_order_is_answered_by_what_was_done(
    record: OrderAnswerRecord, past: AccountHistory, thread: Thread | None, expected: str | None
) -> None:
    """Art. 9: an order is done once the measures of the account show it, and impossible for a reason of the policy."""
    assert expected == reason_of(judge_order_answer(record, thread, past, POLICY))


def test_art_9_order_is_acknowledged_once_and_answered_once() -> None:
    """Art. 9: a directive that comes twice, or an answer that does, changes nothing."""
    assert REMOVAL is not None
    acknowledged = order_after(answer(OrderAnswer.ACKNOWLEDGED), REMOVAL)
    done = order_after(answer(), acknowledged)
    found = [
        reason_of(judge_order_answer(answer(given), THREAD, having(order), POLICY))
        for order in (acknowledged, done)
        for given in (OrderAnswer.ACKNOWLEDGED, OrderAnswer.DONE)
    ]
    assert ["ORDER_ANSWERED", None, "ORDER_ANSWERED", "ORDER_ANSWERED"] == found


def test_answer_1_granted_appeal_is_done_when_the_measure_is_undone() -> None:
    """Answer 1: a granted appeal is an order to undo the measure, and nothing else carries it out."""
    order = order_of(decision(EscalationOutcome.APPEAL_GRANTED), ORDER, MEASURE)
    record = answer(escalation_id=APPEAL)
    held = measure(MeasureKind.SUSPEND_UPDATES)
    undone = replace(held, action=MeasureAction.OVERTURN, stopped_time=CREATED)
    found = [reason_of(judge_order_answer(record, THREAD, having(order, each), POLICY)) for each in (held, undone)]
    assert ["ORDER_NOT_CARRIED_OUT", None] == found
    assert None is order_of(decision(EscalationOutcome.APPEAL_REFUSED), ORDER, MEASURE)


R = ReportState
SENT: dict[str, Any] = {"escalated": True, "escalation_taken": True, "report": R.ESCALATED}


@pytest.mark.parametrize(
    ("trail", "expected"),
    [
        (ReportTrail(R.RECEIVED), Party.PROVIDER),
        (ReportTrail(R.ANSWERED), Party.PROVIDER),
        (ReportTrail(R.SETTLED), Party.NOBODY),
        (ReportTrail(R.ESCALATED, escalated=True), Party.PROVIDER),
        (ReportTrail(R.ESCALATED, escalated=True, case=S.OPEN), Party.PROVINCE),
        (ReportTrail(**SENT, case=S.ASSIGNED), Party.PROVINCE),
        (ReportTrail(**SENT, case=S.ASSIGNED, home=Party.NATION), Party.NATION),
        (ReportTrail(**SENT, case=S.DIRECTED), Party.PROVIDER),
        (ReportTrail(**SENT, case=S.CLOSED), Party.NOBODY),
        (ReportTrail(**SENT, case=S.RISEN), Party.PROVINCE),
        (ReportTrail(**SENT, case=S.RISEN, rise_taken=True, nation_case=S.OPEN), Party.NATION),
        (ReportTrail(**{**SENT, "report": R.SETTLED}, case=S.OPEN), Party.PROVINCE),
        (ReportTrail(**{**SENT, "report": R.DECIDED}, case=S.ACKNOWLEDGED), Party.PROVIDER),
        (ReportTrail(R.ESCALATED), "REPORT_LOST"),
        (ReportTrail(R.RECEIVED, case=S.OPEN), "CASE_UNEXPECTED"),
        (ReportTrail(R.RECEIVED, escalated=True, case=S.OPEN), "CASE_UNEXPECTED"),
        (ReportTrail(**SENT), "CASE_MISSING"),
        (ReportTrail(**SENT, case=S.RISEN, rise_taken=True), "CASE_MISSING"),
        (ReportTrail(**SENT, case=S.OPEN, nation_case=S.OPEN), "TWO_CASES"),
        (ReportTrail(**{**SENT, "report": R.DECIDED}, case=S.OPEN), "DECISION_MISSING"),
        (ReportTrail(**{**SENT, "report": R.SETTLED}, case=S.OPEN, settlement_taken=True), "SETTLEMENT_IGNORED"),
    ],
)
def test_art_5_3_every_report_is_with_exactly_one_party(trail: ReportTrail, expected: Party | str) -> None:
    """Art. 5(3): from what the parties hold a report is with exactly one of them, or what does not add up is named."""
    found = locate(trail)
    assert expected == (found.rule if isinstance(found, Violation) else found)


def test_art_9_clocks_of_a_directive_begin_when_it_was_decided() -> None:
    """Art. 9: four hours by the clock to acknowledge, then three working days to answer, both administrative."""
    acknowledge_by, answer_by = directive_times(POLICY, AT)
    assert AT + 4 * HOUR == acknowledge_by
    assert acknowledge_by < answer_by


def held(report: ReportState, **changes: Any) -> HeldReport:
    """A report of one reporter as its provider holds it, with changes."""
    return replace(HeldReport(report, 1, 1, FOREVER, escalated=False, taken=False), **changes)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (held(R.RECEIVED), Party.PROVIDER),
        (held(R.ANSWERED, reports=3, codes=3), Party.PROVIDER),
        (held(R.SETTLED), Party.NOBODY),
        (held(R.ESCALATED, escalated=True), Party.PROVIDER),
        (held(R.ESCALATED, escalated=True, taken=True), Party.PROVINCE),
        (held(R.SETTLED, escalated=True, taken=True), Party.PROVINCE),
        (held(R.DECIDED, escalated=True, taken=True), Party.PROVINCE),
        (held(R.RECEIVED, leave_time=AT - LONGEST_DELAY + 1), Party.PROVIDER),
        (held(R.RECEIVED, leave_time=AT - LONGEST_DELAY), "REPORT_OVERDUE"),
        (held(R.ESCALATED), "REPORT_LOST"),
        (held(R.DECIDED), "REPORT_LOST"),
        (held(R.ANSWERED, escalated=True), "ENTRY_UNEXPECTED"),
        (held(R.SETTLED, reports=2), "CODE_MISSING"),
    ],
)
def test_answer_2_a_provider_has_a_report_or_shows_who_has(report: HeldReport, expected: Party | str) -> None:
    """Answer 2: by what its provider holds a report is with one party, or what does not add up is named."""
    found = locate_held(report, Party.PROVINCE, AT)
    assert expected == (found.rule if isinstance(found, Violation) else found)
