"""Records and their end as clients see them: holds, what is due, certificates (Art. 8(2))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.provisions.policy import Period
from shared.provisions.retention import HoldScope, RecordClass

__all__ = ["Certificate", "DueRecord", "DueRecords", "HoldScope", "LegalHold", "Period", "RecordClass"]


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A legal hold. Who lifted it, when and why are empty and None while it is in force.

    Attributes:
        hold_id: a UUID.
        scope: what it keeps.
        record_class: with the scope of a class; else UNSPECIFIED.
        target: the account, escalation or case; empty with the scope of a class.
        reason: why it was placed, as a code.
        placed_by: who placed it.
        placed_time: when.
        lifted_by: who lifted it.
        lifted_time: when.
        lift_reason: why, as a code.
        provider: in a regulator's list, at which provider it was placed; empty for the node's own.
        end_time: until when it holds at most; None for until it is lifted.
        acknowledge_by: until when the provider has to acknowledge the newest directive on it; None for the node's own.
        acknowledged_time: when it did; None until then.
    """

    hold_id: str
    scope: HoldScope
    record_class: RecordClass
    target: str
    reason: str
    placed_by: str
    placed_time: datetime
    lifted_by: str
    lifted_time: datetime | None
    lift_reason: str
    provider: str = ""
    end_time: datetime | None = None
    acknowledge_by: datetime | None = None
    acknowledged_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueRecord:
    """A record that is due: its id, and when it ceased to matter."""

    record_id: str
    ceased_time: datetime


@dataclass(frozen=True, slots=True)
class DueRecords:
    """How the records of a class stand: the period in force, how many are due and held, and the first of those due."""

    record_class: RecordClass
    period: Period | None
    due: int
    held: int
    records: Sequence[DueRecord]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of disposal in a list."""

    number: int
    record_class: RecordClass
    records: int
    policy_version: int
    disposed_time: datetime
    actor: str
