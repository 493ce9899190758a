"""A regulator's hold at a provider (Arts. 8(2), 9): what may be directed, and how it is acknowledged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import micros
from shared.mapping.record_hold import hold_directive_from_wire, hold_directive_to_wire
from shared.provisions.escalations import directive_times
from shared.provisions.policy import initial_policy
from shared.provisions.record_holds import (
    CLASSES_OF_PROVIDER,
    HeldDirective,
    HoldAction,
    HoldAnswerRecord,
    HoldDirective,
    judge_hold_answer,
    judge_hold_directive,
)
from shared.provisions.refusals import Refusal
from shared.provisions.retention import HoldScope, RecordClass
from shared.provisions.spans import FOREVER
from shared.validation import validate
from tests.unit.provision_samples import NOW
from tests.unit.rule_samples import ACCOUNT, DAY, REPORT

POLICY, AT, PROVIDER = initial_policy(), micros(NOW), "provider/wave"
HOLD, DIRECTIVE = "9b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00", "0199a1b2-0000-7000-8000-000000000001"
UNTIL = AT + 90 * DAY
PLACED = HoldDirective(
    PROVIDER,
    HOLD,
    HoldAction.PLACE,
    "court_order",
    AT,
    directive_times(POLICY, AT)[0],
    HoldScope.ACCOUNT,
    target=ACCOUNT,
    start_time=AT,
)
OF_CLASS = replace(PLACED, scope=HoldScope.CLASS, record_class=RecordClass.REPORT, target="", end_time=UNTIL)
LIFTED = HoldDirective(PROVIDER, HOLD, HoldAction.LIFT, "court_done", AT, PLACED.acknowledge_by)
ANSWER = HoldAnswerRecord(DIRECTIVE, HOLD, AT, AT)
HELD = HeldDirective(HOLD, PROVIDER, acknowledged=False)


def reason(refusal: Refusal | None) -> str:
    """The reason of a refusal; empty where nothing is refused."""
    return "" if refusal is None else refusal.reason


@pytest.mark.parametrize(
    "directive", [PLACED, OF_CLASS, LIFTED, replace(PLACED, scope=HoldScope.ESCALATION, target=REPORT)]
)
def test_art_8_2_a_hold_is_directed_and_lifted(directive: HoldDirective) -> None:
    """Art. 8(2): an account, a report, or a class with an end; the contract lets pass what the rule lets pass, unchanged."""
    assert "" == reason(judge_hold_directive(directive, POLICY))
    message = hold_directive_to_wire(directive)
    validate(message)
    assert directive == hold_directive_from_wire(message)


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        (replace(OF_CLASS, end_time=FOREVER), "HOLD_WITHOUT_END"),
        (replace(PLACED, scope=HoldScope.CASE), "HOLD_SCOPE_WRONG"),
        (replace(PLACED, target=""), "HOLD_SCOPE_WRONG"),
        (replace(PLACED, record_class=RecordClass.REPORT), "HOLD_SCOPE_WRONG"),
        (replace(OF_CLASS, record_class=RecordClass.COMPLAINT), "HOLD_SCOPE_WRONG"),
        (replace(OF_CLASS, record_class=RecordClass.FILING_ENTRY), "HOLD_SCOPE_WRONG"),
        (replace(OF_CLASS, target=ACCOUNT), "HOLD_SCOPE_WRONG"),
        (replace(PLACED, end_time=AT), "HOLD_TIMES_WRONG"),
        (replace(PLACED, start_time=AT - 9 * DAY, end_time=AT - DAY), "HOLD_TIMES_WRONG"),
        (replace(PLACED, acknowledge_by=PLACED.acknowledge_by + 1), "DUE_TIME_WRONG"),
        (replace(LIFTED, acknowledge_by=AT), "DUE_TIME_WRONG"),
    ],
)
def test_art_8_2_what_may_not_be_directed(directive: HoldDirective, expected: str) -> None:
    """Art. 8(2): a class never for ever, only what a provider keeps, never in the past, and with the policy's clock."""
    assert expected == reason(judge_hold_directive(directive, POLICY))


@given(st.sampled_from([each for each in RecordClass if each]), st.sampled_from(list(HoldScope)), st.booleans())
def test_art_8_2_whatever_is_directed_is_something_that_a_provider_keeps(
    record_class: RecordClass, scope: HoldScope, named: bool
) -> None:
    """Art. 8(2): nothing passes the rule that does not pass the contract, or that no provider could honour."""
    of_class = scope is HoldScope.CLASS
    directive = replace(
        OF_CLASS,
        scope=scope,
        record_class=record_class if of_class else RecordClass.UNSPECIFIED,
        target=ACCOUNT * named,
    )
    if judge_hold_directive(directive, POLICY) is None:
        validate(hold_directive_to_wire(directive))
        assert (directive.record_class in CLASSES_OF_PROVIDER) == of_class == (not named)


def test_art_8_2_a_directive_is_acknowledged_once_and_by_its_provider() -> None:
    """Art. 8(2): of a directive that this provider has, on the hold that it names, in the past, and once."""
    assert "" == reason(judge_hold_answer(ANSWER, PROVIDER, HELD, POLICY))
    for held in (None, replace(HELD, provider="provider/delta"), replace(HELD, hold_id=DIRECTIVE)):
        assert "HOLD_UNKNOWN" == reason(judge_hold_answer(ANSWER, PROVIDER, held, POLICY))
    assert "HOLD_ANSWERED" == reason(judge_hold_answer(ANSWER, PROVIDER, replace(HELD, acknowledged=True), POLICY))
    late = replace(ANSWER, answered_time=AT + DAY)
    assert "TIME_ORDER_WRONG" == reason(judge_hold_answer(late, PROVIDER, HELD, POLICY))
