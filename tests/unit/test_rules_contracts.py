"""The contracts of labels, escalations and duties: the same numbers and fields as the rules, and closed where they can be."""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import Any, TypeVar

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from shared.egress import check_message
from shared.mapping.policy import policy_to_wire
from shared.pb.filingnet.network.v1 import duty_pb2, entry_pb2, escalation_pb2, label_pb2, policy_pb2
from shared.provisions.appeals import AppealRecord, AppealStage
from shared.provisions.directives import DecisionRecord, EscalationOutcome, OrderAnswer, OrderAnswerRecord
from shared.provisions.duties import DutyProfileRecord
from shared.provisions.label_decisions import LabelDecisionRecord, LabelOutcome
from shared.provisions.labels import LabelAction, LabelBasis, LabelRecord, LabelScope
from shared.provisions.measures import Gravity, MeasureAction, MeasureKind, MeasureRecord
from shared.provisions.policy import initial_policy
from shared.provisions.reports import EscalationCause, JoiningRecord, ReportRecord, SettlementRecord
from shared.validation import field_violations
from tests.unit.rule_samples import ACCOUNT, APPEAL, AT, GRANT, MEASURE, ORDER, PUBLISHER


@pytest.mark.parametrize(
    ("ours", "wire", "prefix"),
    [
        (LabelAction, label_pb2.LabelAction, "LABEL_ACTION_"),
        (LabelBasis, label_pb2.LabelBasis, "LABEL_BASIS_"),
        (LabelScope, label_pb2.LabelScope, "LABEL_SCOPE_"),
        (LabelOutcome, label_pb2.LabelOutcome, "LABEL_OUTCOME_"),
        (MeasureKind, escalation_pb2.MeasureKind, "MEASURE_KIND_"),
        (Gravity, escalation_pb2.Gravity, "GRAVITY_"),
        (MeasureAction, escalation_pb2.MeasureAction, "MEASURE_ACTION_"),
        (AppealStage, escalation_pb2.AppealStage, "APPEAL_STAGE_"),
        (OrderAnswer, escalation_pb2.OrderAnswer, "ORDER_ANSWER_"),
        (EscalationCause, escalation_pb2.EscalationCause, "ESCALATION_CAUSE_"),
        (EscalationOutcome, escalation_pb2.EscalationOutcome, "ESCALATION_OUTCOME_"),
    ],
)
def test_rules_and_wire_use_the_same_numbers(ours: type[IntEnum], wire: EnumTypeWrapper, prefix: str) -> None:
    """A number means the same in the rules and on the wire, so that mapping copies it."""
    assert {f"{prefix}{member.name}": member.value for member in ours} == dict(wire.items())


M = TypeVar("M", bound=Message)
HEAD = {"escalation_id", "account_id", "revision", "created_time"}


@pytest.mark.parametrize(
    ("record", "message", "beside"),
    [
        (LabelRecord, label_pb2.LabelGrant, {"created_time"}),
        (MeasureRecord, escalation_pb2.MeasureRecord, HEAD),
        (AppealRecord, escalation_pb2.AppealRecord, HEAD),
        (ReportRecord, escalation_pb2.ReportEscalation, HEAD),
        (SettlementRecord, escalation_pb2.ReportSettled, HEAD),
        (JoiningRecord, escalation_pb2.ReportJoined, HEAD),
        (OrderAnswerRecord, escalation_pb2.OrderAnswered, HEAD),
        (DutyProfileRecord, duty_pb2.DutyProfile, {"created_time"}),
    ],
)
def test_rules_see_every_field_of_a_statement(record: Any, message: type[Message], beside: set[str]) -> None:
    """A record has the fields of its message and those of its entry, no fewer and no more."""
    names = {field.name for field in dataclasses.fields(record)}
    assert {field.name for field in message.DESCRIPTOR.fields} == names - beside


@pytest.mark.parametrize(
    ("record", "message", "unjudged"),
    [
        (LabelDecisionRecord, label_pb2.LabelDecision, {"provider", "account_id", "note"}),
        (DecisionRecord, escalation_pb2.EscalationDecision, {"note"}),
    ],
)
def test_rules_see_every_field_of_a_decision(record: Any, message: type[Message], unjudged: set[str]) -> None:
    """What a decision says is judged, but for whom it is addressed to and the words for people."""
    names = {field.name for field in dataclasses.fields(record)}
    assert {field.name for field in message.DESCRIPTOR.fields} == names | unjudged


def grant(**changes: Any) -> label_pb2.LabelGrant:
    """A grant that its contract passes, with changes; a time of 0 is unset."""
    values = {
        "grant_id": GRANT,
        "account_id": ACCOUNT,
        "revision": 1,
        "action": LabelAction.GRANT,
        "basis": LabelBasis.NEWS_UNIT,
        "licence_number": PUBLISHER,
        "licence_start_time": AT,
        "licence_end_time": AT,
        "scope": LabelScope.REPRINT,
        "start_time": AT,
        "end_time": AT,
    }
    return filled(label_pb2.LabelGrant(), {**values, **changes})


def filled(message: M, values: dict[str, Any]) -> M:
    """The message with values; whole numbers stand for microseconds in times, 0 for an unset one."""
    for name, value in values.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.is_repeated:
            getattr(message, name).extend(value)
        elif field.message_type is None:
            setattr(message, name, value)
        elif value:
            getattr(message, name).FromMicroseconds(value)
    return message


SPECIAL = {"basis": LabelBasis.SPECIAL_APPROVAL, "licence_number": "", "licence_start_time": 0, "licence_end_time": 0}


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({**SPECIAL, "action": LabelAction.ASK}, []),
        ({**SPECIAL, "approval_entry_id": ORDER}, []),
        ({**SPECIAL, "action": LabelAction.REVOKE, "reason": "owner_request"}, []),
        ({**SPECIAL, "action": LabelAction.REVOKE, "reason": "owner_request", "approval_entry_id": ORDER}, []),
        ({"licence_number": ""}, ["label.licence"]),
        ({"licence_end_time": 0}, ["label.licence"]),
        ({**SPECIAL, "action": LabelAction.ASK, "licence_start_time": AT}, ["label.licence"]),
        ({"reason": "owner_request"}, ["label.reason"]),
        ({"action": LabelAction.REVOKE}, ["label.reason"]),
        ({"action": LabelAction.ASK}, ["label.ask"]),
        (SPECIAL, ["label.ask"]),
        ({"approval_entry_id": ORDER}, ["label.ask"]),
    ],
)
def test_art_7_3_contract_of_a_grant_is_closed(changes: dict[str, Any], broken: list[str]) -> None:
    """Art. 7(3): a grant that mixes licence, approval and reason does not pass its contract."""
    assert broken == [violation.rule for violation in field_violations(grant(**changes))]


def measure_record(**changes: Any) -> escalation_pb2.MeasureRecord:
    """A measure that its contract passes, with changes."""
    values = {
        "action": MeasureAction.APPLY,
        "kind": MeasureKind.SUSPEND_UPDATES,
        "baseline": 7,
        "reason": "false_information",
        "gravity": Gravity.GRAVE,
        "start_time": AT,
        "end_time": AT,
    }
    return filled(escalation_pb2.MeasureRecord(), {**values, **changes})


def decided(**changes: Any) -> escalation_pb2.EscalationDecision:
    """A decision without an order that its contract passes, with changes."""
    times = dict.fromkeys(("decided_time", "acknowledge_by", "answer_by"), AT)
    values = {"provider": "provider/wave", "account_id": ACCOUNT, "escalation_id": MEASURE, "outcome": 1}
    return filled(escalation_pb2.EscalationDecision(), {**values, "reason": "illegal_content", **times, **changes})


def appeal_record(**changes: Any) -> escalation_pb2.AppealRecord:
    """An appeal that its contract passes, with changes."""
    values = {"measure_id": MEASURE, "stage": 1, "appealed_time": AT, "statement_digest": bytes(32)}
    return filled(escalation_pb2.AppealRecord(), {**values, **changes})


def report(**changes: Any) -> escalation_pb2.ReportEscalation:
    """A report about an account as a whole that its contract passes, with changes."""
    values = {
        "tracking_digest": bytes(32),
        "baseline": 7,
        "received_time": AT,
        "due_time": AT,
        "reports": 1,
        "cause": 2,
    }
    return filled(escalation_pb2.ReportEscalation(), {**values, **changes})


def answered(**changes: Any) -> escalation_pb2.OrderAnswered:
    """An answer that its contract passes, with changes."""
    return filled(
        escalation_pb2.OrderAnswered(), {"order_entry_id": ORDER, "answer": 2, "answered_time": AT, **changes}
    )


@pytest.mark.parametrize(
    ("message", "broken"),
    [
        (measure_record(), []),
        (measure_record(kind=MeasureKind.CLOSE, end_time=0), []),
        (measure_record(end_time=0), ["measure.end"]),
        (measure_record(kind=MeasureKind.CLOSE), ["measure.end"]),
        (decided(), []),
        (decided(ordered_measure=3, baseline=7, gravity=3, days=7), []),
        (decided(ordered_measure=4, baseline=7, gravity=3), []),
        (decided(ordered_measure=3, baseline=7, gravity=3), ["escalation_decision.order"]),
        (decided(ordered_measure=4, baseline=7, gravity=3, days=7), ["escalation_decision.order"]),
        (decided(days=7), ["escalation_decision.order"]),
        (decided(outcome=2, ordered_measure=3, baseline=7, gravity=3, days=7), ["escalation_decision.order"]),
        (appeal_record(), []),
        (appeal_record(stage=3, undecided_since_time=AT), []),
        (appeal_record(undecided_since_time=AT), ["appeal.undecided"]),
        (report(), []),
        (report(item_digest=bytes(32)), []),
        (report(item_digest=bytes(32), item_url="https://example.org/1"), []),
        (report(item_url="https://example.org/1"), ["report.item"]),
        (report(item_digest=bytes(31)), ["report.item"]),
        (report(reports=2, joined_digests=[b"1" * 32, b"2" * 32]), []),
        (report(reports=2, joined_digests=[b"1" * 32, b"1" * 32]), ["repeated.unique"]),
        (report(reports=2, joined_digests=[b"1" * 31]), ["bytes.len"]),
        (escalation_pb2.ReportJoined(tracking_digests=[bytes(32)]), []),
        (escalation_pb2.ReportJoined(), ["repeated.min_items"]),
        (escalation_pb2.ReportJoined(tracking_digests=[n.to_bytes(32) for n in range(501)]), ["repeated.max_items"]),
        (answered(), []),
        (answered(answer=3, reason="account_closed"), []),
        (answered(answer=3), ["order_answered.reason"]),
        (answered(reason="account_closed"), ["order_answered.reason"]),
    ],
)
def test_art_8_2_contracts_of_escalations_are_closed(message: Message, broken: list[str]) -> None:
    """Art. 8(2): what contradicts itself does not pass its contract, at either end."""
    assert broken == [violation.rule for violation in field_violations(message)]


def test_every_new_body_is_an_entry_and_says_nothing_to_the_guard() -> None:
    """A grant, a measure and a decision travel as entries, and nothing in them looks like identity data to the guard."""
    escalation = escalation_pb2.Escalation(
        escalation_id=APPEAL, account_id=ACCOUNT, revision=1, measure=measure_record(order_entry_id=ORDER)
    )
    for body in ({"label_grant": grant()}, {"escalation": escalation}, {"escalation_decision": decided()}):
        entry = entry_pb2.Entry(entry_id=ORDER, origin="provider/wave", jurisdiction="330000", sequence=1, **body)
        entry.created_time.FromMicroseconds(AT)
        assert [] == field_violations(entry)
        assert [] == check_message(entry)


def test_initial_policy_passes_contract_and_guard() -> None:
    """The taxonomies a network starts with fit their contract, and none of their words stops at the guard."""
    wire = policy_to_wire(initial_policy())
    assert [] == field_violations(wire)
    assert [] == check_message(wire)


@pytest.mark.parametrize(("kind", "days", "fits"), [(4, 0, True), (3, 7, True), (4, 7, False), (3, 0, False)])
def test_art_8_1_contract_of_a_ladder_step(kind: int, days: int, fits: bool) -> None:
    """Art. 8(1): a step of the ladder has a longest time, and closing has none."""
    step = policy_pb2.LadderStep(kind=kind, longest_days=days)  # type: ignore[arg-type]
    assert ([] if fits else ["ladder_step.longest_days"]) == [each.rule for each in field_violations(step)]
