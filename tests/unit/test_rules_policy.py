"""The taxonomies, the ladder and the reminders of a policy: whole where it is published, empty only in old ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import FailedPrecondition
from shared.mapping.policy import policy_from_wire, policy_to_wire
from shared.provisions.measures import LADDER, MeasureKind
from shared.provisions.policy import (
    LABEL_FIRST_REMINDER,
    LABEL_SECOND_REMINDER,
    TERM_LISTS,
    LadderStep,
    Period,
    PeriodUnit,
    Policy,
    period_before,
    period_end,
    period_end_micros,
)
from shared.provisions.policy_succession import check_policy, check_succession
from tests.unit.provision_samples import LICENCE, NOW
from tests.unit.rule_samples import AT, DAY, HOUR, POLICY


def periods(name: str, **changes: Any) -> tuple[Period, ...]:
    """The periods with one of them changed."""
    return tuple(replace(each, **changes) if each.name == name else each for each in POLICY.periods)


OLD: Policy = replace(POLICY, ladder=(), **dict.fromkeys(TERM_LISTS, ()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"duties": ()}, [("duties", "TERMS_MISSING")]),
        (
            {"measure_reasons": (*POLICY.measure_reasons, POLICY.measure_reasons[0])},
            [("measure_reasons[9]", "REPEATED")],
        ),
        ({"ladder": ()}, [("ladder", "LADDER_WRONG")]),
        ({"ladder": POLICY.ladder[::-1]}, [("ladder", "LADDER_WRONG")]),
        ({"ladder": POLICY.ladder[:3]}, [("ladder", "LADDER_WRONG")]),
        (
            {"ladder": (*POLICY.ladder[:3], LadderStep(MeasureKind.CLOSE, 1))},
            [("ladder[3].longest_days", "LADDER_WRONG")],
        ),
        (
            {"ladder": (LadderStep(MeasureKind.WARN, 0), *POLICY.ladder[1:])},
            [("ladder[0].longest_days", "LADDER_WRONG")],
        ),
        ({"periods": periods(LABEL_SECOND_REMINDER, amount=61)}, [("periods", "REMINDERS_OUT_OF_ORDER")]),
        (
            {"periods": periods(LABEL_FIRST_REMINDER, unit=PeriodUnit.MONTHS)},
            [("periods[15].unit", "PERIOD_UNIT_WRONG")],
        ),
    ],
)
def test_unfit_taxonomy_is_refused_where_it_is_made(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """A policy without a list, with a term twice or a broken ladder would stop every node; it is not published."""
    assert expected == [(each.field, each.rule) for each in check_policy(replace(POLICY, **changes))]


@pytest.mark.parametrize("name", TERM_LISTS)
def test_every_list_is_asked_for(name: str) -> None:
    """No list of a policy may be left out, and each has its codes at hand for the rules."""
    assert [(name, "TERMS_MISSING")] == [
        (each.field, each.rule)
        for each in check_policy(replace(POLICY, **{name: ()}))  # type: ignore[arg-type]
    ]
    stem = {"duties": "duty"}.get(name, name.removesuffix("s"))
    assert {term.code for term in getattr(POLICY, name)} == getattr(POLICY, f"{stem}_codes")


def test_policy_from_before_the_lists_is_still_read() -> None:
    """A policy that was published before the lists were added crosses the wire, and may be followed by one with them."""
    assert OLD == policy_from_wire(policy_to_wire(OLD))
    assert [] == check_succession(OLD, replace(POLICY, version=2))
    assert (frozenset(), {}) == (OLD.measure_reason_codes, OLD.longest_days)


def test_art_8_1_ladder_names_the_four_measures_of_the_article() -> None:
    """Art. 8(1): warning, restriction, suspension, closing, in this order; only their longest times are policy."""
    assert LADDER == tuple(step.kind for step in POLICY.ladder)
    assert [True, True, True, False] == [step.longest_days > 0 for step in POLICY.ladder]


def test_periods_in_microseconds_are_those_of_the_calendar() -> None:
    """The rules' whole microseconds and the calendar's times end a period at the same moment."""
    assert AT + 24 * HOUR == period_end_micros(POLICY, "report_first_answer", AT)
    end = period_end(POLICY, "special_approval_longest", NOW)
    assert (end.timestamp() * 1_000_000) == period_end_micros(POLICY, "special_approval_longest", AT)
    assert 60 * DAY == (LICENCE.end_time - period_before(POLICY, LABEL_FIRST_REMINDER, LICENCE.end_time)).days * DAY


def test_reminder_without_a_length_is_named() -> None:
    """A period before an end is told by its length; one in months has none and says so."""
    with pytest.raises(FailedPrecondition) as raised:
        period_before(POLICY, "record_retention", NOW)
    assert "PERIOD_UNIT_WRONG" == raised.value.reason
