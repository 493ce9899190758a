"""Promises 1, 5 and 7: a backup from before a regulator's certificate, its CA and its signing key were replaced is of use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.client.officer import NodeState
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.errors import FailedPrecondition
from tests.e2e.replaced_keys import let_certificate_end, replace_signing_key, token_to_rejoin
from tests.e2e.test_nation_restored import (
    GALE,
    PROVINCE,
    accept,
    backed_up,
    cosigned,
    filings_of,
    final,
    recovered,
    state_of,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]

HOURS = 0.1
"""Of a certificate: nodes renew within a twentieth of it once another CA signs."""


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A province with two providers; certificates hold for minutes."""
    return filing_cluster_factory(providers={"wave": PROVINCE, "gale": PROVINCE}, certificate_lifetime_hours=HOURS)


async def replace_authority(cluster: Cluster) -> None:
    """Replaces the CA; the one before is trusted by nobody afterwards."""
    async with cluster.nation.client() as office:
        (first,) = await office.authorities()
        await office.add_authority()
        await cluster.wait_until(lambda: trusted(cluster, 2), "every node trusts the next CA")
        await office.use_authority(force=True)

        async def renewed() -> bool:
            found = await office.authorities()
            return all(each.live_certificates == 0 for each in found if each.authority_id == first.authority_id)

        await cluster.wait_until(renewed, "every node has a certificate by the next CA")
        await office.retire_authority(first.authority_id)
    await cluster.wait_until(lambda: trusted(cluster, 1), "every node trusts the next CA alone")


async def trusted(cluster: Cluster, number: int) -> bool:
    """Whether every node trusts so many CAs."""
    return all(
        number == (node.folder / "tls" / "ca.pem").read_text("utf-8").count("BEGIN CERTIFICATE")
        for node in cluster.nodes.values()
    )


async def put_back(node: RegulatorNode, copy: Path, *newest: str) -> None:
    """Puts the copy in the place of a node's folder, but for keys that can still be read."""
    await node.stop()
    kept = node.folder.with_name(f"kept-{node.name.rpartition('/')[2]}")
    node.folder.rename(kept)
    shutil.copytree(copy, node.folder)
    for name in newest:
        place = node.folder / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        (shutil.copytree if (kept / name).is_dir() else shutil.copy2)(kept / name, place)
    with pytest.raises(FailedPrecondition):
        await node.start()
    assert "run regulator-node recover where a register older than the key was put back" in node.log_text()


async def test_a_backup_older_than_every_key_of_the_nation_is_put_in_order(cluster: Cluster, tmp_path: Path) -> None:
    """Promises 5 and 7: with the newest CA and signing key `recover` is heard by the province, and undoes no denial."""
    nation, province = cluster.nation, cluster.regulator(PROVINCE)
    async with cluster.provider("wave").client() as wave:
        await final(cluster, wave)
        await cluster.wait_until(lambda: cosigned(cluster), "the nation's log is cosigned")
        await backed_up(nation, tmp_path / "copy")
        let_certificate_end(cluster, tmp_path / "copy")
        await replace_signing_key(cluster, nation, tmp_path / "next-key")
        await replace_authority(cluster)
        async with nation.client() as office:
            await office.set_node_state(GALE, NodeState.DENIED)
        await cluster.wait_until(lambda: cosigned(cluster), "it is cosigned")
        await put_back(nation, tmp_path / "copy", "ca", "signing.pem")
        size, root = await recovered(nation)
        await nation.start()
        await province.stop()
        await accept(province, size, root)
        await province.start()
        await cluster.wait_until(lambda: cosigned(cluster), "the nation's log is cosigned again")
        await final(cluster, wave)
        for regulator in cluster.regulators:
            assert NodeState.DENIED is await state_of(regulator, GALE)


async def test_a_backup_older_than_every_key_of_a_province_is_put_in_order(cluster: Cluster, tmp_path: Path) -> None:
    """Promises 1 and 5: with the newest signing key it joins again and fetches what it lacks; nothing acknowledged is lost."""
    province = cluster.regulator(PROVINCE)
    data = ("--data", str(province.folder))
    async with cluster.provider("wave").client() as wave:
        filed = [await final(cluster, wave)]
        await backed_up(province, tmp_path / "copy")
        let_certificate_end(cluster, tmp_path / "copy")
        await replace_signing_key(cluster, province, tmp_path / "next-key")
        filed.append(await final(cluster, wave))
        await replace_authority(cluster)
        await put_back(province, tmp_path / "copy", "signing.pem")
        with pytest.raises(FailedPrecondition):
            await province.run("regulator_node", "recover", *data)
        token = await token_to_rejoin(cluster, province.name, tmp_path / "token")
        await province.run("regulator_node", "rejoin", *data, "--token-file", token)
        assert "entries recovered" in await province.run("regulator_node", "recover", *data)
        await province.start()
        filed.append(await final(cluster, wave))
        assert set(filed) == await filings_of(province)
