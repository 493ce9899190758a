"""What a policy would change: every rule by its name, and for what a register holds exactly what does not stay as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import micros
from shared.provisions.agreements import BASELINES
from shared.provisions.duties import Duty, DutyProfileRecord
from shared.provisions.escalations import CaseKind
from shared.provisions.filings import FilingContext, ProviderState, judge_filing
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.policy import (
    TERM_LISTS,
    Agreement,
    CalendarOverride,
    CategorySuccessor,
    LadderStep,
    Period,
    PeriodUnit,
    Policy,
    Provenance,
    Term,
    period_end_micros,
    policy_at_micros,
)
from shared.provisions.policy_preview import (
    ChangeKind,
    EffectKind,
    Holdings,
    PolicyChange,
    PolicyEffect,
    RisingCases,
    policy_changes,
    policy_effects,
)
from shared.provisions.policy_succession import check_order, check_publication
from tests.unit.provision_samples import LICENCE, NOW, record
from tests.unit.rule_samples import AT, DAY, HOUR, POLICY

BEGINS = NOW + timedelta(days=10)
EFFECTIVE = micros(BEGINS)


def following(**changes: Any) -> Policy:
    """The next policy, from ten days on, with changes."""
    return replace(POLICY, **{"version": 2, "effective_time": BEGINS, **changes})


def without(name: str, code: str) -> tuple[Term, ...]:
    """A list without one of its terms."""
    return tuple(term for term in getattr(POLICY, name) if term.code != code)


def period(name: str, **changes: Any) -> tuple[Period, ...]:
    """The periods with one of them changed."""
    return tuple(replace(each, **changes) if each.name == name else each for each in POLICY.periods)


def told(changes: list[PolicyChange]) -> list[tuple[str, str, str, str]]:
    """Where what changes from what to what."""
    return [(each.field, each.kind.name, each.before, each.after) for each in changes]


def effects(after: Policy, **held: Any) -> list[tuple[str, str, int]]:
    """What a policy would do to what a register holds."""
    return [(each.kind.name, each.field, each.count) for each in policy_effects(POLICY, after, Holdings(**held))]


def test_policy_that_changes_nothing_shows_nothing() -> None:
    """A new version and a new time alone are no change, and touch nothing."""
    assert ([], []) == (policy_changes(POLICY, following()), policy_effects(POLICY, following(), Holdings()))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"categories": (*POLICY.categories, Term("weather", "气象", "Weather"))},
            ("categories.weather", "ADDED", "", "气象 (Weather)"),
        ),
        (
            {"categories": without("categories", "sports")},
            ("categories.sports", "REMOVED", "体育 (Sports)", ""),
        ),
        (
            {"duties": (replace(POLICY.duties[0], title_en="Identity"), *POLICY.duties[1:])},
            (
                "duties.identity_verification",
                "CHANGED",
                "真实身份信息认证 (Verification of real identity)",
                "真实身份信息认证 (Identity)",
            ),
        ),
        (
            {"ladder": (LadderStep(MeasureKind.WARN, 20), *POLICY.ladder[1:])},
            ("ladder.warn", "CHANGED", "at most 30 days", "at most 20 days"),
        ),
        (
            {"calendar_overrides": (CalendarOverride(date(2031, 1, 1), working=True),)},
            ("calendar_overrides.2031-01-01", "ADDED", "", "working day"),
        ),
        ({"provider_licence_classes": frozenset({1, 3})}, ("provider_licence_classes.1", "ADDED", "", "taken")),
        ({"agreement": Agreement(2, BASELINES)}, ("agreement.version", "CHANGED", "1", "2")),
        (
            {"category_successors": (CategorySuccessor("gone", "other"),)},
            ("category_successors.gone", "ADDED", "", "other"),
        ),
        (
            {"earliest_time": NOW},
            ("earliest_time", "CHANGED", POLICY.earliest_time.isoformat(), NOW.isoformat()),
        ),
        (
            {"periods": period("report_first_answer", amount=12)},
            ("periods.report_first_answer", "CHANGED", "24 hours, administrative", "12 hours, administrative"),
        ),
    ],
)
def test_each_rule_that_changes_is_named(changes: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    """Added, removed or changed, with what it said before and what it says then."""
    assert [expected] == told(policy_changes(POLICY, following(**changes)))


def test_change_says_whether_it_is_statutory() -> None:
    """A period names its provenance and article; the seven baselines are the article's words, a list is the nation's."""
    statutory = period("filing_after_review", provenance=Provenance.STATUTORY, article="Art. 7(1)")
    changed = following(periods=statutory, agreement=Agreement(2, BASELINES[::-1]), duties=POLICY.duties[1:])
    assert [
        ("duties.identity_verification", Provenance.ADMINISTRATIVE, ""),
        ("periods.filing_after_review", Provenance.STATUTORY, "Art. 7(1)"),
        ("agreement.version", Provenance.ADMINISTRATIVE, ""),
        ("agreement.baselines", Provenance.STATUTORY, "Art. 6(2)"),
    ] == [(each.field, each.provenance, each.article) for each in policy_changes(POLICY, changed)]


def test_change_of_a_period_says_when_one_ends() -> None:
    """Of a period that begins with the policy: when it would end as things are, and when it ends then."""
    (change,) = policy_changes(POLICY, following(periods=period("report_first_answer", amount=12)))
    assert (EFFECTIVE + 24 * HOUR, EFFECTIVE + 12 * HOUR) == (change.before_end, change.after_end)


def test_override_of_the_calendar_moves_the_ends_of_periods() -> None:
    """A day that becomes one of rest moves what counts working days, although no period was touched."""
    moved = policy_changes(
        POLICY, following(calendar_overrides=(CalendarOverride((BEGINS + timedelta(days=1)).date(), working=False),))
    )
    named = {each.field for each in moved}
    assert "periods.report_settlement" in named
    assert "periods.report_first_answer" not in named
    assert all(each.before_end < each.after_end for each in moved if each.field.startswith("periods."))


def profile(*codes: str) -> DutyProfileRecord:
    """A duty profile that names duties."""
    return DutyProfileRecord(1, tuple(Duty(code, AT) for code in codes), 10, 1000, AT, AT)


RISE = EFFECTIVE + 5 * DAY
SHORTER = following(periods=period("escalation_decision", amount=3))


@pytest.mark.parametrize(
    ("after", "held", "expected"),
    [
        (
            following(categories=without("categories", "sports")),
            {"filings": {"sports": 3, "other": 9}},
            [("CATEGORY_IN_USE", "categories.sports", 3)],
        ),
        (
            following(measure_reasons=without("measure_reasons", "impersonation")),
            {"terms": {("measure_reasons", "impersonation"): 2}},
            [("TERM_IN_USE", "measure_reasons.impersonation", 2)],
        ),
        (
            following(duties=(*POLICY.duties, Term("minors", "未成年人保护", "Protection of minors"))),
            {"profiles": [profile("minors"), profile("account_review")]},
            [("DUTY_MISSING", "duties.minors", 1)],
        ),
        (
            following(provider_licence_classes=frozenset({1})),
            {"licence_classes": {"provider/wave": 3, "provider/b": 1}, "labels": {"provider/wave": 7, "provider/b": 5}},
            [
                ("PROVIDER_LICENCE_UNFIT", "provider_licence_classes.3", 1),
                ("LABEL_NOT_RENEWABLE", "provider_licence_classes.3", 7),
            ],
        ),
        (
            following(periods=period("label_first_reminder", amount=90)),
            {"label_ends": [(EFFECTIVE + 59 * DAY, 1), (EFFECTIVE + 61 * DAY, 2), (EFFECTIVE + 200 * DAY, 4)]},
            [("LABEL_REMINDER_MOVES", "periods.label_first_reminder", 6)],
        ),
        (
            following(periods=period("special_approval_longest", amount=6)),
            {"approvals": [(AT, AT + 300 * DAY), (AT, AT + 30 * DAY), (AT, AT + 900 * DAY)]},
            [("APPROVAL_TOO_LONG", "periods.special_approval_longest", 1)],
        ),
        (
            SHORTER,
            {
                "open_cases": 10,
                "rising": [
                    RisingCases(CaseKind.REPORT, RISE, 2),
                    RisingCases(CaseKind.APPEAL, RISE, 4),
                    RisingCases(CaseKind.REPORT, EFFECTIVE - 1, 1),
                ],
            },
            [("CASE_KEEPS_TIME", "cases", 8), ("CASE_TIME_MOVES", "cases.report", 2)],
        ),
        (
            following(ladder=(LadderStep(MeasureKind.WARN, 10), *POLICY.ladder[1:])),
            {"measures": [(1, 10 * DAY, 8), (1, 10 * DAY + 1, 2), (2, 90 * DAY, 4)]},
            [("MEASURE_BEYOND_LADDER", "ladder.warn", 2)],
        ),
    ],
)
def test_effects_on_what_the_register_holds(
    after: Policy, held: dict[str, Any], expected: list[tuple[str, str, int]]
) -> None:
    """What uses what is gone, what can no longer be done, what would be due when: counted, and nothing else."""
    assert expected == effects(after, **held)


def test_moved_case_says_from_when_to_when() -> None:
    """A case that rises under the new policy is due at the nation by it."""
    held = Holdings(open_cases=2, rising=[RisingCases(CaseKind.REPORT, RISE, 2)])
    (moved,) = policy_effects(POLICY, SHORTER, held)
    ends = [period_end_micros(policy, "escalation_decision", RISE) for policy in (POLICY, SHORTER)]
    assert (EffectKind.CASE_TIME_MOVES, *ends) == (moved.kind, moved.before_due, moved.after_due)


def test_removed_category_says_what_takes_its_place() -> None:
    """The successor stands beside the count, and is told to whoever files with the category that is gone."""
    after = following(
        categories=without("categories", "sports"), category_successors=(CategorySuccessor("sports", "lifestyle"),)
    )
    effect = PolicyEffect(EffectKind.CATEGORY_IN_USE, "categories.sports", 3, "lifestyle")
    assert [effect] == policy_effects(POLICY, after, Holdings(filings={"sports": 3}))
    late = BEGINS + timedelta(hours=1)
    context = FilingContext(LICENCE, ProviderState.ACTIVE, "330000", "330000", (POLICY, after), late)
    refusal = judge_filing(record(category="sports", created_time=micros(late)), context)
    assert refusal is not None
    assert ("filing.category", "CATEGORY_UNKNOWN") == (refusal.violations[0].field, refusal.reason)
    assert "lifestyle" in refusal.violations[0].mend
    assert judge_filing(record(category="sports", created_time=EFFECTIVE - 1), context) is None


@pytest.mark.parametrize(
    ("changes", "in_use", "expected"),
    [
        ({}, ("sports",), []),
        ({"effective_time": NOW}, (), []),
        ({"effective_time": NOW - timedelta(microseconds=1)}, (), [("effective_time", "EFFECTIVE_TIME_PASSED")]),
        (
            {"effective_time": POLICY.effective_time - timedelta(days=1), "earliest_time": POLICY.earliest_time},
            (),
            [("effective_time", "EFFECTIVE_TIME_WRONG")],
        ),
        ({"version": 3}, (), [("version", "VERSION_OUT_OF_ORDER")]),
        ({"version": 1}, (), [("version", "VERSION_OUT_OF_ORDER")]),
        ({"categories": without("categories", "sports")}, ("sports",), [("categories", "CATEGORY_IN_USE")]),
        ({"categories": without("categories", "sports")}, ("education",), []),
        (
            {
                "categories": without("categories", "sports"),
                "category_successors": (CategorySuccessor("sports", "other"),),
            },
            ("sports",),
            [],
        ),
        (
            {"category_successors": (CategorySuccessor("sports", "nowhere"),)},
            (),
            [
                ("category_successors[0].code", "SUCCESSOR_WRONG"),
                ("category_successors[0].successor", "SUCCESSOR_WRONG"),
            ],
        ),
        (
            {"category_successors": (CategorySuccessor("gone", "other"),) * 2},
            (),
            [("category_successors[1]", "REPEATED")],
        ),
        ({"periods": period("appeal_decision", amount=0)}, (), [("periods[8].amount", "AMOUNT_WRONG")]),
        ({"periods": period("appeal_decision", amount=-1)}, (), [("periods[8].amount", "AMOUNT_WRONG")]),
        (
            {"periods": period("appeal_decision", unit=PeriodUnit.UNSPECIFIED)},
            (),
            [("periods[8].unit", "PERIOD_UNIT_WRONG")],
        ),
        (
            {"periods": period("appeal_decision", provenance=Provenance.STATUTORY)},
            (),
            [("periods[8].article", "PROVENANCE_WRONG")],
        ),
        (
            {"periods": period("appeal_decision", provenance=Provenance.UNSPECIFIED)},
            (),
            [("periods[8].provenance", "PROVENANCE_WRONG")],
        ),
        (
            {
                "calendar_overrides": (
                    CalendarOverride(date(2027, 1, 1), True),
                    CalendarOverride(date(2027, 1, 1), False),
                )
            },
            (),
            [("calendar_overrides[1]", "REPEATED")],
        ),
        ({"earliest_time": BEGINS + timedelta(days=1)}, (), [("earliest_time", "EARLIEST_TIME_WRONG")]),
    ],
)
def test_policy_with_a_gap_or_a_clash_is_not_published(
    changes: dict[str, Any], in_use: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    """Numbers, dates and days that leave a gap or clash, and what is in use and taken away: by field, rule and mend."""
    violations = check_publication(POLICY, following(**changes), NOW, in_use)
    assert expected == [(each.field, each.rule) for each in violations]
    assert all(each.mend for each in violations)


@given(
    days=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    at=st.integers(-5, 50),
    versions=st.permutations(range(2, 7)),
)
def test_policies_that_follow_one_another_leave_no_gap(days: list[int], at: int, versions: list[int]) -> None:
    """However policies are offered, those that are taken are numbered without a gap, and each moment has exactly one."""
    taken = [POLICY]
    for number, day in zip(versions, days, strict=False):
        offered = replace(POLICY, version=number, effective_time=NOW + timedelta(days=day))
        if not check_order(taken[-1], offered):
            taken.append(offered)
    assert list(range(1, len(taken) + 1)) == [each.version for each in taken]
    moment = AT + at * DAY
    holding = [each for each in taken if each.effective_micros <= moment]
    assert holding[-1] is policy_at_micros(taken, moment)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy that may follow the first, with terms, periods and steps changed at random."""
    amounts = {each.name: draw(st.integers(1, 60)) for each in POLICY.periods}
    lists = {
        name: tuple(term for term in getattr(POLICY, name) if draw(st.booleans())) or getattr(POLICY, name)[:1]
        for name in ("categories", "return_reasons", *TERM_LISTS)
    }
    ladder = tuple(
        replace(step, longest_days=draw(st.integers(1, 200))) if step.longest_days else step for step in POLICY.ladder
    )
    return following(
        periods=tuple(replace(each, amount=amounts[each.name]) for each in POLICY.periods), ladder=ladder, **lists
    )


@given(policies(), policies())
def test_changes_are_whole_and_turn_round(one: Policy, other: Policy) -> None:
    """Nothing is shown between a policy and itself; the other way round the same rules change, added for removed."""
    assert [] == policy_changes(one, one)
    turned = {ChangeKind.ADDED: ChangeKind.REMOVED, ChangeKind.REMOVED: ChangeKind.ADDED}
    there = {(each.field, each.kind, each.before, each.after) for each in policy_changes(one, other)}
    back = {
        (each.field, turned.get(each.kind, each.kind), each.after, each.before) for each in policy_changes(other, one)
    }
    assert there == back
    removed = {term.code for term in one.categories} - {term.code for term in other.categories}
    assert {f"categories.{code}" for code in removed} == {
        each[0] for each in there if each[0].startswith("categories.") and each[1] is ChangeKind.REMOVED
    }


@given(policies(), st.lists(st.tuples(st.sampled_from(CaseKind), st.integers(-20, 40), st.integers(1, 9)), max_size=8))
def test_no_case_is_lost_and_none_moves_that_rises_before(
    after: Policy, cases: list[tuple[CaseKind, int, int]]
) -> None:
    """Every open case keeps its time or is shown to move, once; what rises before the policy holds keeps it."""
    rising = [RisingCases(kind, EFFECTIVE + day * DAY, count) for kind, day, count in cases]
    total = sum(each.count for each in rising)
    found = policy_effects(POLICY, after, Holdings(open_cases=total, rising=rising))
    shown = [each for each in found if each.kind in (EffectKind.CASE_KEEPS_TIME, EffectKind.CASE_TIME_MOVES)]
    assert total == sum(each.count for each in shown)
    late = sum(each.count for each in rising if each.rise_time >= EFFECTIVE)
    assert late >= sum(each.count for each in shown if each.kind is EffectKind.CASE_TIME_MOVES)
    assert all(each.before_due != each.after_due for each in shown if each.kind is EffectKind.CASE_TIME_MOVES)
