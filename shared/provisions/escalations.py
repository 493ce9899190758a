"""Cases at a regulator (Art. 9, answer 2): escalated reports, direct complaints and appeals, from open to closed.

A case is at any moment in exactly one state, and in each state exactly one party has to act: the provider, the
province or the nation, and nobody once it is over. What may follow what, and by whose hand, is one table. A case that
is not decided, or not answered, in its time rises to the nation by itself.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from shared.errors import Violation
from shared.provisions.clocks import ClockRule, due_time, would_be_late
from shared.provisions.policy import (
    APPEAL_DECISION,
    DIRECTIVE_ACKNOWLEDGEMENT,
    DIRECTIVE_ANSWER,
    ESCALATION_DECISION,
    Policy,
    period_end_micros,
)
from shared.provisions.refusals import Refusal, refusal_of

__all__ = [
    "CASE_TRANSITIONS",
    "CaseActor",
    "CaseEvent",
    "CaseKind",
    "CaseState",
    "CaseTransition",
    "ClockRule",
    "Party",
    "case_clock",
    "directive_times",
    "due_time",
    "judge_case_event",
    "next_case_state",
    "responsible_party",
    "rise_clock",
    "would_be_late",
]


class CaseKind(IntEnum):
    """What a case is about, with the numbers of the regulator's contract."""

    UNSPECIFIED = 0
    REPORT = 1
    COMPLAINT = 2
    APPEAL = 3


class CaseState(IntEnum):
    """Where a case stands; the first six with the numbers of the regulator's contract.

    VERIFIED is between the finding of the facts and the directive; ANSWERED, that the provider could not carry the
    directive out, so that the regulator decides again.
    """

    UNSPECIFIED = 0
    OPEN = 1
    ASSIGNED = 2
    DIRECTED = 3
    ACKNOWLEDGED = 4
    CLOSED = 5
    RISEN = 6
    VERIFIED = 7
    DISMISSED = 8
    ANSWERED = 9


class CaseEvent(IntEnum):
    """What happens to a case."""

    OPEN = 1
    ASSIGN = 2
    VERIFY = 3
    DISMISS = 4
    DIRECT = 5
    ACKNOWLEDGE = 6
    COMPLETE = 7
    DECLINE = 8
    SETTLE = 9
    RISE = 10
    JOIN = 11
    MERGE = 12


class Party(IntEnum):
    """Who has to act."""

    NOBODY = 0
    PROVIDER = 1
    PROVINCE = 2
    NATION = 3


class CaseActor(IntEnum):
    """By whose hand something happens to a case."""

    OFFICER = 1
    PROVIDER = 2
    CLOCK = 3
    INTAKE = 4


class CaseTransition(NamedTuple):
    """What an event makes of a case, and who may bring it about."""

    to: CaseState
    actor: CaseActor


_S: Final = CaseState
_E: Final = CaseEvent
_UNDECIDED: Final = (_S.OPEN, _S.ASSIGNED, _S.VERIFIED, _S.ANSWERED)
_AT_PROVIDER: Final = (_S.DIRECTED, _S.ACKNOWLEDGED)
_OVER: Final = (_S.DISMISSED, _S.CLOSED)

CASE_TRANSITIONS: Final[dict[tuple[CaseState, CaseEvent], CaseTransition]] = {
    (_S.UNSPECIFIED, _E.OPEN): CaseTransition(_S.OPEN, CaseActor.INTAKE),
    **{
        (state, _E.ASSIGN): CaseTransition(_S.ASSIGNED, CaseActor.OFFICER)
        for state in (_S.OPEN, _S.ASSIGNED, _S.ANSWERED)
    },
    (_S.VERIFIED, _E.ASSIGN): CaseTransition(_S.VERIFIED, CaseActor.OFFICER),
    **{
        (state, _E.VERIFY): CaseTransition(_S.VERIFIED, CaseActor.OFFICER)
        for state in (_S.OPEN, _S.ASSIGNED, _S.ANSWERED)
    },
    **{(state, _E.DISMISS): CaseTransition(_S.DISMISSED, CaseActor.OFFICER) for state in _UNDECIDED},
    **{(state, _E.DIRECT): CaseTransition(_S.DIRECTED, CaseActor.OFFICER) for state in _UNDECIDED},
    (_S.DIRECTED, _E.ACKNOWLEDGE): CaseTransition(_S.ACKNOWLEDGED, CaseActor.PROVIDER),
    **{(state, _E.COMPLETE): CaseTransition(_S.CLOSED, CaseActor.PROVIDER) for state in _AT_PROVIDER},
    **{(state, _E.DECLINE): CaseTransition(_S.ANSWERED, CaseActor.PROVIDER) for state in _AT_PROVIDER},
    **{(state, _E.RISE): CaseTransition(_S.RISEN, CaseActor.CLOCK) for state in (*_UNDECIDED, *_AT_PROVIDER)},
    # After a case rose to the nation, its provider may still carry out what the province had directed.
    **{(state, _E.COMPLETE): CaseTransition(_S.CLOSED, CaseActor.PROVIDER) for state in _UNDECIDED},
    # A report that its provider settled late needs no decision any more; one that was decided meanwhile stays decided.
    **{(state, _E.SETTLE): CaseTransition(_S.CLOSED, CaseActor.PROVIDER) for state in _UNDECIDED},
    **{(state, _E.SETTLE): CaseTransition(state, CaseActor.PROVIDER) for state in (*_AT_PROVIDER, *_OVER, _S.RISEN)},
    # A report joins the case of the complaint that named it; a case that another one of the same report takes up ends.
    **{(state, _E.JOIN): CaseTransition(state, CaseActor.INTAKE) for state in (*_UNDECIDED, *_AT_PROVIDER)},
    **{(state, _E.MERGE): CaseTransition(_S.CLOSED, CaseActor.INTAKE) for state in (_S.OPEN, _S.ASSIGNED, _S.VERIFIED)},
    # The provider may answer the province's directive after the nation took the case over.
    **{
        (_S.RISEN, event): CaseTransition(_S.RISEN, CaseActor.PROVIDER)
        for event in (_E.ACKNOWLEDGE, _E.COMPLETE, _E.DECLINE)
    },
}
"""Everything that can happen to a case; what is not listed cannot."""


def next_case_state(state: CaseState, event: CaseEvent) -> CaseState | None:
    """Returns where an event takes a case; None where it cannot happen to it."""
    transition = CASE_TRANSITIONS.get((state, event))
    return None if transition is None else transition.to


def responsible_party(state: CaseState, regulator: Party = Party.PROVINCE) -> Party:
    """Says who has to act on a case: exactly one party, and nobody exactly where it is over.

    Args:
        state: where the case stands.
        regulator: at whose node it stands there, PROVINCE or NATION.
    """
    if state in _OVER:
        return Party.NOBODY
    if state in _AT_PROVIDER:
        return Party.PROVIDER
    return Party.NATION if state is CaseState.RISEN else regulator


def judge_case_event(
    state: CaseState, event: CaseEvent, actor: CaseActor, regulator: Party = Party.PROVINCE
) -> Refusal | None:
    """Judges whether something may happen to a case.

    Args:
        state: where it stands; UNSPECIFIED before it came in.
        event: what is to happen.
        actor: by whose hand.
        regulator: at whose node, PROVINCE or NATION: nothing rises from the nation.

    Returns:
        None where it may, else the refusal: CASE_STATE_WRONG, ACTOR_WRONG.
    """
    transition = CASE_TRANSITIONS.get((state, event))
    if transition is None or (event is CaseEvent.RISE and regulator is Party.NATION):
        mend = f"read the case again: it is {state.name.lower()}"
        return refusal_of([Violation("state", "CASE_STATE_WRONG", mend)])
    if actor != transition.actor:
        mend = f"this is for the {transition.actor.name.lower()} to do"
        return refusal_of([Violation("actor", "ACTOR_WRONG", mend)])
    return None


def case_clock(state: CaseState, kind: CaseKind, since: int, policy: Policy) -> ClockRule | None:
    """Returns the clock that runs on a case; `clocks.due_time` and `clocks.would_be_late` read it.

    Args:
        state: where it stands.
        kind: what it is about.
        since: in microseconds, when the regulator received it where it is undecided, when the provider's answer came
            where it is to be decided again, when it was decided where it is at the provider.
        policy: the policy in force at that time.

    Returns:
        The clock of the decision, the acknowledgement or the answer; None where no clock runs here: it is over or
        risen.
    """
    if state in _UNDECIDED:
        return ClockRule(policy, APPEAL_DECISION if kind is CaseKind.APPEAL else ESCALATION_DECISION, since)
    if state is CaseState.DIRECTED:
        return ClockRule(policy, DIRECTIVE_ACKNOWLEDGEMENT, since)
    if state is CaseState.ACKNOWLEDGED:
        return ClockRule(policy, DIRECTIVE_ANSWER, since)
    return None


def rise_clock(state: CaseState, kind: CaseKind, since: int, policy: Policy) -> ClockRule | None:
    """Returns the clock at whose end a case rises from its province to the nation; the arguments are those of
    `case_clock`.

    A directive that is not acknowledged in time is late, and rises with the one that is not answered in time: a
    provider that was away for an hour is no matter for the nation.
    """
    if state is CaseState.DIRECTED:
        return ClockRule(policy, DIRECTIVE_ANSWER, since)
    return case_clock(state, kind, since, policy)


def directive_times(policy: Policy, decided_time: int) -> tuple[int, int]:
    """Returns until when, exclusive, in microseconds, a provider has to acknowledge a directive, and to answer it (Art. 9)."""
    return (
        period_end_micros(policy, DIRECTIVE_ACKNOWLEDGEMENT, decided_time),
        period_end_micros(policy, DIRECTIVE_ANSWER, decided_time),
    )
