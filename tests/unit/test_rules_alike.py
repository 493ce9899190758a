"""Provider and regulator judge alike: whatever happens to an account, both ends give the same answer to every statement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import from_micros
from shared.provisions.account_history import AccountHistory, Appeal, Measure
from shared.provisions.appeals import (
    AppealRecord,
    AppealStage,
    appeal_after,
    appeal_decided,
    final_time,
    judge_submission,
)
from shared.provisions.directives import OrderAnswerRecord
from shared.provisions.escalation_judgement import EscalationContext, EscalationRecord, judge_escalation
from shared.provisions.measures import Gravity, MeasureAction, MeasureKind, MeasureRecord, measure_after
from shared.provisions.provider_standing import ProviderStanding, ProviderState
from shared.provisions.refusals import Refusal
from shared.provisions.reports import JoiningRecord, ReportRecord, SettlementRecord
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Matter, Thread
from tests.unit.provision_samples import NOW
from tests.unit.rule_samples import (
    ACCOUNT,
    APPEAL,
    AT,
    CREATED,
    DAY,
    MEASURE,
    ORDER,
    OTHER_ACCOUNT,
    POLICIES,
    REPORT,
    STANDING,
    history,
    lapsed_licence,
    measure,
    reason_of,
    stated,
    taken,
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["apply", "lift", "expire", "overturn", "submit", "decide", "go_on", "pass_by", "regulator"]),
        st.integers(0, 2),
        st.sampled_from(list(MeasureKind)[1:]),
        st.sampled_from(list(Gravity)),
        st.integers(0, 12),
        st.booleans(),
    ),
    max_size=14,
)


@dataclass
class Ends:
    """An account as its provider knows it and as its regulator does."""

    provider: AccountHistory = field(default_factory=AccountHistory)
    regulator: AccountHistory = field(default_factory=AccountHistory)
    now: int = AT
    taken: int = 0

    def judge(self, record: EscalationRecord) -> Refusal | None:
        """Judges a statement at both ends, which have to agree; folds it into both where it is taken."""
        context = EscalationContext(STANDING, POLICIES, from_micros(self.now), None, self.provider)
        at_provider = judge_escalation(record, context)
        at_regulator = judge_escalation(record, replace(context, history=self.regulator))
        assert at_provider == at_regulator
        if at_provider is None:
            self.taken += 1
            self.provider, self.regulator = fold(record, self.provider), fold(record, self.regulator)
        return at_provider


def fold(record: EscalationRecord, past: AccountHistory) -> AccountHistory:
    """The history after a statement that was taken."""
    if isinstance(record, MeasureRecord):
        return past.with_measure(measure_after(record, past.measure(record.escalation_id)))
    assert isinstance(record, AppealRecord)
    return past.with_appeal(appeal_after(record, past.stated().appeal_against(record.measure_id)))


def step(ends: Ends, action: str, held: Measure | None, kind: MeasureKind, gravity: Gravity, yes: bool) -> None:
    """Lets one thing happen to the account, whether it may or not."""
    now = ends.now
    if action == "apply":
        end = 0 if kind is MeasureKind.CLOSE else now + 7 * DAY
        measure_id = f"measure-{len(ends.provider.measures) if yes else 0}"
        ends.judge(
            taken(kind, escalation_id=measure_id, gravity=gravity, created_time=now, start_time=now, end_time=end)
        )
    if held is None:
        return
    appeal = ends.provider.appeal_against(held.measure_id)
    appeal_id = f"appeal-{held.measure_id}" if appeal is None else appeal.appeal_id
    revision = 1 if appeal is None else appeal.revision + 1
    told = AppealRecord(appeal_id, ACCOUNT, revision, now, held.measure_id, 0, now, bytes(32))
    actions = {"lift": MeasureAction.LIFT, "expire": MeasureAction.EXPIRE, "overturn": MeasureAction.OVERTURN}
    if action in actions:
        ends.judge(stated(held, actions[action], created_time=now))
    elif action == "submit":
        if judge_submission(held, ends.provider, POLICIES, now) is None:
            ends.provider = ends.provider.with_appeal(Appeal(appeal_id, held.measure_id, 0, now))
    elif action == "decide":
        since = now if appeal is None else appeal.appealed_time
        stage = AppealStage.PROVIDER_OVERTURNED if yes else AppealStage.PROVIDER_UPHELD
        ends.judge(replace(told, stage=stage, appealed_time=since))
    elif action == "go_on":
        ends.judge(replace(told, stage=AppealStage.TO_REGULATOR))
    elif action == "pass_by":
        since = 0 if appeal is None else appeal.appealed_time
        ends.judge(replace(told, stage=AppealStage.TO_REGULATOR, undecided_since_time=since))
    elif appeal is not None and appeal.regulator_appealed_time != FOREVER:
        decided = appeal_decided(appeal, now, granted=yes)
        ends.provider, ends.regulator = (each.with_appeal(decided) for each in (ends.provider, ends.regulator))


@settings(max_examples=300)
@given(STEPS)
def test_art_8_2_provider_and_regulator_judge_alike(
    steps: list[tuple[str, int, MeasureKind, Gravity, int, bool]],
) -> None:
    """Art. 8(2): after any history, possible or not, both ends agree on the next statement and hold the same afterwards."""
    ends = Ends()
    for action, place, kind, gravity, days, yes in steps:
        ends.now += days * DAY
        measures = ends.provider.measures
        step(ends, action, measures[place] if place < len(measures) else None, kind, gravity, yes)
        assert ends.provider.stated() == ends.regulator
        for held in ends.regulator.measures:
            appeal = ends.regulator.appeal_against(held.measure_id)
            assert held.overturned <= (appeal is not None and appeal.won)
            if final_time(held, appeal, POLICIES) <= ends.now:
                assert held.in_force(ends.now)


def context(**changes: Any) -> EscalationContext:
    """What a statement is judged against, with changes."""
    return EscalationContext(**{"standing": STANDING, "policies": POLICIES, "now": NOW, **changes})


RECORDS: tuple[EscalationRecord, ...] = (
    ReportRecord(REPORT, ACCOUNT, 1, CREATED, bytes(32), 7, "", b"", AT - 9 * DAY, AT - DAY, 1, 2),
    SettlementRecord(REPORT, ACCOUNT, 2, CREATED, CREATED, "item_removed"),
    JoiningRecord(REPORT, ACCOUNT, 2, CREATED, (bytes(32),)),
    taken(),
    AppealRecord(APPEAL, ACCOUNT, 1, CREATED, MEASURE, AppealStage.PROVIDER_UPHELD, CREATED, bytes(32)),
    OrderAnswerRecord(REPORT, ACCOUNT, 1, CREATED, ORDER, 1, "", CREATED),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (replace(STANDING, state=None), "PROVIDER_UNKNOWN"),
        (replace(STANDING, state=ProviderState.DENIED), "PROVIDER_DENIED"),
        (replace(STANDING, regulator_jurisdiction="110000"), "JURISDICTION_WRONG"),
    ],
)
def test_art_3_report_to_the_competent_regulator(
    record: EscalationRecord, standing: ProviderStanding, expected: str
) -> None:
    """Art. 3: a provider that is known and let in reports to the regulator of its own jurisdiction, whatever it reports."""
    assert expected == reason_of(judge_escalation(record, context(standing=standing)))


@pytest.mark.parametrize(
    "standing",
    [
        replace(STANDING, licence=None),
        replace(STANDING, licence=lapsed_licence()),
        replace(STANDING, state=ProviderState.SUSPENDED),
    ],
)
def test_art_8_2_provider_without_licence_still_owes_its_records(standing: ProviderStanding) -> None:
    """Art. 8(2): neither a lapsed licence nor a suspension frees a provider from telling of reports and measures."""
    found = [reason_of(judge_escalation(record, context(standing=standing))) for record in (RECORDS[0], RECORDS[3])]
    assert [None, None] == found


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_clocks_of_both_ends_bound_every_statement(record: EscalationRecord) -> None:
    """What claims to be made in the future, or before any policy, is refused, and each thing wrong is told once."""
    ahead = judge_escalation(record, context(now=NOW - timedelta(days=1)))
    assert ahead is not None
    assert 1 == [violation.rule for violation in ahead.violations].count("TIME_IN_FUTURE")
    assert len(set(ahead.violations)) == len(ahead.violations)
    assert "TIME_TOO_EARLY" == reason_of(judge_escalation(replace(record, created_time=1), context()))


@pytest.mark.parametrize(
    ("record", "thread", "expected"),
    [
        (taken(), Thread(Matter.REPORT, ACCOUNT, 0), "MATTER_WRONG"),
        (taken(), Thread(Matter.MEASURE, OTHER_ACCOUNT, 0), "ACCOUNT_CHANGED"),
        (taken(), Thread(Matter.MEASURE, ACCOUNT, 0), None),
        (RECORDS[4], Thread(Matter.MEASURE, ACCOUNT, 0), "MATTER_WRONG"),
        (RECORDS[4], Thread(Matter.APPEAL, ACCOUNT, 0), None),
    ],
)
def test_one_id_stands_for_one_matter(record: EscalationRecord, thread: Thread, expected: str | None) -> None:
    """An escalation id is of one matter and one account, for ever."""
    past = history(measure()) if isinstance(record, AppealRecord) else history()
    assert expected == reason_of(judge_escalation(record, context(thread=thread, history=past)))
