"""Retention of records and what may be disposed of when (Art. 8(2)), by the dated policy and the holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import from_micros, micros
from shared.provisions.account_history import Appeal
from shared.provisions.measures import MeasureAction, MeasureKind
from shared.provisions.policy import (
    Period,
    PeriodUnit,
    Policy,
    Provenance,
    initial_policy,
    period_end_micros,
)
from shared.provisions.retention import (
    RECORD_RETENTION,
    Hold,
    HoldScope,
    RecordClass,
    RetainedRecord,
    entries_ceased,
    judge_disposal,
    latest_ceased,
    measure_ceased,
    retention_of,
)
from shared.provisions.spans import FOREVER
from tests.unit.provision_samples import NOW
from tests.unit.rule_samples import ACCOUNT, APPEAL, AT, DAY, MEASURE, OTHER_ACCOUNT, POLICIES, REPORT, measure

CASE = "8b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
HOLD = "9b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
CLASSES = [each for each in RecordClass if each]
BESIDE_LOGS = [each for each in CLASSES if not each.of_log]
UNITS = [PeriodUnit.DAYS, PeriodUnit.MONTHS, PeriodUnit.WORKING_DAYS, PeriodUnit.HOURS]
YEAR = 365 * DAY

classes = st.sampled_from(CLASSES)
moments = st.integers(AT - 3 * YEAR, AT + 3 * YEAR)


def kept_for(amount: int, unit: PeriodUnit, version: int = 1, effective: int = 0) -> Policy:
    """A policy by which every class is kept for the same period."""
    others = tuple(period for period in initial_policy().periods if not period.name.startswith("retention_"))
    kept = tuple(Period(each.period_name, amount, unit, Provenance.ADMINISTRATIVE) for each in CLASSES)
    start = from_micros(effective) if effective else initial_policy().effective_time
    return replace(initial_policy(), version=version, effective_time=start, periods=(*others, *kept))


def silent(version: int = 1) -> Policy:
    """A policy from before periods of retention were added."""
    names = {RECORD_RETENTION, *(each.period_name for each in CLASSES)}
    others = tuple(period for period in initial_policy().periods if period.name not in names)
    return replace(initial_policy(), version=version, periods=others)


def record(record_class: RecordClass = RecordClass.REPORT, ceased: int = AT) -> RetainedRecord:
    """A record about an account, of a report and of a case."""
    return RetainedRecord(record_class, REPORT, ceased, ACCOUNT, frozenset({REPORT}), frozenset({CASE}))


@st.composite
def dated_policies(draw: st.DrawFn) -> tuple[Policy, ...]:
    """One to three policies that follow one another, the first from 2014 on."""
    terms = st.tuples(st.integers(1, 40), st.sampled_from(UNITS))
    starts = sorted(draw(st.lists(moments, max_size=2, unique=True)))
    return tuple(
        kept_for(*draw(terms), version=number, effective=start) for number, start in enumerate([0, *starts], start=1)
    )


def test_art_8_2_kept_six_months_after_it_ceased_to_matter() -> None:
    """Art. 8(2): by the first policy, to the end of the day six months later, China Standard Time; entries for three years."""
    for each in CLASSES:
        until = datetime(2029 if each.of_log else 2026, 3 if each.of_log else 9, 2, 16, tzinfo=UTC)
        retention = retention_of(each, micros(NOW), POLICIES)
        assert retention is not None
        assert (micros(until), 1, Provenance.ADMINISTRATIVE) == (
            retention.until,
            retention.policy_version,
            retention.period.provenance,
        )
        assert not judge_disposal(record(each), POLICIES, [], micros(until) - 1).disposable
        assert judge_disposal(record(each), POLICIES, [], micros(until)).disposable


@given(dated_policies(), classes, moments, st.integers(0, 6 * YEAR))
def test_art_8_2_never_before_the_period_is_over(
    policies: tuple[Policy, ...], record_class: RecordClass, ceased: int, later: int
) -> None:
    """Art. 8(2): what may go has been kept for the whole period of the policy in force when it ceased to matter."""
    verdict = judge_disposal(record(record_class, ceased), policies, [], ceased + later)
    in_force = [policy for policy in policies if policy.effective_micros <= ceased][-1]
    end = period_end_micros(in_force, record_class.period_name, ceased)
    assert verdict.disposable == (end <= ceased + later)
    assert verdict.retention is not None
    assert in_force.version == verdict.retention.policy_version


@given(classes, moments, st.integers(1, 40), st.integers(0, 40), st.sampled_from(UNITS), moments)
def test_art_8_2_a_longer_period_brings_no_disposal_nearer(
    record_class: RecordClass, ceased: int, amount: int, more: int, unit: PeriodUnit, at: int
) -> None:
    """Art. 8(2): monotone in the policy: what may go by a longer period may go by a shorter one."""
    longer = judge_disposal(record(record_class, ceased), (kept_for(amount + more, unit),), [], at)
    shorter = judge_disposal(record(record_class, ceased), (kept_for(amount, unit),), [], at)
    assert shorter.disposable or not longer.disposable


@given(dated_policies(), classes, moments, st.integers(1, 6 * YEAR))
def test_art_8_2_no_later_policy_changes_what_was_promised(
    policies: tuple[Policy, ...], record_class: RecordClass, ceased: int, later: int
) -> None:
    """Art. 8(2): a policy that takes effect after a record ceased to matter neither shortens nor prolongs its time."""
    known = [policy for policy in policies if policy.effective_micros <= ceased]
    assert retention_of(record_class, ceased, known) == retention_of(record_class, ceased, policies)
    assert later > 0


@given(
    dated_policies(),
    classes,
    moments,
    st.sampled_from([HoldScope.CLASS, HoldScope.ACCOUNT, HoldScope.ESCALATION, HoldScope.CASE]),
    moments,
    st.integers(0, 3 * YEAR),
    moments,
)
def test_art_8_2_never_under_a_hold(
    policies: tuple[Policy, ...],
    record_class: RecordClass,
    ceased: int,
    scope: HoldScope,
    placed: int,
    lasts: int,
    at: int,
) -> None:
    """Art. 8(2): while a hold that covers it is in force nothing may go; before and after it is as if there were none."""
    targets = {HoldScope.ACCOUNT: ACCOUNT, HoldScope.ESCALATION: REPORT, HoldScope.CASE: CASE}
    named = record_class if scope is HoldScope.CLASS else RecordClass.UNSPECIFIED
    hold = Hold(HOLD, scope, named, targets.get(scope, ""), placed, placed + lasts)
    kept = record(record_class, ceased)
    verdict, free = judge_disposal(kept, policies, [hold], at), judge_disposal(kept, policies, [], at)
    if placed <= at < placed + lasts:
        assert (False, (hold,)) == (verdict.disposable, verdict.held_by)
    else:
        assert verdict == free
    assert free.due == verdict.due


@given(dated_policies(), classes, moments, moments)
def test_art_8_2_one_answer_wherever_it_is_asked(
    policies: tuple[Policy, ...], record_class: RecordClass, ceased: int, at: int
) -> None:
    """Art. 8(2): provider and regulator come to one answer: by the same facts, whatever the order of the holds."""
    holds = [
        Hold(HOLD, HoldScope.ACCOUNT, target=ACCOUNT, placed_time=AT),
        Hold(CASE, HoldScope.ACCOUNT, target=OTHER_ACCOUNT),
        Hold(MEASURE, HoldScope.CASE, target=CASE, lifted_time=AT),
    ]
    here = judge_disposal(record(record_class, ceased), policies, holds, at)
    there = judge_disposal(record(record_class, ceased), list(policies), holds[::-1], at)
    assert (here.due, here.disposable, here.retention) == (there.due, there.disposable, there.retention)


@given(dated_policies(), classes, moments, moments)
def test_art_8_2_the_search_leaves_nothing_out(
    policies: tuple[Policy, ...], record_class: RecordClass, ceased: int, at: int
) -> None:
    """Art. 8(2): the bound by which tables are searched leaves out no record that is due."""
    if judge_disposal(record(record_class, ceased), policies, [], at).due:
        assert ceased <= latest_ceased(record_class, policies, at)


@pytest.mark.parametrize(
    ("hold", "covers"),
    [
        (Hold(HOLD, HoldScope.CLASS, RecordClass.REPORT), True),
        (Hold(HOLD, HoldScope.CLASS, RecordClass.APPEAL), False),
        (Hold(HOLD, HoldScope.ACCOUNT, target=ACCOUNT), True),
        (Hold(HOLD, HoldScope.ACCOUNT, target=OTHER_ACCOUNT), False),
        (Hold(HOLD, HoldScope.ESCALATION, target=REPORT), True),
        (Hold(HOLD, HoldScope.ESCALATION, target=ACCOUNT), False),
        (Hold(HOLD, HoldScope.CASE, target=CASE), True),
        (Hold(HOLD, HoldScope.CASE, target=REPORT), False),
    ],
)
def test_art_8_2_a_hold_keeps_what_it_names(hold: Hold, covers: bool) -> None:
    """Art. 8(2): a class, an account, an escalation or a case; and nothing that belongs to none is caught by an empty name."""
    assert covers == hold.covers(record())
    bare = RetainedRecord(RecordClass.QUERY_AUDIT, REPORT, AT)
    assert not Hold(HOLD, HoldScope.ACCOUNT).covers(bare)
    assert not Hold(HOLD, HoldScope.CASE).covers(bare)


def test_art_8_2_what_matters_is_kept() -> None:
    """Art. 8(2): what has not ceased to matter is never due, however long ago it began."""
    assert retention_of(RecordClass.REPORT, FOREVER, POLICIES) is None
    assert not judge_disposal(record(ceased=FOREVER), POLICIES, [], FOREVER - 1).disposable


def test_art_8_2_without_a_period_nothing_goes() -> None:
    """Art. 8(2): a policy from before periods of retention lets nothing go; the first that names one counts from itself."""
    assert retention_of(RecordClass.REPORT, AT, (silent(),)) is None
    assert latest_ceased(RecordClass.REPORT, (silent(),), AT + YEAR) == -1
    later = kept_for(10, PeriodUnit.DAYS, version=2, effective=AT + 100 * DAY)
    retention = retention_of(RecordClass.REPORT, AT, (silent(), later))
    assert retention is not None
    assert (period_end_micros(later, "retention_report", AT + 100 * DAY), 2) == (
        retention.until,
        retention.policy_version,
    )


@pytest.mark.parametrize("record_class", BESIDE_LOGS)
def test_art_8_2_a_class_without_a_period_of_its_own_is_kept_for_the_general_one(record_class: RecordClass) -> None:
    """Art. 8(2): policies name a period for each class, or one for all that have none."""
    general = Period(RECORD_RETENTION, 30, PeriodUnit.DAYS, Provenance.ADMINISTRATIVE)
    policy = replace(silent(), periods=(*silent().periods, general))
    retention = retention_of(record_class, AT, (policy,))
    assert (period_end_micros(policy, RECORD_RETENTION, AT), general) == (
        (retention.until, retention.period) if retention else None
    )
    assert latest_ceased(record_class, (policy,), AT) > 0


@given(st.sampled_from([each for each in CLASSES if each.of_log]), moments, st.integers(0, 100 * YEAR))
def test_art_8_2_entries_without_a_period_of_their_own_are_kept_for_ever(
    record_class: RecordClass, ceased: int, later: int
) -> None:
    """Art. 8(2): the general period does not reach the log, whatever policies come and however much later."""
    general = Period(RECORD_RETENTION, 1, PeriodUnit.DAYS, Provenance.ADMINISTRATIVE)
    policies = tuple(replace(silent(number), periods=(*silent().periods, general)) for number in (1, 2))
    assert retention_of(record_class, ceased, policies) is None
    assert latest_ceased(record_class, policies, ceased + later) == -1
    assert not judge_disposal(record(record_class, ceased), policies, [], ceased + later).due


@given(moments | st.just(FOREVER), st.lists(moments, max_size=5), st.lists(moments | st.just(FOREVER), max_size=5))
def test_art_8_2_entries_cease_to_matter_with_the_last_of_all(
    withdrawn: int, filed_times: list[int], ends: list[int]
) -> None:
    """Art. 8(2): never while the account is on file or anything is not over, never before any of it, in whatever order."""
    ceased = entries_ceased(withdrawn, filed_times, ends)
    assert (ceased == FOREVER) == (FOREVER in (withdrawn, *ends))
    assert ceased in (withdrawn, *filed_times, *ends)
    assert all(ceased >= each for each in (withdrawn, *filed_times, *ends))
    assert ceased == entries_ceased(withdrawn, filed_times[::-1], ends[::-1])


@given(moments, st.integers(1, YEAR) | st.none(), st.integers(1, YEAR) | st.none(), st.integers(-YEAR, 3 * YEAR))
def test_art_8_2_a_hold_with_an_end_holds_from_its_start_to_the_first_of_its_ends(
    start: int, lasts: int | None, lifted_after: int | None, offset: int
) -> None:
    """Art. 8(2): a regulator's hold may end by itself; lifted before, it ends then."""
    end = FOREVER if lasts is None else start + lasts
    lifted = FOREVER if lifted_after is None else start + lifted_after
    hold = Hold(HOLD, HoldScope.CLASS, RecordClass.REPORT, "", start, lifted, end)
    assert hold.in_force(start + offset) == (0 <= offset and start + offset < end and start + offset < lifted)


def test_art_8_2_a_measure_ceases_to_matter_with_its_end_and_its_appeal_time() -> None:
    """Art. 8(2): a measure that ended, or was lifted, matters until nobody can appeal against it any more."""
    warned = measure(MeasureKind.WARN, start_time=AT, end_time=AT + 3 * DAY)
    appealable = period_end_micros(POLICIES[0], "appeal_after_measure", AT)
    assert appealable == measure_ceased(warned, None, POLICIES)
    long = replace(warned, end_time=AT + 90 * DAY)
    assert AT + 90 * DAY == measure_ceased(long, None, POLICIES)
    lifted = replace(long, stopped_time=AT + 40 * DAY, action=MeasureAction.LIFT)
    assert AT + 40 * DAY == measure_ceased(lifted, None, POLICIES)
    closed = measure(MeasureKind.CLOSE, start_time=AT, end_time=FOREVER)
    assert period_end_micros(POLICIES[0], "close_final_after", AT) == measure_ceased(closed, None, POLICIES)


def test_art_8_2_a_measure_matters_while_an_appeal_is_open() -> None:
    """Art. 8(2): undecided at the provider or at the regulator, it matters; once decided, until the owner can go no further."""
    warned = measure(MeasureKind.WARN, start_time=AT, end_time=AT + 3 * DAY)
    appeal = Appeal(APPEAL, MEASURE, 0, AT + DAY)
    assert FOREVER == measure_ceased(warned, appeal, POLICIES)
    upheld = replace(appeal, decided_time=AT + 30 * DAY)
    goes_on_until = period_end_micros(POLICIES[0], "appeal_after_measure", AT + 30 * DAY)
    assert goes_on_until == measure_ceased(warned, upheld, POLICIES)
    went_on = replace(upheld, regulator_appealed_time=AT + 31 * DAY)
    assert FOREVER == measure_ceased(warned, went_on, POLICIES)
    assert AT + 40 * DAY == measure_ceased(warned, replace(went_on, regulator_decided_time=AT + 40 * DAY), POLICIES)
    won = replace(appeal, decided_time=AT + 2 * DAY, overturned=True)
    undone = replace(warned, stopped_time=AT + 2 * DAY, action=MeasureAction.OVERTURN)
    assert AT + 2 * DAY == measure_ceased(undone, won, POLICIES)


def test_art_8_2_every_class_has_a_period_in_the_first_policy() -> None:
    """Art. 8(2): none is forgotten, and each is administrative: the 2014 text names no period."""
    periods = {period.name: period for period in initial_policy().periods}
    assert {Provenance.ADMINISTRATIVE} == {periods[each.period_name].provenance for each in CLASSES}
    assert timedelta(0) < NOW - initial_policy().effective_time
