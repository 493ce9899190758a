"""Staying a member: certificates that ended, keys that are replaced, addresses that move, tokens that are taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from shared.client.officer import OfficerRole
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.errors import FailedPrecondition, NotFound, Unauthenticated
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.receipts import verify_receipt
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials
from tests.e2e.filing_desk import file_account

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """One province with a provider."""
    return filing_cluster_factory()


async def switched_off_for_long(cluster: Cluster, node: Node) -> None:
    """Stops a node and puts a certificate in its folder that ended a day ago."""
    await node.stop()
    authority = Authority.load(cluster.nation.folder / "ca")
    credentials = Credentials.load(node.folder / "tls")
    hosts = ["127.0.0.1"]
    request, ended = credentials.certificate_request(), system_clock() - timedelta(days=31)
    issued = authority.sign_request(request, node.name, timedelta(days=30), ended, extra_hosts=hosts)
    credentials.install(issued.chain_pem, [authority.certificate_pem])


async def token_to_rejoin(cluster: Cluster, name: str, file: Path) -> str:
    """Has the nation make a token to rejoin; returns its file."""
    async with cluster.nation.client() as office:
        token = await office.create_token(name, rejoin=True)
    file.write_text(token.text, "utf-8")  # noqa: ASYNC240 - a test may
    return str(file)


@pytest.mark.parametrize("name", [WAVE, PROVINCE])
async def test_a_node_whose_certificate_ended_joins_again_with_its_own_key(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    """Promise 1: a node that was switched off for long gets a new certificate, and what waited in it is delivered."""
    node = cluster.nodes[name]
    program = "provider_node" if name == WAVE else "regulator_node"
    await switched_off_for_long(cluster, node)
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


@pytest.mark.parametrize("name", [WAVE, PROVINCE])
async def test_a_signing_key_is_replaced_and_the_old_one_still_proves(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    """Promise 3: the next key signs what follows, and receipts from before verify by the same key ring."""
    node, nation = cluster.nodes[name], cluster.nation
    program = "provider_node" if name == WAVE else "regulator_node"
    data = ("--data", str(node.folder))
    async with cluster.provider("wave").client() as wave:
        before = await file_account(wave)
        await cluster.wait_until_delivered("wave")
        public = tmp_path / "next-key"
        public.write_text(await node.run(program, "signing-key", "next", *data), "utf-8")
        old = SigningKey.load(node.folder / "signing.pem").key_id
        added = await nation.run(
            *("regulator_node", "nodes", "add-key", "--data", str(nation.folder), name, "--key-file", str(public))
        )
        version = int(added.split()[-1])
        for client in (node.client(), cluster.provider("wave").client(), cluster.regulator("330000").client()):  # type: ignore[attr-defined]
            async with client as asked:
                await cluster.wait_until(lambda asked=asked: heard(asked, version), "it has heard")  # type: ignore[misc]
        await node.stop()
        told = await node.run(program, "signing-key", "use", *data)
        await node.start()
        new = SigningKey.load(node.folder / "signing.pem").key_id
        assert new != old
        assert new in told
    async with cluster.provider("wave").client() as wave:
        after = await file_account(wave)
        await cluster.wait_until_delivered("wave")
        ring = KeyRing.from_json(await wave.key_ring())
        for account in (before, after):
            assert verify_receipt(await wave.receipt(account.account_id), ring)


async def heard(node: object, version: int) -> bool:
    """Whether a node holds a directory."""
    return bool((await node.status()).directory_version >= version)  # type: ignore[attr-defined]


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
