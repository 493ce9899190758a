"""Policy: periods by clock and by calendar, the policy of a date, and what may follow what."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from shared.errors import InvalidInput
from shared.mapping.policy import policy_from_wire, policy_to_wire
from shared.provisions.agreements import BASELINES, agreement_digest
from shared.provisions.policy import (
    CHINA_STANDARD_TIME,
    CalendarOverride,
    Period,
    PeriodUnit,
    Policy,
    Provenance,
    filing_due,
    initial_policy,
    licence_renewal_due,
    period_end,
    policy_at,
)
from shared.provisions.policy_succession import check_policy, check_succession
from shared.provisions.working_days import add_working_days, is_working_day
from shared.validation import field_violations
from tests.unit.provision_samples import LICENCE


def changed(**changes: Any) -> Policy:
    """The next policy after the first, with changes."""
    first = initial_policy()
    return dataclasses.replace(first, version=2, **changes)


def local(*parts: int) -> datetime.datetime:
    """A time in China Standard Time."""
    return datetime.datetime(*parts, tzinfo=CHINA_STANDARD_TIME)  # type: ignore[arg-type, misc]


def test_first_policy_is_sound_and_administrative() -> None:
    """The policy a network starts with passes its own checks and calls no period statutory: the text names none."""
    policy = initial_policy()
    assert [] == check_succession(None, policy)
    assert {Provenance.ADMINISTRATIVE} == {period.provenance for period in policy.periods}
    assert len(policy.categories) == 12


def test_policy_crosses_the_wire_unchanged() -> None:
    """Mapped to the contract and back a policy is the same, and the contract's rules pass it."""
    policy = changed(calendar_overrides=(CalendarOverride(datetime.date(2027, 1, 4), working=False),))
    assert [] == field_violations(policy_to_wire(policy))
    assert policy == policy_from_wire(policy_to_wire(policy))


def test_calendar_override_must_be_a_day() -> None:
    """An override of the 31st of February is refused by field."""
    wire = policy_to_wire(changed(calendar_overrides=(CalendarOverride(datetime.date(2027, 2, 1), working=True),)))
    wire.calendar_overrides[0].day = "2027-02-31"
    with pytest.raises(InvalidInput) as raised:
        policy_from_wire(wire)
    assert raised.value.violations[0].field == "calendar_overrides[0].day"


@pytest.mark.parametrize(
    ("day", "working"),
    [
        (datetime.date(2026, 3, 2), True),
        (datetime.date(2026, 3, 7), False),
        (datetime.date(2026, 10, 1), False),
        (datetime.date(2026, 2, 28), True),
    ],
)
def test_official_calendar(day: datetime.date, working: bool) -> None:
    """Weekends and holidays rest, and a Saturday that makes up for a holiday works."""
    assert working == is_working_day(day, {})


def test_override_comes_first() -> None:
    """An override decides against the calendar, in both directions."""
    day, holiday = datetime.date(2026, 3, 2), datetime.date(2026, 10, 1)
    assert [False, True] == [is_working_day(day, {day: False}), is_working_day(holiday, {holiday: True})]
    assert datetime.date(2026, 3, 4) == add_working_days(day, 1, {datetime.date(2026, 3, 3): False})


def test_art_7_1_filing_is_due_after_ten_working_days() -> None:
    """Art. 7(1): ten working days end at 24:00 of the tenth, the day of the review not counted."""
    assert local(2026, 3, 17) == filing_due(initial_policy(), local(2026, 3, 2, 9, 30))


def test_clock_periods_and_months() -> None:
    """Hours run by the clock; a month that lacks the day ends with its last day."""
    policy = initial_policy()
    assert local(2026, 3, 3, 9, 30) == period_end(policy, "report_first_answer", local(2026, 3, 2, 9, 30))
    assert local(2027, 3, 1) == period_end(policy, "record_retention", local(2026, 8, 31, 12))


def test_art_4_renewal_notice() -> None:
    """Art. 4: a provider is told 30 days before its licence lapses."""
    assert LICENCE.end_time - datetime.timedelta(days=30) == licence_renewal_due(initial_policy(), LICENCE)


def test_policy_of_a_date() -> None:
    """The last policy that began decides; before the first there is none."""
    first = initial_policy()
    second = changed(effective_time=first.effective_time + datetime.timedelta(days=1))
    assert [policy_at((first, second), each.effective_time) for each in (first, second)] == [first, second]
    with pytest.raises(InvalidInput):
        policy_at((first, second), first.effective_time - datetime.timedelta(microseconds=1))


def unlike(period: str, **changes: Any) -> tuple[Period, ...]:
    """The periods with one of them changed."""
    return tuple(
        dataclasses.replace(each, **changes) if each.name == period else each for each in initial_policy().periods
    )


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"version": 3}, "version", "VERSION_OUT_OF_ORDER"),
        ({"effective_time": datetime.datetime(2014, 1, 1, tzinfo=datetime.UTC)}, "earliest_time", ""),
        ({"categories": initial_policy().categories * 2}, "categories[12]", "REPEATED"),
        ({"categories": ()}, "categories", "CATEGORIES_MISSING"),
        ({"periods": initial_policy().periods[1:]}, "periods", "PERIOD_MISSING"),
        ({"periods": unlike("clock_skew", unit=PeriodUnit.MONTHS)}, "periods[11].unit", "PERIOD_UNIT_WRONG"),
        ({"periods": unlike("clock_skew", article="Art. 7(1)")}, "periods[11].article", "PROVENANCE_WRONG"),
        ({"provider_licence_classes": frozenset({4})}, "provider_licence_classes", "LICENCE_CLASSES_WRONG"),
        (
            {"agreement": dataclasses.replace(initial_policy().agreement, baselines=BASELINES[::-1])},
            "agreement.baselines",
            "AGREEMENT_CHANGED",
        ),
        (
            {"agreement": dataclasses.replace(initial_policy().agreement, baselines=BASELINES[:6])},
            "agreement.baselines",
            "BASELINES_WRONG",
        ),
        ({"agreement": dataclasses.replace(initial_policy().agreement, version=3)}, "agreement.version", ""),
    ],
)
def test_unfit_successor_is_refused(changes: dict[str, Any], field: str, rule: str) -> None:
    """A policy with a gap, a clash or a missing period is refused where it is made, by field."""
    if "effective_time" in changes:
        violations = check_succession(initial_policy(), changed(**changes))
        assert "EFFECTIVE_TIME_WRONG" in [violation.rule for violation in violations]
        return
    found = [
        (violation.field, violation.rule)
        for violation in check_succession(initial_policy(), dataclasses.replace(changed(), **changes))
    ]
    assert (field, rule or "VERSION_OUT_OF_ORDER") in found


def test_sound_successor_passes() -> None:
    """A policy that only moves a period on may be published."""
    assert [] == check_succession(initial_policy(), changed(periods=unlike("filing_after_review", amount=5)))
    assert [] == check_policy(initial_policy())


def test_art_6_2_digest_covers_version_and_order() -> None:
    """Art. 6(2): a signature covers the version and the seven baselines in their order."""
    digests = {
        agreement_digest(1, BASELINES),
        agreement_digest(2, BASELINES),
        agreement_digest(1, BASELINES[::-1]),
        agreement_digest(1, BASELINES[:6]),
    }
    assert len(digests) == 4
    assert len(agreement_digest(1, BASELINES)) == 32
