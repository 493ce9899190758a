"""Cases, measures and figures as officers see them: plain values, without anything of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.provisions.directives import EscalationOutcome
from shared.provisions.escalations import CaseKind
from shared.provisions.measure_kinds import Gravity, MeasureAction, MeasureKind
from shared.provisions.reports import EscalationCause

__all__ = [
    "Case",
    "CaseAnswer",
    "CaseEvent",
    "CaseFilter",
    "CaseKind",
    "CaseState",
    "CaseVerdict",
    "DutyFigures",
    "EscalationCause",
    "EscalationOutcome",
    "Gravity",
    "Measure",
    "MeasureAction",
    "MeasureFilter",
    "MeasureKind",
    "ProviderFigures",
    "ReadCase",
]


class CaseState(IntEnum):
    """Where a case stands."""

    UNSPECIFIED = 0
    OPEN = 1
    ASSIGNED = 2
    ORDERED = 3
    ACKNOWLEDGED = 4
    CLOSED = 5
    AT_NATION = 6


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; what is empty or UNSPECIFIED does not filter."""

    state: CaseState = CaseState.UNSPECIFIED
    kind: CaseKind = CaseKind.UNSPECIFIED
    provider: str = ""
    jurisdiction: str = ""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One thing that happened to a case: when, what, by whom, and the code of the reason."""

    time: datetime
    action: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Attributes:
        jurisdiction: where it came in.
        case_id: a UUID.
        kind: what it is about.
        state: where it stands.
        provider: node name.
        account_id: a UUID.
        escalation_id: the provider's; empty for a complaint that no report joined.
        baseline: 1 to 7.
        item_url: the public item; empty for the account as a whole.
        cause: why it left its provider.
        received_time: when it came in.
        due_time: until when whoever has it has to act; None where nobody has to.
        assignee: the post that has it; empty before.
        outcome: code of the decision; empty before.
        responsible: node name of whoever has to act; empty where it is over.
        events: what happened, oldest first.
        etag: changes with every change.
        overdue: whether whoever has to act let the time run out.
    """

    jurisdiction: str
    case_id: str
    kind: CaseKind
    state: CaseState
    provider: str
    account_id: str
    escalation_id: str
    baseline: int
    item_url: str
    cause: EscalationCause
    received_time: datetime
    due_time: datetime | None
    assignee: str
    outcome: str
    responsible: str
    events: Sequence[CaseEvent]
    etag: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class ReadCase:
    """A case, and the complainants' words where they were asked for with a purpose."""

    case: Case
    statement: str

    def __repr__(self) -> str:
        """Returns a text without the complainants' words."""
        return f"ReadCase(case={self.case!r})"


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """What is decided on a case.

    Attributes:
        case_id: the case.
        outcome: the decision.
        reason: code in the policy.
        ordered_measure: UNSPECIFIED where none is ordered.
        gravity: of the act; UNSPECIFIED where no measure is ordered.
        days: the measure lasts; 0 for closing or none.
        note: for people, at most 200 characters.
        etag: of the case as it was seen; empty to decide whatever it is.
    """

    case_id: str
    outcome: EscalationOutcome
    reason: str
    ordered_measure: MeasureKind = MeasureKind.UNSPECIFIED
    gravity: Gravity = Gravity.UNSPECIFIED
    days: int = 0
    note: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """A decided case, and the index of the decision in the node's log."""

    case: Case
    log_index: int


@dataclass(frozen=True, slots=True)
class MeasureFilter:
    """Which measures; what is empty or UNSPECIFIED does not filter."""

    provider: str = ""
    account_id: str = ""
    kind: MeasureKind = MeasureKind.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure as the register holds it; end_time is None for closing, order_entry_id empty for the provider's own."""

    jurisdiction: str
    provider: str
    account_id: str
    measure_id: str
    kind: MeasureKind
    action: MeasureAction
    baseline: int
    reason: str
    gravity: Gravity
    start_time: datetime
    end_time: datetime | None
    order_entry_id: str
    log_index: int


@dataclass(frozen=True, slots=True)
class DutyFigures:
    """The newest duty profile: codes of the duties with rules in force, staff and users, and for when they were counted."""

    duties: Sequence[str]
    staff: int
    users: int
    counted_time: datetime


@dataclass(frozen=True, slots=True)
class ProviderFigures:
    """One provider's figures; measures are counted by kind, in the order of the ladder."""

    provider: str
    duties: DutyFigures | None
    escalated: int
    orders_in_time: int
    orders_late: int
    measures: Sequence[int]
    overturned: int
