"""Promises 1 and 4: a regulator that was restored from an old backup is found, mended from its witness, and files on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.client.provider import FilingState, ProviderClient
from shared.cluster.network import Cluster
from shared.cluster.wire import entries_at
from shared.errors import FailedPrecondition
from tests.e2e.filing_desk import file_account, filings_at, import_accounts, register

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"
BEFORE, AFTER = 20, 700
"""Filings in the backup, and after it: more than a page of the log holds."""


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """One province with a provider."""
    return filing_cluster_factory()


async def backed_up(cluster: Cluster, wave: ProviderClient, folder: Path) -> None:
    """Files some, copies the stopped province's folder, and files more, all of which the nation holds."""
    province = cluster.regulator("330000")
    subject = await register(wave)
    await import_accounts(wave, subject, BEFORE)
    await cluster.wait_until_nation_has(BEFORE)
    await province.stop()
    shutil.copytree(province.folder, folder, ignore=shutil.ignore_patterns("*.sock"))
    await province.start()
    await import_accounts(wave, subject, AFTER - 1)
    await cluster.wait_until_delivered("wave")
    last = await file_account(wave, subject)

    async def final() -> bool:
        filing = (await wave.get_account(last.account_id)).filing
        return filing is not None and filing.state is FilingState.FINAL

    await cluster.wait_until(final, "all that was filed is final")
    await cluster.wait_until_nation_has(BEFORE + AFTER)


async def told(wave: ProviderClient, reason: str) -> bool:
    """Whether the provider's status names a reason why it cannot deliver."""
    return any(place.last_error.startswith(reason) for place in (await wave.status()).destinations)


async def put_back(cluster: Cluster, folder: Path) -> None:
    """Stops the province and puts the copy in the place of its folder."""
    province = cluster.regulator("330000")
    if province.running:
        await province.stop()
    shutil.rmtree(province.folder)
    shutil.copytree(folder, province.folder)


async def test_a_restored_regulator_is_found_and_recovers_all_that_was_witnessed(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Promises 1, 2 and 4: it takes nothing in while it is behind, fetches what it lacks, and files on with nothing lost."""
    province, arguments = cluster.regulator("330000"), ("regulator_node", "recover", "--data")
    async with cluster.provider("wave").client() as wave:
        await backed_up(cluster, wave, tmp_path / "copy")
        whole = entries_at(province.folder)
        await put_back(cluster, tmp_path / "copy")
        await province.start()
        async with province.client() as operator:
            status = await operator.status()
            assert status.log_error.startswith("LOG_BEHIND: ")
            assert "regulator-node recover" in status.log_error
            size = status.log_size
        account = await file_account(wave)
        await cluster.wait_until(lambda: told(wave, "LOG_BEHIND: "), "the provider is told why its filing waits")
        with pytest.raises(FailedPrecondition):
            await province.run(*arguments, str(province.folder))
        await province.stop()
        printed = await province.run(*arguments, str(province.folder))
        assert f"{len(whole) - size} entries recovered, {len(whole)} in the log" in printed
        assert whole == entries_at(province.folder)
        await province.start()
        await cluster.wait_until_delivered("wave")
        await cluster.wait_until_nation_has(BEFORE + AFTER + 1)
        assert await wave.receipt(account.account_id)
        async with province.client() as operator:
            status = await operator.status()
            assert ("", BEFORE + AFTER + 1) == (status.log_error, status.filings)
    filed = [entry.entry_id for entry in filings_at(province, WAVE)]
    assert BEFORE + AFTER + 1 == len(filed) == len(set(filed))
    assert whole == entries_at(province.folder)[: len(whole)]


async def test_a_log_that_forked_is_never_mended_over(cluster: Cluster, tmp_path: Path) -> None:
    """Promise 4: what was filed on top of an old backup contradicts what was witnessed; recovering it refuses and says so."""
    province = cluster.regulator("330000")
    async with cluster.provider("wave").client() as wave:
        await backed_up(cluster, wave, tmp_path / "copy")
        await put_back(cluster, tmp_path / "copy")
        cluster.cut(PROVINCE, NATION)
        await province.start()
        await file_account(wave)
        forked = BEFORE + 1

        async def grown() -> bool:
            async with province.client() as operator:
                return forked == (await operator.status()).filings

        await cluster.wait_until(grown, "the province filed on top of its backup")
        await province.stop()
        cluster.heal(PROVINCE, NATION)
        with pytest.raises(FailedPrecondition):
            await province.run("regulator_node", "recover", "--data", str(province.folder))
        assert "contradict one another" in province.log_text()
        assert forked == len(filings_at(province, WAVE))
        await put_back(cluster, tmp_path / "copy")
        await province.run("regulator_node", "recover", "--data", str(province.folder))
        await province.start()
        await cluster.wait_until_delivered("wave")
        await cluster.wait_until_nation_has(BEFORE + AFTER + 1)
