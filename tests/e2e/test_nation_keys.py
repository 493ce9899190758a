"""Promises 5 and 7: the nation's own signing key is replaced, and nodes that were off all the while follow it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.client.officer import NodeState
from shared.cluster.network import Cluster
from tests.e2e.filing_desk import file_account
from tests.e2e.replaced_keys import heard, replace_signing_key

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PROVINCE = "330000"


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """Two provinces, and two providers at one of them."""
    return filing_cluster_factory(provinces=(PROVINCE, "110000"), providers={"wave": PROVINCE, "gale": PROVINCE})


async def test_nodes_that_were_off_while_the_nation_replaced_its_key_follow_it_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Promises 5 and 7: a province and a provider that come back after two replacements hold the newest directory."""
    nation, province, wave = cluster.nation, cluster.regulator(PROVINCE), cluster.provider("wave")
    await wave.stop()
    await province.stop()
    keys = {await replace_signing_key(cluster, nation, tmp_path / name) for name in ("second", "third")}
    assert 2 == len(keys)
    async with nation.client() as office:
        version = (await office.set_node_state("provider/gale", NodeState.DENIED)).directory_version
    await province.start()
    await wave.start()
    for client in (province.client(), wave.client()):
        async with client as asked:
            await cluster.wait_until(lambda asked=asked: heard(asked, version), "it has heard")  # type: ignore[misc]
    async with wave.client() as backend:
        account = await file_account(backend)
        await cluster.wait_until_delivered("wave")
        assert await backend.receipt(account.account_id)
