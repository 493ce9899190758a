"""The end of log entries, and a regulator's hold at a provider, through a whole network in simulated time (Art. 8(2))."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from shared.client.provider import FilingState, WithdrawalReason
from shared.client.record_types import HoldScope, LegalHold, RecordClass
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.errors import FailedPrecondition, NotFound
from tests.e2e.filing_desk import file_account
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

PROVINCE, NATION, SECONDS = "330000", "100000", 60.0
LONG_AFTER_DAYS: Final = 3 * 366 + 31


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A nation, a province and a provider, whose time can be moved."""
    return filing_cluster_factory(provinces=(PROVINCE,), providers={"wave": PROVINCE}, simulated_time=True)


async def of(holds: AsyncIterator[LegalHold], hold_id: str) -> LegalHold | None:
    """One hold of a list."""
    return next((each for each in [each async for each in holds] if each.hold_id == hold_id), None)


async def said(node: Node, *arguments: str) -> Any:
    """What a command of a regulator prints as JSON."""
    return json.loads(await node.run("regulator_node", *arguments, "--data", str(node.folder), "--json"))


async def test_art_8_2_a_withdrawn_account_ends_in_every_log_and_all_of_them_verify(
    cluster: Cluster, tmp_path: Path, tried: Tried
) -> None:
    """Art. 8(2): three years on its entries are gone from province and nation, certified; the logs verify, filing goes on."""
    wave, province, nation = cluster.provider("wave"), cluster.regulator(PROVINCE), cluster.regulator(NATION)
    async with wave.client() as backend:
        gone, kept = await file_account(backend), await file_account(backend)

        async def final(account_id: str) -> bool:
            account = await backend.get_account(account_id)
            return account.filing is not None and account.filing.state is FilingState.FINAL

        await cluster.wait_until(lambda: final(gone.account_id), "the account is final", SECONDS)
        await backend.withdraw_account(gone.account_id, WithdrawalReason.CLOSED)
        await cluster.wait_until(lambda: final(gone.account_id), "its withdrawal is final", SECONDS)
    cluster.advance(days=LONG_AFTER_DAYS)
    for node in (province, nation):
        await node.restart()

    async def disposed(node: Any) -> Callable[[], Awaitable[bool]]:
        async def so() -> bool:
            async with node.client() as desk:
                made = [each async for each in desk.certificates()]
            return 2 in [each.records for each in made if each.record_class is RecordClass.FILING_ENTRY]

        return so

    for node in (province, nation):
        await cluster.wait_until(await disposed(node), f"{node.name} disposed of the entries", SECONDS)
    keys = tmp_path / "keys.json"
    await wave.run("provider_node", "keys", "export", "--data", str(wave.folder), "--output", str(keys))
    proven = []
    for node in (province, nation):
        async with node.client() as desk:
            found = [each.account_id async for each in desk.search()]
        assert [kept.account_id] == found
        file = tmp_path / f"{node.folder.name}.log"
        await said(node, "log", "export", "--jurisdiction", PROVINCE, "--output", str(file))
        verdict = await node.run(
            "shared.evidence", "log", str(file), "--jurisdiction", PROVINCE, "--keys", str(keys), "--json"
        )
        proven.append(json.loads(verdict))
        assert "2 of them are disposed of" in await node.run(
            "shared.evidence", "log", str(file), "--jurisdiction", PROVINCE, "--keys", str(keys)
        )
        checked = await said(node, "fsck")
        assert (True, {PROVINCE: 2}) == (checked["whole"], checked["disposed"])
    assert [2, 2] == [each["disposed"] for each in proven]
    assert proven[0]["root"] == proven[1]["root"]
    # By then the provider's licence has lapsed, and what it owes the public goes into the log all the same.
    async with wave.client() as backend, province.client() as desk:
        taken = await backend.submit_report(kept.account_id, baseline=7, statement="样例举报之言")
        await backend.hand_over_report(taken.report.report_id, actor="desk-3")

        async def opened() -> bool:
            return bool([case async for case in desk.cases()])

        await cluster.wait_until(opened, "the log goes on", SECONDS)
    what = "a log verified offline after entries of it were disposed of, at its province and at the nation"
    tried(3, what, logs=len(proven), disposed=sum(each["disposed"] for each in proven))


async def test_art_8_2_a_regulators_hold_keeps_a_providers_records(cluster: Cluster) -> None:
    """Art. 8(2): acknowledged by itself in time, shown at both, honoured beyond the period, lifted by its regulator alone."""
    wave, province, nation = cluster.provider("wave"), cluster.regulator(PROVINCE), cluster.regulator(NATION)
    async with wave.client() as backend, province.client() as desk:
        account = await file_account(backend)
        taken = await backend.submit_report(account.account_id, baseline=7, statement="样例举报之言")
        report_id = taken.report.report_id
        await backend.settle_report(report_id, "no_violation", actor="desk-3")
        kept = ("--account", account.account_id, "--reason", "court_order")
        (placed,) = await said(province, "records", "direct-hold", wave.name, *kept)
        hold_id = placed["hold_id"]
        assert (wave.name, "regulator/330000", None) == (
            placed["provider"],
            placed["placed_by"],
            placed["acknowledged_time"],
        )

        async def acknowledged() -> bool:
            held = await of(desk.holds(lifted_too=True), hold_id)
            return held is not None and held.acknowledged_time is not None

        await cluster.wait_until(acknowledged, "the provider acknowledged the hold", SECONDS)
        here, there = await of(desk.holds(), hold_id), await of(backend.holds(), hold_id)
        assert here is not None
        assert there is not None
        assert here.acknowledge_by is not None
        assert here.acknowledged_time is not None
        assert timedelta(0) < here.acknowledge_by - here.acknowledged_time <= timedelta(hours=4)
        assert (there.placed_by, there.scope, there.target) == (here.placed_by, here.scope, here.target)
        with pytest.raises(FailedPrecondition) as refused:
            await backend.lift_hold(hold_id, reason="court_done", actor="desk-3")
        assert "HOLD_OF_REGULATOR" == refused.value.reason
    cluster.advance(days=215)
    await wave.restart()
    async with wave.client() as backend, province.client() as desk:
        assert [] == await backend.dispose_records(actor="desk-3")
        report, *_ = await backend.get_report(report_id, purpose="court", reader="desk-3")
        assert report_id == report.report_id
        # The nation, whose directives the province passes on, may lift it as well.
        async with nation.client() as office:
            until = system_clock() + timedelta(days=400)
            of_class = await office.direct_hold(
                wave.name, HoldScope.CLASS, record_class=RecordClass.APPEAL, reason="inspection", end_time=until
            )
            lifted = await office.lift_directed_hold(hold_id, reason="court_done")
        assert "regulator/100000" == lifted.lifted_by

        async def free() -> bool:
            held = await of(backend.holds(lifted_too=True), hold_id)
            return held is not None and held.lifted_time is not None

        await cluster.wait_until(free, "the provider heard that the hold was lifted", SECONDS)
        await cluster.wait_until(acknowledged, "and acknowledged that", SECONDS)
        passed = await of(backend.holds(), of_class.hold_id)
        assert passed is not None
        assert ("regulator/100000", until) == (passed.placed_by, passed.end_time)
        assert [RecordClass.REPORT] == [each.record_class for each in await backend.dispose_records(actor="desk-3")]
        with pytest.raises(NotFound):
            await backend.get_report(report_id, purpose="court", reader="desk-3")
