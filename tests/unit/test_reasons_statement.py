"""The statement of reasons for owners (answer 1): complete for every measure, baseline, gravity and act of the policy."""

from __future__ import annotations

from itertools import product

import pytest

from provider_node.reasons_statement import GRAVITIES, KINDS, statement_of_reasons
from shared.provisions.agreements import BASELINES
from shared.provisions.measure_kinds import LADDER, Gravity, MeasureKind
from tests.unit.rule_samples import ORDER, POLICIES, POLICY, measure

LONGEST = 1000


@pytest.mark.parametrize("kind", LADDER)
def test_answer_1_statement_names_act_baseline_gravity_and_measure(kind: MeasureKind) -> None:
    """Answer 1: no statement lacks its act, its baseline, its gravity, its measure or the way to appeal."""
    gravities = [each for each in Gravity if each]
    for number, gravity, term in product(range(1, len(BASELINES) + 1), gravities, POLICY.measure_reasons):
        taken = measure(kind, baseline=number, gravity=gravity, reason=term.code, order_entry_id=ORDER)
        text = statement_of_reasons(taken, POLICIES)
        for part in ("第八条", term.title_zh, BASELINES[number - 1], GRAVITIES[gravity], KINDS[kind], ORDER, "申诉"):
            assert part in text
        assert len(text) <= LONGEST


def test_answer_1_closing_says_that_it_does_not_end() -> None:
    """Answer 1: every measure but closing names its end."""
    assert "止" not in statement_of_reasons(measure(MeasureKind.CLOSE), POLICIES)
    assert "止。" in statement_of_reasons(measure(MeasureKind.WARN), POLICIES)
