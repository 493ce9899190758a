"""Policy: every taxonomy, period and form that the 2014 text leaves open, as data with the dates it holds.

The nation publishes policies, numbered without gaps; an entry is judged by the policy of its own date. Nothing of it
is a constant in code, and each period says whether it is statutory or administrative. What a period means is fixed
here: hours and minutes run by the clock; days, working days and months leave out the day they begin on and end with
their last day, at 24:00 China Standard Time (Civil Code, Arts. 200 to 204).
"""

from __future__ import annotations

import calendar
import datetime
import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

from shared.clock import from_micros, micros
from shared.errors import FailedPrecondition, InvalidInput
from shared.provisions.agreements import BASELINES
from shared.provisions.licences import Licence
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.policy_parts import (
    FIXED_UNITS,
    Agreement,
    CalendarOverride,
    CategorySuccessor,
    LadderStep,
    Period,
    PeriodUnit,
    Provenance,
    Route,
    Term,
)
from shared.provisions.working_days import add_working_days

__all__ = [
    "APPEAL_AFTER_MEASURE",
    "APPEAL_DECISION",
    "CHINA_STANDARD_TIME",
    "CLOCK_SKEW",
    "CLOSE_FINAL_AFTER",
    "DIRECTIVE_ACKNOWLEDGEMENT",
    "DIRECTIVE_ANSWER",
    "EFFECTIVE_TIME_AHEAD",
    "ESCALATION_DECISION",
    "FILING_AFTER_REVIEW",
    "LABEL_FIRST_REMINDER",
    "LABEL_SECOND_REMINDER",
    "LICENCE_RENEWAL_NOTICE",
    "REPORT_FIRST_ANSWER",
    "REPORT_PAUSE_LONGEST",
    "REPORT_SETTLEMENT",
    "SPECIAL_APPROVAL_LONGEST",
    "TERM_LISTS",
    "Agreement",
    "CalendarOverride",
    "CategorySuccessor",
    "LadderStep",
    "Period",
    "PeriodUnit",
    "Policy",
    "Provenance",
    "Route",
    "Term",
    "filing_due",
    "initial_policy",
    "licence_renewal_due",
    "period_before",
    "period_end",
    "period_end_micros",
    "policy_at",
    "policy_at_micros",
]

CHINA_STANDARD_TIME: Final = datetime.timezone(datetime.timedelta(hours=8), "CST")
FILING_AFTER_REVIEW: Final = "filing_after_review"
LICENCE_RENEWAL_NOTICE: Final = "licence_renewal_notice"
CLOCK_SKEW: Final = "clock_skew"
EFFECTIVE_TIME_AHEAD: Final = "effective_time_ahead"
REPORT_FIRST_ANSWER: Final = "report_first_answer"
REPORT_SETTLEMENT: Final = "report_settlement"
REPORT_PAUSE_LONGEST: Final = "report_pause_longest"
ESCALATION_DECISION: Final = "escalation_decision"
DIRECTIVE_ACKNOWLEDGEMENT: Final = "directive_acknowledgement"
DIRECTIVE_ANSWER: Final = "directive_answer"
APPEAL_AFTER_MEASURE: Final = "appeal_after_measure"
APPEAL_DECISION: Final = "appeal_decision"
CLOSE_FINAL_AFTER: Final = "close_final_after"
LABEL_FIRST_REMINDER: Final = "label_first_reminder"
LABEL_SECOND_REMINDER: Final = "label_second_reminder"
SPECIAL_APPROVAL_LONGEST: Final = "special_approval_longest"

TERM_LISTS: Final = (
    "label_reasons",
    "measure_reasons",
    "dismissal_reasons",
    "settlement_outcomes",
    "answer_reasons",
    "duties",
    "pause_reasons",
    "appeal_reasons",
)
"""The names of the lists of terms that were added after categories and return_reasons."""

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_DAY: Final = datetime.timedelta(days=1)


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
        label_reasons: for objecting to a label, refusing what was asked for, or revoking it (Art. 7).
        measure_reasons: the acts for which a measure is taken (Art. 8(1), answer 1).
        dismissal_reasons: for which an escalation or a complaint is dismissed.
        settlement_outcomes: with which a provider settles a report (Art. 5(3)).
        answer_reasons: for which a provider cannot carry out an order (Art. 9).
        duties: of a provider (Art. 5(1)).
        ladder: the steps of measures, lightest first (Art. 8(1)).
        pause_reasons: for which the clock of a report may be paused.
        appeal_reasons: with which an appeal is decided.
        category_successors: what takes the place of categories that are gone.
        routes: where providers file by policy (Art. 3).

    The lists from label_reasons on are empty in policies from before they were added.
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
    label_reasons: tuple[Term, ...] = ()
    measure_reasons: tuple[Term, ...] = ()
    dismissal_reasons: tuple[Term, ...] = ()
    settlement_outcomes: tuple[Term, ...] = ()
    answer_reasons: tuple[Term, ...] = ()
    duties: tuple[Term, ...] = ()
    ladder: tuple[LadderStep, ...] = ()
    pause_reasons: tuple[Term, ...] = ()
    appeal_reasons: tuple[Term, ...] = ()
    category_successors: tuple[CategorySuccessor, ...] = ()
    routes: tuple[Route, ...] = ()

    def period(self, name: str) -> Period:
        """Returns the period of that name; raises FailedPrecondition PERIOD_UNKNOWN where the policy has none."""
        period = self._periods_by_name.get(name)
        if period is None:
            raise FailedPrecondition(f"policy {self.version} has no period {name}", "PERIOD_UNKNOWN")
        return period

    @cached_property
    def category_codes(self) -> frozenset[str]:
        """The codes of the categories."""
        return _codes(self.categories)

    @cached_property
    def successors(self) -> dict[str, str]:
        """What takes the place of categories that are gone, by their codes."""
        return {each.code: each.successor for each in self.category_successors}

    @cached_property
    def routed(self) -> dict[str, str]:
        """The jurisdiction that each routed provider files with, by its node name."""
        return {route.provider: route.jurisdiction for route in self.routes}

    @cached_property
    def return_reason_codes(self) -> frozenset[str]:
        """The codes of the return reasons."""
        return _codes(self.return_reasons)

    @cached_property
    def label_reason_codes(self) -> frozenset[str]:
        """The codes of the label reasons."""
        return _codes(self.label_reasons)

    @cached_property
    def measure_reason_codes(self) -> frozenset[str]:
        """The codes of the measure reasons."""
        return _codes(self.measure_reasons)

    @cached_property
    def dismissal_reason_codes(self) -> frozenset[str]:
        """The codes of the dismissal reasons."""
        return _codes(self.dismissal_reasons)

    @cached_property
    def settlement_outcome_codes(self) -> frozenset[str]:
        """The codes of the settlement outcomes."""
        return _codes(self.settlement_outcomes)

    @cached_property
    def answer_reason_codes(self) -> frozenset[str]:
        """The codes of the answer reasons."""
        return _codes(self.answer_reasons)

    @cached_property
    def duty_codes(self) -> frozenset[str]:
        """The codes of the duties."""
        return _codes(self.duties)

    @cached_property
    def pause_reason_codes(self) -> frozenset[str]:
        """The codes of the pause reasons."""
        return _codes(self.pause_reasons)

    @cached_property
    def appeal_reason_codes(self) -> frozenset[str]:
        """The codes of the appeal reasons."""
        return _codes(self.appeal_reasons)

    @cached_property
    def longest_days(self) -> dict[MeasureKind, int]:
        """The most days that each measure of the ladder may last; 0 for closing."""
        return {step.kind: step.longest_days for step in self.ladder}

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
        The first moment after the period, in UTC: start plus the length for minutes and hours, 24:00 China Standard
        Time of the last day for days, working days and months. A month that lacks the day ends with its last day.

    Raises:
        FailedPrecondition: PERIOD_UNKNOWN where the policy has no period of that name.
    """
    period = policy.period(name)
    if period.unit in (PeriodUnit.MINUTES, PeriodUnit.HOURS):
        return (start + period.amount * FIXED_UNITS[period.unit]).astimezone(datetime.UTC)
    first = start.astimezone(CHINA_STANDARD_TIME).date()
    if period.unit is PeriodUnit.WORKING_DAYS:
        last = add_working_days(first, period.amount, policy.overrides)
    elif period.unit is PeriodUnit.MONTHS:
        last = _add_months(first, period.amount)
    else:
        last = first + period.amount * _DAY
    midnight = datetime.datetime.combine(last + _DAY, datetime.time(), CHINA_STANDARD_TIME)
    return midnight.astimezone(datetime.UTC)


def period_end_micros(policy: Policy, name: str, start: int) -> int:
    """Returns what `period_end` returns, for times in microseconds since the epoch."""
    return micros(period_end(policy, name, from_micros(start)))


def period_before(policy: Policy, name: str, end: datetime.datetime) -> datetime.datetime:
    """Returns from when, in UTC, somebody is told of an end: the length of a period before it.

    Raises:
        FailedPrecondition: PERIOD_UNKNOWN where the policy has no period of that name, PERIOD_UNIT_WRONG where it has
        no
            length of its own: it must be in minutes, hours or days.
    """
    length = policy.period(name).fixed_length
    if length is None:
        raise FailedPrecondition(f"policy {policy.version}: {name} has no fixed length", "PERIOD_UNIT_WRONG")
    return (end - length).astimezone(datetime.UTC)


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
    return period_before(policy, LICENCE_RENEWAL_NOTICE, licence.end_time)


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
        ladder=tuple(LadderStep(MeasureKind[row["kind"].upper()], row["longest_days"]) for row in data["ladder"]),
        category_successors=(),
        routes=(),
        **{name: tuple(Term(**row) for row in data[name]) for name in TERM_LISTS},
    )


def _codes(terms: tuple[Term, ...]) -> frozenset[str]:
    return frozenset(term.code for term in terms)


def _effective_micros(policy: Policy) -> int:
    return policy.effective_micros


def _add_months(day: datetime.date, months: int) -> datetime.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
