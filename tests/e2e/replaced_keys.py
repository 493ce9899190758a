"""What nodes sign and are certified with, replaced at a running cluster, and ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node, ProviderNode
from shared.errors import FailedPrecondition
from shared.evidence.keys import SigningKey
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials


async def heard(node: object, version: int) -> bool:
    """Whether a node holds a directory."""
    return bool((await node.status()).directory_version >= version)  # type: ignore[attr-defined]


async def replace_signing_key(cluster: Cluster, node: Node, file: Path) -> str:
    """Replaces the signing key of a node that runs.

    Args:
        cluster: the network.
        node: the node; it is stopped and started.
        file: where the public part goes.

    Returns:
        The id of the new key.
    """
    nation = cluster.nation
    program = "provider_node" if isinstance(node, ProviderNode) else "regulator_node"
    data = ("--data", str(node.folder))
    file.write_text(await node.run(program, "signing-key", "next", *data), "utf-8")  # noqa: ASYNC240 - a test may
    add = ("nodes", "add-key", "--data", str(nation.folder), node.name, "--key-file", str(file))
    told = list[str]()

    async def added() -> bool:
        # A nation that was just started states nothing before a province has answered.
        try:
            told.append(await nation.run("regulator_node", *add))
        except FailedPrecondition:
            return False
        return True

    await cluster.wait_until(added, "the directory has the next key")
    version = int(told[-1].split()[-1])
    async with node.client() as client:  # type: ignore[attr-defined]
        await cluster.wait_until(lambda: heard(client, version), "the node has heard")
    await node.stop()
    used = await node.run(program, "signing-key", "use", *data)
    await node.start()
    key_id = SigningKey.load(node.folder / "signing.pem").key_id
    assert key_id in used
    return key_id


def let_certificate_end(cluster: Cluster, folder: Path) -> None:
    """Puts a certificate of the CA in use that ended a day ago into a node's folder, while nobody runs on it."""
    authority = Authority.load(cluster.nation.folder / "ca")
    credentials = Credentials.load(folder / "tls")
    request, begin = credentials.certificate_request(), system_clock() - timedelta(days=2)
    issued = authority.sign_request(request, credentials.name, timedelta(days=1), begin, extra_hosts=["127.0.0.1"])
    credentials.install(issued.chain_pem, [authority.certificate_pem])


async def token_to_rejoin(cluster: Cluster, name: str, file: Path) -> str:
    """Has the nation make a token to rejoin; returns its file."""
    async with cluster.nation.client() as office:
        token = await office.create_token(name, rejoin=True)
    file.write_text(token.text, "utf-8")  # noqa: ASYNC240 - a test may
    return str(file)
