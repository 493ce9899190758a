"""Appeals and orders at a provider (Arts. 8 and 9, answer 1): in their time, once, undone at once, answered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from provider_node.measure_rows import AppealState, MeasureState, StoredMeasure
from provider_node.order_rows import StoredOrder
from shared.evidence.hashing import ProofError
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.directives import EscalationOutcome, OrderAnswer
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.reports import ReportState
from tests.integration.oversight_samples import (
    ACTOR,
    CLOSE,
    DAY,
    GRAVE,
    SUSPEND,
    WARN,
    Supervised,
    entry_id_of,
    refusal,
    supervised,
)
from tests.integration.provider_samples import files_with

WORDS = "样例申诉之言"
GRANTED, REFUSED = EscalationOutcome.APPEAL_GRANTED, EscalationOutcome.APPEAL_REFUSED
DONE, IMPOSSIBLE, ACKNOWLEDGED = OrderAnswer.DONE, OrderAnswer.IMPOSSIBLE, OrderAnswer.ACKNOWLEDGED


async def appealed(made: Supervised, kind: MeasureKind = SUSPEND) -> StoredMeasure:
    """A measure that its owner appealed against at the provider."""
    stored = await made.take(kind, GRAVE)
    return await made.oversight.appeals.submit(stored.measure.measure_id, WORDS)


async def appealed_to_regulator(made: Supervised) -> tuple[StoredMeasure, str]:
    """A measure whose owner went on to the regulator, and the escalation id of the appeal."""
    stored = await appealed(made)
    measure_id = stored.measure.measure_id
    await made.oversight.appeals.decide(measure_id, overturned=False, actor=ACTOR, etag="")
    stored = await made.oversight.appeals.send_on(measure_id)
    assert stored.appeal is not None
    return stored, stored.appeal.appeal.appeal_id


async def orders(made: Supervised, *, answered_too: bool = False) -> list[StoredOrder]:
    """The orders."""
    return (await made.oversight.orders.list_page(0, "", answered_too=answered_too))[0]


async def escalated(made: Supervised) -> str:
    """A report that was handed over; its id."""
    told, _, _ = await made.report()
    await made.oversight.reports.hand_over(told.report.report_id, ACTOR, "")
    return told.report.report_id


async def test_answer_1_owner_appeals_once_at_the_provider_in_time(made: Supervised) -> None:
    """Answer 1: one appeal at the provider within the appeal time; nothing leaves, and the measure holds meanwhile."""
    stored = await appealed(made)
    assert (AppealState.AT_PROVIDER, "UPDATES_SUSPENDED") == (stored.appeal_state, await made.gate())
    assert "APPEAL_REPEATED" == await refusal(made.oversight.appeals.submit(stored.measure.measure_id, WORDS))
    other = await made.take(WARN)
    made.later(16 * DAY)
    assert "APPEAL_TOO_LATE" == await refusal(made.oversight.appeals.submit(other.measure.measure_id, WORDS))
    assert "MEASURE_NOT_FOUND" == await refusal(made.oversight.appeals.submit(new_account_id(), WORDS))
    assert ["measure apply 1", "measure apply 1"] == await made.told()


async def test_answer_1_appeal_that_is_won_undoes_the_measure_at_once(made: Supervised) -> None:
    """Answer 1: the provider overturns; the gate opens within the call, and both statements leave in order."""
    stored = await appealed(made, CLOSE)
    won = await made.oversight.appeals.decide(stored.measure.measure_id, overturned=True, actor=ACTOR, etag=stored.etag)
    assert (AppealState.OVERTURNED, MeasureState.OVERTURNED) == (won.appeal_state, await made.state(won))
    assert "NOT_NEWS" == await made.gate()
    assert ["measure apply 1", "appeal provider_overturned 1", "measure overturn 2"] == await made.told()
    again = made.oversight.appeals.decide(stored.measure.measure_id, overturned=False, actor=ACTOR, etag="")
    assert "APPEAL_REPEATED" == await refusal(again)
    # What was overturned counts as if it had not been: the ladder begins anew.
    assert "LADDER_JUMPED" == await refusal(made.take(SUSPEND))


async def test_answer_1_owner_goes_on_to_the_regulator_once(made: Supervised) -> None:
    """Answer 1: after the provider upheld, or let its time run out, the owner goes on; not before, and once."""
    stored = await appealed(made)
    measure_id, appeals = stored.measure.measure_id, made.oversight.appeals
    assert "APPEAL_TOO_EARLY" == await refusal(appeals.send_on(measure_id))
    made.later(16 * DAY)
    sent = await appeals.send_on(measure_id)
    assert AppealState.AT_REGULATOR is sent.appeal_state
    assert "APPEAL_REPEATED" == await refusal(appeals.send_on(measure_id))
    assert "APPEAL_REPEATED" == await refusal(appeals.decide(measure_id, overturned=True, actor=ACTOR, etag=""))
    statement = (await made.escalations())[-1]
    assert ("appeal to_regulator 1", True) == (
        (await made.told())[-1],
        statement.appeal.HasField("undecided_since_time"),
    )
    other = await made.take(WARN)
    assert "APPEAL_UNKNOWN" == await refusal(appeals.send_on(other.measure.measure_id))


async def test_answer_1_owners_words_are_in_no_file(tmp_path: Path) -> None:
    """Art. 5(2): the words of an appeal are sealed; a digest of them travels."""
    async with supervised(tmp_path) as made:
        await appealed_to_regulator(made)
    assert [] == files_with(tmp_path, WORDS)


async def test_answer_1_granted_appeal_undoes_the_measure_by_itself(made: Supervised) -> None:
    """Answer 1: the regulator grants an appeal; the node undoes the measure, opens the gate and answers the order."""
    stored, appeal_id = await appealed_to_regulator(made)
    granted = await made.decide(appeal_id, GRANTED)
    assert "UPDATES_SUSPENDED" == await made.gate()
    await made.receive(granted)
    assert ("NOT_NEWS", MeasureState.OVERTURNED) == (await made.gate(), await made.state(stored))
    assert [
        "measure apply 1",
        "appeal provider_upheld 1",
        "appeal to_regulator 2",
        "order_answered acknowledged 3",
        "measure overturn 2",
        "order_answered done 4",
    ] == await made.told()
    (order,) = await orders(made, answered_too=True)
    assert (stored.measure.measure_id, DONE, []) == (order.order.overturns, order.order.answer, await orders(made))


async def test_answer_1_refused_appeal_changes_nothing(made: Supervised) -> None:
    """Answer 1: a measure that the regulator upheld stands, and nothing is ordered."""
    stored, appeal_id = await appealed_to_regulator(made)
    await made.receive(await made.decide(appeal_id, REFUSED))
    upheld = await made.oversight.measures.get(stored.measure.measure_id)
    assert (AppealState.UPHELD_BY_REGULATOR, "UPDATES_SUSPENDED") == (upheld.appeal_state, await made.gate())
    assert (3, []) == (len(await made.told()), await orders(made, answered_too=True))


async def test_art_9_order_is_acknowledged_carried_out_and_answered(made: Supervised) -> None:
    """Art. 9: an order is acknowledged when it arrives, carried out as it is, and answered; DONE only when it is done."""
    report_id = await escalated(made)
    directive = await made.order(report_id)
    await made.receive(directive)
    (order,) = await orders(made)
    order_id = entry_id_of(directive)
    assert (order_id, "regulator/330000", ACKNOWLEDGED) == (
        order.order.order_entry_id,
        order.regulator,
        order.order.answer,
    )
    answer = made.oversight.orders.answer
    assert "ORDER_NOT_CARRIED_OUT" == await refusal(answer(order_id, DONE, ""))
    changed = made.take(WARN, order_entry_id=order_id, end_time=made.now + DAY)
    assert "ORDER_CHANGED" == await refusal(changed)
    stored = await made.take(SUSPEND, GRAVE, order_entry_id=order_id, end_time=None)
    assert (made.now + 7 * DAY).timestamp() * 1e6 == stored.measure.end_time
    assert ("UPDATES_SUSPENDED", order_id in stored.reasons) == (await made.gate(), True)
    assert "ORDER_REPEATED" == await refusal(made.take(SUSPEND, GRAVE, order_entry_id=order_id, end_time=None))
    assert "MEASURE_ORDERED" == await refusal(made.oversight.measures.lift(stored.measure.measure_id, ""))
    done = await answer(order_id, DONE, "")
    assert (DONE, []) == (done.order.answer, await orders(made))
    assert "ORDER_ANSWERED" == await refusal(answer(order_id, IMPOSSIBLE, "other"))
    assert [
        "report handed_over 1",
        "order_answered acknowledged 2",
        "measure apply 1",
        "order_answered done 3",
    ] == await made.told()


async def test_art_9_order_that_is_impossible_says_why(made: Supervised) -> None:
    """Art. 9: a provider that cannot carry an order out answers with a reason of the policy, also for a strange account."""
    directive = await made.order(new_account_id())
    strange = await made.decide(new_account_id(), account_id=new_account_id())
    await made.receive(directive, strange)
    assert 2 == len(await orders(made))
    answer = made.oversight.orders.answer
    assert "REASON_UNKNOWN" == await refusal(answer(entry_id_of(directive), IMPOSSIBLE, "no_time"))
    for each, reason in ((directive, "legal_obstacle"), (strange, "account_unknown")):
        assert IMPOSSIBLE == (await answer(entry_id_of(each), IMPOSSIBLE, reason)).order.answer
    assert "ORDER_NOT_FOUND" == await refusal(answer(new_account_id(), DONE, ""))
    assert "ORDER_UNKNOWN" == await refusal(made.take(SUSPEND, GRAVE, order_entry_id=new_account_id()))


async def test_art_9_directive_repeated_or_out_of_order_changes_nothing(made: Supervised) -> None:
    """Art. 9: pages that come twice, late or in another order store each decision once and acknowledge it once."""
    report_id = await escalated(made)
    first, second = (
        await made.order(report_id),
        await made.decide(report_id, EscalationOutcome.DISMISSED, reason="other"),
    )
    await made.receive(second)
    await made.receive(first)
    await made.receive(first, second)
    told = await made.told()
    assert (1, 2) == (told.count("order_answered acknowledged 2"), await made.provider.count("escalation_decision"))
    assert 2 == len(told)


async def test_art_9_directive_for_another_provider_is_refused(made: Supervised) -> None:
    """Art. 9: a decision that names another provider proves nothing about this one; none of its page is stored."""
    report_id = await escalated(made)
    foreign = await made.decide(report_id, provider="provider/other")
    with pytest.raises(ProofError):
        await made.receive(await made.order(report_id), foreign)
    assert ([], 0) == (await orders(made, answered_too=True), await made.provider.count("escalation_decision"))


async def test_art_9_decision_about_what_never_left_is_harmless(made: Supervised) -> None:
    """Art. 9: a decision on a report that never left, handled or settled, or on another account, changes no report."""
    told, _, _ = await made.report()
    settled, _, _ = await made.report(baseline=6)
    await made.oversight.reports.settle(settled.report.report_id, ACTOR, "no_violation", "")
    escalated_id = await escalated_of_other_item(made)
    await made.receive(
        await made.decide(told.report.report_id, EscalationOutcome.DISMISSED, reason="other"),
        await made.decide(settled.report.report_id, EscalationOutcome.DISMISSED, reason="other"),
        await made.decide(escalated_id, EscalationOutcome.DISMISSED, reason="other", account_id=new_account_id()),
    )
    found, _ = await made.oversight.reports.list_page(ReportState.UNSPECIFIED, "", 0, "")
    expected = {ReportState.RECEIVED, ReportState.SETTLED, ReportState.ESCALATED}
    assert expected == {each.report.state for each in found}


async def escalated_of_other_item(made: Supervised) -> str:
    """Another report that was handed over."""
    told, _, _ = await made.report(item_digest=b"j" * 32)
    await made.oversight.reports.hand_over(told.report.report_id, ACTOR, "")
    return told.report.report_id


async def test_art_9_orders_are_listed_by_due_time(made: Supervised) -> None:
    """Art. 9: those first that are due first, page by page."""
    directives = []
    for _ in range(3):
        directives.append(await made.decide(new_account_id()))
        made.later(timedelta(days=1))
    await made.receive(*reversed(directives))
    listed, token = list[str](), ""
    while True:
        page, token = await made.oversight.orders.list_page(1, token, answered_too=False)
        listed.extend(each.order.order_entry_id for each in page)
        if not token:
            break
    assert [entry_id_of(each) for each in directives] == listed


async def test_art_9_order_keeps_its_proof(made: Supervised) -> None:
    """The receipt of a decision is kept, so that a provider can prove what it was ordered."""
    directive = await made.order(await escalated(made))
    await made.receive(directive)
    ((receipt,),) = await made.provider.database.read(
        lambda transaction: transaction.execute("SELECT receipt FROM escalation_decision")
    )
    assert directive.SerializeToString(deterministic=True) == bytes(receipt)
    assert escalation_pb2.MEASURE_KIND_SUSPEND_UPDATES == (await orders(made))[0].order.measure
