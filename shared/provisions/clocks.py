"""Clocks that run by policy: when a period ends, how pauses move that end, and whether a moment is too late.

A clock is a plain rule: a period of a policy, a start, its pauses, and when what it waits for was done. Whether it is
late at a moment is a pure function of the rule and the moment, so that a restart or a jump of the machine's clock
changes no answer. A pause moves the end by the time that it took from the period: by every moment of it where the
period runs by the clock or the calendar, by its moments on working days where the period counts working days.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.clock import from_micros
from shared.provisions.policy import CHINA_STANDARD_TIME, PeriodUnit, Policy, period_end_micros
from shared.provisions.spans import FOREVER
from shared.provisions.working_days import is_working_day

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_DAY: Final = datetime.timedelta(days=1) // _MICROSECOND
# China Standard Time has no other time beside it since 1991, so that its days are of one length.
_OFFSET: Final = CHINA_STANDARD_TIME.utcoffset(None) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Pause:
    """A time for which a clock stood, and the code of the stated reason; end_time is FOREVER while it still stands."""

    start_time: int
    end_time: int = FOREVER
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClockRule:
    """A clock. Times are microseconds since the epoch, UTC.

    Attributes:
        policy: the policy in force at start_time.
        period: the name of the period.
        start_time: when the period began.
        pauses: the pauses, in any order.
        longest_pause: the name of the period after which, from the first pause on, no pause stops the clock any more;
        empty
            where pauses have no limit.
        done_time: when what the clock waits for was done; FOREVER where it was not.
    """

    policy: Policy
    period: str
    start_time: int
    pauses: tuple[Pause, ...] = ()
    longest_pause: str = ""
    done_time: int = FOREVER


def due_time(rule: ClockRule) -> int:
    """Returns the first moment, in microseconds, at which a clock is late; FOREVER while it stands without a limit.

    Raises:
        FailedPrecondition: PERIOD_UNKNOWN where the policy has no such period.
    """
    due = period_end_micros(rule.policy, rule.period, rule.start_time)
    working = rule.policy.period(rule.period).unit is PeriodUnit.WORKING_DAYS
    for start, end in _standstills(rule):
        if start >= due:
            break
        if end == FOREVER:
            return FOREVER
        due = _later(rule.policy, due, _counted(rule.policy, start, end)) if working else due + end - start
    return due


def would_be_late(rule: ClockRule, at: int) -> bool:
    """Tells whether a clock is late at a moment, or was when what it waits for was done.

    Args:
        rule: the clock.
        at: the moment, in microseconds: now, or any other, to see what would be.
    """
    return min(at, rule.done_time) >= due_time(rule)


def _standstills(rule: ClockRule) -> Iterator[tuple[int, int]]:
    """Yields when the clock stood, in order and without overlaps, up to the limit."""
    pauses = sorted(rule.pauses, key=lambda pause: pause.start_time)
    if not pauses:
        return
    passed = rule.start_time
    limit = FOREVER
    if rule.longest_pause:
        limit = period_end_micros(rule.policy, rule.longest_pause, max(passed, pauses[0].start_time))
    for pause in pauses:
        start, end = max(pause.start_time, passed), min(pause.end_time, limit)
        if start < end:
            yield start, end
            passed = end


def _counted(policy: Policy, start: int, end: int) -> int:
    """Returns how much of a span lies on working days."""
    return sum(until - moment for moment, until, working in _days(policy, start, end) if working)


def _later(policy: Policy, start: int, amount: int) -> int:
    """Returns the moment up to which an amount of time on working days has passed since a start."""
    if not amount:
        return start
    for moment, until, working in _days(policy, start, FOREVER):
        if working:
            if amount <= until - moment:
                return moment + amount
            amount -= until - moment
    raise AssertionError("the days do not end")


def _days(policy: Policy, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yields the days of a span in China Standard Time, each with its part of the span and whether it is a working day."""
    while start < end:
        until = (start + _OFFSET) // _DAY * _DAY + _DAY - _OFFSET
        day = from_micros(start).astimezone(CHINA_STANDARD_TIME).date()
        yield start, min(until, end), is_working_day(day, policy.overrides)
        start = until
