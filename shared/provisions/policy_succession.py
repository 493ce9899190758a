"""Whether a policy may be published: sound in itself, and a fit successor of the one in force.

A policy that lacks a period would stop the rules that ask for it on every node at once, so it is refused where it is
made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    violations = check_policy(next_policy)
    version = 1 if prev is None else prev.version + 1
    if next_policy.version != version:
        violations.append(Violation("version", "VERSION_OUT_OF_ORDER", f"the next version is {version}"))
    if prev is None:
        if next_policy.agreement.version != 1:
            violations.append(Violation("agreement.version", "VERSION_OUT_OF_ORDER", "the first version is 1"))
        return violations
    if next_policy.effective_time < prev.effective_time:
        mend = "set it to a time not before that of the policy it follows"
        violations.append(Violation("effective_time", "EFFECTIVE_TIME_WRONG", mend))
    step = next_policy.agreement.version - prev.agreement.version
    if step not in (0, 1):
        mend = "keep the version, or count it up by one for a new text"
        violations.append(Violation("agreement.version", "VERSION_OUT_OF_ORDER", mend))
    elif step == 0 and next_policy.agreement.baselines != prev.agreement.baselines:
        mend = "a changed text is a new version: count it up by one"
        violations.append(Violation("agreement.baselines", "AGREEMENT_CHANGED", mend))
    return violations


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
        if (period.provenance is Provenance.STATUTORY) != bool(period.article):
            mend = "name the article of a statutory period, and none of an administrative one"
            violations.append(Violation(f"{field}.article", "PROVENANCE_WRONG", mend))
        if period.name in _FIXED_LENGTH and period.fixed_length is None:
            violations.append(Violation(f"{field}.unit", "PERIOD_UNIT_WRONG", "give it in minutes, hours or days"))
    missing = [period.name for period in initial_policy().periods if period.name not in named]
    violations.extend(Violation("periods", "PERIOD_MISSING", f"add the period {name}") for name in missing)
    return violations
