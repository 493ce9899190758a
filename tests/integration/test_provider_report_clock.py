"""The clock of reports (Art. 5(3)): what is due leaves by itself, at its minute, once, whatever happens to the node."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from provider_node.gated_writes import GatedWrites
from provider_node.report_clock import LONGEST_WAIT_SECONDS, ReportClock
from provider_node.reports import Reports
from provider_node.standing import read_standing
from provider_node.submissions import Submission
from shared.changes import Changes
from shared.clock import from_micros
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.reports import ReportState
from tests.integration.filing_samples import PROVIDER
from tests.integration.oversight_samples import ACTOR, DAY, HOUR, Supervised, refusal, served
from tests.integration.provider_samples import made_up_network

MOMENT = timedelta(microseconds=1)
OVERDUE = "report first_answer_overdue 1"


async def answered(made: Supervised) -> tuple[str, datetime]:
    """A report that had its first answer: its id, and when it is to be settled."""
    told, _, _ = await made.report()
    await made.oversight.reports.answer(told.report.report_id, ACTOR, "已受理", "")
    return told.report.report_id, from_micros(told.due.settlement)


async def test_art_5_3_overdue_report_leaves_at_its_minute(made: Supervised) -> None:
    """Art. 5(3): without a first answer a report leaves at the first moment after 24 hours, and not before."""
    told, _, _ = await made.report()
    made.later(24 * HOUR - MOMENT)
    await made.oversight.clock.tick()
    assert [] == await made.told()
    made.later(MOMENT)
    await made.oversight.clock.tick()
    assert [OVERDUE] == await made.told()
    (escalation,) = await made.escalations()
    report = escalation.report
    assert (told.report.report_id, made.account.account_id, 1, told.due.first_answer) == (
        escalation.escalation_id,
        escalation.account_id,
        report.reports,
        report.due_time.ToMicroseconds(),
    )


async def test_art_5_3_report_leaves_once_across_restarts_and_clock_jumps(tmp_path: Path) -> None:
    """Art. 5(3): two restarts and a clock that is set back and forth let a report leave once."""
    async with made_up_network(tmp_path) as network:
        async with served(tmp_path, network) as provider:
            made = Supervised(provider, await provider.filed(await provider.registered()))
            await made.report()
            due = made.now + 24 * HOUR
        for now in (due, due - 2 * HOUR, due + DAY):
            async with served(tmp_path, network, now=now) as again:
                made = Supervised(again, made.account)
                for jump in (timedelta(0), 100 * DAY, -200 * DAY, 100 * DAY):
                    made.later(jump)
                    await made.oversight.clock.tick()
                found, _ = await made.oversight.reports.list_page(ReportState.ESCALATED, "", 0, "")
                assert ([OVERDUE], 1) == (await made.told(), len(found))


async def test_art_5_3_answered_report_leaves_when_it_is_not_settled(made: Supervised) -> None:
    """Art. 5(3): after the first answer the settlement clock counts: three working days."""
    _, due = await answered(made)
    made.set_clock(due - MOMENT)
    await made.oversight.clock.tick()
    assert [] == await made.told()
    made.set_clock(due)
    await made.oversight.clock.tick()
    assert ["report settlement_overdue 1"] == await made.told()


async def test_art_5_3_pause_moves_the_due_minute(made: Supervised) -> None:
    """Art. 5(3): a pause for a stated reason moves the settlement by its length; the first answer waits for nothing."""
    report_id, due = await answered(made)
    await made.oversight.reports.pause(report_id, ACTOR, "awaiting_evidence", "")
    made.later(5 * HOUR)
    resumed = await made.oversight.reports.resume(report_id, ACTOR, "")
    assert due + 5 * HOUR == from_micros(resumed.due.settlement)
    made.set_clock(due + 5 * HOUR - MOMENT)
    await made.oversight.clock.tick()
    assert [] == await made.told()
    made.later(MOMENT)
    await made.oversight.clock.tick()
    assert ["report settlement_overdue 1"] == await made.told()


async def test_art_5_3_unanswered_report_leaves_although_it_is_paused(made: Supervised) -> None:
    """Art. 5(3): a pause stops the settlement clock only; and none stops it for ever."""
    told, _, _ = await made.report()
    await made.oversight.reports.pause(told.report.report_id, ACTOR, "awaiting_court", "")
    other = await answered_of(made, 6)
    await made.oversight.reports.pause(other, ACTOR, "awaiting_court", "")
    made.later(24 * HOUR)
    await made.oversight.clock.tick()
    assert [OVERDUE] == await made.told()
    made.later(60 * DAY)
    await made.oversight.clock.tick()
    assert [OVERDUE, "report settlement_overdue 1"] == await made.told()


async def answered_of(made: Supervised, baseline: int) -> str:
    """The id of an answered report in another matter."""
    told, _, _ = await made.report(baseline=baseline)
    await made.oversight.reports.answer(told.report.report_id, ACTOR, "已受理", "")
    return told.report.report_id


async def test_art_5_3_call_after_the_due_minute_finds_the_report_gone(made: Supervised) -> None:
    """Art. 5(3): whatever the worker was doing, a late answer or settlement is one of a report that has left."""
    told, _, _ = await made.report()
    made.later(24 * HOUR)
    late = await made.oversight.reports.answer(told.report.report_id, ACTOR, "已受理", told.report.etag)
    assert (ReportState.ESCALATED, [OVERDUE]) == (late.report.state, await made.told())
    await made.oversight.reports.settle(told.report.report_id, ACTOR, "no_violation", "")
    assert [OVERDUE, "report_settled no_violation 2"] == await made.told()
    await made.oversight.clock.tick()
    assert 2 == len(await made.told())


async def test_art_5_3_late_report_is_not_joined_to(made: Supervised) -> None:
    """Art. 5(3): a report that comes after the due minute of an earlier one begins anew, and the earlier one leaves."""
    first, _, _ = await made.report()
    made.later(24 * HOUR)
    second, _, joined = await made.report()
    assert (True, False, [OVERDUE]) == (
        first.report.report_id != second.report.report_id,
        joined,
        await made.told(),
    )
    assert "REPORT_STATE_WRONG" == await refusal(
        made.oversight.reports.pause(first.report.report_id, ACTOR, "awaiting_court", "")
    )


async def test_art_5_3_joined_reports_leave_as_one(made: Supervised) -> None:
    """Art. 5(3): what was joined leaves once, with its number and the first one's times."""
    first, _, _ = await made.report()
    for _ in range(2):
        made.later(HOUR)
        await made.report()
    made.later(24 * HOUR)
    await made.oversight.clock.tick()
    (escalation,) = await made.escalations()
    assert (3, first.due.first_answer) == (escalation.report.reports, escalation.report.due_time.ToMicroseconds())


async def test_art_5_3_many_due_at_one_minute_all_leave(made: Supervised) -> None:
    """Art. 5(3): more reports than fit into one transaction are due together, and each leaves once."""
    for number in range(230):
        await made.report(item_digest=number.to_bytes(32, "big"), statement="")
    made.later(24 * HOUR)
    await made.oversight.clock.tick()
    escalations = await made.escalations()
    assert (230, 230) == (len(escalations), len({each.escalation_id for each in escalations}))


async def test_art_5_3_provider_that_was_shut_out_keeps_its_reports(made: Supervised) -> None:
    """Art. 5(3): what the regulator would refuse because of the provider stays, and leaves once it is let in again."""
    network, view = made.provider.network, made.provider.view
    await made.report()
    made.later(24 * HOUR)
    await view.install([network.directory(state=directory_pb2.NODE_STATE_DENIED)])
    assert LONGEST_WAIT_SECONDS == await made.oversight.clock.tick()
    assert [] == await made.told()
    await view.install([network.directory()])
    await made.oversight.clock.tick()
    assert [OVERDUE] == await made.told()


async def test_art_5_3_worker_waits_for_the_next_due_minute(made: Supervised) -> None:
    """Art. 5(3): the worker waits as long as nothing is due, but never so long that a clock that was set goes unseen."""
    assert LONGEST_WAIT_SECONDS == await made.oversight.clock.tick()
    await made.report()
    made.later(24 * HOUR - timedelta(seconds=5))
    assert 5.0 == await made.oversight.clock.tick()


class WatchedChanges(Changes):
    """Changes that tell when somebody waits for them."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()

    async def wait(self, ticket: asyncio.Event, seconds: float) -> bool:  # type: ignore[override]
        self.waiting.set()
        return await Changes.wait(ticket, seconds)


async def test_art_5_3_worker_is_woken_by_a_change(made: Supervised) -> None:
    """Art. 5(3): a worker that waits notices what is due when anything changes, without waiting out its time."""
    provider, changes = made.provider, WatchedChanges()
    standing = partial(read_standing, provider.view, PROVIDER)
    writes = GatedWrites(provider.database, provider.gate, changes, lambda: None)
    reports = Reports(writes, provider.vault, standing, provider.clock)
    worker = asyncio.create_task(ReportClock(writes, made.oversight.measures, standing, changes, provider.clock).run())
    await reports.submit(new_account_id(), Submission(made.account.account_id, 7))
    async with asyncio.timeout(LONGEST_WAIT_SECONDS / 2):
        await changes.waiting.wait()
        made.later(24 * HOUR)
        for baseline in (1, 2):
            changes.waiting.clear()
            await reports.submit(new_account_id(), Submission(made.account.account_id, baseline))
            await changes.waiting.wait()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert [OVERDUE] == await made.told()


async def test_art_5_3_policy_that_arrives_late_sets_the_clocks_anew(made: Supervised) -> None:
    """Art. 5(3): a report is judged by the policy in force when it was received, also where that policy came later."""
    await made.oversight.clock.tick()
    told, _, _ = await made.report()
    assert 1 == len(made.provider.view.policies)
    await made.provider.view.install([made.provider.network.policy(2, made.now - HOUR, first_answer_hours=2)])
    await made.oversight.clock.tick()
    made.later(2 * HOUR)
    await made.oversight.clock.tick()
    (escalation,) = await made.escalations()
    assert told.report.received_time + 2 * HOUR // MOMENT == escalation.report.due_time.ToMicroseconds()
