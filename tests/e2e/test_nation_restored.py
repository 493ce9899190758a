"""Promises 1, 4 and 7: a nation put back to an older backup is found, undoes no denial, and works again once it is accepted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.alarms import Alarms
from shared.client.officer import NodeState
from shared.client.provider import FilingState, ProviderClient
from shared.client.record_types import HoldScope
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node, RegulatorNode
from shared.errors import FailedPrecondition, Unavailable
from shared.provisions.policy import initial_policy
from tests.e2e.filing_desk import file_account, filings_at, import_accounts, register
from tests.e2e.test_offline_audit import verify

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]

PROVINCE, REGION, GALE, NATION = "330000", "110000", "provider/gale", "regulator/100000"
ACCEPT = re.compile(r"log accept --data DATA --of 100000 --size (\d+) --root ([0-9a-f]{64})")


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """Two provinces and three providers, one of which files with the nation; subjects are of the other province."""
    providers = {"wave": PROVINCE, "gale": PROVINCE, "direct": "100000"}
    return filing_cluster_factory(provinces=(PROVINCE, REGION), providers=providers)


@pytest.fixture
def small(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A province with two providers."""
    return filing_cluster_factory(providers={"wave": PROVINCE, "gale": PROVINCE})


def open_alarms(node: Node) -> list[str]:
    """The names of a node's open alarms."""
    return [alarm.name for alarm in Alarms(node.folder).open()]


async def versions(cluster: Cluster) -> set[tuple[int, int]]:
    """The versions of directory and policy at every regulator."""
    found = set()
    for regulator in cluster.regulators:
        async with regulator.client() as officer:
            status = await officer.status()
            found.add((status.directory_version, status.policy_version))
    return found


async def state_of(regulator: RegulatorNode, name: str) -> NodeState:
    """How a regulator's directory has a node."""
    async with regulator.client() as officer:
        return next(state for state in [node.state async for node in officer.nodes() if node.name == name])


async def filings_of(regulator: RegulatorNode) -> set[str]:
    """The accounts that a regulator has on file."""
    async with regulator.client() as officer:
        return {filing.account_id async for filing in officer.search()}


async def cosigned(cluster: Cluster) -> bool:
    """Whether the nation's newest head is cosigned."""
    async with cluster.nation.client() as office:
        head = await office.log_head()
        return head.cosigned_size == head.size


async def went_on(cluster: Cluster, wave: ProviderClient) -> None:
    """What the nation does after the backup: it denies, publishes, admits and directs; and filings go on."""
    async with cluster.nation.client() as office:
        later = system_clock() + timedelta(seconds=1)
        await office.publish_policy(replace(initial_policy(), version=2, effective_time=later))
        account = await file_account(wave)
        await office.direct_hold("provider/wave", HoldScope.ACCOUNT, target=account.account_id, reason="court_order")
        await office.set_node_state(GALE, NodeState.DENIED)
    await cluster.add_provider("late", PROVINCE)
    await import_accounts(wave, await register(wave), 5)
    async with cluster.provider("direct").client() as direct:
        for _ in range(3):
            await final(cluster, direct)

    async def settled() -> bool:
        everywhere = await versions(cluster)
        fed = await filings_of(cluster.regulator(REGION)) == await filings_of(cluster.nation)
        return len(everywhere) == 1 and fed and await cosigned(cluster)

    await cluster.wait_until(settled, "all of it is everywhere and cosigned")


async def backed_up(nation: RegulatorNode, folder: Path) -> None:
    """Copies the stopped nation's folder, and starts it again."""
    await nation.stop()
    shutil.copytree(nation.folder, folder, ignore=shutil.ignore_patterns("*.sock"))
    await nation.start()


async def put_back(cluster: Cluster, folder: Path) -> None:
    """Puts the copy in the place of the nation's folder."""
    await cluster.nation.stop()
    shutil.rmtree(cluster.nation.folder)
    shutil.copytree(folder, cluster.nation.folder)
    await cluster.nation.start()


async def final(cluster: Cluster, wave: ProviderClient) -> str:
    """Files, and waits until it is final; returns the account."""
    filed = await file_account(wave)

    async def is_final() -> bool:
        filing = (await wave.get_account(filed.account_id)).filing
        return filing is not None and filing.state is FilingState.FINAL

    await cluster.wait_until(is_final, "filings of the provinces go on and become final")
    return filed.account_id


async def recovered(nation: RegulatorNode, *options: str) -> tuple[str, str]:
    """Runs the recovery at the stopped nation; returns the head that it says has to be accepted."""
    found = ACCEPT.search(await nation.run("regulator_node", "recover", "--data", str(nation.folder), *options))
    assert found is not None
    return found[1], found[2]


async def accept(province: RegulatorNode, size: str, root: str) -> None:
    """Accepts the nation's head at a stopped province."""
    told = ("--of", "100000", "--size", size, "--root", root)
    await province.run("regulator_node", "log", "accept", "--data", str(province.folder), *told)


async def filed_again(cluster: Cluster, size: str, root: str) -> None:
    """Has the provider that files with the nation accept the head; all of its filings are there once, and proven."""
    node = cluster.provider("direct")
    before = len(filings_at(cluster.nation, "provider/direct"))
    assert 2 == before
    await node.stop()
    told = ("log", "accept", "--data", str(node.folder), "--of", "100000", "--size", size, "--root")
    with pytest.raises(FailedPrecondition):
        await node.run("provider_node", *told, root[::-1])
    assert "files 3 entries again" in await node.run("provider_node", *told, root)
    await node.start()
    await cluster.wait_until_delivered("direct")
    filed = [entry.entry_id for entry in filings_at(cluster.nation, "provider/direct")]
    assert 5 == len(filed) == len(set(filed))
    async with node.client() as direct:
        accounts = [account.account_id async for account in direct.accounts()]
        assert 5 == len(accounts)
        for account in accounts:
            assert await direct.receipt(account)


async def accepted_by_hand(province: RegulatorNode, region: RegulatorNode, size: str, root: str) -> None:
    """Each office accepts the nation's new head once, and no other; its alarm is closed by that."""
    for each in (province, region):
        await each.stop()
        if each is province:
            with pytest.raises(FailedPrecondition):
                await accept(each, size, root[::-1])
        await accept(each, size, root)
        if each is province:
            with pytest.raises(FailedPrecondition):
                await accept(each, size, root)
        await each.start()
        assert [] == open_alarms(each)


async def both_histories_are_proven(nation: RegulatorNode, provinces: tuple[RegulatorNode, ...], keys: Path) -> None:
    """No alarm is open, the proof of the fork holds with exported keys alone, and the acceptance is in the audit trail."""
    await nation.run("regulator_node", "keys", "export", "--data", str(nation.folder), "--output", str(keys))
    for each in provinces:
        assert [] == open_alarms(each)
        (proof,) = (each.folder / "alarms" / "closed").glob("*-LOG_FORKED-100000.fork")
        assert 0 == verify("fork", proof, "--keys", keys).code
        async with each.client() as officer:
            assert ["regulator-node log accept"] == [
                line.method async for line in officer.audit() if "accept" in line.method
            ]


async def test_a_restored_nation_undoes_nothing_and_is_accepted_again(cluster: Cluster, tmp_path: Path) -> None:
    """Promises 1, 4 and 7: who was denied stays out, numbers go on, regions miss nothing, and both histories are proven."""
    nation, province, region = cluster.nation, cluster.regulator(PROVINCE), cluster.regulator(REGION)
    async with cluster.provider("wave").client() as wave:
        await file_account(wave)
        async with cluster.provider("direct").client() as direct:
            await final(cluster, direct)
        await cluster.wait_until(lambda: cosigned(cluster), "the nation's log is cosigned")
        await backed_up(nation, tmp_path / "copy")
        await went_on(cluster, wave)
        ((directory, policy),) = await versions(cluster)
        await put_back(cluster, tmp_path / "copy")

        # It knows at once, has the newest documents from a province, and states nothing.
        async with nation.client() as office:
            status = await office.status()
            assert (directory, policy) == (status.directory_version, status.policy_version)
            assert status.log_error.startswith("LOG_BEHIND: ")
            with pytest.raises(Unavailable):
                await office.set_node_state("provider/late", NodeState.SUSPENDED)
        assert NodeState.DENIED is await state_of(nation, GALE)
        for each in (province, region):
            await cluster.wait_until(_raised(each, "LOG_PUT_BACK-100000"), f"{each.name} is told")
        meanwhile = await final(cluster, wave)

        # The runbook.
        await nation.stop()
        size, root = await recovered(nation)
        await nation.start()
        for each in (province, region):
            await cluster.wait_until(_raised(each, "LOG_FORKED-100000"), f"{each.name} proves it")
        assert not await cosigned(cluster)
        await final(cluster, wave)
        async with cluster.provider("direct").client() as direct:
            await file_account(direct)
        await accepted_by_hand(province, region, size, root)

        # The network works: cosigned again, the next number, nothing undone, nothing missed.
        await cluster.wait_until(lambda: cosigned(cluster), "the nation's log is cosigned again")
        async with nation.client() as office:
            change = await office.set_node_state("provider/late", NodeState.SUSPENDED)
            assert directory + 1 == change.directory_version
        await cluster.wait_until(
            lambda: _all_hold(cluster, (directory + 1, policy)), "every regulator has the next directory"
        )
        for each in cluster.regulators:
            assert NodeState.DENIED is await state_of(each, GALE)
        await cluster.wait_until(lambda: cosigned(cluster), "that is cosigned too")
        await filed_again(cluster, size, root)
        filed = await filings_of(nation)
        assert meanwhile in filed

        async def fed() -> bool:
            return filed == await filings_of(region)

        await cluster.wait_until(fed, "the region's province has all that was filed for its subjects")
        async with cluster.provider("gale").client() as gale:
            refused = await file_account(gale)
            await cluster.wait_until_failing("gale")
        assert refused.account_id not in await filings_of(province)
    await both_histories_are_proven(nation, (province, region), tmp_path / "keys.json")


async def test_a_nation_that_grew_on_top_of_its_backup_lets_nobody_in_again(small: Cluster, tmp_path: Path) -> None:
    """Promises 4 and 7: while no province is heard it denies and states nothing else; both histories' denials hold."""
    nation, province = small.nation, small.regulator(PROVINCE)
    await small.wait_until(lambda: cosigned(small), "the nation's log is cosigned")
    await backed_up(nation, tmp_path / "copy")
    async with nation.client() as office:
        denied = await office.set_node_state(GALE, NodeState.DENIED)
    await small.wait_until(lambda: _all_hold(small, (denied.directory_version, 1)), "the province has the denial")
    await small.wait_until(lambda: cosigned(small), "it is cosigned")
    small.cut(NATION, province.name)
    await put_back(small, tmp_path / "copy")
    async with nation.client() as office:
        for refused in (
            office.publish_policy(
                replace(initial_policy(), version=2, effective_time=system_clock() + timedelta(days=1))
            ),
            office.set_node_state(GALE, NodeState.ACTIVE),
        ):
            with pytest.raises(FailedPrecondition) as raised:
                await refused
            assert "NOT_COMPARED" == raised.value.reason
        await office.set_node_state("provider/wave", NodeState.DENIED)
        with pytest.raises(FailedPrecondition):
            await nation.run("regulator_node", "recover", "--data", str(nation.folder))
        small.heal(NATION, province.name)

        async def held_back() -> bool:
            return (await office.status()).log_error.startswith("LOG_FORKED: ")

        await small.wait_until(held_back, "the nation knows that its log is another")
    await nation.stop()
    with pytest.raises(FailedPrecondition):
        await recovered(nation)
    await province.stop()
    with pytest.raises(FailedPrecondition):
        await recovered(nation, "--also-forked")
    assert "--without regulator/330000" in nation.log_text()
    await province.start()
    size, root = await recovered(nation, "--also-forked")
    await nation.start()
    await province.stop()
    await accept(province, size, root)
    await province.start()
    await small.wait_until(lambda: cosigned(small), "the nation's log is cosigned again")
    ((directory, _),) = await versions(small)
    assert directory > denied.directory_version
    for regulator in small.regulators:
        for name in (GALE, "provider/wave"):
            assert NodeState.DENIED is await state_of(regulator, name)


def _raised(node: Node, name: str) -> Callable[[], Awaitable[bool]]:
    async def raised() -> bool:
        return name in open_alarms(node)

    return raised


async def _all_hold(cluster: Cluster, wanted: tuple[int, int]) -> bool:
    return {wanted} == await versions(cluster)
