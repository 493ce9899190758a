"""Staying a member: certificates that ended, keys that are replaced, addresses that move, tokens that are taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.client.officer import OfficerRole
from shared.cluster.network import Cluster
from shared.errors import FailedPrecondition, NotFound, Unauthenticated
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.receipts import verify_receipt
from tests.e2e.filing_desk import file_account
from tests.e2e.replaced_keys import heard, let_certificate_end, replace_signing_key, token_to_rejoin

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """One province with a provider."""
    return filing_cluster_factory()


@pytest.mark.parametrize("name", [WAVE, PROVINCE])
async def test_a_node_whose_certificate_ended_joins_again_with_its_own_key(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    """Promise 1: a node that was switched off for long gets a new certificate, and what waited in it is delivered."""
    node = cluster.nodes[name]
    program = "provider_node" if name == WAVE else "regulator_node"
    await node.stop()
    let_certificate_end(cluster, node.folder)
    await node.start()
    async with cluster.provider("wave").client() as wave:
        account = await file_account(wave)
        assert (await cluster.wait_until_failing("wave")).startswith("PEER_UNREACHABLE")
        await node.stop()
        arguments = ("rejoin", "--data", str(node.folder), "--token-file")
        with pytest.raises(FailedPrecondition):
            await node.run(program, *arguments, await token_to_rejoin(cluster, NATION, tmp_path / "another"))
        assert "TOKEN_FOR_ANOTHER" in node.log_text() or "made for" in node.log_text()
        await node.run(program, *arguments, await token_to_rejoin(cluster, name, tmp_path / "token"))
        await node.start()
    async with cluster.provider("wave").client() as wave:
        await cluster.wait_until_delivered("wave")
        assert await wave.receipt(account.account_id)


async def test_another_key_never_joins_under_a_name_that_is_taken(cluster: Cluster, tmp_path: Path) -> None:
    """Promise 7: a token to rejoin is of no use to whoever does not hold the node's signing key."""
    token = await token_to_rejoin(cluster, WAVE, tmp_path / "token")
    wave = cluster.provider("wave")
    with pytest.raises(FailedPrecondition):
        await wave.run("provider_node", "init", "--data", str(tmp_path / "impostor"), "--token-file", token)
    assert "has joined already with another signing key: restore that key" in wave.log_text()
    async with cluster.nation.client() as office:
        with pytest.raises(NotFound):
            await office.create_token("provider/nobody", rejoin=True)


async def test_a_revoked_officer_token_is_out_at_the_next_call(cluster: Cluster) -> None:
    """Promise 7: one token alone is taken back, on a channel that stays open; its post's other tokens go on."""
    province = cluster.regulator("330000")
    async with (
        await province.officer(OfficerRole.READER, "lost-desk") as lost,
        await province.officer(OfficerRole.READER, "other-desk") as kept,
        province.client() as operator,
    ):
        assert PROVINCE == (await lost.status()).name == (await kept.status()).name
        (token,) = [each for each in await operator.officer_tokens() if each.post == "lost-desk"]
        assert token == await operator.revoke_officer_token(token.token_id)
        with pytest.raises(Unauthenticated) as refused:
            await lost.status()
        assert "TOKEN_INVALID" == refused.value.reason
        assert PROVINCE == (await kept.status()).name
        with pytest.raises(NotFound):
            await operator.revoke_officer_token(token.token_id)
    listed = await province.run("regulator_node", "officer", "list", "--data", str(province.folder))
    assert "other-desk" in listed
    assert "lost-desk" not in listed


@pytest.mark.parametrize("name", [WAVE, PROVINCE, NATION])
async def test_a_signing_key_is_replaced_and_the_old_one_still_proves(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    """Promise 3: the next key signs what follows, and receipts from before verify by the same key ring."""
    node = cluster.nodes[name]
    async with cluster.provider("wave").client() as wave:
        before = await file_account(wave)
        await cluster.wait_until_delivered("wave")
    old = SigningKey.load(node.folder / "signing.pem").key_id
    assert old != await replace_signing_key(cluster, node, tmp_path / "next-key")
    async with cluster.provider("wave").client() as wave:
        after = await file_account(wave)
        await cluster.wait_until_delivered("wave")
        ring = KeyRing.from_json(await wave.key_ring())
        for account in (before, after):
            assert verify_receipt(await wave.receipt(account.account_id), ring)


async def test_a_regulator_that_moves_is_found_at_its_new_address(cluster: Cluster) -> None:
    """Promise 5: the directory tells where a regulator listens, and nodes go there on channels that were open before."""
    async with cluster.nation.client() as office, cluster.provider("wave").client() as wave:
        nodes = {node.name: node async for node in office.nodes()}
        real = nodes[PROVINCE].endpoint
        nowhere = await office.set_endpoint(PROVINCE, "127.0.0.1:9")
        await cluster.wait_until(lambda: heard(wave, nowhere.directory_version), "the provider has heard")
        account = await file_account(wave)
        assert (await cluster.wait_until_failing("wave")).startswith("PEER_UNREACHABLE")
        moved = await cluster.nation.run(
            *("regulator_node", "nodes", "endpoint", "--data", str(cluster.nation.folder), PROVINCE, "--to", real)
        )
        assert f"is reached at {real}" in moved
        await cluster.wait_until_delivered("wave")
        assert await wave.receipt(account.account_id)


async def test_a_command_that_names_the_wrong_node_is_told_so(cluster: Cluster, tmp_path: Path) -> None:
    """An officer who leaves out --node, or names one that is not at the address, is told what to write instead."""
    province, bearer = cluster.regulator("330000"), tmp_path / "desk.token"
    data = ("--data", str(province.folder))
    token = await province.run(
        *("regulator_node", "officer", "token", *data, "--post", "some-desk", "--role", "reader")
    )
    bearer.write_text(token, "ascii")
    access = ("--address", province.public_address, "--ca", str(province.folder / "tls" / "ca.pem"))
    search = ("regulator_node", "filings", "search", *access, "--bearer-file", str(bearer))
    for wrong in ((), ("--node", "regulator/110000"), ("--node", "zhejiang")):
        with pytest.raises(FailedPrecondition):
            await province.run(*search, *wrong)
        assert "another node answers at this address: say whose it is" in province.log_text().splitlines()[-1]
    await province.run(*search, "--node", "regulator/330000")


async def test_init_prints_what_is_ready_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    """A program that runs init reads one line; the log is not written to where it reads."""
    async with cluster.nation.client() as office:
        licence = next(iter([node.licence async for node in office.nodes() if node.licence is not None]))
        token = await office.create_token("provider/tide", title="样例服务", jurisdiction="330000", licence=licence)
    file = tmp_path / "tide.token"
    file.write_text(token.text, "utf-8")
    folder = tmp_path / "tide"
    printed = await cluster.nation.run("provider_node", "init", "--data", str(folder), "--token-file", str(file))
    assert [f"provider/tide is ready in {folder}: run provider-node serve --data {folder}"] == printed.splitlines()
