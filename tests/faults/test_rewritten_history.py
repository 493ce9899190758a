"""Promise 4: a rewritten history is found at the next contact, by everybody who holds something of it, and proven.

Each manipulation of a regulator's log is shown to each observer by a real process with the regulator's own keys: to the
nation, which holds a copy; to a province, which holds the head of the nation's log that it cosigned; to a provider, who
holds acknowledgements and cosigned heads. Each raises an alarm and writes a file, which is judged with pinned keys alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from shared.alarms import LOG_FORKED, LOG_PUT_BACK, Alarm, Alarms
from shared.client.officer import NodeState
from shared.client.provider import FilingState
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node, RegulatorNode
from shared.cluster.ports import Ports
from shared.cluster.proxy import Link
from shared.evidence.forks import verify_fork
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from tests.e2e.filing_desk import file_account, import_accounts, register
from tests.faults.rewritten_logs import (
    copy_of,
    deleted,
    edited,
    reordered,
    rewrite,
    served,
    truncated,
)
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"

SMALL = {"330000": ("edit", "rollback", "split view"), "100000": ("delete", "rollback")}
"""The manipulations that are tried in `make test`."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A province with two providers; histories of some runs, all of it final."""
    made = filing_cluster_factory(providers={"wave": "330000", "delta": "330000"})
    asyncio.run(_fill(made))
    return made


async def _fill(cluster: Cluster) -> None:
    async with cluster.provider("wave").client() as wave, cluster.nation.client() as office:
        subject = await register(wave)
        for _ in range(3):
            await import_accounts(wave, subject, 2)
            await cluster.wait_until_delivered("wave")
        for state in (NodeState.SUSPENDED, NodeState.ACTIVE):
            await office.set_node_state("provider/delta", state)


async def all_final(cluster: Cluster) -> None:
    """Waits until all that was filed is final, and the nation's newest head cosigned by both provinces."""
    async with cluster.provider("wave").client() as wave, cluster.nation.client() as office:

        async def final() -> bool:
            return all(
                [
                    account.filing is not None and account.filing.state is FilingState.FINAL
                    async for account in wave.accounts()
                ]
            )

        async def cosigned() -> bool:
            head = await office.log_head()
            return head.cosigned_size == head.size

        await cluster.wait_until(final, "all filings are final")
        await cluster.wait_until(cosigned, "the nation's log is cosigned")


async def copies_of(node: RegulatorNode, folder: Path, old: Path) -> dict[str, Path]:
    """Makes every manipulated copy of a node's folder; `old` is a backup of it."""
    await node.stop()
    size_of_true = await rewrite(copy_of(node.folder, folder / "true"), lambda runs: runs)
    found = {
        name: copy_of(node.folder, folder / name) for name in ("edit", "delete", "reorder", "truncate", "split view")
    }
    await node.start()
    await rewrite(found["edit"], edited)
    await rewrite(found["delete"], deleted, grow=2)
    await rewrite(found["reorder"], reordered)
    assert size_of_true == await rewrite(found["truncate"], truncated, to_size=size_of_true)
    await rewrite(found["split view"], lambda runs: runs[: len(runs) // 2], to_size=size_of_true + 3)
    return {**found, "rollback": old}


async def alarm_at(cluster: Cluster, observer: Node, jurisdiction: str, reason: str) -> Alarm:
    """Waits until an observer raised the alarm about a log."""
    alarms = Alarms(observer.folder)

    async def raised() -> bool:
        return any((alarm.jurisdiction, alarm.reason) == (jurisdiction, reason) for alarm in alarms.open())

    await cluster.wait_until(raised, f"{observer.name} raises {reason} about {jurisdiction}")
    return next(alarm for alarm in alarms.open() if (alarm.jurisdiction, alarm.reason) == (jurisdiction, reason))


def judge(observer: Node, alarm: Alarm, keys: KeyRing) -> int:
    """Judges the file beside an alarm with pinned keys; returns how many forks it proves.

    A smaller head alone contradicts nothing: then the file has to say that both heads can be true.
    """
    content = (observer.folder / "alarms" / alarm.proof).read_bytes()
    if alarm.reason == LOG_PUT_BACK:
        assert not alarm.proven
        with pytest.raises(ProofError, match="both can be true"):
            verify_fork(content, keys)
        return 0
    assert alarm.proven
    assert verify_fork(content, keys).smaller.checkpoint.jurisdiction == alarm.jurisdiction
    return 1


def lead_to(address: str, link: Link) -> None:
    """Leads a link to another process of its peer; to the peer's own where there is no address."""
    link.divert(address)


async def keys_of(cluster: Cluster, folder: Path) -> KeyRing:
    """The pinned keys, exported before anything was manipulated."""
    file = folder / "keys.json"
    await cluster.nation.run(
        "regulator_node", "keys", "export", "--data", str(cluster.nation.folder), "--output", str(file)
    )
    return KeyRing.from_json(file.read_bytes())


@pytest.mark.parametrize("jurisdiction", ["330000", "100000"])
async def test_every_manipulation_is_found_and_proven_by_every_observer(
    cluster: Cluster, tmp_path: Path, tried: Tried, full_size: bool, jurisdiction: str
) -> None:
    """Promise 4: edit, delete, reorder, truncate, rollback, split view: found at the next contact, told, proven."""
    node = cluster.regulator(jurisdiction)
    observers: list[Node] = [cluster.nation, cluster.provider("wave")]
    if jurisdiction == "100000":
        observers = [cluster.regulator("330000")]
    await node.stop()
    old = copy_of(node.folder, tmp_path / "rollback")
    await node.start()
    async with cluster.provider("wave").client() as wave, cluster.nation.client() as office:
        await file_account(wave)
        await cluster.wait_until_delivered("wave")
        for state in (NodeState.SUSPENDED, NodeState.ACTIVE):
            await office.set_node_state("provider/delta", state)
    await all_final(cluster)
    keys = await keys_of(cluster, tmp_path)
    copies = await copies_of(node, tmp_path, old)
    if not full_size:
        copies = {name: copies[name] for name in SMALL[jurisdiction]}
    found = proofs = 0
    with closing(Ports()) as ports, ExitStack() as healed:
        for name, folder in copies.items():
            reason = LOG_PUT_BACK if name == "rollback" else LOG_FORKED
            async with served(node, folder, ports) as address:
                for observer in observers:
                    cluster.shape(observer.name, node.name, partial(lead_to, address))
                    healed.callback(cluster.shape, observer.name, node.name, partial(lead_to, ""))
                for observer in observers:
                    alarm = await alarm_at(cluster, observer, jurisdiction, reason)
                    found += 1
                    proofs += judge(observer, alarm, keys)
                    assert '"alarm"' in observer.log_text()
            for observer in observers:
                cluster.shape(observer.name, node.name, partial(lead_to, ""))
                for alarm in Alarms(observer.folder).open():
                    Alarms(observer.folder).close(alarm.name)
    tried(
        4,
        f"a log rewritten: {node.name}",
        manipulations=len(copies),
        observers=len(observers),
        found=found,
        proofs_verified=proofs,
    )
    assert len(copies) * len(observers) == found
    # Nothing of it was taken in: filing goes on with the true log, and no alarm is raised any more.
    async with cluster.provider("wave").client() as wave:
        account = await file_account(wave)
        await cluster.wait_until_delivered("wave")
        assert await wave.receipt(account.account_id)
    assert [] == [alarm.name for observer in observers for alarm in Alarms(observer.folder).open()]
