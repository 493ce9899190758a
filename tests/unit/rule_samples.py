"""Good statements of a provider and what they are judged against, to be changed one field at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clock import micros
from shared.provisions.account_history import AccountHistory, Measure
from shared.provisions.escalation_judgement import EscalationContext, EscalationRecord, judge_escalation
from shared.provisions.labels import (
    Grant,
    LabelAction,
    LabelBasis,
    LabelContext,
    LabelledAccount,
    LabelRecord,
    LabelScope,
)
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.measures import Gravity, MeasureAction, MeasureKind, MeasureRecord
from shared.provisions.policy import Policy, initial_policy
from shared.provisions.provider_standing import LicenceSpan, ProviderStanding, ProviderState, licence_span
from shared.provisions.refusals import Refusal
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Thread
from shared.provisions.subjects import SubjectKind
from tests.unit.provision_samples import LICENCE, NOW

POLICY = initial_policy()
POLICIES: tuple[Policy, ...] = (POLICY,)
AT = micros(NOW)
MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CREATED = AT - MINUTE
ACCOUNT = "0d9e7a3c-2f52-4c3a-9d7e-6f1f6f0f9a11"
OTHER_ACCOUNT = "1d9e7a3c-2f52-4c3a-9d7e-6f1f6f0f9a11"
GRANT = "2b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
OTHER_GRANT = "3b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
APPROVAL = "01930000-0000-7000-8000-000000000001"
ORDER = "01930000-0000-7000-8000-000000000002"
MEASURE = "4b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
OTHER_MEASURE = "5b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
APPEAL = "6b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
REPORT = "7b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
PUBLISHER, REPRINTER, PLATFORM = "33120240001", "33220240001", "33320240001"
LICENCE_START, LICENCE_END = micros(datetime(2024, 6, 1, tzinfo=UTC)), micros(datetime(2027, 6, 1, tzinfo=UTC))
SPAN: LicenceSpan = licence_span(LICENCE)
STANDING = ProviderStanding(LICENCE, ProviderState.ACTIVE, "330000", "330000")


def reason_of(refusal: Refusal | None) -> str | None:
    """The reason of a refusal; None where nothing is refused."""
    return None if refusal is None else refusal.reason


def rules_of(refusal: Refusal | None) -> list[str]:
    """Every rule that a refusal names."""
    return [] if refusal is None else [violation.rule for violation in refusal.violations]


def lapsed_licence(**changes: Any) -> Licence:
    """The provider's licence, lapsed an hour ago, with changes."""
    values = {"number": LICENCE.number, "start_time": LICENCE.start_time, "end_time": NOW - timedelta(hours=1)}
    return Licence(**{**values, "state": LicenceState.VALID, **changes})


def label(**changes: Any) -> LabelRecord:
    """A news unit's first grant to publish and reprint, with changes."""
    good = LabelRecord(
        grant_id=GRANT,
        account_id=ACCOUNT,
        revision=1,
        action=LabelAction.GRANT,
        basis=LabelBasis.NEWS_UNIT,
        licence_number=PUBLISHER,
        licence_start_time=LICENCE_START,
        licence_end_time=LICENCE_END,
        scope=LabelScope.PUBLISH_AND_REPRINT,
        start_time=AT - 30 * DAY,
        end_time=LICENCE_END,
        reason="",
        approval_entry_id="",
        created_time=CREATED,
    )
    return replace(good, **changes)


def asked(**changes: Any) -> LabelRecord:
    """A special approval asked for, for 100 days, with changes."""
    values: dict[str, Any] = {
        "action": LabelAction.ASK,
        "basis": LabelBasis.SPECIAL_APPROVAL,
        "licence_number": "",
        "licence_start_time": 0,
        "licence_end_time": 0,
        "scope": LabelScope.REPRINT,
        "start_time": AT,
        "end_time": AT + 100 * DAY,
    }
    return label(**{**values, **changes})


def label_context(**changes: Any) -> LabelContext:
    """What a first grant of an enterprise's account is judged against, with changes."""
    values: dict[str, Any] = {
        "standing": STANDING,
        "policies": POLICIES,
        "now": NOW,
        "account": LabelledAccount(filed=True, subject_kind=SubjectKind.ENTERPRISE),
    }
    return LabelContext(**{**values, **changes})


def grant(**changes: Any) -> Grant:
    """A grant to publish and reprint that holds now, with changes."""
    good = Grant(GRANT, LabelBasis.NEWS_UNIT, PUBLISHER, LabelScope.PUBLISH_AND_REPRINT, AT - DAY, AT + DAY)
    return replace(good, **changes)


def measure(kind: MeasureKind = MeasureKind.WARN, **changes: Any) -> Measure:
    """A measure in force since an hour ago, for a week unless it closes, with changes."""
    end = FOREVER if kind is MeasureKind.CLOSE else AT - HOUR + 7 * DAY
    good = Measure(MEASURE, kind, 7, "false_information", Gravity.GRAVE, AT - HOUR, end)
    return replace(good, **changes)


def taken(kind: MeasureKind = MeasureKind.WARN, **changes: Any) -> MeasureRecord:
    """The statement that a measure was taken now, for a week unless it closes, with changes."""
    good = MeasureRecord(
        escalation_id=MEASURE,
        account_id=ACCOUNT,
        revision=1,
        created_time=CREATED,
        action=MeasureAction.APPLY,
        kind=kind,
        baseline=7,
        reason="false_information",
        gravity=Gravity.ORDINARY,
        start_time=CREATED,
        end_time=0 if kind is MeasureKind.CLOSE else CREATED + 7 * DAY,
        order_entry_id="",
    )
    return replace(good, **changes)


def stated(held: Measure, action: MeasureAction, **changes: Any) -> MeasureRecord:
    """A later statement on a measure, made now, with changes."""
    good = MeasureRecord(
        held.measure_id,
        ACCOUNT,
        held.revision + 1,
        CREATED,
        action,
        held.kind,
        held.baseline,
        held.reason,
        held.gravity,
        held.start_time,
        0 if held.end_time == FOREVER else held.end_time,
        held.order_entry_id,
    )
    return replace(good, **changes)


def history(*measures: Measure, **changes: Any) -> AccountHistory:
    """The history of an account on file with these measures, with changes."""
    return AccountHistory(**{"measures": measures, **changes})


def judged(record: EscalationRecord, past: AccountHistory, thread: Thread | None, **changes: Any) -> Refusal | None:
    """The answer to a statement on an escalation."""
    values = {"standing": STANDING, "policies": POLICIES, "now": NOW, "thread": thread, "history": past}
    return judge_escalation(record, EscalationContext(**{**values, **changes}))
