"""What would change if a policy were published: rule by rule, and for what a register holds.

A policy binds what is made from its time on. What stands keeps standing, and a clock runs by the policy of the time at
which it began; so a preview says what keeps its time as well as what does not. No policy changes what a label lets its
account do: that follows from Art. 7(2), from basis, licence, scope and dates. A policy changes when its end is reminded
of, and whether it can be renewed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Final

from shared.provisions.clocks import due_time
from shared.provisions.duties import DutyProfileRecord, duties_missing
from shared.provisions.escalations import CaseKind, CaseState, case_clock
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.policy import (
    LABEL_FIRST_REMINDER,
    LABEL_SECOND_REMINDER,
    SPECIAL_APPROVAL_LONGEST,
    TERM_LISTS,
    Period,
    Policy,
    Provenance,
    Term,
    period_end_micros,
)
from shared.provisions.policy_succession import removed_categories
from shared.provisions.routing import routes_away

_LISTS: Final = ("categories", "return_reasons", *TERM_LISTS)
_REMINDERS: Final = (LABEL_FIRST_REMINDER, LABEL_SECOND_REMINDER)
_MOST_WORDS: Final = 600
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1) // _MICROSECOND


class ChangeKind(IntEnum):
    """What a policy does to a rule, with the numbers of the wire."""

    ADDED = 1
    REMOVED = 2
    CHANGED = 3


class EffectKind(IntEnum):
    """What a policy does to what the register holds, with the numbers of the wire."""

    CATEGORY_IN_USE = 1
    TERM_IN_USE = 2
    DUTY_MISSING = 3
    PROVIDER_LICENCE_UNFIT = 4
    LABEL_NOT_RENEWABLE = 5
    LABEL_REMINDER_MOVES = 6
    APPROVAL_TOO_LONG = 7
    CASE_KEEPS_TIME = 8
    CASE_TIME_MOVES = 9
    MEASURE_BEYOND_LADDER = 10
    PROVIDER_FILES_ELSEWHERE = 11


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One rule that changes.

    Attributes:
        field: the list, and the code or name in it, e.g. "periods.report_settlement".
        before: what it says before; empty where it was not there.
        after: what it says then; empty where it is gone.
        provenance: of the rule, by the policy that has it.
        article: of a statutory rule; empty for an administrative one.
        before_end: of a period, in microseconds: when one that begins with the policy would end as things are; 0 where
            it was not there, and for every other rule.
        after_end: when it ends by the policy; 0 where it is gone, and for every other rule.
    """

    field: str
    kind: ChangeKind
    before: str
    after: str
    provenance: Provenance = Provenance.ADMINISTRATIVE
    article: str = ""
    before_end: int = 0
    after_end: int = 0


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """One effect on what a register holds.

    Attributes:
        field: the rule that brings it about, as in `PolicyChange`; of cases what they are about.
        count: how many are affected.
        successor: what takes the place of a category that is gone; the regulator that a routed provider would file with;
            empty otherwise.
        before_due: of cases whose time moves, in microseconds, when they would be due as things are; 0 otherwise.
        after_due: when they would be due by the policy; 0 otherwise.
    """

    kind: EffectKind
    field: str
    count: int
    successor: str = ""
    before_due: int = 0
    after_due: int = 0


@dataclass(frozen=True, slots=True)
class RisingCases:
    """Open cases that, left as they are, rise to the nation at one moment, in microseconds."""

    kind: CaseKind
    rise_time: int
    count: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a register holds of what a policy would change, counted for its effective_time.

    Attributes:
        filings: that stand, by the category that they name.
        terms: what stands or waits and names a term, by list and code, e.g. ("measure_reasons", "false_information").
        profiles: the newest duty profile of each provider.
        licence_classes: of each provider, by node name; 0 for a licence that cannot be read.
        labels: that hold, by provider.
        label_ends: until when they hold, in microseconds, and how many end then.
        approvals: special approvals asked for and not decided: from when and until when, in microseconds, each.
        open_cases: that are not over.
        rising: those of them that rise to the nation at or after effective_time, where nobody decides before.
        measures: in force with an end: kind, how long in microseconds, how many.
        jurisdictions: where each provider files, by node name.
    """

    filings: Mapping[str, int] = field(default_factory=dict)
    terms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    profiles: Sequence[DutyProfileRecord] = ()
    licence_classes: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    label_ends: Sequence[tuple[int, int]] = ()
    approvals: Sequence[tuple[int, int]] = ()
    open_cases: int = 0
    rising: Sequence[RisingCases] = ()
    measures: Sequence[tuple[int, int, int]] = ()
    jurisdictions: Mapping[str, str] = field(default_factory=dict)


def policy_changes(before: Policy, after: Policy) -> list[PolicyChange]:
    """Compares two policies.

    Args:
        before: the newest policy, which would hold at the other's effective_time without it.
        after: the policy that would follow it.

    Returns:
        Every rule that changes, in the order of the policy; empty where only version and time do.
    """
    changes: list[PolicyChange] = []
    for name in _LISTS:
        changes.extend(_term_changes(name, getattr(before, name), getattr(after, name)))
    changes.extend(_keyed("category_successors", before.successors, after.successors))
    changes.extend(_keyed("routes", _routes(before), _routes(after)))
    changes.extend(_period_changes(before, after))
    changes.extend(
        _keyed(
            "ladder",
            {step.kind.name.lower(): _step(step.longest_days) for step in before.ladder},
            {step.kind.name.lower(): _step(step.longest_days) for step in after.ladder},
        )
    )
    changes.extend(
        _keyed(
            "calendar_overrides",
            {day.isoformat(): _day(working) for day, working in before.overrides.items()},
            {day.isoformat(): _day(working) for day, working in after.overrides.items()},
        )
    )
    changes.extend(
        _keyed(
            "provider_licence_classes",
            {str(each): "taken" for each in sorted(before.provider_licence_classes)},
            {str(each): "taken" for each in sorted(after.provider_licence_classes)},
        )
    )
    changes.extend(
        _keyed("agreement", {"version": str(before.agreement.version)}, {"version": str(after.agreement.version)})
    )
    # The seven baselines are the article's own words; which version of the text users sign is the nation's.
    changes.extend(
        PolicyChange(each.field, each.kind, each.before, each.after, Provenance.STATUTORY, "Art. 6(2)")
        for each in _keyed(
            "agreement",
            {"baselines": ", ".join(before.agreement.baselines)},
            {"baselines": ", ".join(after.agreement.baselines)},
        )
    )
    changes.extend(
        _keyed("earliest_time", {"": before.earliest_time.isoformat()}, {"": after.earliest_time.isoformat()})
    )
    return changes


def policy_effects(before: Policy, after: Policy, held: Holdings) -> list[PolicyEffect]:
    """Says what a policy would do to what a register holds.

    Args:
        before: the newest policy.
        after: the policy that would follow it.
        held: what the register holds, counted for after's effective_time.

    Returns:
        The effects; none for a rule that changes and touches nothing that is held.
    """
    found = [
        PolicyEffect(
            EffectKind.CATEGORY_IN_USE, f"categories.{code}", held.filings.get(code, 0), after.successors.get(code, "")
        )
        for code in removed_categories(before, after)
    ]
    found.extend(
        PolicyEffect(EffectKind.TERM_IN_USE, f"{name}.{code}", held.terms.get((name, code), 0))
        for name, code in removed_terms(before, after)
    )
    found.extend(_duty_effects(before, after, held.profiles))
    found.extend(_licence_effects(before, after, held))
    found.extend(_reminder_effects(before, after, held.label_ends))
    found.append(_approval_effect(before, after, held.approvals))
    found.extend(_case_effects(before, after, held))
    found.extend(_measure_effects(before, after, held.measures))
    found.extend(
        PolicyEffect(
            EffectKind.PROVIDER_FILES_ELSEWHERE, f"routes.{move.provider}", 1, f"regulator/{move.jurisdiction}"
        )
        for move in routes_away(after, held.jurisdictions)
    )
    return [each for each in found if each.count]


def removed_terms(before: Policy, after: Policy) -> list[tuple[str, str]]:
    """Returns the terms that a policy no longer has, as list and code; categories are `removed_categories`."""
    found: list[tuple[str, str]] = []
    for name in ("return_reasons", *TERM_LISTS):
        kept = {term.code for term in getattr(after, name)}
        found.extend((name, term.code) for term in getattr(before, name) if term.code not in kept)
    return found


def _term_changes(name: str, before: Iterable[Term], after: Iterable[Term]) -> Iterator[PolicyChange]:
    yield from _keyed(
        name,
        {term.code: f"{term.title_zh} ({term.title_en})" for term in before},
        {term.code: f"{term.title_zh} ({term.title_en})" for term in after},
    )


def _period_changes(before: Policy, after: Policy) -> Iterator[PolicyChange]:
    old, new = ({period.name: period for period in policy.periods} for policy in (before, after))
    for name in dict.fromkeys((*old, *new)):
        was, then = old.get(name), new.get(name)
        # Overrides of the calendar move the end of a period that itself stays as it is.
        ends = tuple(
            0 if period is None else period_end_micros(policy, name, after.effective_micros)
            for policy, period in ((before, was), (after, then))
        )
        if was == then and ends[0] == ends[1]:
            continue
        source = then or was
        assert source is not None
        kind = ChangeKind.ADDED if was is None else ChangeKind.REMOVED if then is None else ChangeKind.CHANGED
        yield PolicyChange(
            f"periods.{name}", kind, _period(was), _period(then), source.provenance, source.article, *ends
        )


def _keyed(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[PolicyChange]:
    for key in dict.fromkeys((*before, *after)):
        was, then = before.get(key), after.get(key)
        if was == then:
            continue
        kind = ChangeKind.ADDED if was is None else ChangeKind.REMOVED if then is None else ChangeKind.CHANGED
        place = f"{name}.{key}" if key else name
        yield PolicyChange(place, kind, (was or "")[:_MOST_WORDS], (then or "")[:_MOST_WORDS])


def _period(period: Period | None) -> str:
    if period is None:
        return ""
    words = f"{period.amount} {period.unit.name.lower()}, {period.provenance.name.lower()}"
    return f"{words}, {period.article}" if period.article else words


def _step(longest_days: int) -> str:
    return f"at most {longest_days} days" if longest_days else "without an end"


def _routes(policy: Policy) -> dict[str, str]:
    return {provider: f"files with regulator/{to}" for provider, to in policy.routed.items()}


def _day(working: bool) -> str:
    return "working day" if working else "day of rest"


def _duty_effects(before: Policy, after: Policy, profiles: Sequence[DutyProfileRecord]) -> Iterator[PolicyEffect]:
    added = [term.code for term in after.duties if term.code not in before.duty_codes]
    for code in added:
        lacking = sum(code in duties_missing(profile, after) for profile in profiles)
        yield PolicyEffect(EffectKind.DUTY_MISSING, f"duties.{code}", lacking)


def _licence_effects(before: Policy, after: Policy, held: Holdings) -> Iterator[PolicyEffect]:
    for number in sorted(before.provider_licence_classes - after.provider_licence_classes):
        field_name = f"provider_licence_classes.{number}"
        unfit = [name for name, found in held.licence_classes.items() if found == number]
        yield PolicyEffect(EffectKind.PROVIDER_LICENCE_UNFIT, field_name, len(unfit))
        labels = sum(held.labels.get(name, 0) for name in unfit)
        yield PolicyEffect(EffectKind.LABEL_NOT_RENEWABLE, field_name, labels)


def _reminder_effects(before: Policy, after: Policy, label_ends: Sequence[tuple[int, int]]) -> Iterator[PolicyEffect]:
    for name in _REMINDERS:
        old, new = (_length(policy, name) for policy in (before, after))
        if old == new:
            continue
        # A reminder that was given before the policy holds, and would have been by it as well, does not move.
        count = sum(many for end, many in label_ends if end - min(old, new) > after.effective_micros)
        yield PolicyEffect(EffectKind.LABEL_REMINDER_MOVES, f"periods.{name}", count)


def _approval_effect(before: Policy, after: Policy, approvals: Sequence[tuple[int, int]]) -> PolicyEffect:
    count = 0
    if _has(before, SPECIAL_APPROVAL_LONGEST) and _has(after, SPECIAL_APPROVAL_LONGEST):
        for start, end in approvals:
            begins = max(start, after.effective_micros)
            fits = end <= period_end_micros(before, SPECIAL_APPROVAL_LONGEST, begins)
            count += fits and end > period_end_micros(after, SPECIAL_APPROVAL_LONGEST, begins)
    return PolicyEffect(EffectKind.APPROVAL_TOO_LONG, f"periods.{SPECIAL_APPROVAL_LONGEST}", count)


def _case_effects(before: Policy, after: Policy, held: Holdings) -> Iterator[PolicyEffect]:
    moving: dict[tuple[CaseKind, int, int], int] = {}
    for cases in held.rising:
        if cases.rise_time < after.effective_micros:
            continue
        was, then = (
            due_time(clock) if clock is not None else 0
            for clock in (case_clock(CaseState.OPEN, cases.kind, cases.rise_time, each) for each in (before, after))
        )
        if was != then:
            moving[cases.kind, was, then] = moving.get((cases.kind, was, then), 0) + cases.count
    yield PolicyEffect(EffectKind.CASE_KEEPS_TIME, "cases", held.open_cases - sum(moving.values()))
    for (kind, was, then), count in sorted(moving.items()):
        name = f"cases.{kind.name.lower()}"
        yield PolicyEffect(EffectKind.CASE_TIME_MOVES, name, count, before_due=was, after_due=then)


def _measure_effects(before: Policy, after: Policy, measures: Sequence[tuple[int, int, int]]) -> Iterator[PolicyEffect]:
    for kind, longest in after.longest_days.items():
        if kind is MeasureKind.CLOSE or before.longest_days.get(kind, 0) <= longest:
            continue
        count = sum(many for taken, length, many in measures if taken == kind and length > longest * _DAY)
        yield PolicyEffect(EffectKind.MEASURE_BEYOND_LADDER, f"ladder.{kind.name.lower()}", count)


def _has(policy: Policy, name: str) -> bool:
    return any(period.name == name for period in policy.periods)


def _length(policy: Policy, name: str) -> int:
    found = next((period.fixed_length for period in policy.periods if period.name == name), None)
    return 0 if found is None else found // _MICROSECOND
