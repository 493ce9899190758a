"""The network at its worst, between real nodes: nothing is lost, nothing is doubled, and delivery resumes by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pytest

from shared.client.provider import FilingState, ProviderClient
from shared.cluster.network import Cluster
from shared.cluster.nodes import ProviderNode
from shared.cluster.proxy import Link, Way
from shared.cluster.tap import LAST_STREAM
from tests.e2e.filing_desk import entry_ids, file_account, filings_at, import_accounts, register
from tests.faults.loris import Loris
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

WAVE, HARBOUR, STREAM, SILENT = "wave", "harbour", "stream", "silent"
PROVINCE, NATION = "regulator/330000", "regulator/100000"
MOVING: Final = (WAVE, HARBOUR, STREAM)
"""The providers whose networks break in the tests; the link of the other one is half-open from the beginning."""
NOTICED_SECONDS: Final = 60.0
"""Within which a dead connection is noticed."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A province with four providers, which look their way up by name, in a time that can be moved."""
    return filing_cluster_factory(providers=dict.fromkeys((*MOVING, SILENT), "330000"), named=True, simulated_time=True)


@pytest.fixture(scope="module")
def loris(cluster: Cluster, full_size: bool) -> Iterator[Loris]:
    """Connections to the province that never come to the point, from before the first test on."""
    loris = Loris()
    loris.open(cluster.regulator("330000"), 2000 if full_size else 100)
    yield loris
    for connection in loris.connections:
        connection.close()


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """A link on which the peer is gone without a word, and until when its caller has to notice, by time.monotonic."""

    link: Link
    deadline: float

    async def noticed(self) -> bool:
        """Tells whether its caller connected anew."""
        return self.link.connections >= 2


@pytest.fixture(scope="module", autouse=True)
def half_open(cluster: Cluster, loris: Loris) -> HalfOpen:
    """The link of a provider whose regulator is gone without a word, from before the first test on."""
    cluster.shape(f"provider/{SILENT}", PROVINCE, Link.abandon)
    return HalfOpen(cluster.link(f"provider/{SILENT}", PROVINCE), time.monotonic() + NOTICED_SECONDS)


def link_of(cluster: Cluster, identifier: str) -> Link:
    """Returns the link of a provider to its regulator."""
    return cluster.link(f"provider/{identifier}", PROVINCE)


def shape(cluster: Cluster, identifier: str, action: Callable[[Link], None]) -> None:
    """Does something to that link."""
    cluster.shape(f"provider/{identifier}", PROVINCE, action)


async def check_once_each(cluster: Cluster, identifiers: Sequence[str]) -> dict[str, int]:
    """Every filing of these providers is at the province and at the nation, each once; returns what was found."""
    told: list[str] = []
    for identifier in identifiers:
        await cluster.wait_until_delivered(identifier, seconds=120)
        async with cluster.provider(identifier).client() as backend:
            told += await entry_ids(backend)
    origins = {f"provider/{identifier}" for identifier in identifiers}
    found: list[str] = []

    async def all_there() -> bool:
        found[:] = [entry.entry_id for entry in filings_at(cluster.nation) if entry.origin in origins]
        return set(told) <= set(found)

    await cluster.wait_until(all_there, "the nation has every filing", 120)
    at_province = [entry.entry_id for entry in filings_at(cluster.regulator("330000")) if entry.origin in origins]
    assert sorted(told) == sorted(at_province) == sorted(found)
    return {"filings": len(told), "lost": len(set(told) - set(found)), "doubled": len(found) - len(set(found))}


async def file_until(cluster: Cluster, identifier: str, fired: Callable[[], bool]) -> None:
    """Files one by one until something has happened, two hundred times at most."""
    async with cluster.provider(identifier).client() as backend:
        for _ in range(200):
            await file_account(backend)
            await cluster.wait_until_delivered(identifier)
            if fired():
                return
    raise AssertionError("it never happened")


def has_reset(way: Way) -> bool:
    """Tells whether the reset that was asked for came."""
    return way.reset_after_bytes is None


def has_more_than(things: Sequence[object], count: int) -> bool:
    """Tells whether there are more than so many."""
    return len(things) > count


def reset_at(offset: int, *, out: bool) -> Callable[[Link], None]:
    """Returns what resets a link's connections after so many bytes, of what goes out or of what comes back."""
    return lambda link: link.reset_after(*((offset, None) if out else (None, offset)))


async def test_resets_at_every_offset(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promises 1 and 2: a connection that is reset inside of a frame or of a handshake loses and doubles nothing."""
    steps = 60 if full_size else 3
    resets, resets_of_the_nation = 0, list[int]()

    async def sweep(identifier: str, number: int) -> None:
        nonlocal resets
        link = link_of(cluster, identifier)
        for step in range(steps):
            for begun_anew in (False, True):
                # No two providers break at the same place; up to a whole batch, or a handshake and a batch.
                offset = 1 + (number * 37 + step * (4001 // steps)) % 4001
                out = bool(step % 3)
                if begun_anew:
                    shape(cluster, identifier, Link.reset)
                shape(cluster, identifier, reset_at(offset, out=out))
                way = link.out if out else link.back
                await file_until(cluster, identifier, partial(has_reset, way))
                resets += 1

    async def sweep_of_the_nation() -> None:
        # Each reset lengthens the nation's next wait, to twenty seconds.
        for step in range(min(steps, 12)):
            cluster.shape(NATION, PROVINCE, reset_at(step * 97 + 1, out=False))
            await file_until(cluster, WAVE, partial(has_reset, cluster.link(NATION, PROVINCE).back))
            resets_of_the_nation.append(step)

    await asyncio.gather(
        sweep_of_the_nation(), *(sweep(identifier, number) for number, identifier in enumerate(MOVING))
    )
    tried(
        1,
        "resets inside of frames and handshakes",
        resets=resets + len(resets_of_the_nation),
        **await check_once_each(cluster, MOVING),
    )


async def test_what_was_stranded_arrives_after_its_repetition(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 2: what was on its way when a provider died arrives late, in another order, and has no second effect."""
    rounds, late = (12 if full_size else 1), 0
    node, link = cluster.provider(WAVE), link_of(cluster, WAVE)
    for _ in range(rounds):
        async with node.client() as backend:
            await cluster.wait_until_delivered(WAVE)
            shape(cluster, WAVE, Link.strand)
            for _ in range(3):
                await file_account(backend)
        await node.kill()
        await node.start()
        await cluster.wait_until_delivered(WAVE)
        before = link.out.bytes_carried
        shape(cluster, WAVE, Link.arrive)

        async def arrived(before: int = before) -> bool:
            return link.out.bytes_carried > before

        await cluster.wait_until(arrived, "what was stranded arrives")
        late += 1
    tried(2, "requests that arrive after their repetition", kills=late, **await check_once_each(cluster, MOVING))


async def test_one_way_and_slow_links(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promises 1 and 5: where bytes pass in one direction only, or late, each filing arrives once it can, and once."""
    rounds = 20 if full_size else 1
    faults = (
        (WAVE, Link.stall_out),
        (HARBOUR, Link.stall_back),
        (STREAM, lambda link: link.delay(0.05 if full_size else 0.02)),
    )
    for _ in range(rounds):
        for identifier, fault in faults:
            shape(cluster, identifier, fault)
        async with cluster.provider(HARBOUR).client() as harbour, cluster.provider(WAVE).client() as wave:
            heard = await file_account(harbour)
            unheard = await file_account(wave)
            async with cluster.provider(STREAM).client() as stream:
                await file_account(stream)
            await cluster.wait_until_delivered(STREAM)
            # The request passes and its answer does not: the province has it, and the provider does not know.
            await cluster.wait_until(partial(is_at, cluster, heard.account_id), "the province has it")
            assert not await is_at(cluster, unheard.account_id)
            assert {FilingState.QUEUED} == {
                await state_of(harbour, heard.account_id),
                await state_of(wave, unheard.account_id),
            }
        for identifier, _ in reversed(faults):
            shape(cluster, identifier, Link.heal)
        for identifier in MOVING:
            await cluster.wait_until_delivered(identifier)
    tried(5, "one-way and slow links", links=rounds * len(faults), **await check_once_each(cluster, MOVING))


async def is_at(cluster: Cluster, account_id: str) -> bool:
    """Tells whether the province has a filing of an account."""
    return account_id in {entry.filing.account_id for entry in filings_at(cluster.regulator("330000"))}


async def state_of(backend: ProviderClient, account_id: str) -> FilingState:
    """Returns where an account's newest filing is."""
    filing = (await backend.get_account(account_id)).filing
    assert filing is not None
    return filing.state


async def test_names_that_are_gone(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: who cannot look its regulator up files on, says why nothing leaves, and delivers once the name is back."""
    rounds = 5 if full_size else 1
    node = cluster.provider(HARBOUR)
    for _ in range(rounds):
        cluster.forget_name(node.name)
        shape(cluster, HARBOUR, Link.reset)
        async with node.client() as backend:
            # Who was connected knows the address still.
            await file_account(backend)
            await cluster.wait_until_delivered(HARBOUR)
        await node.restart()
        async with node.client() as backend:
            account = await file_account(backend)
            reason = await cluster.wait_until_failing(HARBOUR)
            assert reason.startswith("PEER_UNREACHABLE")
            assert FilingState.QUEUED == await state_of(backend, account.account_id)
        cluster.forget_name(node.name, gone=False)
        await cluster.wait_until_delivered(HARBOUR)
    tried(5, "names that resolve no more, and then do", names=rounds, **await check_once_each(cluster, MOVING))


async def test_links_that_come_back_in_another_order(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: whichever of the parted nodes is back first, and before or after the nation, all of it arrives."""
    orders = _orders(full_size)
    for order in orders:
        for name in order:
            cluster.cut(name, PROVINCE)
        for identifier in MOVING:
            async with cluster.provider(identifier).client() as backend:
                await import_accounts(backend, await register(backend), 20)
        for name in order:
            cluster.heal(name, PROVINCE)
            if name != NATION:
                await cluster.wait_until_delivered(name.removeprefix("provider/"))
    tried(5, "links healed one by one in other orders", orders=len(orders), **await check_once_each(cluster, MOVING))


def _orders(full_size: bool) -> list[tuple[str, ...]]:
    names = (NATION, *(f"provider/{identifier}" for identifier in MOVING))
    turned = [names[place:] + names[:place] for place in range(len(names))]
    return turned + [order[::-1] for order in turned] if full_size else [names[::-1]]


async def test_a_half_open_connection_is_noticed(cluster: Cluster, half_open: HalfOpen, tried: Tried) -> None:
    """Promise 5: a provider whose regulator was gone without a word notices within a minute, and connects anew."""
    left = max(0.0, half_open.deadline - time.monotonic())
    await cluster.wait_until(half_open.noticed, "the provider notices", seconds=left)
    async with cluster.provider(SILENT).client() as backend:
        await file_account(backend)
    figures = await check_once_each(cluster, (SILENT,))
    tried(5, "a half-open connection", connections=half_open.link.connections, **figures)


def test_a_slow_loris_is_ended(loris: Loris, tried: Tried) -> None:
    """Promise 5: connections that begin to speak and never end are ended by the node; the tests above ran beside them."""
    opened = len(loris.connections)
    ended = loris.wait_until_ended()
    assert opened == ended
    tried(5, "connections that never come to the point", connections=opened, ended=ended)


async def test_go_away_under_load(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promises 1 and 2: a peer that says GOAWAY, even for calls that it did take in, or that restarts, doubles nothing."""
    rounds = 40 if full_size else 3
    told = 0
    tap = await cluster.tap(f"provider/{WAVE}", PROVINCE)
    async with cluster.provider(WAVE).client() as backend:
        subject = await register(backend)
        for number in range(rounds):
            await cluster.wait_until_delivered(WAVE)
            before = len(tap.connections)
            await import_accounts(backend, subject, 60)
            tap.go_away(last_stream=0 if number % 2 else LAST_STREAM)
            told += 1
            await file_until(cluster, WAVE, partial(has_more_than, tap.connections, before))
        shape(cluster, WAVE, lambda link: link.divert(""))
        for _ in range(rounds // 3):
            await import_accounts(backend, subject, 300)
            await cluster.regulator("330000").restart()
            told += 1
    tried(2, "GOAWAY under load, and restarts", told=told, **await check_once_each(cluster, MOVING))


async def test_seven_days_of_partition(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: after a week without its regulator a provider delivers all by itself, the first within a minute."""
    queued = 100_000 if full_size else 1500
    node: ProviderNode = cluster.provider(WAVE)
    cluster.cut(node.name, PROVINCE)
    async with node.client() as backend:
        subject = await register(backend)
        before = _resident_mebibytes(node.pid)
        for _ in range(queued // 1500):
            await import_accounts(backend, subject, 1500)
        rest = queued % 1500
        if rest:
            await import_accounts(backend, subject, rest)

        async def tired() -> bool:
            (there,) = (await backend.status()).destinations
            # At full size until the next try is more than a minute away: what heals has to end that wait.
            waits = there.next_attempt_time is not None and there.next_attempt_time - cluster.now()
            return bool(waits) and there.attempts >= 2 and (not full_size or waits.total_seconds() > 70)  # type: ignore[union-attr]

        await cluster.wait_until(tired, "the provider tries seldom", 900)
        for _ in range(7):
            cluster.advance(days=1)
            (there,) = (await backend.status()).destinations
            assert queued == there.queued
        assert there.oldest_time is not None
        assert (cluster.now() - there.oldest_time).days == 7
        cluster.heal(node.name, PROVINCE)

        async def begun() -> bool:
            (there,) = (await backend.status()).destinations
            return there.queued < queued

        await cluster.wait_until(begun, "the first of them is delivered", seconds=60)
        await cluster.wait_until_delivered(WAVE, seconds=900)
        grown = _resident_mebibytes(node.pid) - before
    assert grown < 200
    tried(
        5,
        "seven days of partition in simulated time",
        queued=queued,
        grown_MiB=grown,
        **await check_once_each(cluster, MOVING),
    )


def _resident_mebibytes(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmRSS:"))
