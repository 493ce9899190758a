"""A regulator's hold on a provider's records (Arts. 8(2), 9): what may be directed, and how the provider acknowledges it.

A hold on a whole class always has an end, so that nobody keeps everything for ever by one directive. Regulator and provider
judge by the same functions: the one what it directs, both what the provider answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from shared.errors import Violation
from shared.provisions.escalations import directive_times
from shared.provisions.policy import Policy
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.retention import SCOPES_OF_PROVIDER, HoldScope, RecordClass
from shared.provisions.spans import FOREVER
from shared.provisions.statements import judge_past

CLASSES_OF_PROVIDER: Final = frozenset({RecordClass.REPORT, RecordClass.MEASURE, RecordClass.APPEAL})
"""The classes that a provider keeps."""


class HoldAction(IntEnum):
    """What a directive does to a hold, with the numbers of the wire."""

    UNSPECIFIED = 0
    PLACE = 1
    LIFT = 2


@dataclass(frozen=True, slots=True)
class HoldDirective:
    """A directive on a hold as the rules see it: the fields of RecordHold. Times are microseconds, FOREVER for none."""

    provider: str
    hold_id: str
    action: HoldAction
    reason: str
    directed_time: int
    acknowledge_by: int
    scope: HoldScope = HoldScope.UNSPECIFIED
    record_class: RecordClass = RecordClass.UNSPECIFIED
    target: str = ""
    start_time: int = FOREVER
    end_time: int = FOREVER


@dataclass(frozen=True, slots=True)
class HoldAnswerRecord:
    """A provider's acknowledgement as the rules see it: the fields of RecordHoldAnswer. Times are microseconds."""

    directive_entry_id: str
    hold_id: str
    answered_time: int
    created_time: int


@dataclass(frozen=True, slots=True)
class HeldDirective:
    """A directive that a regulator holds: on which hold, to whom, and whether it was acknowledged."""

    hold_id: str
    provider: str
    acknowledged: bool


def judge_hold_directive(directive: HoldDirective, policy: Policy) -> Refusal | None:
    """Judges a directive before it enters the regulator's log.

    Args:
        directive: the directive.
        policy: in force at directed_time.

    Returns:
        None where it stands, else the refusal: HOLD_SCOPE_WRONG, HOLD_WITHOUT_END, HOLD_TIMES_WRONG, DUE_TIME_WRONG.
    """
    return refusal_of((*_judge_terms(directive), *_judge_due(directive, policy)))


def judge_hold_answer(
    record: HoldAnswerRecord, provider: str, held: HeldDirective | None, policy: Policy
) -> Refusal | None:
    """Judges a provider's acknowledgement, when it arrives at the regulator.

    Args:
        record: the acknowledgement.
        provider: who states it.
        held: the directive that it names; None where the regulator holds none.
        policy: in force when it was made.

    Returns:
        None where it may enter the register, else the refusal: HOLD_UNKNOWN, HOLD_ANSWERED, TIME_TOO_EARLY,
        TIME_IN_FUTURE.
    """
    field = "record_hold_answer.answered_time"
    return refusal_of(
        (*_judge_held(record, provider, held), *judge_past(field, record.answered_time, record.created_time, policy))
    )


def _judge_terms(directive: HoldDirective) -> Iterator[Violation]:
    if directive.action is HoldAction.LIFT:
        return
    of_class = directive.scope is HoldScope.CLASS
    fits = directive.record_class in CLASSES_OF_PROVIDER if of_class else not directive.record_class
    if directive.scope not in SCOPES_OF_PROVIDER or not fits or of_class == bool(directive.target):
        mend = "hold an account, a report, measure or appeal by its id, or a class that a provider keeps"
        yield Violation("hold.scope", "HOLD_SCOPE_WRONG", mend)
    if of_class and directive.end_time == FOREVER:
        yield Violation("end_time", "HOLD_WITHOUT_END", "say until when a hold on a whole class is to last")
    if directive.end_time <= max(directive.start_time, directive.directed_time):
        yield Violation("end_time", "HOLD_TIMES_WRONG", "let it end after it begins, and not in the past")


def _judge_due(directive: HoldDirective, policy: Policy) -> Iterator[Violation]:
    if directive.acknowledge_by != directive_times(policy, directive.directed_time)[0]:
        yield Violation("acknowledge_by", "DUE_TIME_WRONG", f"set it as policy {policy.version} says")


def _judge_held(record: HoldAnswerRecord, provider: str, held: HeldDirective | None) -> Iterator[Violation]:
    field = "record_hold_answer.directive_entry_id"
    if held is None or (held.provider, held.hold_id) != (provider, record.hold_id):
        yield Violation(field, "HOLD_UNKNOWN", "name a regulator's directive to this provider, and its hold")
    elif held.acknowledged:
        yield Violation(field, "HOLD_ANSWERED", "a directive on a hold is acknowledged once")
