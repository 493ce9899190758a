"""Promise 5: after an outage of any length delivery resumes by itself, and a dead peer slows nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.client.provider import FilingState
from shared.cluster.network import Cluster
from tests.e2e.filing_desk import file_account, filings_at, import_accounts, register

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, HARBOUR = "provider/wave", "provider/harbour"
ZHEJIANG, BEIJING, NATION = "regulator/330000", "regulator/110000", "regulator/100000"
QUEUED = 10_000


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """Two provinces with a provider each."""
    return filing_cluster_factory(provinces=("330000", "110000"), providers={"wave": "330000", "harbour": "110000"})


async def filings_of(cluster: Cluster) -> int:
    """Returns how many filings the nation holds."""
    async with cluster.nation.client() as nation:
        return (await nation.status()).filings


async def test_ten_thousand_that_waited_for_a_cut_network_arrive_by_themselves(cluster: Cluster) -> None:
    """Promise 5: a provider that is cut off takes all work in; healed, all of it arrives, each once."""
    before = await filings_of(cluster)
    cluster.cut(WAVE, ZHEJIANG)
    async with cluster.provider("wave").client() as wave, cluster.provider("harbour").client() as harbour:
        await import_accounts(wave, await register(wave), QUEUED)
        assert await cluster.wait_until_failing("wave")
        (zhejiang,) = (await wave.status()).destinations
        assert (QUEUED, 0) == (zhejiang.queued, zhejiang.parked)
        assert zhejiang.oldest_time is not None
        await file_account(harbour)
        await cluster.wait_until_nation_has(before + 1)
        cluster.heal(WAVE, ZHEJIANG)
        await cluster.wait_until_delivered("wave")
        await cluster.wait_until_nation_has(before + 1 + QUEUED)
    for regulator in (cluster.regulator("330000"), cluster.nation):
        sequences = [entry.sequence for entry in filings_at(regulator, WAVE)]
        assert list(range(1, QUEUED + 1)) == sorted(sequences)


async def test_a_province_cut_from_the_nation_files_on_and_the_nation_catches_up(cluster: Cluster) -> None:
    """Promise 5: without its witness a province still acknowledges; the receipts become final once it is back."""
    before = await filings_of(cluster)
    cluster.cut(NATION, ZHEJIANG)
    async with cluster.provider("wave").client() as wave, cluster.provider("harbour").client() as harbour:
        accounts = [await file_account(wave) for _ in range(5)]
        await cluster.wait_until_delivered("wave")
        states = [await state_of(cluster, account.account_id) for account in accounts]
        assert [FilingState.RECEIVED] * len(accounts) == states
        await file_account(harbour)
        await cluster.wait_until_nation_has(before + 1)
        cluster.heal(NATION, ZHEJIANG)
        await cluster.wait_until_nation_has(before + 1 + len(accounts))

        async def final() -> bool:
            return FilingState.FINAL == await state_of(cluster, accounts[-1].account_id)

        await cluster.wait_until(final, "the filing is final")


async def test_a_province_that_hangs_holds_up_its_own_filings_only(cluster: Cluster) -> None:
    """Promise 5: a regulator that takes connections and never answers delays nobody else's filings."""
    before = await filings_of(cluster)
    cluster.regulator("330000").pause()
    try:
        async with cluster.provider("wave").client() as wave, cluster.provider("harbour").client() as harbour:
            waiting = await file_account(wave)
            for _ in range(5):
                await file_account(harbour)
            await cluster.wait_until_nation_has(before + 5)
            assert FilingState.QUEUED == await state_of(cluster, waiting.account_id)
    finally:
        cluster.regulator("330000").resume()
    await cluster.wait_until_nation_has(before + 6)


async def state_of(cluster: Cluster, account_id: str) -> FilingState:
    """Returns where an account's newest filing is, as the provider wave tells it."""
    async with cluster.provider("wave").client() as wave:
        filing = (await wave.get_account(account_id)).filing
    return filing.state if filing is not None else FilingState.UNSPECIFIED
