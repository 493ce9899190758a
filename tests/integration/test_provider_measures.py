"""Measures at a provider (Art. 8, answer 1): judged, in force at the gate within the call, reported, lifted, over."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from provider_node.measure_rows import MeasureState
from shared.errors import Conflict, InvalidInput
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.filings import WithdrawalReason
from shared.provisions.measure_kinds import Gravity
from tests.integration.oversight_samples import (
    CLOSE,
    DAY,
    GRAVE,
    RESTRICT,
    SUSPEND,
    WARN,
    Supervised,
    refusal,
    served,
)
from tests.integration.provider_samples import made_up_network

ALL = MeasureState.UNSPECIFIED


async def test_art_8_1_measures_bite_at_the_gate_within_the_call(made: Supervised) -> None:
    """Art. 8(1): by gravity warn, restrict, suspend, close; the gate obeys when the call returns, and opens likewise."""
    assert "NOT_NEWS" == await made.gate()
    await made.take(WARN)
    assert "NOT_NEWS" == await made.gate()
    await made.take(RESTRICT)
    assert ("NOT_NEWS", "PUBLISHING_RESTRICTED") == (await made.gate(), await made.gate(news=True))
    suspended = await made.take(SUSPEND)
    assert "UPDATES_SUSPENDED" == await made.gate()
    await made.oversight.measures.lift(suspended.measure.measure_id, suspended.etag)
    assert "NOT_NEWS" == await made.gate()
    await made.take(CLOSE)
    assert "ACCOUNT_CLOSED" == await made.gate()
    assert ["measure apply 1"] * 3 + ["measure lift 2", "measure apply 1"] == await made.told()


async def test_art_8_1_caller_that_gives_up_leaves_the_gate_right(made: Supervised) -> None:
    """Art. 8(1): a call that is cancelled while its measure is committed still closes the gate."""
    assert "NOT_NEWS" == await made.gate()
    call = asyncio.ensure_future(made.take(SUSPEND, GRAVE))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await made.provider.gate.close()
    taken = await made.provider.count("measure")
    assert ("UPDATES_SUSPENDED" if taken else "NOT_NEWS") == await made.gate()


async def test_art_8_1_ladder_is_jumped_with_its_gravity_only(made: Supervised) -> None:
    """Art. 8(1): ordinary acts go one step further, serious ones two, grave ones all the way; nothing is stored else."""
    assert "LADDER_JUMPED" == await refusal(made.take(RESTRICT))
    assert "LADDER_JUMPED" == await refusal(made.take(SUSPEND, Gravity.SERIOUS))
    assert ([], 0) == (await made.told(), await made.provider.count("measure"))
    await made.take(RESTRICT, Gravity.SERIOUS)
    await made.take(CLOSE, GRAVE)


async def test_answer_1_no_measure_without_act_baseline_and_end(made: Supervised) -> None:
    """Answer 1: no measure for what an account is; every measure but closing has an end, within the policy's days."""
    assert "REASON_UNKNOWN" == await refusal(made.take(reason="disliked"))
    assert "BASELINE_WRONG" == await refusal(made.take(baseline=0))
    assert "END_WRONG" == await refusal(made.take(end_time=None))
    assert "END_WRONG" == await refusal(made.take(CLOSE, GRAVE, end_time=made.now + DAY))
    assert "END_BEFORE_START" == await refusal(made.take(end_time=made.now))
    assert "MEASURE_TOO_LONG" == await refusal(made.take(end_time=made.now + 31 * DAY))
    assert "ACCOUNT_NOT_FOUND" == await refusal(made.take(account_id=new_account_id()))


async def test_art_8_1_no_measure_on_an_account_that_is_closed_withdrawn_or_not_filed(made: Supervised) -> None:
    """Art. 8(1): a closed account takes no further measure, nor does one that was given up or never filed."""
    await made.take(CLOSE, GRAVE)
    assert "ACCOUNT_CLOSED" == await refusal(made.take(WARN))
    subject = await made.provider.subjects.get(made.account.reference)
    opened = await made.provider.opened(subject)
    assert "ACCOUNT_NOT_FILED" == await refusal(made.take(account_id=opened.account_id))
    await made.provider.accounts.review(opened.account_id, ReviewOutcome.PASSED, "", "", None)
    await made.provider.accounts.withdraw(opened.account_id, WithdrawalReason.OWNER_REQUEST, "")
    assert "ACCOUNT_WITHDRAWN" == await refusal(made.take(account_id=opened.account_id))


async def test_answer_1_owner_is_told_why_in_chinese(made: Supervised) -> None:
    """Answer 1: the statement of reasons names article, act, baseline, gravity, times and until when to appeal."""
    stored = await made.take(SUSPEND, GRAVE)
    expected = (
        "根据《即时通信工具公众信息服务发展管理暂行规定》第八条,因该公众账号存在“发布虚假信息”的行为,"
        "违反第六条规定的“信息真实性底线”,情节严重,现采取“暂停更新”措施,"
        "自2026年3月2日16:00(北京时间)起至2026年3月9日16:00(北京时间)止。"
        "账号主体如有异议,可在2026年3月18日00:00(北京时间)前向本服务提供者申诉;对申诉结果仍有异议的,可向主管部门申诉。"
    )
    assert expected == stored.reasons


async def test_art_8_2_killed_between_a_measure_and_its_report_leaves_both_or_none(tmp_path: Path) -> None:
    """Art. 8(2): a provider that is killed while it takes measures holds as many measures as reports of them."""
    program = (
        f"import asyncio; from tests.integration.measures_under_fire import main; asyncio.run(main({str(tmp_path)!r}))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    account_id = (await process.stdout.readline()).decode().strip()
    acknowledged = [(await process.stdout.readline()).decode().strip() for _ in range(20)]
    process.kill()
    await process.wait()
    async with made_up_network(tmp_path) as network, served(tmp_path, network) as provider:
        made = Supervised(provider, await provider.accounts.get(account_id))
        taken = [each.measure.measure_id for each in (await made.oversight.measures.list_page("", ALL, 1000, ""))[0]]
        assert sorted(taken) == sorted(each.escalation_id for each in await made.escalations())
        assert set(acknowledged) <= set(taken)


async def test_art_8_2_report_of_a_measure_tells_where_it_is(made: Supervised) -> None:
    """Art. 8(2): each measure is reported and receipted; what was not taken in yet says so."""
    stored = await made.take(WARN)
    assert stored.report is not None
    assert (FilingState.QUEUED, 1) == (stored.report.state, stored.report.revision)
    (escalation,) = await made.escalations()
    assert (stored.measure.measure_id, made.account.account_id, 7, "false_information") == (
        escalation.escalation_id,
        escalation.account_id,
        escalation.measure.baseline,
        escalation.measure.reason,
    )


async def test_art_8_1_request_sent_again_takes_no_second_measure(made: Supervised) -> None:
    """Promise 2: a retry gets the same measure; the same id with another content is refused."""
    request_id, end = new_account_id(), made.now + DAY
    first = await made.take(WARN, request_id=request_id, end_time=end)
    again = await made.take(WARN, request_id=request_id, end_time=end)
    assert (first.measure, ["measure apply 1"]) == (again.measure, await made.told())
    with pytest.raises(InvalidInput):
        await made.take(WARN, request_id=request_id, end_time=end + DAY)


async def test_art_8_1_measure_ends_by_itself_and_the_regulator_hears_of_it_once(made: Supervised) -> None:
    """Art. 8(1): at its end a measure is over at the gate at once; the worker says so once, whatever the clock does."""
    stored = await made.take(SUSPEND, GRAVE)
    end = made.now + 7 * DAY
    made.set_clock(end - timedelta(microseconds=1))
    await made.oversight.clock.tick()
    assert ("UPDATES_SUSPENDED", MeasureState.IN_FORCE) == (await made.gate(), await made.state(stored))
    made.set_clock(end)
    assert ("NOT_NEWS", MeasureState.EXPIRED) == (await made.gate(), await made.state(stored))
    for moment in (end, end - DAY, end + DAY):
        made.set_clock(moment)
        await made.oversight.clock.tick()
    assert ["measure apply 1", "measure expire 2"] == await made.told()
    assert "MEASURE_ENDED" == await refusal(made.oversight.measures.lift(stored.measure.measure_id, ""))


async def test_art_8_1_closing_is_final_after_its_appeal_time(made: Supervised) -> None:
    """Art. 8(1): a closing can be lifted until nobody can appeal against it any more; then it is final."""
    stored = await made.take(CLOSE, GRAVE)
    made.set_clock(made.now + 15 * DAY)
    assert MeasureState.IN_FORCE is await made.state(stored)
    made.set_clock(made.now + DAY)
    assert MeasureState.FINAL is await made.state(stored)
    assert "MEASURE_FINAL" == await refusal(made.oversight.measures.lift(stored.measure.measure_id, ""))
    await made.oversight.clock.tick()
    assert ["measure apply 1"] == await made.told()
    finals, _ = await made.oversight.measures.list_page("", MeasureState.FINAL, 0, "")
    assert [stored.measure] == [each.measure for each in finals]
    assert ([], "") == await made.oversight.measures.list_page("", MeasureState.IN_FORCE, 0, "")


async def test_art_8_1_lifting_what_somebody_changed_is_refused(made: Supervised) -> None:
    """An old etag is refused; a measure that was lifted is not lifted again."""
    stored = await made.take(WARN)
    await made.oversight.measures.lift(stored.measure.measure_id, stored.etag)
    with pytest.raises(Conflict):
        await made.oversight.measures.lift(stored.measure.measure_id, stored.etag)
    assert "MEASURE_ENDED" == await refusal(made.oversight.measures.lift(stored.measure.measure_id, ""))
    assert MeasureState.LIFTED is await made.state(stored)


async def test_art_8_1_measures_are_listed_by_page_and_state(made: Supervised) -> None:
    """Measures are listed newest first, page by page, by account and by state."""
    taken = []
    for _ in range(3):
        taken.append((await made.take(WARN)).measure.measure_id)
        made.later(timedelta(minutes=1))
    listed, token = list[str](), ""
    while True:
        page, token = await made.oversight.measures.list_page(made.account.account_id, MeasureState.IN_FORCE, 1, token)
        listed.extend(each.measure.measure_id for each in page)
        if not token:
            break
    assert taken[::-1] == listed
    assert ([], "") == await made.oversight.measures.list_page(new_account_id(), ALL, 0, "")


async def test_art_8_2_suspended_or_unlicensed_provider_still_owes_its_records(made: Supervised) -> None:
    """Art. 8(2): no licence and no good standing is asked for to report a measure; one that was shut out cannot."""
    network, view = made.provider.network, made.provider.view
    await view.install([network.directory(state=directory_pb2.NODE_STATE_SUSPENDED)])
    await made.take(WARN)
    await view.install([network.directory(state=directory_pb2.NODE_STATE_DENIED)])
    assert "PROVIDER_DENIED" == await refusal(made.take(WARN))


async def test_art_8_1_gate_knows_measures_after_a_restart(tmp_path: Path) -> None:
    """Art. 8(1): a node that starts again closes what was closed before it answers the first question."""
    async with made_up_network(tmp_path) as network:
        async with served(tmp_path, network) as provider:
            made = Supervised(provider, await provider.filed(await provider.registered()))
            await made.take(SUSPEND, GRAVE)
        async with served(tmp_path, network) as again:
            assert "UPDATES_SUSPENDED" == await Supervised(again, made.account).gate()
