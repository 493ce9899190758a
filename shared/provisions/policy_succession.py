"""Whether a policy may be published: sound in itself, and a fit successor of the one in force.

A policy that lacks a period would stop the rules that ask for it on every node at once, so it is refused where it is
made. So is one that begins before it is published: what was filed is judged by what was in force, and provider and
regulator would judge the same entry by two policies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from shared.errors import Violation
from shared.provisions.measure_kinds import LADDER, MeasureKind
from shared.provisions.policy import (
    CLOCK_SKEW,
    EFFECTIVE_TIME_AHEAD,
    LABEL_FIRST_REMINDER,
    LABEL_SECOND_REMINDER,
    LICENCE_RENEWAL_NOTICE,
    TERM_LISTS,
    Period,
    PeriodUnit,
    Policy,
    Provenance,
    Term,
    initial_policy,
)

_REMINDERS: Final = (LABEL_FIRST_REMINDER, LABEL_SECOND_REMINDER)
_FIXED_LENGTH: Final = (CLOCK_SKEW, EFFECTIVE_TIME_AHEAD, LICENCE_RENEWAL_NOTICE, *_REMINDERS)
_BASELINES: Final = 7


def check_policy(policy: Policy) -> list[Violation]:
    """Checks that a policy holds together.

    Every code is there once, every list and period that the rules ask for is there, and so are the whole ladder and the
    seven baselines.

    Args:
        policy: the policy.

    Returns:
        What is wrong, field by field; empty where nothing is.
    """
    violations = [
        *_repeated("categories", (term.code for term in policy.categories)),
        *_check_successors(policy),
        *_repeated("routes", (route.provider for route in policy.routes)),
        *_repeated("return_reasons", (term.code for term in policy.return_reasons)),
        *_check_terms(policy),
        *_check_ladder(policy),
        *_repeated("periods", (period.name for period in policy.periods)),
        *_repeated("calendar_overrides", (str(override.day) for override in policy.calendar_overrides)),
        *_check_periods(policy),
    ]
    if not policy.categories:
        violations.append(Violation("categories", "CATEGORIES_MISSING", "name at least one category"))
    if len(policy.agreement.baselines) != _BASELINES:
        violations.append(Violation("agreement.baselines", "BASELINES_WRONG", "give the seven baselines of Art. 6(2)"))
    if not policy.provider_licence_classes or not policy.provider_licence_classes <= {1, 2, 3}:
        mend = "name at least one of the licence classes 1, 2 and 3"
        violations.append(Violation("provider_licence_classes", "LICENCE_CLASSES_WRONG", mend))
    if policy.earliest_time > policy.effective_time:
        mend = "set it to a time not after effective_time"
        violations.append(Violation("earliest_time", "EARLIEST_TIME_WRONG", mend))
    return violations


def check_succession(prev: Policy | None, next_policy: Policy) -> list[Violation]:
    """Checks that a policy is sound and follows the newest one.

    Args:
        prev: the newest policy; None for the first.
        next_policy: the policy to be published.

    Returns:
        What is wrong, field by field; empty where it may be published.
    """
    violations = [*check_policy(next_policy), *check_order(prev, next_policy)]
    if prev is None:
        if next_policy.agreement.version != 1:
            violations.append(Violation("agreement.version", "VERSION_OUT_OF_ORDER", "the first version is 1"))
        return violations
    step = next_policy.agreement.version - prev.agreement.version
    if step not in (0, 1):
        mend = "keep the version, or count it up by one for a new text"
        violations.append(Violation("agreement.version", "VERSION_OUT_OF_ORDER", mend))
    elif step == 0 and next_policy.agreement.baselines != prev.agreement.baselines:
        mend = "a changed text is a new version: count it up by one"
        violations.append(Violation("agreement.baselines", "AGREEMENT_CHANGED", mend))
    return violations


def check_order(prev: Policy | None, next_policy: Policy) -> list[Violation]:
    """Checks that a policy leaves no gap after the one before it and does not clash with it: by number and by time.

    Whoever follows the nation's policies checks this as well, before it judges by one.

    Args:
        prev: the newest policy; None for the first.
        next_policy: the policy that comes after it.

    Returns:
        VERSION_OUT_OF_ORDER, EFFECTIVE_TIME_WRONG; empty where neither is so.
    """
    violations = []
    version = 1 if prev is None else prev.version + 1
    if next_policy.version != version:
        violations.append(Violation("version", "VERSION_OUT_OF_ORDER", f"the next version is {version}"))
    if prev is not None and next_policy.effective_time < prev.effective_time:
        mend = "set it to a time not before that of the policy it follows"
        violations.append(Violation("effective_time", "EFFECTIVE_TIME_WRONG", mend))
    return violations


def check_publication(
    prev: Policy, next_policy: Policy, now: datetime, categories_in_use: Collection[str]
) -> list[Violation]:
    """Checks that a policy may be published now.

    Args:
        prev: the newest policy.
        next_policy: the policy to be published.
        now: the time, aware.
        categories_in_use: the codes of the categories that filings which stand name.

    Returns:
        What is wrong, field by field, what `check_succession` finds first; empty where it may be published.
    """
    violations = check_succession(prev, next_policy)
    if next_policy.effective_time < now and next_policy.effective_time >= prev.effective_time:
        mend = "set it to a time that is still to come: entries are judged by the policy of their own date"
        violations.append(Violation("effective_time", "EFFECTIVE_TIME_PASSED", mend))
    for code in removed_categories(prev, next_policy):
        if code in categories_in_use and code not in next_policy.successors:
            mend = f"filings name {code}: keep it, or say by category_successors what takes its place"
            violations.append(Violation("categories", "CATEGORY_IN_USE", mend))
    return violations


def removed_categories(prev: Policy, next_policy: Policy) -> tuple[str, ...]:
    """Returns the codes of the categories that a policy no longer has, in the order of the one it follows."""
    return tuple(term.code for term in prev.categories if term.code not in next_policy.category_codes)


def _check_successors(policy: Policy) -> Iterator[Violation]:
    yield from _repeated("category_successors", (each.code for each in policy.category_successors))
    for index, each in enumerate(policy.category_successors):
        field = f"category_successors[{index}]"
        if each.code in policy.category_codes:
            mend = "the policy has this category: nothing takes its place"
            yield Violation(f"{field}.code", "SUCCESSOR_WRONG", mend)
        if each.successor not in policy.category_codes:
            yield Violation(f"{field}.successor", "SUCCESSOR_WRONG", "name a category of the policy")


def _repeated(field: str, keys: Iterable[str]) -> list[Violation]:
    seen: set[str] = set()
    violations = []
    for index, key in enumerate(keys):
        if key in seen:
            violations.append(Violation(f"{field}[{index}]", "REPEATED", "name each once"))
        seen.add(key)
    return violations


def _check_terms(policy: Policy) -> list[Violation]:
    violations = []
    for name in TERM_LISTS:
        terms: tuple[Term, ...] = getattr(policy, name)
        if not terms:
            violations.append(Violation(name, "TERMS_MISSING", "name at least one"))
        violations.extend(_repeated(name, (term.code for term in terms)))
    return violations


def _check_ladder(policy: Policy) -> list[Violation]:
    if tuple(step.kind for step in policy.ladder) != LADDER:
        mend = "name warning, restriction, suspension and closing, each once, in the order of Art. 8(1)"
        return [Violation("ladder", "LADDER_WRONG", mend)]
    mend = "give every measure but closing the most days it may last"
    return [
        Violation(f"ladder[{index}].longest_days", "LADDER_WRONG", mend)
        for index, step in enumerate(policy.ladder)
        if (step.kind is MeasureKind.CLOSE) != (step.longest_days == 0) or step.longest_days < 0
    ]


def _check_reminders(named: Mapping[str, Period]) -> list[Violation]:
    first, second = (named[name].fixed_length if name in named else None for name in _REMINDERS)
    if first is None or second is None or second <= first:
        return []
    mend = f"give {LABEL_SECOND_REMINDER} no more time before the end than {LABEL_FIRST_REMINDER}"
    return [Violation("periods", "REMINDERS_OUT_OF_ORDER", mend)]


def _check_periods(policy: Policy) -> list[Violation]:
    named = {period.name: period for period in policy.periods}
    violations = _check_reminders(named)
    for index, period in enumerate(policy.periods):
        field = f"periods[{index}]"
        if period.amount < 1:
            violations.append(Violation(f"{field}.amount", "AMOUNT_WRONG", "give a whole number of at least 1"))
        if period.unit is PeriodUnit.UNSPECIFIED:
            violations.append(Violation(f"{field}.unit", "PERIOD_UNIT_WRONG", "say in what it is counted"))
        if period.provenance is Provenance.UNSPECIFIED:
            mend = "say whether it is statutory or administrative"
            violations.append(Violation(f"{field}.provenance", "PROVENANCE_WRONG", mend))
        if (period.provenance is Provenance.STATUTORY) != bool(period.article):
            mend = "name the article of a statutory period, and none of an administrative one"
            violations.append(Violation(f"{field}.article", "PROVENANCE_WRONG", mend))
        if period.name in _FIXED_LENGTH and period.fixed_length is None:
            violations.append(Violation(f"{field}.unit", "PERIOD_UNIT_WRONG", "give it in minutes, hours or days"))
    missing = [period.name for period in initial_policy().periods if period.name not in named]
    violations.extend(Violation("periods", "PERIOD_MISSING", f"add the period {name}") for name in missing)
    return violations
