"""Reports from the public at a provider (Art. 5(3)): the states a report goes through, its clocks, and when it leaves.

A report is at any moment in exactly one state. What may follow what, and by whose hand, is one table. Two clocks run
from the moment it was received: the first answer, which nothing pauses, and the settlement, which is paused for
reasons of the policy only. At the first moment at which one of them is late the report leaves for the regulator, by
itself and once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from shared.errors import Violation
from shared.provisions.agreements import BASELINES
from shared.provisions.clocks import ClockRule, Pause, due_time, would_be_late
from shared.provisions.policy import REPORT_FIRST_ANSWER, REPORT_PAUSE_LONGEST, REPORT_SETTLEMENT, Policy
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Matter, Statement, Thread, judge_past, judge_revision

__all__ = [
    "TRANSITIONS",
    "Actor",
    "ClockRule",
    "Departure",
    "DueTimes",
    "EscalationCause",
    "JoiningRecord",
    "Pause",
    "ReportEvent",
    "ReportRecord",
    "ReportState",
    "SettlementRecord",
    "Transition",
    "departure",
    "due_time",
    "due_times",
    "judge_joining",
    "judge_report",
    "judge_report_event",
    "judge_settlement",
    "next_report_state",
    "report_clocks",
    "would_be_late",
]


class ReportState(IntEnum):
    """Where a report stands, with the numbers of the provider's contract. A joined one stands where the first one does."""

    UNSPECIFIED = 0
    RECEIVED = 1
    ANSWERED = 2
    SETTLED = 3
    ESCALATED = 4
    DECIDED = 5
    JOINED = 6


class ReportEvent(IntEnum):
    """What happens to a report."""

    RECEIVE = 1
    JOIN = 2
    ANSWER = 3
    PAUSE = 4
    RESUME = 5
    SETTLE = 6
    ESCALATE = 7
    HAND_OVER = 8
    DECIDE = 9


class Actor(IntEnum):
    """By whose hand."""

    PUBLIC = 1
    PROVIDER = 2
    CLOCK = 3
    REGULATOR = 4


class EscalationCause(IntEnum):
    """Why a report left its provider, with the numbers of the wire."""

    UNSPECIFIED = 0
    FIRST_ANSWER_OVERDUE = 1
    SETTLEMENT_OVERDUE = 2
    HANDED_OVER = 3


class Transition(NamedTuple):
    """What an event makes of a report, and who may bring it about."""

    to: ReportState
    actor: Actor


_S: Final = ReportState
_E: Final = ReportEvent
TRANSITIONS: Final[dict[tuple[ReportState, ReportEvent], Transition]] = {
    (_S.UNSPECIFIED, _E.RECEIVE): Transition(_S.RECEIVED, Actor.PUBLIC),
    (_S.UNSPECIFIED, _E.JOIN): Transition(_S.JOINED, Actor.PUBLIC),
    (_S.RECEIVED, _E.ANSWER): Transition(_S.ANSWERED, Actor.PROVIDER),
    (_S.ESCALATED, _E.ANSWER): Transition(_S.ESCALATED, Actor.PROVIDER),
    (_S.RECEIVED, _E.PAUSE): Transition(_S.RECEIVED, Actor.PROVIDER),
    (_S.ANSWERED, _E.PAUSE): Transition(_S.ANSWERED, Actor.PROVIDER),
    (_S.RECEIVED, _E.RESUME): Transition(_S.RECEIVED, Actor.PROVIDER),
    (_S.ANSWERED, _E.RESUME): Transition(_S.ANSWERED, Actor.PROVIDER),
    (_S.RECEIVED, _E.SETTLE): Transition(_S.SETTLED, Actor.PROVIDER),
    (_S.ANSWERED, _E.SETTLE): Transition(_S.SETTLED, Actor.PROVIDER),
    # Settled after it had left: the regulator is told, and may have decided meanwhile.
    (_S.ESCALATED, _E.SETTLE): Transition(_S.SETTLED, Actor.PROVIDER),
    (_S.SETTLED, _E.DECIDE): Transition(_S.DECIDED, Actor.REGULATOR),
    (_S.RECEIVED, _E.ESCALATE): Transition(_S.ESCALATED, Actor.CLOCK),
    (_S.ANSWERED, _E.ESCALATE): Transition(_S.ESCALATED, Actor.CLOCK),
    (_S.RECEIVED, _E.HAND_OVER): Transition(_S.ESCALATED, Actor.PROVIDER),
    (_S.ANSWERED, _E.HAND_OVER): Transition(_S.ESCALATED, Actor.PROVIDER),
    (_S.ESCALATED, _E.DECIDE): Transition(_S.DECIDED, Actor.REGULATOR),
    # Decided again, by the nation where the province's time was up, or after an order could not be carried out.
    (_S.DECIDED, _E.DECIDE): Transition(_S.DECIDED, Actor.REGULATOR),
}
"""Everything that can happen to a report; what is not listed cannot."""


MOST_DIGESTS: Final = 500
"""Tracking codes of joined reporters that one statement holds, as in the contract."""


@dataclass(slots=True)
class ReportRecord(Statement):
    """A report that left its provider as the rules see it: the fields of ReportEscalation. Times are microseconds."""

    tracking_digest: bytes
    baseline: int
    item_url: str
    item_digest: bytes
    received_time: int
    due_time: int
    reports: int
    cause: int
    joined_digests: tuple[bytes, ...] = ()
    report_digest: bytes = b""


@dataclass(slots=True)
class JoiningRecord(Statement):
    """Further reporters of a report that left, by the digests of their codes: the fields of ReportJoined."""

    tracking_digests: tuple[bytes, ...]


@dataclass(slots=True)
class SettlementRecord(Statement):
    """A report that was settled after it had left: the fields of ReportSettled. Times are microseconds."""

    settled_time: int
    outcome: str


class DueTimes(NamedTuple):
    """The first moments, in microseconds, at which the first answer and the settlement are late."""

    first_answer: int
    settlement: int


class Departure(NamedTuple):
    """When, in microseconds, a report leaves by itself, and why."""

    time: int
    cause: EscalationCause


def next_report_state(state: ReportState, event: ReportEvent) -> ReportState | None:
    """Returns where an event takes a report; None where it cannot happen to it."""
    transition = TRANSITIONS.get((state, event))
    return None if transition is None else transition.to


def judge_report_event(
    state: ReportState,
    event: ReportEvent,
    actor: Actor,
    *,
    paused: bool = False,
    reason: str = "",
    policy: Policy | None = None,
) -> Refusal | None:
    """Judges whether something may happen to a report.

    Args:
        state: where it stands; UNSPECIFIED before it was received.
        event: what is to happen.
        actor: by whose hand.
        paused: whether its settlement clock stands.
        reason: code of the reason for a pause, or of the outcome of a settlement.
        policy: the policy in force, for these codes; None for other events.

    Returns:
        None where it may, else the refusal: REPORT_STATE_WRONG, ACTOR_WRONG, ALREADY_PAUSED, NOT_PAUSED,
        REASON_UNKNOWN, OUTCOME_UNKNOWN.
    """
    transition = TRANSITIONS.get((state, event))
    if transition is None:
        mend = f"read the report again: it is {state.name.lower()}"
        return refusal_of([Violation("state", "REPORT_STATE_WRONG", mend)])
    return refusal_of(_judge_event(transition, event, actor, paused, reason, policy))


def report_clocks(
    policy: Policy,
    received: int,
    pauses: Sequence[Pause] = (),
    answered: int = FOREVER,
    settled: int = FOREVER,
) -> tuple[ClockRule, ClockRule]:
    """Returns the two clocks of a report: of its first answer, and of its settlement.

    Args:
        policy: the policy in force when it was received.
        received: when that was, in microseconds; of the first one where reports are joined.
        pauses: of the settlement clock, an open one included.
        answered: when it had its first answer; FOREVER before. A settlement answers as well.
        settled: when it was settled; FOREVER before.
    """
    first_answer = ClockRule(policy, REPORT_FIRST_ANSWER, received, done_time=min(answered, settled))
    return first_answer, ClockRule(policy, REPORT_SETTLEMENT, received, tuple(pauses), REPORT_PAUSE_LONGEST, settled)


def due_times(policy: Policy, received: int, pauses: Sequence[Pause] = ()) -> DueTimes:
    """Returns until when a report is to be answered and settled (Art. 5(3)).

    Args:
        policy: the policy in force when it was received.
        received: when that was, in microseconds.
        pauses: of the settlement clock; an open one counts until report_pause_longest is over.
    """
    first_answer, settlement = report_clocks(policy, received, pauses)
    return DueTimes(due_time(first_answer), due_time(settlement))


def departure(
    policy: Policy,
    received: int,
    pauses: Sequence[Pause] = (),
    answered: int = FOREVER,
    settled: int = FOREVER,
) -> Departure | None:
    """Returns when a report leaves for the regulator by itself, if nothing more happens to it.

    Args:
        policy: the policy in force when it was received.
        received: when that was, in microseconds.
        pauses: of the settlement clock.
        answered: when it had its first answer; FOREVER before.
        settled: when it was settled; FOREVER before.

    Returns:
        The first moment at which one of its clocks is late, with the cause; None where both were in time.
    """
    causes = (EscalationCause.FIRST_ANSWER_OVERDUE, EscalationCause.SETTLEMENT_OVERDUE)
    clocks = report_clocks(policy, received, pauses, answered, settled)
    overdue = [
        Departure(due_time(clock), cause)
        for clock, cause in zip(clocks, causes, strict=True)
        if would_be_late(clock, FOREVER)
    ]
    return min(overdue, default=None)


def judge_report(record: ReportRecord, thread: Thread | None, policy: Policy) -> Refusal | None:
    """Judges the statement that a report left its provider. The account need not be on file: the public is heard
    anyway.

    Args:
        record: the statement.
        thread: what was stated under its id before; None where nothing was.
        policy: the policy in force when it was made.

    Returns:
        None where it may enter the register, else the refusal: REVISION_OUT_OF_ORDER, MATTER_WRONG, BASELINE_WRONG,
        ITEM_WRONG, DIGESTS_WRONG, TIME_ORDER_WRONG, TIME_TOO_EARLY.
    """
    return refusal_of(_judge_report(record, thread, policy))


def judge_joining(record: JoiningRecord, thread: Thread | None) -> Refusal | None:
    """Judges the statement that further reporters are joined in a report that left.

    Args:
        record: the statement.
        thread: what was stated under its id before; None where nothing was.

    Returns:
        None where it may enter the register, else the refusal: REPORT_UNKNOWN, REVISION_OUT_OF_ORDER, ACCOUNT_CHANGED,
        DIGESTS_WRONG.
    """
    return refusal_of(_judge_joining(record, thread))


def judge_settlement(record: SettlementRecord, thread: Thread | None, policy: Policy) -> Refusal | None:
    """Judges the statement that a report was settled after it had left.

    Returns:
        None where it may enter the register, else the refusal: REPORT_UNKNOWN, REVISION_OUT_OF_ORDER, ACCOUNT_CHANGED,
        OUTCOME_UNKNOWN, TIME_ORDER_WRONG, TIME_TOO_EARLY.
    """
    return refusal_of(_judge_settlement(record, thread, policy))


def _judge_event(
    transition: Transition, event: ReportEvent, actor: Actor, paused: bool, reason: str, policy: Policy | None
) -> Iterator[Violation]:
    if actor != transition.actor:
        yield Violation("actor", "ACTOR_WRONG", f"this is for {transition.actor.name.lower()} to do")
    if event is ReportEvent.PAUSE:
        if paused:
            yield Violation("paused", "ALREADY_PAUSED", "the clock stands already; resume it first")
        if policy is None or reason not in policy.pause_reason_codes:
            yield Violation("reason", "REASON_UNKNOWN", "state a pause reason of the policy in force")
    if event is ReportEvent.RESUME and not paused:
        yield Violation("paused", "NOT_PAUSED", "the clock runs; there is nothing to resume")
    if event is ReportEvent.SETTLE and (policy is None or reason not in policy.settlement_outcome_codes):
        yield Violation("outcome", "OUTCOME_UNKNOWN", "give a settlement outcome of the policy in force")


def _judge_report(record: ReportRecord, thread: Thread | None, policy: Policy) -> Iterator[Violation]:
    if thread is not None and thread.matter != Matter.REPORT:
        yield Violation("escalation.escalation_id", "MATTER_WRONG", "make a new id for a new matter")
    # A report leaves once, so that its departure is the first statement of it.
    yield from judge_revision("escalation", record.revision, 0)
    if thread is not None and record.revision == 1:
        mend = f"it left before; the next revision is {thread.revision + 1}"
        yield Violation("escalation.revision", "REVISION_OUT_OF_ORDER", mend)
    if not 1 <= record.baseline <= len(BASELINES):
        yield Violation("escalation.report.baseline", "BASELINE_WRONG", "name one of the seven baselines")
    if (len(record.item_digest) != _DIGEST) and (record.item_digest or record.item_url):
        yield Violation("escalation.report.item_digest", "ITEM_WRONG", "give the SHA-256 of the item, 32 bytes")
    yield from judge_past("escalation.report.received_time", record.received_time, record.created_time, policy)
    if record.due_time <= record.received_time:
        yield Violation("escalation.report.due_time", "TIME_ORDER_WRONG", "it is due after it was received")
    if record.due_time > record.created_time and record.cause != EscalationCause.HANDED_OVER:
        yield Violation("escalation.report.due_time", "TIME_ORDER_WRONG", "a report leaves when it is due, not before")

    named = (record.tracking_digest, *record.joined_digests)
    if len(set(named)) < len(named) or len(named) > record.reports or len(record.joined_digests) > MOST_DIGESTS:
        mend = f"name the code of each joined reporter once, at most {MOST_DIGESTS} and no more than there are reports"
        yield Violation("escalation.report.joined_digests", "DIGESTS_WRONG", mend)
    if record.report_digest:
        mend = "leave it empty: only a regulator names the report of a complaint that came straight to it"
        yield Violation("escalation.report.report_digest", "DIGESTS_WRONG", mend)


def _judge_joining(record: JoiningRecord, thread: Thread | None) -> Iterator[Violation]:
    yield from _judge_later(record, thread, "only a report that has left is joined by further reporters here")
    digests = record.tracking_digests
    if not 1 <= len(digests) <= MOST_DIGESTS or len(set(digests)) < len(digests):
        mend = f"name the codes of 1 to {MOST_DIGESTS} reporters, each once"
        yield Violation("escalation.report_joined.tracking_digests", "DIGESTS_WRONG", mend)


def _judge_later(record: SettlementRecord | JoiningRecord, thread: Thread | None, unknown: str) -> Iterator[Violation]:
    """Yields why a statement cannot follow the departure of a report."""
    if thread is None or thread.matter != Matter.REPORT:
        yield Violation("escalation.escalation_id", "REPORT_UNKNOWN", unknown)
        return
    yield from judge_revision("escalation", record.revision, thread.revision)
    if record.account_id != thread.account_id:
        yield Violation("escalation.account_id", "ACCOUNT_CHANGED", "keep the account of the report")


def _judge_settlement(record: SettlementRecord, thread: Thread | None, policy: Policy) -> Iterator[Violation]:
    yield from _judge_later(record, thread, "only a report that has left is settled here")
    if record.outcome not in policy.settlement_outcome_codes:
        mend = f"give a settlement outcome of policy {policy.version}"
        yield Violation("escalation.report_settled.outcome", "OUTCOME_UNKNOWN", mend)
    yield from judge_past("escalation.report_settled.settled_time", record.settled_time, record.created_time, policy)


_DIGEST: Final = 32
