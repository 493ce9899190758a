"""How a case stands: what happened to it, folded by the rules of `shared.provisions.escalations`, and the clock.

A case is nothing but what happened to it, in the order of time. The fold gives the same answer at the province, at the
nation's copy and after a restart, whatever order the facts arrived in. That a case rose to the nation is no fact that
anybody writes: it follows from the clock. The province's part is RISEN then, and the nation's part begins as OPEN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from shared.provisions.clocks import due_time
from shared.provisions.escalations import (
    CaseEvent,
    CaseKind,
    CaseState,
    Party,
    case_clock,
    next_case_state,
    responsible_party,
    rise_clock,
)
from shared.provisions.policy import Policy, policy_at_micros
from shared.provisions.spans import FOREVER


class ShownState(IntEnum):
    """Where a case stands as officers see it, with the numbers of the wire."""

    OPEN = 1
    ASSIGNED = 2
    ORDERED = 3
    ACKNOWLEDGED = 4
    CLOSED = 5
    AT_NATION = 6


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to a case.

    Attributes:
        time: in microseconds since the epoch, UTC.
        event: what.
        of_nation: whether the nation did it, or its order is answered by it.
        actor: node name, or the officer's post.
        reason: code of a reason or outcome, or the post assigned; empty where there is none.
    """

    time: int
    event: CaseEvent
    of_nation: bool = False
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands after what happened to it. Times are microseconds since the epoch; FOREVER for never.

    Attributes:
        state: at the regulator where it came in.
        since: from when the clock there runs.
        risen_time: when it rose to the nation.
        nation_state: at the nation, once it rose; UNSPECIFIED before.
        nation_since: from when the clock there runs.
        due_time: until when, exclusive, whoever has it has to act.
        rise_time: when it will rise if nothing happens before.
        outcome: code of the last decision or settlement; empty before.
        assignee: the post that has it; empty before.
    """

    state: CaseState = CaseState.UNSPECIFIED
    since: int = 0
    risen_time: int = FOREVER
    nation_state: CaseState = CaseState.UNSPECIFIED
    nation_since: int = 0
    due_time: int = FOREVER
    rise_time: int = FOREVER
    outcome: str = ""
    assignee: str = ""

    @property
    def risen(self) -> bool:
        """Whether the nation has it."""
        return self.state is CaseState.RISEN

    @property
    def acting_state(self) -> CaseState:
        """Where it stands at the regulator that has it."""
        return self.nation_state if self.risen else self.state

    @property
    def shown(self) -> ShownState:
        """Where it stands as officers see it."""
        state = _SHOWN[self.acting_state]
        return ShownState.AT_NATION if self.risen and state in _UNDECIDED_SHOWN else state

    def responsible(self, home: Party) -> Party:
        """Returns the party that has to act; NOBODY where it is over."""
        return responsible_party(self.acting_state, Party.NATION if self.risen else home)


_SHOWN: Final = {
    CaseState.OPEN: ShownState.OPEN,
    CaseState.ASSIGNED: ShownState.ASSIGNED,
    CaseState.VERIFIED: ShownState.ASSIGNED,
    CaseState.ANSWERED: ShownState.OPEN,
    CaseState.DIRECTED: ShownState.ORDERED,
    CaseState.ACKNOWLEDGED: ShownState.ACKNOWLEDGED,
    CaseState.CLOSED: ShownState.CLOSED,
    CaseState.DISMISSED: ShownState.CLOSED,
}
_UNDECIDED_SHOWN: Final = (ShownState.OPEN, ShownState.ASSIGNED)
_OFFICERS: Final = (CaseEvent.ASSIGN, CaseEvent.VERIFY, CaseEvent.DISMISS, CaseEvent.DIRECT)
_RESTARTS: Final = (CaseEvent.OPEN, CaseEvent.DIRECT, CaseEvent.DECLINE)
_OUTCOMES: Final = (CaseEvent.DIRECT, CaseEvent.DISMISS, CaseEvent.SETTLE, CaseEvent.MERGE)


def fold(kind: CaseKind, home: Party, happened: Iterable[Happening], policies: Sequence[Policy]) -> Standing:
    """Folds what happened to a case.

    Args:
        kind: what the case is about.
        home: where it came in, PROVINCE or NATION.
        happened: in the order of time; what cannot happen to the case where it stands changes nothing.
        policies: in the order of their versions; without one no clock runs.

    Returns:
        How it stands; `standing_at` brings it to a moment.
    """
    standing = Standing()
    for each in happened:
        standing = _clocked(_after(standing_at(standing, kind, policies, each.time), each), kind, home, policies)
    return standing


def standing_at(standing: Standing, kind: CaseKind, policies: Sequence[Policy], at: int) -> Standing:
    """Returns how a case stands at a moment, in microseconds: risen, where its time ran out before."""
    if standing.rise_time > at:
        return standing
    risen = replace(
        standing,
        state=CaseState.RISEN,
        risen_time=standing.rise_time,
        nation_state=CaseState.OPEN,
        nation_since=standing.rise_time,
        rise_time=FOREVER,
        assignee="",
    )
    return replace(risen, due_time=_due(CaseState.OPEN, kind, risen.nation_since, policies))


def _after(standing: Standing, happening: Happening) -> Standing:
    event = happening.event
    home_state = next_case_state(standing.state, event)
    if not standing.risen:
        if home_state is None:
            return standing
        after = replace(standing, state=home_state)
        if event in _RESTARTS:
            after = replace(after, since=happening.time)
        return _noted(after, happening)
    # What the province does after the rise is late; what the provider answers, it answers to the one who ordered.
    nation_state = next_case_state(standing.nation_state, event)
    ordered_by_nation = standing.nation_state in (CaseState.DIRECTED, CaseState.ACKNOWLEDGED)
    if not happening.of_nation and (event in _OFFICERS or (ordered_by_nation and event is not CaseEvent.SETTLE)):
        return standing
    if nation_state is None:
        return standing
    after = replace(standing, nation_state=nation_state)
    if event in _RESTARTS:
        after = replace(after, nation_since=happening.time)
    return _noted(after, happening)


def _noted(standing: Standing, happening: Happening) -> Standing:
    if happening.event is CaseEvent.ASSIGN:
        return replace(standing, assignee=happening.reason)
    if happening.event in _OUTCOMES:
        return replace(standing, outcome=happening.reason)
    return standing


def _clocked(standing: Standing, kind: CaseKind, home: Party, policies: Sequence[Policy]) -> Standing:
    if standing.risen:
        return replace(standing, due_time=_due(standing.nation_state, kind, standing.nation_since, policies))
    due = _due(standing.state, kind, standing.since, policies)
    policy = policy_at_micros(policies, standing.since)
    clock = None if policy is None else rise_clock(standing.state, kind, standing.since, policy)
    rise = FOREVER if clock is None or home is Party.NATION else due_time(clock)
    return replace(standing, due_time=due, rise_time=rise)


def _due(state: CaseState, kind: CaseKind, since: int, policies: Sequence[Policy]) -> int:
    policy = policy_at_micros(policies, since)
    clock = None if policy is None else case_clock(state, kind, since, policy)
    return FOREVER if clock is None else due_time(clock)
