"""Bad surroundings: a full disk, a damaged file, a held lock, a peer that hangs or is away. Each is said; nothing is lost."""

from __future__ import annotations

import fcntl
import resource
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.client.provider import FilingState, ImportRow, ProviderClient
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.errors import Exhausted, FailedPrecondition, Unavailable
from tests.e2e.filing_desk import CATEGORY, entry_ids, file_account, filings_at, import_accounts, register

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"
NO_ROOM = 1024
"""To which size, in bytes, the files of a node on a full disk may grow."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """The nation, one province and one provider."""
    return filing_cluster_factory()


@contextmanager
def full_disk(node: Node) -> Iterator[None]:
    """Lets the system refuse every growth of a running node's files, as a full disk does."""
    before = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (NO_ROOM, before[1]))
    try:
        yield
    finally:
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, before)


async def check_all_arrived(cluster: Cluster, backend: ProviderClient) -> None:
    """Every filing that the provider knows of is once at the province and once at the nation."""
    await cluster.wait_until_delivered("wave")
    told = await entry_ids(backend)
    await cluster.wait_until_nation_has(len(told))
    for regulator in (cluster.regulator("330000"), cluster.nation):
        assert sorted(told) == sorted(entry.entry_id for entry in filings_at(regulator))


async def test_a_full_disk_at_the_provider_is_told_and_passes(cluster: Cluster) -> None:
    """Promise 1: what cannot be stored is refused as STORAGE_FULL, the rest is served, and room mends all by itself."""
    node = cluster.provider("wave")
    async with node.client() as backend:
        subject = await register(backend)
        cluster.cut(WAVE, PROVINCE)
        await import_accounts(backend, subject, 300)
        with full_disk(node):
            # The regulator takes in what the provider cannot even note as delivered.
            cluster.heal(WAVE, PROVINCE)
            await cluster.wait_until_nation_has(300)
            assert 300 == (await backend.status()).destinations[0].queued
            for call in (register(backend), file_account(backend, subject)):
                with pytest.raises(Exhausted) as caught:
                    await call
                assert "STORAGE_FULL" == caught.value.reason
            import_id = str(uuid.uuid4())
            row = ImportRow(1, subject.reference, "样例满盘账号", CATEGORY, system_clock())
            with pytest.raises(Exhausted):
                await backend.import_accounts(import_id, [row], patience_seconds=0.1)
            assert 300 == (await backend.status()).accounts
        await cluster.wait_until_delivered("wave")
        assert 1 == (await backend.import_accounts(import_id, [row])).imported
        await file_account(backend)
        await check_all_arrived(cluster, backend)


@pytest.mark.parametrize("jurisdiction", ["330000", "100000"])
async def test_a_full_disk_at_a_regulator_is_told_and_passes(cluster: Cluster, jurisdiction: str) -> None:
    """Promise 1: a regulator without room acknowledges nothing and answers no officer unaudited; room mends it."""
    node = cluster.regulator(jurisdiction)
    async with cluster.provider("wave").client() as backend, node.client() as officer:
        subject = await register(backend)
        with full_disk(node):
            await import_accounts(backend, subject, 50)
            with pytest.raises(Exhausted) as caught:
                await officer.status()
            assert "STORAGE_FULL" == caught.value.reason
            if jurisdiction == "330000":
                assert (await cluster.wait_until_failing("wave")).startswith("STORAGE_FULL")
                assert 50 == (await backend.status()).destinations[0].queued
            else:
                await cluster.wait_until_delivered("wave")
        await check_all_arrived(cluster, backend)


@contextmanager
def held_for_writing(database: Path) -> Iterator[None]:
    """Holds SQLite's lock for who writes to a file in WAL mode (byte 120 of its -shm file), which needs no key."""
    with database.with_name(f"{database.name}-shm").open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 120)
        yield


async def test_a_database_that_somebody_holds_is_busy_until_it_is_let_go(cluster: Cluster) -> None:
    """A lock that another program holds is told as passing, reads go on, and nothing has to be started again."""
    node = cluster.provider("wave")
    async with node.client() as backend:
        subject = await register(backend)
        accounts = (await backend.status()).accounts
        with held_for_writing(node.folder / "provider.db"):
            with pytest.raises(Unavailable) as caught:
                await file_account(backend, subject)
            assert "STORAGE_BUSY" == caught.value.reason
            assert accounts == (await backend.status()).accounts
        await file_account(backend, subject)
        await check_all_arrived(cluster, backend)


async def test_a_regulator_that_never_answers_is_named_and_served_again(cluster: Cluster) -> None:
    """A peer that accepts and never answers keeps nobody from starting and working; healed, it gets everything."""
    node = cluster.provider("wave")
    cluster.stall(WAVE, PROVINCE)
    await node.restart()
    async with node.client() as backend:
        await file_account(backend)
        assert (await cluster.wait_until_failing("wave")).startswith("PEER_UNREACHABLE")
        cluster.heal(WAVE, PROVINCE)
        await check_all_arrived(cluster, backend)


async def test_a_node_that_starts_alone_does_what_it_can(cluster: Cluster) -> None:
    """Promise 5: whoever starts first serves what is its own: the provider files, then the province takes it in."""
    province, nation, wave = cluster.regulator("330000"), cluster.nation, cluster.provider("wave")
    for node in (wave, province, nation):
        await node.stop()
    await wave.start()
    async with wave.client() as backend:
        account = await file_account(backend)
        assert await backend.key_ring()
        await cluster.wait_until_failing("wave")
        await province.start()
        await cluster.wait_until_delivered("wave")
        filing = (await backend.get_account(account.account_id)).filing
        assert filing is not None
        assert FilingState.RECEIVED == filing.state
        assert await backend.receipt(account.account_id)
        async with province.client() as officer:
            assert account.account_id in [each.account_id async for each in officer.search()]
        await nation.start()
        await check_all_arrived(cluster, backend)


def overwrite(path: Path) -> None:
    """Overwrites the beginning of a file."""
    with path.open("r+b") as file:
        file.write(b"nothing of this is what it was" * 200)


def open_to_all(path: Path) -> None:
    """Lets everybody on the machine read a file."""
    path.chmod(0o644)


DAMAGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("provider.db", overwrite, "put back a backup"),
    ("vault/keys.db", overwrite, "put keys.db and vault.db of one backup back"),
    ("vault/vault.db", overwrite, "not of the same vault"),
    ("signing.pem", open_to_all, "chmod 600"),
    ("signing.pem", overwrite, "restore it from a backup"),
    ("tls/tls.pem", overwrite, "restore both, or join anew with a token"),
    ("master.key", Path.unlink, "master.key"),
    ("node.toml", overwrite, "mend it or write it anew with init"),
]


async def test_a_damaged_provider_does_not_start_and_says_why(cluster: Cluster) -> None:
    """A node never starts on half of what it is: it ends with code 1 and the mend, and is whole once that is done."""
    node = cluster.provider("wave")
    async with node.client() as backend:
        before = await entry_ids(backend)
    await node.stop()
    for name, damage, mend in DAMAGES:
        path = node.folder / name
        mode, content = path.stat().st_mode, path.read_bytes()
        damage(path)
        try:
            with pytest.raises(FailedPrecondition) as caught:
                await node.start()
        finally:
            path.write_bytes(content)
            path.chmod(mode)
        assert f"{WAVE} ended with exit code 1 before it was ready: " in caught.value.message
        assert mend in caught.value.message
        assert "Traceback" not in node.log_text()
    await node.start()
    async with node.client() as backend:
        assert before == await entry_ids(backend)
        await file_account(backend)
        await check_all_arrived(cluster, backend)
