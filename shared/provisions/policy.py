"""Policy: every taxonomy, period and form that the 2014 text leaves open, as data with the dates it holds.

The nation publishes policies, numbered without gaps; an entry is judged by the policy of its own date. Nothing of it is a
constant in code, and each period says whether it is statutory or administrative. What a period means is fixed here: hours
and minutes run by the clock; days, working days and months leave out the day they begin on and end with their last day, at
24:00 China Standard Time (Civil Code, Arts. 200 to 204).
"""

from __future__ import annotations

import calendar
import datetime
import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

from shared.clock import micros
from shared.errors import FailedPrecondition, InvalidInput
from shared.provisions.agreements import BASELINES
from shared.provisions.licences import Licence
from shared.provisions.working_days import add_working_days

CHINA_STANDARD_TIME: Final = datetime.timezone(datetime.timedelta(hours=8), "CST")
FILING_AFTER_REVIEW: Final = "filing_after_review"
LICENCE_RENEWAL_NOTICE: Final = "licence_renewal_notice"
CLOCK_SKEW: Final = "clock_skew"
EFFECTIVE_TIME_AHEAD: Final = "effective_time_ahead"

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_DAY: Final = datetime.timedelta(days=1)


class Provenance(IntEnum):
    """Where a rule comes from, with the numbers of the wire."""

    UNSPECIFIED = 0
    STATUTORY = 1
    ADMINISTRATIVE = 2


class PeriodUnit(IntEnum):
    """How a period is counted, with the numbers of the wire."""

    UNSPECIFIED = 0
    HOURS = 1
    WORKING_DAYS = 2
    DAYS = 3
    MONTHS = 4
    MINUTES = 5


_FIXED_UNITS: Final = {
    PeriodUnit.MINUTES: datetime.timedelta(minutes=1),
    PeriodUnit.HOURS: datetime.timedelta(hours=1),
    PeriodUnit.DAYS: _DAY,
}


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a closed list, with the code that entries carry and its titles."""

    code: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class Period:
    """A named period. A statutory one names its article, an administrative one has an empty article."""

    name: str
    amount: int
    unit: PeriodUnit
    provenance: Provenance
    article: str = ""

    @property
    def fixed_length(self) -> datetime.timedelta | None:
        """The length where the unit has one whatever the start: minutes, hours and days; else None."""
        unit = _FIXED_UNITS.get(self.unit)
        return None if unit is None else self.amount * unit


@dataclass(frozen=True, slots=True)
class CalendarOverride:
    """A day, in China Standard Time, that differs from the official calendar."""

    day: datetime.date
    working: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """A version of the agreement with its seven baselines, in order (Art. 6(2))."""

    version: int
    baselines: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """One version of the policy; effective_time and earliest_time are aware.

    Attributes:
        version: from 1, without gaps.
        effective_time: from when it holds, until the effective_time of the next.
        categories: of public accounts.
        return_reasons: for which a filing is returned.
        periods: by name, see period().
        calendar_overrides: days that differ from the official calendar.
        agreement: what new users sign; earlier versions stay valid for those who signed them.
        provider_licence_classes: the licence classes of which a provider needs one (Art. 4).
        earliest_time: no time in a filing lies before it.
    """

    version: int
    effective_time: datetime.datetime
    categories: tuple[Term, ...]
    return_reasons: tuple[Term, ...]
    periods: tuple[Period, ...]
    calendar_overrides: tuple[CalendarOverride, ...]
    agreement: Agreement
    provider_licence_classes: frozenset[int]
    earliest_time: datetime.datetime

    def period(self, name: str) -> Period:
        """Returns the period of that name; raises FailedPrecondition PERIOD_UNKNOWN where the policy has none."""
        period = self._periods_by_name.get(name)
        if period is None:
            raise FailedPrecondition(f"policy {self.version} has no period {name}", "PERIOD_UNKNOWN")
        return period

    @cached_property
    def category_codes(self) -> frozenset[str]:
        """The codes of the categories."""
        return frozenset(term.code for term in self.categories)

    @cached_property
    def return_reason_codes(self) -> frozenset[str]:
        """The codes of the return reasons."""
        return frozenset(term.code for term in self.return_reasons)

    @cached_property
    def overrides(self) -> dict[datetime.date, bool]:
        """The calendar overrides by day."""
        return {override.day: override.working for override in self.calendar_overrides}

    @cached_property
    def effective_micros(self) -> int:
        """effective_time in microseconds since the epoch."""
        return micros(self.effective_time)

    @cached_property
    def earliest_micros(self) -> int:
        """earliest_time in microseconds since the epoch."""
        return micros(self.earliest_time)

    @cached_property
    def clock_skew_micros(self) -> int:
        """The period clock_skew in microseconds."""
        return self._fixed_micros(CLOCK_SKEW)

    @cached_property
    def effective_time_ahead_micros(self) -> int:
        """The period effective_time_ahead in microseconds."""
        return self._fixed_micros(EFFECTIVE_TIME_AHEAD)

    @cached_property
    def _periods_by_name(self) -> dict[str, Period]:
        return {period.name: period for period in self.periods}

    def _fixed_micros(self, name: str) -> int:
        length = self.period(name).fixed_length
        if length is None:
            raise FailedPrecondition(f"policy {self.version}: {name} has no fixed length", "PERIOD_UNIT_WRONG")
        return length // _MICROSECOND


def policy_at(policies: Sequence[Policy], time: datetime.datetime) -> Policy:
    """Returns the policy in force at a time.

    Args:
        policies: in the order of their versions, so that effective_time never falls.
        time: aware.

    Returns:
        The last policy whose effective_time is not after time.

    Raises:
        InvalidInput: TIME_TOO_EARLY where the time lies before the first policy, or there is none.
    """
    policy = policy_at_micros(policies, micros(time))
    if policy is None:
        raise InvalidInput("no policy was in force at that time", "TIME_TOO_EARLY")
    return policy


def policy_at_micros(policies: Sequence[Policy], time: int) -> Policy | None:
    """Returns the policy in force at a time in microseconds since the epoch; None before the first one."""
    index = bisect_right(policies, time, key=_effective_micros)
    return policies[index - 1] if index else None


def period_end(policy: Policy, name: str, start: datetime.datetime) -> datetime.datetime:
    """Returns when a period ends.

    Args:
        policy: the policy in force when the period began.
        name: the name of the period.
        start: when it began, aware.

    Returns:
        The first moment after the period, in UTC: start plus the length for minutes and hours, 24:00 China Standard Time
        of the last day for days, working days and months. A month that lacks the day ends with its last day.

    Raises:
        FailedPrecondition: PERIOD_UNKNOWN where the policy has no period of that name.
    """
    period = policy.period(name)
    if period.unit in (PeriodUnit.MINUTES, PeriodUnit.HOURS):
        return (start + period.amount * _FIXED_UNITS[period.unit]).astimezone(datetime.UTC)
    first = start.astimezone(CHINA_STANDARD_TIME).date()
    if period.unit is PeriodUnit.WORKING_DAYS:
        last = add_working_days(first, period.amount, policy.overrides)
    elif period.unit is PeriodUnit.MONTHS:
        last = _add_months(first, period.amount)
    else:
        last = first + period.amount * _DAY
    midnight = datetime.datetime.combine(last + _DAY, datetime.time(), CHINA_STANDARD_TIME)
    return midnight.astimezone(datetime.UTC)


def filing_due(policy: Policy, reviewed_time: datetime.datetime) -> datetime.datetime:
    """Returns until when, exclusive, an account is to be filed after a passed review (Art. 7(1)).

    Being late is counted and shown, and is no ground to refuse the filing.

    Args:
        policy: the policy in force at reviewed_time.
        reviewed_time: when the review passed, aware.

    Returns:
        The first moment at which the filing is late, in UTC.
    """
    return period_end(policy, FILING_AFTER_REVIEW, reviewed_time)


def licence_renewal_due(policy: Policy, licence: Licence) -> datetime.datetime:
    """Returns from when a provider is told to renew its licence before it lapses (Art. 4), in UTC."""
    length = policy.period(LICENCE_RENEWAL_NOTICE).fixed_length
    if length is None:
        raise FailedPrecondition(
            f"policy {policy.version}: {LICENCE_RENEWAL_NOTICE} has no fixed length", "PERIOD_UNIT_WRONG"
        )
    return (licence.end_time - length).astimezone(datetime.UTC)


@cache
def initial_policy() -> Policy:
    """Returns the policy with which a network starts: initial_policy.toml, every period administrative."""
    text = resources.files("shared.provisions").joinpath("initial_policy.toml").read_text("utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    return Policy(
        version=data["version"],
        effective_time=data["effective_time"].astimezone(datetime.UTC),
        categories=tuple(Term(**row) for row in data["categories"]),
        return_reasons=tuple(Term(**row) for row in data["return_reasons"]),
        periods=tuple(
            Period(row["name"], row["amount"], PeriodUnit[row["unit"].upper()], Provenance.ADMINISTRATIVE)
            for row in data["periods"]
        ),
        calendar_overrides=tuple(CalendarOverride(**row) for row in data["calendar_overrides"]),
        agreement=Agreement(data["agreement"]["version"], BASELINES),
        provider_licence_classes=frozenset(data["provider_licence_classes"]),
        earliest_time=data["earliest_time"].astimezone(datetime.UTC),
    )


def _effective_micros(policy: Policy) -> int:
    return policy.effective_micros


def _add_months(day: datetime.date, months: int) -> datetime.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
