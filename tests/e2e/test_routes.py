"""Art. 3: policy routes a provider to another regulator than its own, and the network follows it by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from shared.client.officer import OfficerClient
from shared.client.provider import FilingState, ProviderClient
from shared.cluster.network import Cluster
from shared.cluster.wire import entries_at, parse_entries
from shared.errors import FailedPrecondition, InvalidInput
from shared.provisions.policy import Policy, Route
from tests.e2e.filing_desk import file_account

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, NATION, ZHEJIANG, BEIJING = "provider/wave", "100000", "330000", "110000"
DAY: Final = timedelta(days=1)


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A nation, two provinces and a provider of the first, whose time can be moved."""
    return filing_cluster_factory(provinces=(ZHEJIANG, BEIJING), providers={"wave": ZHEJIANG}, simulated_time=True)


async def next_policy(cluster: Cluster, office: OfficerClient, *routes: Route) -> Policy:
    """The policy after the newest one, from in a day on, with routes."""
    newest = await office.policy(cluster.now() + 3650 * DAY)
    begins = cluster.now().replace(microsecond=0) + DAY
    return replace(newest, version=newest.version + 1, effective_time=begins, routes=routes)


async def files_in(wave: ProviderClient, jurisdiction: str) -> bool:
    """Whether the provider knows that it files in a jurisdiction."""
    return jurisdiction == (await wave.status()).jurisdiction


async def is_final(wave: ProviderClient, account_id: str) -> bool:
    """Whether an account's newest filing is final."""
    filing = (await wave.get_account(account_id)).filing
    return filing is not None and filing.state in (FilingState.FINAL, FilingState.ACCEPTED)


def entries_of_wave(cluster: Cluster, jurisdiction: str) -> list[str]:
    """What the provider's entries in a regulator's own log are, in its order."""
    entries = parse_entries(entries_at(cluster.regulator(jurisdiction).folder))
    own = [entry for entry in entries if (entry.origin, entry.jurisdiction) == (WAVE, jurisdiction)]
    return [str(entry.WhichOneof("body")) for entry in own]


async def test_art_3_policy_routes_a_provider_to_another_regulator(cluster: Cluster) -> None:
    """Art. 3: from the policy's minute on the provider files where it says, with its history; no officer undoes that."""
    async with cluster.provider("wave").client() as wave, cluster.nation.client() as office:
        first = await file_account(wave)
        await cluster.wait_until(lambda: is_final(wave, first.account_id), "the first filing is final")
        policy = await next_policy(cluster, office, Route(WAVE, BEIJING))
        preview = await office.preview_policy(policy)
        assert [("PROVIDER_FILES_ELSEWHERE", f"routes.{WAVE}")] == [
            (each.kind.name, each.field) for each in preview.effects
        ]
        assert [] == list(preview.violations)
        await office.publish_policy(policy)
        before = await file_account(wave)
        await cluster.wait_until(lambda: is_final(wave, before.account_id), "filed before the policy holds")
        assert await files_in(wave, ZHEJIANG)
        # Down when the policy begins: what is due then is done after the start.
        await cluster.nation.kill()
        cluster.advance(policy.effective_time - cluster.now() + timedelta(minutes=1))
        await cluster.nation.start()
        await cluster.wait_until(lambda: files_in(wave, BEIJING), "the provider has heard where it files")
        after = await file_account(wave)
        await wave.amend_account(first.account_id, display_name="改道以后的名字")
        for account in (first, after):
            await cluster.wait_until(lambda each=account: is_final(wave, each.account_id), "it is filed there")  # type: ignore[misc]
        with pytest.raises(FailedPrecondition) as refused:
            await office.transfer_provider(WAVE, ZHEJIANG)
        assert "ROUTED_BY_POLICY" == refused.value.reason
        (node,) = [each async for each in office.nodes() if each.name == WAVE]
        assert BEIJING == node.jurisdiction
    assert ["filing", "filing", "departure"] == entries_of_wave(cluster, ZHEJIANG)
    assert ["filing", "filing"] == entries_of_wave(cluster, BEIJING)


async def test_art_3_policy_routes_a_provider_to_the_nation_itself(cluster: Cluster) -> None:
    """Art. 3: the nation included; and a route to nobody is not published."""
    async with cluster.provider("wave").client() as wave, cluster.nation.client() as office:
        with pytest.raises(InvalidInput) as refused:
            await office.publish_policy(await next_policy(cluster, office, Route(WAVE, "440000")))
        assert [("routes[0].jurisdiction", "ROUTE_WRONG")] == [(v.field, v.rule) for v in refused.value.violations]
        await office.publish_policy(await next_policy(cluster, office, Route(WAVE, NATION)))
        cluster.advance(DAY + timedelta(minutes=1))
        await cluster.wait_until(lambda: files_in(wave, NATION), "the provider files with the nation")
        account = await file_account(wave)
        await cluster.wait_until(lambda: is_final(wave, account.account_id), "it is filed there")
    assert ["filing"] == entries_of_wave(cluster, NATION)
