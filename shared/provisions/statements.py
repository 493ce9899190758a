"""What all statements of a provider have in common: each is judged by the policy of its own date, and follows the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from shared.errors import Violation
from shared.provisions.policy import Policy, policy_at_micros


class Matter(IntEnum):
    """What an escalation id stands for. A complaint came straight to a regulator, which made the id."""

    UNSPECIFIED = 0
    REPORT = 1
    MEASURE = 2
    APPEAL = 3
    COMPLAINT = 4


@dataclass(slots=True)
class Statement:
    """What every record of an escalation begins with: the fields of Escalation, and the created_time of its entry.

    Times are microseconds since the epoch, UTC.
    """

    escalation_id: str
    account_id: str
    revision: int
    created_time: int


@dataclass(frozen=True, slots=True)
class Thread:
    """What has been stated under one escalation id so far; revision is that of the last statement, 0 before the first."""

    matter: Matter
    account_id: str
    revision: int


def policy_of_entry(policies: Sequence[Policy], created: int) -> Policy | Violation:
    """Returns the policy by which an entry is judged: the one in force when it was made.

    Args:
        policies: in the order of their versions.
        created: created_time of the entry, in microseconds.

    Returns:
        The policy; the violation TIME_TOO_EARLY where none was in force.
    """
    policy = policy_at_micros(policies, created)
    if policy is None:
        mend = "no policy was in force at that time; set it to when the entry was made"
        return Violation("created_time", "TIME_TOO_EARLY", mend)
    return policy


def judge_created_time(created: int, at: int, policy: Policy) -> Iterator[Violation]:
    """Yields TIME_IN_FUTURE where an entry claims to be made later than the judge's clock allows."""
    if created > at + policy.clock_skew_micros:
        yield Violation("created_time", "TIME_IN_FUTURE", "set the clock of the sending node")


def judge_revision(field: str, revision: int, last_revision: int) -> Iterator[Violation]:
    """Yields REVISION_OUT_OF_ORDER where a revision does not follow the last one exactly."""
    if revision != last_revision + 1:
        yield Violation(f"{field}.revision", "REVISION_OUT_OF_ORDER", f"the next revision is {last_revision + 1}")


def judge_past(field: str, time: int, created: int, policy: Policy) -> Iterator[Violation]:
    """Yields why a time that an entry tells of cannot be: later than the entry, or before all that filings may name."""
    if time > created:
        yield Violation(field, "TIME_ORDER_WRONG", "tell of it after it happened")
    elif time < policy.earliest_micros:
        mend = f"no entry names a time before {policy.earliest_time.date().isoformat()}"
        yield Violation(field, "TIME_TOO_EARLY", mend)
