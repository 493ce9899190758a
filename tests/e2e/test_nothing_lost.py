"""Promises 1 and 2: nothing acknowledged is lost, and each entry has one effect for ever, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from shared.client.provider import FilingState, ProviderClient, Subject
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.cluster.wire import entries_at, parse_entries
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.identifiers import new_account_id
from tests.e2e.filing_desk import entry_ids, filings_at, import_accounts, register
from tests.e2e.raw_provider import ACCEPTED, CONFLICT, DUPLICATE, REJECTED, changed, made_up_filing, raw_provider

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"
ROWS = 300
"""Accounts that are imported while one node is killed."""

UNDER_WAY = 15_000
"""Bytes after which some of an import's filings have arrived and others have not."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """The nation, one province and one provider."""
    return filing_cluster_factory()


async def test_every_node_is_killed_under_load_and_every_account_arrives_once(cluster: Cluster) -> None:
    """Promises 1, 2, 3: SIGKILL in the middle of import, delivery and replication costs no filing and makes none twice."""
    nodes = [cluster.provider("wave"), cluster.regulator("330000"), cluster.nation]
    async with cluster.provider("wave").client() as backend:
        subject = await register(backend)
        for node in nodes:
            await kill_under_load(cluster, node, backend, subject)
        expected = ROWS * len(nodes)
        await cluster.wait_until_nation_has(expected)
        await wait_until_final(cluster, backend)
        told = await entry_ids(backend)
        assert expected == len(set(told)) == len(told)
        for regulator in (cluster.regulator("330000"), cluster.nation):
            assert sorted(told) == sorted(entry.entry_id for entry in filings_at(regulator))
        await check_evidence(backend, set(told))


async def test_the_same_entries_again_have_one_effect_and_the_first_answer(cluster: Cluster) -> None:
    """Promise 2: sent twice at once, in another order, after a kill: one effect, the same bytes; changed, a CONFLICT."""
    province = cluster.regulator("330000")
    async with raw_provider(cluster.provider("wave"), province) as raw:
        entries = [raw.entry(made_up_filing(), sequence=number) for number in range(1, 13)]
        twice = await asyncio.gather(raw.submit(*entries), raw.submit(*entries))
        first, second = sorted(twice, key=lambda answer: answer.outcomes)
        assert ([ACCEPTED] * 12, [DUPLICATE] * 12) == (first.outcomes, second.outcomes)
        assert first.places == second.places
        backwards = await raw.submit(*reversed(entries))
        assert first.places[::-1] == backwards.places
        await province.kill()
        await province.start()
        # Each in a batch of its own, none of which was ever signed before.
        replayed = [await raw.submit(entry) for entry in entries]
        assert [[DUPLICATE]] * 12 == [answer.outcomes for answer in replayed]
        assert first.places == [place for answer in replayed for place in answer.places]
        beside = raw.entry(made_up_filing())
        refused = await raw.submit(changed(entries[0], "样例改名账号"), beside)
        assert ([CONFLICT, ACCEPTED], ["CONFLICT"]) == (refused.outcomes, refused.reasons)
        assert first.places[:1] == (await raw.submit(entries[0])).places
    await check_once_everywhere(cluster, [*entries, beside])


async def test_entries_out_of_order_wait_for_their_turn(cluster: Cluster) -> None:
    """Promise 2: accounts may come in any order, an account's revisions only in theirs; what came too early can come again."""
    async with raw_provider(cluster.provider("wave"), cluster.regulator("330000")) as raw:
        others = [raw.entry(made_up_filing(), sequence=number) for number in (9, 3, 7)]
        account_id = new_account_id()
        opened, amended, last = (raw.entry(made_up_filing(account_id, revision)) for revision in (1, 2, 3))
        early = await raw.submit(last, others[0], amended)
        assert [REJECTED, ACCEPTED, REJECTED] == early.outcomes
        assert ["REVISION_OUT_OF_ORDER"] * 2 == early.reasons
        assert [ACCEPTED] * 4 == (await raw.submit(opened, others[1], amended, others[2])).outcomes
        assert [DUPLICATE, ACCEPTED] == (await raw.submit(opened, last)).outcomes
    await check_once_everywhere(cluster, [*others, opened, amended, last])


async def check_once_everywhere(cluster: Cluster, entries: Sequence[bytes]) -> None:
    """Each of the entries is once in the log of the province and once in the nation's copy, in its exact bytes."""
    province = entries_at(cluster.regulator("330000").folder)
    await cluster.wait_until_nation_has(sum(entry.HasField("filing") for entry in parse_entries(province)))
    for log in (province, entries_at(cluster.nation.folder)):
        assert [1] * len(entries) == [log.count(entry) for entry in entries]
    async with cluster.regulator("330000").client() as officer:
        ids = [each.account_id async for each in officer.search()]
    assert len(set(ids)) == len(ids)


async def kill_under_load(cluster: Cluster, node: Node, backend: ProviderClient, subject: Subject) -> None:
    """Imports accounts and kills a node as soon as some of them are under way; starts it again and ends the import."""
    caller, peer = (NATION, PROVINCE) if node is cluster.nation else (WAVE, PROVINCE)
    link = cluster.link(caller, peer)
    before = link.bytes_carried

    async def under_way() -> bool:
        return link.bytes_carried > before + UNDER_WAY

    importing = asyncio.create_task(import_accounts(backend, subject, ROWS))
    await cluster.wait_until(under_way, f"filings go from {caller} to {peer}")
    await node.kill()
    await node.start()
    await importing


async def wait_until_final(cluster: Cluster, backend: ProviderClient) -> None:
    """Waits until the provider has every receipt and knows of each that another jurisdiction cosigned it."""

    async def final() -> bool:
        for state in (FilingState.QUEUED, FilingState.RECEIVED):
            async for _ in backend.accounts(state):
                return False
        return True

    await cluster.wait_until(final, "every filing is final at the provider")


async def check_evidence(backend: ProviderClient, expected: set[str]) -> None:
    """Every filing is final, and its receipt proves it with the network's keys alone."""
    ring = KeyRing.from_json(await backend.key_ring())
    proven = set()
    async for account in backend.accounts(FilingState.FINAL):
        receipt = verify_receipt(await backend.receipt(account.account_id), ring)
        assert account.account_id == receipt.entry.filing.account_id
        proven.add(receipt.entry.entry_id)
    assert expected == proven
