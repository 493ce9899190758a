"""What a provider's node tells its backend of reports, measures, appeals and orders, as plain values.

Numbers of enums are those of the contracts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.client.provider_types import FilingStatus
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind


class ReportState(IntEnum):
    """Where a report stands."""

    UNSPECIFIED = 0
    """All."""
    RECEIVED = 1
    """Taken in."""
    ANSWERED = 2
    """Answered, not settled."""
    SETTLED = 3
    """Settled by the provider."""
    ESCALATED = 4
    """Left for the regulator."""
    DECIDED = 5
    """Decided by the regulator."""


class MeasureState(IntEnum):
    """Where a measure stands."""

    UNSPECIFIED = 0
    """All."""
    IN_FORCE = 1
    """In force, or from its start."""
    EXPIRED = 2
    """Ended at its time."""
    LIFTED = 3
    """Lifted before its end."""
    OVERTURNED = 4
    """Overturned on appeal."""
    FINAL = 5
    """Closed, and nobody can appeal any more."""


class AppealState(IntEnum):
    """Where an appeal stands."""

    UNSPECIFIED = 0
    """There is none."""
    AT_PROVIDER = 1
    """To be decided by the provider."""
    UPHELD_BY_PROVIDER = 2
    """The provider upheld the measure."""
    AT_REGULATOR = 3
    """To be decided by the regulator."""
    UPHELD_BY_REGULATOR = 4
    """The regulator upheld the measure."""
    OVERTURNED = 5
    """The measure was undone."""


@dataclass(frozen=True, slots=True)
class ReportEvent:
    """One thing that happened to a report.

    Attributes:
        action: "received", "joined", "answered", "paused", "resumed", "escalated", "settled" or "decided".
        actor: "public", the backend's own name for its operator, "clock", or a regulator's node name.
        reason: code of a reason, an outcome or a cause; empty where there is none.
    """

    time: datetime
    action: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report from the public, without anybody's words.

    Attributes:
        baseline: that it names, 1 to 7.
        item_url: empty for the account as a whole, and where the digest stands alone.
        item_digest: SHA-256 of the item, or empty.
        reports: how many are joined in it.
        settle_due_time: moves with pauses.
        outcome: code; empty before.
        events: oldest first; empty in lists.
        etag: to be sent back with a change.
    """

    report_id: str
    account_id: str
    baseline: int
    item_url: str
    item_digest: bytes
    state: ReportState
    reports: int
    received_time: datetime
    answer_due_time: datetime | None
    settle_due_time: datetime | None
    paused: bool
    outcome: str
    events: tuple[ReportEvent, ...]
    etag: str


@dataclass(frozen=True, slots=True)
class SubmittedReport:
    """A report that was taken in, the reporter's tracking code, and whether it was joined to an earlier one."""

    report: Report
    tracking_code: str
    joined: bool


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What a reporter is told by the tracking code; outcome and answer are empty before."""

    state: ReportState
    outcome: str
    received_time: datetime
    settle_due_time: datetime | None
    answer: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure on an account.

    Attributes:
        baseline: that the act broke.
        reason: code of the act.
        end_time: exclusive; None for closing.
        order_entry_id: of the regulator's order that it carries out; empty for the provider's own.
        appeal_by_time: until when the owner may appeal at the provider.
        statement_of_reasons: for the owner, in Chinese.
        report: where its newest statement to the regulator is on its way.
        etag: to be sent back with a change.
    """

    measure_id: str
    account_id: str
    kind: MeasureKind
    baseline: int
    reason: str
    gravity: Gravity
    start_time: datetime
    end_time: datetime | None
    order_entry_id: str
    state: MeasureState
    appeal: AppealState
    appeal_by_time: datetime | None
    statement_of_reasons: str
    report: FilingStatus | None
    etag: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a regulator.

    Attributes:
        regulator: node name.
        escalation_id: that it decides.
        ordered_measure: UNSPECIFIED where none is ordered.
        days: that the measure lasts; 0 for closing or none.
        overturns: the measure to be undone, where an appeal was granted; else empty.
        reason: code.
        note: an officer's.
        answer: given last; UNSPECIFIED before the first.
    """

    order_entry_id: str
    regulator: str
    account_id: str
    escalation_id: str
    ordered_measure: MeasureKind
    baseline: int
    gravity: Gravity
    days: int
    overturns: str
    reason: str
    note: str
    decided_time: datetime
    answer_by_time: datetime
    answer: OrderAnswer


@dataclass(frozen=True, slots=True)
class ReportFinding:
    """A report that does not add up: the rule it breaks and what that means."""

    report_id: str
    rule: str
    mend: str


@dataclass(frozen=True, slots=True)
class ReportBalance:
    """The audit of a node's reports.

    Attributes:
        reports: taken in; joined ones count as one.
        parties: how many are with whom; "nobody" has those that are over.
        wrong: how many do not add up.
        findings: the first 1,000 of those.
    """

    reports: int
    parties: Mapping[str, int]
    wrong: int
    findings: Sequence[ReportFinding]
