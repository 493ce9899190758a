"""Cases at a regulator: from a report that left its provider, a complaint or an appeal to their end, on both databases."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from regulator_node.case_fold import ShownState
from regulator_node.case_mapping import case_to_wire
from regulator_node.case_queries import CaseFilter, CaseView, MeasureFilter
from regulator_node.cases import CaseVerdict, DecidedAnswer
from regulator_node.conservation import audit_conservation
from regulator_node.figures import FigureReader
from shared.errors import Conflict, FailedPrecondition, FilingnetError, InvalidInput
from shared.evidence.batches import sign_batch
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.provisions.escalations import CaseKind, directive_times
from shared.provisions.policy import initial_policy
from tests.integration.case_samples import (
    OFFICER,
    Provinces,
    at,
    made_up_answer,
    made_up_appeal,
    made_up_measure,
    made_up_report,
)
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, REGULATOR, as_request

VERIFIED, DISMISSED = pb.ESCALATION_OUTCOME_VERIFIED, pb.ESCALATION_OUTCOME_DISMISSED
REFUSED, GRANTED = pb.ESCALATION_OUTCOME_APPEAL_REFUSED, pb.ESCALATION_OUTCOME_APPEAL_GRANTED
WARNING = {"ordered_measure": pb.MEASURE_KIND_WARN, "gravity": pb.GRAVITY_ORDINARY, "days": 30}
NATION = "regulator/100000"
LONG_AFTER = timedelta(days=30)


async def reported(both: Provinces) -> tuple[pb.Escalation, CaseView]:
    """Has a report leave its provider."""
    report = made_up_report(await both.file())
    await both.tell(report)
    return report, await both.case_of(report)


def actions(view: CaseView) -> list[str]:
    """What happened to a case, by name."""
    return [each.event.name for each in view.happened]


async def test_art_5_3_a_report_that_left_its_provider_opens_a_case(both: Provinces) -> None:
    """What was not settled in time is with the province from the moment its regulator stored the entry."""
    report, case = await reported(both)
    assert (CaseKind.REPORT, ShownState.OPEN, REGULATOR) == (case.file.kind, case.standing.shown, case.responsible)
    assert (PROVIDER, report.account_id, 7, pb.ESCALATION_CAUSE_SETTLEMENT_OVERDUE) == (
        case.file.provider,
        id_text(case.file.account_id),
        case.file.baseline,
        case.file.cause,
    )
    page = await both.cases.search(CaseFilter(state=ShownState.OPEN, provider=PROVIDER))
    assert [case.file.case_id] == [each.file.case_id for each in page.cases]
    # 10 working days after Monday 2 March 2026, at the end of the last day, China Standard Time.
    assert at(NOW.replace(month=3, day=16, hour=16)) == case.standing.due_time


async def test_art_5_3_the_same_report_again_opens_nothing(both: Provinces) -> None:
    """A retry of a batch, however late, gets its acknowledgement again and changes no case."""
    report = made_up_report(await both.file())
    raw = await both.tell(report)
    before = await both.case_of(report)
    batch = sign_batch([raw], PROVIDER, JURISDICTION, both.register.provider_key)
    response = await both.register.send(as_request(batch, [raw]))
    assert not response.results[0].HasField("rejection")
    assert before == await both.case_of(report)


async def test_art_5_3_a_report_that_its_provider_settles_late_is_closed(both: Provinces) -> None:
    """A settlement that comes after the report had left closes the case: nobody decides it any more."""
    report, _ = await reported(both)
    settled = pb.Escalation(escalation_id=report.escalation_id, account_id=report.account_id, revision=2)
    settled.report_settled.outcome = "item_removed"
    settled.report_settled.settled_time.FromDatetime(NOW)
    await both.tell(settled)
    case = await both.case_of(report)
    assert (ShownState.CLOSED, "item_removed", "") == (case.standing.shown, case.standing.outcome, case.responsible)


async def test_art_9_an_order_is_directed_acknowledged_and_carried_out(both: Provinces) -> None:
    """A verified report becomes a directive with its deadlines, and is closed when the provider has carried it out."""
    report, case = await reported(both)
    both.register.now = NOW + timedelta(minutes=1)
    decided = await both.decide(case, VERIFIED, "false_information", **WARNING)
    (directive,) = await both.directives()
    order = directive.escalation_decision
    assert (report.escalation_id, pb.MEASURE_KIND_WARN, 7, 30) == (
        order.escalation_id,
        order.ordered_measure,
        order.baseline,
        order.days,
    )
    due = (order.acknowledge_by.ToMicroseconds(), order.answer_by.ToMicroseconds())
    assert directive_times(initial_policy(), at(both.register.now)) == due
    assert (ShownState.ORDERED, PROVIDER, due[0]) == (
        decided.case.standing.shown,
        decided.case.responsible,
        decided.case.standing.due_time,
    )
    both.register.now = NOW + timedelta(hours=1)
    await both.tell(made_up_answer(case, 2, directive.entry_id, pb.ORDER_ANSWER_ACKNOWLEDGED, both.register.now))
    acknowledged = await both.case_of(report)
    assert (ShownState.ACKNOWLEDGED, due[1]) == (acknowledged.standing.shown, acknowledged.standing.due_time)
    await both.tell(made_up_measure(report.account_id, directive.entry_id))
    await both.tell(made_up_answer(case, 3, directive.entry_id, pb.ORDER_ANSWER_DONE, both.register.now))
    closed = await both.case_of(report)
    assert (ShownState.CLOSED, "") == (closed.standing.shown, closed.responsible)
    assert ["OPEN", "DIRECT", "ACKNOWLEDGE", "COMPLETE"] == actions(closed)
    assert actions(closed) == actions(await both.at_nation(closed))


async def test_art_9_an_order_that_cannot_be_carried_out_is_decided_again(both: Provinces) -> None:
    """A provider that says with a reason that it is impossible gives the case back to the regulator."""
    report, case = await reported(both)
    await both.decide(case, VERIFIED, "false_information", **WARNING)
    (directive,) = await both.directives()
    await both.tell(made_up_answer(case, 2, directive.entry_id, pb.ORDER_ANSWER_IMPOSSIBLE, NOW))
    again = await both.case_of(report)
    assert (ShownState.OPEN, REGULATOR) == (again.standing.shown, again.responsible)
    await both.decide(again, DISMISSED, "not_verified")
    assert ShownState.CLOSED == (await both.case_of(report)).standing.shown


async def test_art_9_a_dismissal_closes_the_case_and_says_why(both: Provinces) -> None:
    """A dismissed case is over, and the provider gets the decision with its reason."""
    _, case = await reported(both)
    decided = await both.decide(case, DISMISSED, "no_violation")
    assert (ShownState.CLOSED, "no_violation", "") == (
        decided.case.standing.shown,
        decided.case.standing.outcome,
        decided.case.responsible,
    )
    assert ["no_violation"] == [each.escalation_decision.reason for each in await both.directives()]


async def test_art_9_a_decision_that_breaks_a_rule_changes_nothing(both: Provinces) -> None:
    """An unknown reason, a measure beyond the ladder and identity data in the note are refused, each by its reason."""
    _, case = await reported(both)
    closing = {"ordered_measure": pb.MEASURE_KIND_CLOSE, "gravity": pb.GRAVITY_ORDINARY}
    refused = []
    for outcome, reason, terms in (
        (DISMISSED, "false_information", {}),
        (VERIFIED, "false_information", closing),
        (GRANTED, "facts_wrong", {}),
        (DISMISSED, "no_violation", {"note": "电话 13800138000"}),
    ):
        with pytest.raises(InvalidInput) as error:
            await both.decide(case, outcome, reason, **terms)
        refused.append(error.value.reason)
    assert ["REASON_UNKNOWN", "LADDER_JUMPED", "OUTCOME_WRONG", "IDENTITY_DATA"] == refused
    assert [] == await both.directives()


async def test_art_9_of_two_officers_at_once_the_second_is_told(both: Provinces) -> None:
    """One decision enters the log, whatever two officers do at the same moment."""
    _, case = await reported(both)
    results = await asyncio.gather(
        both.decide(case, DISMISSED, "no_violation"),
        both.decide(case, VERIFIED, "false_information", **WARNING),
        return_exceptions=True,
    )
    assert 1 == sum(isinstance(each, DecidedAnswer) for each in results)
    assert ["CASE_DECIDED"] == [each.reason for each in results if isinstance(each, FilingnetError)]
    assert 1 == len(await both.directives())


async def test_art_9_a_request_that_is_sent_again_decides_once(both: Provinces) -> None:
    """The same request gets the same answer; the same id with another verdict is refused."""
    _, case = await reported(both)
    verdict = CaseVerdict(id_text(case.file.case_id), DISMISSED, reason="no_violation", etag=case.etag)
    request = str(uuid.uuid4())
    first = await both.office.desk.decide(request, OFFICER, verdict)
    assert first == await both.office.desk.decide(request, OFFICER, verdict)
    with pytest.raises(Conflict) as error:
        await both.office.desk.decide(request, OFFICER, replace(verdict, reason="not_verified"))
    assert "REQUEST_ID_REUSED" == error.value.reason
    assert 1 == len(await both.directives())


async def test_art_9_an_assigned_case_is_decided_as_it_was_seen(both: Provinces) -> None:
    """A case that was assigned meanwhile has another etag, and is read again before it is decided."""
    _, case = await reported(both)
    assigned = await both.office.desk.assign(id_text(case.file.case_id), "review-desk-2", case.etag)
    assert (ShownState.ASSIGNED, "review-desk-2") == (assigned.standing.shown, assigned.standing.assignee)
    with pytest.raises(Conflict) as error:
        await both.decide(case, DISMISSED, "no_violation", etag=case.etag)
    assert "CASE_CHANGED" == error.value.reason
    decided = await both.decide(case, DISMISSED, "no_violation", etag=assigned.etag)
    assert ShownState.CLOSED == decided.case.standing.shown


async def appealed(both: Provinces) -> tuple[pb.Escalation, CaseView]:
    """Has an owner appeal to the regulator against a warning that the provider upheld."""
    measure = made_up_measure(await both.file())
    await both.tell(measure)
    appeal = str(uuid.uuid4())
    await both.tell(made_up_appeal(measure, appeal, 1, pb.APPEAL_STAGE_PROVIDER_UPHELD))
    to_regulator = made_up_appeal(measure, appeal, 2, pb.APPEAL_STAGE_TO_REGULATOR)
    await both.tell(to_regulator)
    return measure, await both.case_of(to_regulator)


async def test_art_8_2_a_measure_is_in_the_register(both: Provinces) -> None:
    """Each measure is reported; its newest statement is shown."""
    measure = made_up_measure(await both.file())
    await both.tell(measure)
    lifted = pb.Escalation.FromString(measure.SerializeToString())
    lifted.revision, lifted.measure.action = 2, pb.MEASURE_ACTION_LIFT
    await both.tell(lifted)
    page = await both.cases.measures(MeasureFilter(account_id=measure.account_id))
    assert [(PROVIDER, measure.escalation_id, pb.MEASURE_KIND_WARN, pb.MEASURE_ACTION_LIFT)] == [
        (each.provider, id_text(each.measure_id), each.kind, each.action) for each in page.measures
    ]


async def test_art_8_2_a_granted_appeal_has_the_measure_undone(both: Provinces) -> None:
    """A granted appeal directs the provider to overturn the measure, and is closed when it has."""
    measure, case = await appealed(both)
    assert (CaseKind.APPEAL, measure.escalation_id) == (case.file.kind, case.file.measure_id)
    await both.decide(case, GRANTED, "facts_wrong")
    (directive,) = await both.directives()
    undone = pb.Escalation.FromString(measure.SerializeToString())
    undone.revision, undone.measure.action = 2, pb.MEASURE_ACTION_OVERTURN
    await both.tell(undone)
    await both.tell(made_up_answer(case, 3, directive.entry_id, pb.ORDER_ANSWER_DONE, NOW))
    closed = await both.cases.get(JURISDICTION, id_text(case.file.case_id))
    assert (ShownState.CLOSED, "facts_wrong") == (closed.standing.shown, closed.standing.outcome)
    (figures,) = await FigureReader(both.register.database, lambda: NOW).read()
    assert ([1, 0, 0, 0], 1, 1, 0) == (
        figures.measures,
        figures.overturned,
        figures.orders_in_time,
        figures.orders_late,
    )


async def test_art_8_2_a_refused_appeal_leaves_the_measure(both: Provinces) -> None:
    """A refused appeal is over, and nothing undoes the measure any more."""
    _, case = await appealed(both)
    decided = await both.decide(case, REFUSED, "facts_confirmed")
    assert (ShownState.CLOSED, "") == (decided.case.standing.shown, decided.case.responsible)


async def test_answer_2_what_the_province_leaves_undecided_rises_to_the_nation(both: Provinces) -> None:
    """Once its time is over the case is the nation's, and the province can no longer decide it."""
    report, case = await reported(both)
    with pytest.raises(FailedPrecondition) as early:
        await _decided_by_nation(both, case)
    both.register.now = NOW + LONG_AFTER
    risen = await both.at_nation(case)
    assert (ShownState.AT_NATION, NATION) == (risen.standing.shown, risen.responsible)
    assert case.standing.due_time == risen.standing.risen_time
    page = await both.nation_cases.search(CaseFilter(state=ShownState.AT_NATION))
    assert [case.file.case_id] == [each.file.case_id for each in page.cases]
    with pytest.raises(FailedPrecondition) as late:
        await both.decide(case, DISMISSED, "no_violation")
    assert ["CASE_ELSEWHERE"] * 2 == [early.value.reason, late.value.reason]
    await _decided_by_nation(both, case)
    await both.forward()
    assert ["OPEN", "RISE", "DISMISS"] == actions(await both.at_nation(case))
    assert ["OPEN", "RISE", "DISMISS"] == actions(await both.case_of(report))
    assert ShownState.CLOSED == (await both.case_of(report)).standing.shown


async def test_answer_2_the_provider_carries_out_what_the_nation_ordered(both: Provinces) -> None:
    """The nation's order reaches the provider by its province, which judges the answer; both see the case closed."""
    report, case = await reported(both)
    both.register.now = NOW + LONG_AFTER
    decided = await _decided_by_nation(both, case, outcome=VERIFIED, reason="false_information", **WARNING)
    assert (ShownState.ORDERED, PROVIDER) == (decided.case.standing.shown, decided.case.responsible)
    await both.forward()
    (order,) = (await both.orders_of(report.account_id)).values()
    both.register.now += timedelta(hours=1)
    await both.tell(made_up_measure(report.account_id, order))
    await both.tell(made_up_answer(case, 2, order, pb.ORDER_ANSWER_DONE, both.register.now))
    for closed in (await both.case_of(report), await both.at_nation(case)):
        assert (ShownState.CLOSED, "") == (closed.standing.shown, closed.responsible)
        assert ["OPEN", "RISE", "DIRECT", "COMPLETE"] == actions(closed)


async def test_answer_2_an_order_that_is_not_answered_in_time_rises(both: Provinces) -> None:
    """An unanswered order brings the case before the nation; the provider may still carry it out."""
    report, case = await reported(both)
    await both.decide(case, VERIFIED, "false_information", **WARNING)
    (directive,) = await both.directives()
    both.register.now = NOW + LONG_AFTER
    assert ShownState.AT_NATION == (await both.at_nation(case)).standing.shown
    (figures,) = await FigureReader(both.register.database, lambda: both.register.now).read(PROVIDER)
    assert (1, 0, 1) == (figures.escalated, figures.orders_in_time, figures.orders_late)
    await both.tell(made_up_measure(report.account_id, directive.entry_id))
    await both.tell(made_up_answer(case, 2, directive.entry_id, pb.ORDER_ANSWER_DONE, both.register.now))
    assert ["OPEN", "DIRECT", "RISE", "COMPLETE"] == actions(await both.at_nation(case))
    assert ShownState.CLOSED == (await both.at_nation(case)).standing.shown


async def test_art_5_3_the_queue_is_read_page_by_page(both: Provinces) -> None:
    """Pages follow one another without a gap, those first that are due first; a token of another query is refused."""
    account = await both.file()
    opened = []
    for hours in range(5):
        both.register.now = NOW + timedelta(days=hours)
        report = made_up_report(account, code=str(hours))
        await both.tell(report)
        opened.append((await both.case_of(report)).file.case_id)
    found, token = [], ""
    while True:
        page = await both.cases.search(CaseFilter(), 2, token)
        found += [each.file.case_id for each in page.cases]
        token = page.next_token
        if not token:
            break
        with pytest.raises(InvalidInput):
            await both.cases.search(CaseFilter(state=ShownState.OPEN), 2, token)
    assert opened == found


async def _decided_by_nation(
    both: Provinces, case: CaseView, outcome: int = DISMISSED, reason: str = "no_violation", **terms: Any
) -> DecidedAnswer:
    await both.follow()
    verdict = CaseVerdict(id_text(case.file.case_id), outcome, reason=reason, **terms)
    return await both.nation_office.desk.decide(str(uuid.uuid4()), OFFICER, verdict)


async def test_answer_2_conservation_holds_over_every_report(both: Provinces) -> None:
    """Every report that the logs tell of is with exactly one party; one whose case was lost is found."""
    _, first = await reported(both)
    _, second = await reported(both)
    await reported(both)
    await both.decide(first, DISMISSED, "no_violation")
    await both.decide(second, VERIFIED, "false_information", **WARNING)
    balance = await audit_conservation(both.register.database, at(NOW))
    assert (3, {"nobody": 1, "provider": 1, "province": 1}, []) == (
        balance.reports,
        dict(balance.parties),
        balance.findings,
    )
    await both.follow()
    later = await audit_conservation(both.nation, at(NOW + LONG_AFTER))
    assert {"nobody": 1, "nation": 2} == dict(later.parties)
    await both.register.database.write(
        lambda transaction: transaction.execute("DELETE FROM case_file WHERE case_id = ?", (first.file.case_id,))
    )
    broken = await audit_conservation(both.register.database, at(NOW))
    assert ["CASE_MISSING"] == [each.rule for each in broken.findings]


async def test_art_9_what_is_late_is_flagged(both: Provinces) -> None:
    """Art. 9: when an acknowledgement or a decision is late its case says so, until somebody acts."""
    orders = await both.file(), await both.file()
    ordered, undecided = (made_up_report(account) for account in orders)
    for report in (ordered, undecided):
        await both.tell(report)
    await both.decide(await both.case_of(ordered), pb.ESCALATION_OUTCOME_VERIFIED, "false_information")
    (directive,) = await both.directives()
    acknowledge_by = directive.escalation_decision.acknowledge_by.ToDatetime(UTC)
    seen = []
    for moment in (acknowledge_by - timedelta(minutes=1), acknowledge_by + timedelta(minutes=1)):
        both.register.now = moment
        case = await both.case_of(ordered)
        seen.append((case.standing.shown, case.overdue, case_to_wire(case).overdue, case.responsible))
    assert [(ShownState.ORDERED, late, late, PROVIDER) for late in (False, True)] == seen
    await both.tell(made_up_answer(case, 2, directive.entry_id, pb.ORDER_ANSWER_ACKNOWLEDGED, acknowledge_by))
    assert not (await both.case_of(ordered)).overdue
    assert not (await both.case_of(undecided)).overdue
    both.register.now = NOW + LONG_AFTER
    risen = await both.case_of(undecided)
    assert (ShownState.AT_NATION, True) == (risen.standing.shown, risen.overdue)
