"""What is due for disposal (Art. 8(2)): found class by class by the rules, and counted or collected for a certificate.

A record that is an entry of a log stands for all entries that go with it: they are collected together or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.database import Transaction
from shared.provisions.policy import Period, Policy, policy_at_micros
from shared.provisions.retention import (
    Hold,
    RecordClass,
    RetainedEntry,
    RetainedRecord,
    Retention,
    judge_disposal,
    latest_ceased,
    period_of,
)
from shared.records.sources import RecordSource

PAGE_RECORDS: Final = 500
"""Records looked at in one statement."""

NAMED_HOLDS: Final = 20
"""Holds that a certificate of entries names: it goes with every copy of the log."""

SHOWN_RECORDS: Final = 100
"""Records that a dry run names of each class."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One record of a certificate, and the entry of a log that it is, if it is one."""

    record_class: RecordClass
    record_id: str
    ceased_time: int
    entry: RetainedEntry | None = None


@dataclass(slots=True)
class Standing:
    """How the records of a class stand at a moment.

    Attributes:
        record_class: the class.
        period: of the policy in force; None where it names none.
        due: how many may be disposed of.
        held: how many would be due and are kept by a hold.
        records: the first of those that are due.
    """

    record_class: RecordClass
    period: Period | None
    due: int = 0
    held: int = 0
    records: list[Leaf] = field(default_factory=list)


@dataclass(slots=True)
class Found:
    """Records of one class that go together, in the order in which they were found."""

    retention: Retention | None = None
    records: list[RetainedRecord] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)


def leaves_of(record: RetainedRecord) -> list[Leaf]:
    """Returns what a record is in a certificate: itself, or each of its entries."""
    if not record.record_class.of_log:
        return [Leaf(record.record_class, record.record_id, record.ceased_time)]
    return [Leaf(record.record_class, entry.entry_id, record.ceased_time, entry) for entry in record.entries]


def order_of_leaf(leaf: Leaf) -> tuple[str, str, int]:
    """Returns the place of a record among those of its certificate."""
    return leaf.record_id, *((leaf.entry.jurisdiction, leaf.entry.log_index) if leaf.entry is not None else ("", 0))


def named_holds(record_class: RecordClass, holds: Sequence[Hold], kept: Counter[str]) -> Sequence[Hold]:
    """Chooses the holds that a certificate names: all, and of entries those that kept the most."""
    if not record_class.of_log:
        return holds
    return sorted((hold for hold in holds if kept[hold.hold_id]), key=lambda hold: -kept[hold.hold_id])[:NAMED_HOLDS]


def collect(
    transaction: Transaction,
    source: RecordSource,
    policies: Sequence[Policy],
    holds: Sequence[Hold],
    now: int,
    most: int,
) -> Found:
    """Collects records that may go in one certificate: of one policy, because it names the period."""
    found, leaves = Found(), 0
    for record in _over(transaction, source, policies, now):
        verdict = judge_disposal(record, policies, holds, now)
        if not verdict.due or verdict.retention is None:
            continue
        if verdict.held_by:
            found.kept.update({hold.hold_id: len(leaves_of(record)) for hold in verdict.held_by})
            continue
        found.retention = found.retention or verdict.retention
        if verdict.retention.policy_version == found.retention.policy_version:
            # What belongs together goes together: one more account, rather than a part of it.
            found.records.append(record)
            leaves += len(record.entries) or 1
        if leaves >= most:
            break
    return found


def standing_of(
    transaction: Transaction, source: RecordSource, policies: Sequence[Policy], holds: Sequence[Hold], now: int
) -> Standing:
    """Says how the records of a class stand at a moment, in microseconds."""
    policy = policy_at_micros(policies, now)
    standing = Standing(source.record_class, period_of(policy, source.record_class) if policy else None)
    for record in _over(transaction, source, policies, now):
        verdict = judge_disposal(record, policies, holds, now)
        leaves = leaves_of(record)
        standing.due += len(leaves) if verdict.disposable else 0
        standing.held += len(leaves) if verdict.due and not verdict.disposable else 0
        if verdict.disposable:
            standing.records += leaves[: SHOWN_RECORDS - len(standing.records)]
    return standing


def _over(
    transaction: Transaction, source: RecordSource, policies: Sequence[Policy], now: int
) -> Iterator[RetainedRecord]:
    until, after = latest_ceased(source.record_class, policies, now), None
    while until >= 0:
        page = source.ended(transaction, policies, until, after, PAGE_RECORDS)
        yield from page.records
        if page.following is None:
            return
        after = page.following
