"""The end of records through a whole network of processes, in simulated time (Art. 8(2)): each node by itself, certified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from shared.client.officer_case_types import Case, CaseFilter, CaseKind, CaseVerdict, EscalationOutcome
from shared.client.record_types import Certificate, RecordClass
from shared.client.report_types import ReportState
from shared.cluster.demo_audit import audit_all
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node, RegulatorNode
from shared.cluster.wire import entries_at
from shared.errors import NotFound
from tests.e2e.filing_desk import file_account

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

PROVINCE: Final = "330000"
SECONDS: Final = 60.0
WORDS: Final = "样例举报之言"


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A nation, a province and a provider, whose time can be moved."""
    return filing_cluster_factory(provinces=(PROVINCE,), providers={"wave": PROVINCE}, simulated_time=True)


async def decided(cluster: Cluster, province: RegulatorNode, kind: CaseKind) -> Case:
    """Waits for the only case of a kind, and dismisses it."""
    found: list[Case] = []
    async with province.client() as desk:

        async def there() -> bool:
            found[:] = [case async for case in desk.cases(CaseFilter(kind=kind))]
            return bool(found)

        await cluster.wait_until(there, "the case is there", SECONDS)
        await desk.assign_case(found[0].case_id, "review-desk-1")
        verdict = CaseVerdict(found[0].case_id, EscalationOutcome.DISMISSED, "not_verified")
        return (await desk.decide_case(verdict)).case


async def certified(
    cluster: Cluster, certificates: Callable[[], Awaitable[list[Certificate]]], *kinds: RecordClass
) -> None:
    """Waits until the node has certified by itself that records of some classes are gone."""

    async def so() -> bool:
        return {*kinds} <= {each.record_class for each in await certificates() if each.actor == "upkeep"}

    await cluster.wait_until(so, "the node disposed of what was over", SECONDS)


async def proven(node: Node, program: str, folder: Path, keys: Path) -> str:
    """Has a node write its first certificate, and anybody verify it."""
    file = folder / f"{program}.certificate"
    await node.run(program, "records", "certificate", "--data", str(node.folder), "1", "--output", str(file))
    return await node.run("shared.evidence", "disposal", str(file), "--keys", str(keys))


async def test_art_8_2_every_node_disposes_of_what_is_over_and_nothing_is_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Art. 8(2): report, complaint and case are over and half a year old: their words go everywhere, the logs stay."""
    wave, province = cluster.provider("wave"), cluster.regulator(PROVINCE)
    async with wave.client() as backend:
        account = await file_account(backend)
        taken = await backend.submit_report(account.account_id, baseline=7, statement=WORDS)
        report_id = taken.report.report_id
        await backend.hand_over_report(report_id, actor="desk-3")
        await decided(cluster, province, CaseKind.REPORT)

        async def heard() -> bool:
            return ReportState.DECIDED in [each.state async for each in backend.reports()]

        await cluster.wait_until(heard, "the provider heard the decision", SECONDS)
    async with province.public() as anybody:
        complaint = await anybody.submit_complaint(account.account_id, baseline=7, statement=WORDS)
    await decided(cluster, province, CaseKind.COMPLAINT)
    logs = {node.name: entries_at(node.folder) for node in cluster.regulators}
    cluster.advance(days=215)
    for node in (wave, province):
        await node.restart()
    async with wave.client() as backend, province.client() as desk:

        async def of_wave() -> list[Certificate]:
            return [each async for each in backend.certificates()]

        async def of_province() -> list[Certificate]:
            return [each async for each in desk.certificates()]

        await certified(cluster, of_wave, RecordClass.REPORT)
        await certified(cluster, of_province, RecordClass.COMPLAINT, RecordClass.CASE, RecordClass.QUERY_AUDIT)
        with pytest.raises(NotFound):
            await backend.report_outcome(taken.tracking_code)
        with pytest.raises(NotFound):
            await backend.get_report(report_id, purpose="court", reader="desk-3")
    async with province.public() as anybody:
        with pytest.raises(NotFound):
            await anybody.get_complaint(complaint.tracking_code)
    keys = tmp_path / "keys.json"
    await wave.run("provider_node", "keys", "export", "--data", str(wave.folder), "--output", str(keys))
    for node, program in ((wave, "provider_node"), (province, "regulator_node")):
        assert f"{node.name} stated in its certificate 1" in await proven(node, program, tmp_path, keys)
    audit = await audit_all(cluster, "after the disposal")
    assert [[], []] == [balance.findings for balance in audit.balances]
    for node in cluster.regulators:
        assert set(logs[node.name]) <= set(entries_at(node.folder))
