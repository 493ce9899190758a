"""The cluster has to be what it says: real processes, parted and killed as told, and none of them left behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.client.officer import FilingFilter, NodeState, OfficerRole
from shared.client.officer import FilingState as RegisterState
from shared.client.provider import FilingState, ProviderClient
from shared.cluster.detached import stop_all
from shared.cluster.network import Cluster
from shared.cluster.proxy import Link
from shared.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied, Unavailable
from tests.e2e.filing_desk import file_account

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

SECONDS = 60.0


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """One network for the tests that leave it as they found it."""
    return filing_cluster_factory(provinces=("330000", "110000"), providers={"wave": "330000", "harbour": "110000"})


async def held_by_nation(cluster: Cluster) -> int:
    """Returns how many filings the nation holds."""
    async with cluster.nation.client() as nation:
        return (await nation.status()).filings


async def state_of(backend: ProviderClient, account_id: str) -> FilingState | None:
    """Returns the state of an account's newest filing."""
    filing = (await backend.get_account(account_id)).filing
    return filing.state if filing is not None else None


async def test_a_filing_travels_through_real_processes_and_every_link_is_counted(cluster: Cluster) -> None:
    """The network is five processes that talk over links the cluster sees."""
    before = await held_by_nation(cluster)
    async with cluster.provider("wave").client() as backend:
        account = await file_account(backend)
    await cluster.wait_until_nation_has(before + 1, SECONDS)
    assert 5 == len({node.pid for node in cluster.nodes.values()})
    assert os.getpid() not in {node.pid for node in cluster.nodes.values()}
    assert cluster.link("provider/wave", "regulator/330000").out.bytes_carried > 1000
    assert cluster.link("regulator/100000", "regulator/330000").back.bytes_carried > 1000
    assert 0 == cluster.link("provider/wave", "regulator/110000").connections
    async with cluster.nation.client() as nation:
        filing = await nation.get("330000", "provider/wave", account.account_id)
    assert account.display_name == filing.display_name


async def test_cut_parts_one_pair_and_heal_delivers_what_waited(cluster: Cluster) -> None:
    """Only the two that are cut are apart: the other provider files on, and nothing that waited is lost."""
    before = await held_by_nation(cluster)
    cluster.cut("provider/wave", "regulator/330000")
    async with cluster.provider("wave").client() as wave, cluster.provider("harbour").client() as harbour:
        waiting = await file_account(wave)
        await file_account(harbour)
        await cluster.wait_until_nation_has(before + 1, SECONDS)
        assert await cluster.wait_until_failing("wave", SECONDS)
        assert FilingState.QUEUED == await state_of(wave, waiting.account_id)
        cluster.heal("provider/wave", "regulator/330000")
        await cluster.wait_until_nation_has(before + 2, SECONDS)


async def test_a_lost_answer_is_delivered_once(cluster: Cluster) -> None:
    """A connection that dies after the regulator did its work, before its answer arrived, files nothing twice."""
    before = await held_by_nation(cluster)
    cluster.shape("provider/wave", "regulator/330000", Link.stall_back)
    async with cluster.provider("wave").client() as backend:
        account = await file_account(backend)
        await cluster.wait_until_nation_has(before + 1, SECONDS)
        assert FilingState.QUEUED == await state_of(backend, account.account_id)
        cluster.shape("provider/wave", "regulator/330000", Link.reset)
        cluster.shape("provider/wave", "regulator/330000", Link.heal)

        async def final() -> bool:
            return await state_of(backend, account.account_id) == FilingState.FINAL

        await cluster.wait_until(final, "the filing is final", SECONDS)
    async with cluster.nation.client() as nation:
        revisions = [each async for each in nation.history("330000", "provider/wave", account.account_id)]
    assert [1] == [filing.revision for filing in revisions]
    assert before + 1 == await held_by_nation(cluster)


async def test_a_nation_that_waits_in_vain_says_who_is_behind(cluster: Cluster) -> None:
    """A wait is bounded, and its error names the node that is behind and what keeps it."""
    before = await held_by_nation(cluster)
    cluster.cut("provider/harbour", "regulator/110000")
    async with cluster.provider("harbour").client() as backend:
        await file_account(backend)
        await cluster.wait_until_failing("harbour", SECONDS)
        with pytest.raises(Unavailable) as caught:
            await cluster.wait_until_nation_has(before + 1, 0.5)
    cluster.heal("provider/harbour", "regulator/110000")
    await cluster.wait_until_nation_has(before + 1, SECONDS)
    assert "FILINGS_MISSING" == caught.value.reason
    assert f"holds {before} of {before + 1} filings" in caught.value.message
    assert "provider/harbour has 1 queued and 0 parked for regulator/110000 (" in caught.value.message


async def test_officers_come_with_the_role_they_were_given(cluster: Cluster) -> None:
    """A bearer over TLS is an officer of that role and no other: a reader reads and decides nothing."""
    async with await cluster.regulator("330000").officer(OfficerRole.READER) as reader:
        assert [] == [each async for each in reader.search(FilingFilter(state=RegisterState.RETURNED))]
        with pytest.raises(PermissionDenied):
            await reader.set_node_state("provider/wave", NodeState.SUSPENDED)


async def test_an_unknown_node_is_named_with_those_there_are(cluster: Cluster) -> None:
    """A slip in a test's node name is told at once instead of cutting a link that nobody uses."""
    with pytest.raises(NotFound, match="has no provider/wafe; it has regulator/100000, regulator/330000"):
        cluster.provider("wafe")
    with pytest.raises(NotFound, match="has no regulator/440000"):
        cluster.cut("provider/wave", "regulator/440000")


async def test_a_killed_node_comes_back_with_its_data(cluster: Cluster) -> None:
    """kill -9 between a queued filing and its delivery, on either side, loses nothing; the same ports are found again."""
    before = await held_by_nation(cluster)
    wave, zhejiang = cluster.provider("wave"), cluster.regulator("330000")
    await zhejiang.kill()
    async with wave.client() as backend:
        account = await file_account(backend)
    await wave.kill()
    assert (-signal.SIGKILL, -signal.SIGKILL) == (wave.exit_code, zhejiang.exit_code)
    await zhejiang.start()
    await wave.start()
    await cluster.wait_until_nation_has(before + 1, SECONDS)
    async with cluster.nation.client() as nation:
        newest = (await nation.page(page_size=1)).filings[0]
    assert account.account_id == newest.account_id


async def test_a_node_that_does_not_start_is_named_with_its_exit_code_and_its_log(cluster: Cluster) -> None:
    """What fails says which node, how, and where to read; a port that somebody else took is such a case."""
    zhejiang = cluster.regulator("330000")
    await zhejiang.stop()
    host, _, port = zhejiang.network_address.rpartition(":")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((host, int(port)))
        squatter.listen()
        with pytest.raises(FailedPrecondition) as caught:
            await zhejiang.start()
    assert "NODE_ENDED" == caught.value.reason
    assert caught.value.message.startswith("regulator/330000 ended with exit code 1 before it was ready: ")
    assert f"{zhejiang.network_address} is in use" in caught.value.message
    assert str(zhejiang.log_path) in caught.value.message
    await zhejiang.start()


async def test_a_second_process_on_the_same_folder_is_refused(cluster: Cluster) -> None:
    """Two processes on one data folder would tear it apart; the second is told and the first goes on."""
    wave = cluster.provider("wave")
    with pytest.raises(FailedPrecondition, match="provider_node serve failed with exit code 1"):
        await wave.run("provider_node", "serve", "--data", str(wave.folder))
    assert wave.running
    async with wave.client() as backend:
        await file_account(backend)


async def test_nodes_join_the_running_network_a_provider_even_before_its_province(cluster: Cluster) -> None:
    """Whoever comes late joins by the same enrolment; a provider that came first learns of its province later."""
    late = await cluster.add_provider("late", "440000")
    async with late.client() as backend:
        account = await file_account(backend)
    await cluster.wait_until_failing("late", SECONDS)
    await cluster.add_province("440000")
    async with cluster.nation.client() as nation:

        async def held() -> bool:
            given = FilingFilter(provider=late.name)
            return [account.account_id] == [each.account_id async for each in nation.search(given)]

        await cluster.wait_until(held, "the nation holds the late provider's filing", SECONDS)


async def test_stop_is_orderly_and_a_paused_node_answers_again(filing_cluster: Cluster) -> None:
    """Every node stops with exit code 0, and one that was held goes on where it was."""
    nation = filing_cluster.nation
    nation.pause()
    async with filing_cluster.provider("wave").client() as backend:
        await file_account(backend)
    nation.resume()
    await filing_cluster.wait_until_nation_has(1, SECONDS)
    codes = await filing_cluster.stop()
    assert {"provider/wave": 0, "regulator/330000": 0, "regulator/100000": 0} == codes


def test_an_unknown_province_is_refused_before_anything_starts() -> None:
    """A cluster of impossible shape starts no process and makes no folder."""
    with pytest.raises(InvalidInput, match="990000 is no province"):
        Cluster(provinces=("990000",))


ORPHANS = """
import asyncio, os, signal, sys
from shared.cluster.detached import stop_all
from shared.cluster.network import Cluster

async def main() -> None:
    cluster = Cluster(providers={})
    await cluster.start()
    print(cluster.folder, *(node.pid for node in cluster.nodes.values()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_no_node_outlives_a_test_run_that_is_killed() -> None:
    """A test run that is killed leaves no process behind that holds ports and memory."""
    result = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True, check=False)
    assert (-signal.SIGKILL, "") == (result.returncode, result.stderr)
    folder, *pids = result.stdout.split()
    try:
        assert 2 == len(pids)
        assert [True, True] == [gone(int(pid)) for pid in pids]
    finally:
        stop_all(Path(folder))
        shutil.rmtree(folder)


def gone(pid: int) -> bool:
    """Waits until a process is gone; says whether it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], SECONDS)[0])
    finally:
        os.close(handle)


SUITE = """
import pytest

@pytest.mark.asyncio
async def test_of_a_provider(filing_cluster):
    async with filing_cluster.provider("wave").client() as backend:
        assert 1 == (await backend.status()).accounts
"""


def test_a_failed_test_of_a_providers_own_suite_keeps_its_network(tmp_path: Path) -> None:
    """The plugin works wherever filingnet is installed, and a failed test says where its network's logs are kept."""
    (tmp_path / "test_own.py").write_text(SUITE)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=strict", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "assert 1 == 0" in result.stdout
    assert "1 failed" in result.stdout
    kept = [line for line in result.stdout.splitlines() if line.startswith("data and logs are kept in ")]
    assert 1 == len(kept)
    folder = Path(kept[0].rsplit(" ", 1)[1])
    assert (folder / "logs" / "provider-wave.log").is_file()
    shutil.rmtree(folder)
