"""Retention of records and their disposal (Art. 8(2)): how long a record is kept, and what keeps it longer.

A record is kept while it matters, for the period of its class after it ceased to matter, and for as long as a legal hold
covers it. The 2014 text names no period: it is that of the policy in force when the record ceased to matter, so that no
later policy shortens what was promised before it. Nothing here knows at which node it is asked: provider and regulator
come to one answer from the same facts.

Entries of logs are records too, and go account by account: nothing of an account that is on file goes, what was stated of
one matter goes together, and its filings go last. A policy that names no period for them keeps them for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from shared.provisions.account_history import Appeal, Measure
from shared.provisions.appeals import appeal_by, final_time, regulator_appeal_by
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.policy import Period, Policy, period_end_micros, policy_at_micros
from shared.provisions.spans import FOREVER

RECORD_RETENTION: Final = "record_retention"
"""The period of every class for which a policy names no period of its own, but for the entries of logs."""


class RecordClass(IntEnum):
    """A class of records, with the numbers of the wire."""

    UNSPECIFIED = 0
    REPORT = 1
    MEASURE = 2
    APPEAL = 3
    COMPLAINT = 4
    CASE = 5
    QUERY_AUDIT = 6
    FILING_ENTRY = 7
    LABEL_ENTRY = 8
    ESCALATION_ENTRY = 9

    @property
    def of_log(self) -> bool:
        """Whether its records are entries of logs."""
        return self >= RecordClass.FILING_ENTRY

    @property
    def period_name(self) -> str:
        """The name of its own period in the policy; where that has none, RECORD_RETENTION is meant."""
        return f"retention_{self.name.lower()}"


class HoldScope(IntEnum):
    """What a legal hold keeps, with the numbers of the wire."""

    UNSPECIFIED = 0
    CLASS = 1
    ACCOUNT = 2
    ESCALATION = 3
    CASE = 4


@dataclass(frozen=True, slots=True)
class RetainedEntry:
    """An entry of a log: its id, whose log it is in, its index there, and the hash by which it stays in the tree."""

    entry_id: str
    jurisdiction: str
    log_index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class RetainedRecord:
    """A record that a node keeps. Ids are UUIDs in small letters.

    Attributes:
        record_class: its class.
        record_id: its id at the node; of entries of a log, which go together, the account's.
        ceased_time: when it ceased to matter, in microseconds; FOREVER while it matters.
        account_id: that it is about; empty where it is about none.
        escalation_ids: of the reports, measures and appeals that it belongs to.
        case_ids: that it belongs to.
        provider: node name, of entries of a log alone.
        entries: of a log, that go together.
    """

    record_class: RecordClass
    record_id: str
    ceased_time: int
    account_id: str = ""
    escalation_ids: frozenset[str] = frozenset()
    case_ids: frozenset[str] = frozenset()
    provider: str = ""
    entries: tuple[RetainedEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold. Times are microseconds.

    Attributes:
        hold_id: a UUID.
        scope: what it keeps.
        record_class: with the scope of a class; else UNSPECIFIED.
        target: the account, escalation or case, a UUID in small letters; empty with the scope of a class.
        placed_time: from when it holds.
        lifted_time: until when, exclusive; FOREVER while it is in force.
        end_time: until when at most, exclusive; FOREVER where it holds until it is lifted.
    """

    hold_id: str
    scope: HoldScope
    record_class: RecordClass = RecordClass.UNSPECIFIED
    target: str = ""
    placed_time: int = 0
    lifted_time: int = FOREVER
    end_time: int = FOREVER

    def in_force(self, at: int) -> bool:
        """Tells whether it is in force at a moment, in microseconds."""
        return self.placed_time <= at < min(self.lifted_time, self.end_time)

    def covers(self, record: RetainedRecord) -> bool:
        """Tells whether it keeps a record while it is in force."""
        if self.scope is HoldScope.CLASS:
            return self.record_class is record.record_class
        if self.scope is HoldScope.ACCOUNT:
            return self.target == record.account_id != ""
        if self.scope is HoldScope.ESCALATION:
            return self.target in record.escalation_ids
        return self.target in record.case_ids


@dataclass(frozen=True, slots=True)
class Retention:
    """Until when, exclusive, in microseconds, a record is kept, by which policy, and by which period of it."""

    until: int
    policy_version: int
    period: Period


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a record at a moment.

    Attributes:
        due: whether its period is over.
        held_by: the holds in force that cover it.
        retention: how long it is kept; None while it matters, and where no policy names a period for it.
    """

    due: bool
    held_by: tuple[Hold, ...]
    retention: Retention | None

    @property
    def disposable(self) -> bool:
        """Whether it may be disposed of: it is due and nothing holds it."""
        return self.due and not self.held_by


def retention_of(record_class: RecordClass, ceased_time: int, policies: Sequence[Policy]) -> Retention | None:
    """Says how long a record is kept after it ceased to matter.

    Args:
        record_class: its class.
        ceased_time: when it ceased to matter, in microseconds; FOREVER while it matters.
        policies: in the order of their versions.

    Returns:
        By the policy in force at ceased_time. Where that one is from before periods of retention were added, by the
        first later one that names the period, counted from when that one took effect. None while the record matters,
        and where no policy says when it may go: it is kept then.
    """
    if ceased_time >= FOREVER:
        return None
    for policy in _from_moment(policies, ceased_time):
        period = period_of(policy, record_class)
        if period is not None:
            start = max(ceased_time, policy.effective_micros)
            return Retention(period_end_micros(policy, period.name, start), policy.version, period)
    return None


def judge_disposal(record: RetainedRecord, policies: Sequence[Policy], holds: Iterable[Hold], at: int) -> Verdict:
    """Judges whether a record may be disposed of (Art. 8(2)).

    Args:
        record: the record.
        policies: in the order of their versions.
        holds: every hold of the node.
        at: the moment, in microseconds.

    Returns:
        The verdict: never disposable before the period is over, and never under a hold.
    """
    retention = retention_of(record.record_class, record.ceased_time, policies)
    held_by = tuple(hold for hold in holds if hold.in_force(at) and hold.covers(record))
    return Verdict(retention is not None and retention.until <= at, held_by, retention)


def latest_ceased(record_class: RecordClass, policies: Sequence[Policy], at: int) -> int:
    """Bounds a search: no record of a class that ceased to matter later can be due.

    Args:
        record_class: the class.
        policies: in the order of their versions.
        at: the moment, in microseconds.

    Returns:
        The latest moment, in microseconds, at which any of the policies' periods may begin and be over; -1 for none.
    """
    named = [(policy, period_of(policy, record_class)) for policy in policies]
    return max((_latest_start(policy, period.name, at) for policy, period in named if period is not None), default=-1)


def measure_ceased(measure: Measure, appeal: Appeal | None, policies: Sequence[Policy]) -> int:
    """Says when the record of a measure, and of the appeal against it, ceases to matter.

    Args:
        measure: as it stands.
        appeal: against it; None where there is none.
        policies: in the order of their versions.

    Returns:
        In microseconds, the moment at which it has ended and nobody can appeal against it any more: for a closing, when
        it is final. FOREVER where that moment is not known yet: an appeal is undecided.
    """
    ended = min(measure.end_time, measure.stopped_time)
    if measure.kind == MeasureKind.CLOSE and measure.stopped_time == FOREVER:
        ended = final_time(measure, appeal, policies)
    return max(ended, _appeal_over(measure, appeal, policies))


def entries_ceased(withdrawn_time: int, filed_times: Iterable[int], ends: Iterable[int]) -> int:
    """Says when the entries of one class about an account cease to matter.

    Args:
        withdrawn_time: when the account's withdrawal entered a log, in microseconds; FOREVER while it is on file.
        filed_times: when each of the entries did.
        ends: when each matter that they are about was over, FOREVER for one that is not: of labels, when each ended; of
            escalations, what `measure_ceased` says of each measure, and when each case was over; of filings, FOREVER while
            an entry of another class about the account is left, because they go last.

    Returns:
        In microseconds, the last of these; FOREVER while the account is on file or any matter is not over.
    """
    return max((withdrawn_time, *filed_times, *ends))


def _appeal_over(measure: Measure, appeal: Appeal | None, policies: Sequence[Policy]) -> int:
    until = appeal_by(measure, policies)
    if appeal is None:
        return until
    if appeal.overturned:
        return appeal.decided_time
    if appeal.regulator_appealed_time != FOREVER:
        return appeal.regulator_decided_time
    return FOREVER if appeal.decided_time == FOREVER else max(until, regulator_appeal_by(appeal, policies))


def _from_moment(policies: Sequence[Policy], time: int) -> Iterator[Policy]:
    in_force = policy_at_micros(policies, time)
    yield from (policy for policy in policies if in_force is None or policy.version >= in_force.version)


def period_of(policy: Policy, record_class: RecordClass) -> Period | None:
    """Returns the period for which a policy keeps the records of a class; None where it names none."""
    named = {period.name: period for period in policy.periods}
    return named.get(record_class.period_name) or (None if record_class.of_log else named.get(RECORD_RETENTION))


def _latest_start(policy: Policy, name: str, at: int) -> int:
    low, high = -1, max(at, -1)
    while low < high:
        middle = (low + high + 1) // 2
        if period_end_micros(policy, name, middle) <= at:
            low = middle
        else:
            high = middle - 1
    return low


SCOPES_OF_PROVIDER: Final = frozenset({HoldScope.CLASS, HoldScope.ACCOUNT, HoldScope.ESCALATION})
"""What a provider can hold: cases are a regulator's."""

SCOPES_OF_REGULATOR: Final = SCOPES_OF_PROVIDER | {HoldScope.CASE}
"""What a regulator can hold."""
