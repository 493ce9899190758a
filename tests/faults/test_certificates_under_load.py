"""Promise 7: who is denied or has ended is out at the next call, everywhere within a minute; and certificates of seconds are
renewed, and their CA is replaced, without a call that fails.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from regulator_node.settings import RegulatorSettings
from shared.client.officer import NodeState, OfficerClient, OfficerRole
from shared.client.provider import ProviderClient
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.errors import FilingnetError, PermissionDenied
from shared.trust.authority import Authority
from tests.e2e.callers import credentials_of
from tests.e2e.filing_desk import entry_ids, file_account, filings_at, register
from tests.faults.member import Member, member
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NATION, PROVINCE = "regulator/100000", "regulator/330000"
MINUTE = 60.0
SHORT = timedelta(seconds=6)
"""Life of a certificate that is to end while the province is cut off."""

FIRST_HOURS = 120 / 3600
"""How long certificates hold at first: long enough for nodes to start, and renewed within six seconds once another CA
signs."""

SHORT_HOURS = 9 / 3600
"""How long they hold under load: nodes renew every six seconds."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """Two provinces, and a provider in one of them."""
    return filing_cluster_factory(provinces=("330000", "110000"), certificate_lifetime_hours=FIRST_HOURS)


async def out(caller: Member, reason: str) -> int:
    """Calls on the channel that is open until it is refused, which must be for that reason; returns how often it was not."""
    served, why = 0, ""
    while not why:
        try:
            await caller.ask()
            served += 1
        except FilingnetError as error:
            why = error.reason
    assert reason == why
    return served


async def everywhere(cluster: Cluster, version: int, caller: Member | None = None) -> None:
    """Waits until every node holds a directory, and a member in this process as well."""

    async def heard() -> bool:
        versions = [caller.view.directory.version] if caller is not None else []
        for node in cluster.nodes.values():
            async with node.client() as client:  # type: ignore[attr-defined]
                versions.append((await client.status()).directory_version)
        return bool(min(versions) >= version)

    await cluster.wait_until(heard, f"everybody holds directory {version}", seconds=MINUTE)


@asynccontextmanager
async def listening(caller: Member) -> AsyncIterator[asyncio.Task[None]]:
    """A stream of the caller's that is open and has brought its first page."""
    ticket, task = caller.heard.ticket(), asyncio.create_task(caller.listen())
    try:
        assert await caller.heard.wait(ticket, MINUTE)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def refused(task: asyncio.Task[None]) -> str:
    """Waits until a stream is refused; returns the reason."""
    with pytest.raises(FilingnetError) as caught:
        await task
    return caught.value.reason


@pytest.mark.parametrize("kind", ["node", "certificate"])
async def test_the_denied_are_out_everywhere_within_a_minute(
    cluster: Cluster, tmp_path: Path, tried: Tried, full_size: bool, kind: str
) -> None:
    """Promise 7: on channels and streams that stay open; every node of the network holds the directory that says so."""
    province, times = cluster.regulator("330000"), 20 if full_size else 1
    reason = "NODE_DENIED" if kind == "node" else "CERTIFICATE_DENIED"
    slowest = {"call": 0.0, "stream": 0.0, "network": 0.0}
    async with cluster.nation.client() as office:
        for number in range(times):
            name = f"provider/lost-{kind}-{number}"
            async with member(cluster, office, tmp_path / str(number), name, province) as lost:
                await everywhere(cluster, lost.view.directory.version)
                async with listening(lost) as stream:
                    await lost.ask()
                    begun = time.monotonic()
                    if kind == "node":
                        version = (await office.set_node_state(name, NodeState.DENIED)).directory_version
                    else:
                        _, version = await office.deny_certificate(lost.credentials.serial_number)

                    async def timed(what: str, begun: float = begun) -> None:
                        slowest[what] = max(slowest[what], time.monotonic() - begun)

                    async with asyncio.timeout(MINUTE):
                        await out(lost, reason)
                        await timed("call")
                        await everywhere(cluster, version)
                        await timed("network")
                        assert reason == await refused(stream)
                        await timed("stream")
                    with pytest.raises(PermissionDenied):
                        await lost.renew()
    seconds = {f"slowest_{what}_seconds": f"{taken:.1f}" for what, taken in slowest.items()}
    tried(7, f"a denied {kind} on open channels and streams", denied=times, nodes=len(cluster.nodes), **seconds)


async def test_what_bounds_it_where_the_nation_is_not_heard(cluster: Cluster, tmp_path: Path, tried: Tried) -> None:
    """Promise 7: a province that is cut off serves whom it knows until the certificate ends, on open channels and streams;
    only the nation renews it. Once the province is reached it hears within a minute."""
    province = cluster.regulator("330000")
    authority = Authority.load(cluster.nation.folder / "ca")
    async with (
        cluster.nation.client() as office,
        member(cluster, office, tmp_path / "unheard", "provider/unheard", province) as unheard,
    ):
        await everywhere(cluster, unheard.view.directory.version)
        cluster.cut(NATION, PROVINCE)
        version = (await office.set_node_state(unheard.name, NodeState.DENIED)).directory_version
        folder = tmp_path / "ends"
        folder.mkdir()
        short = credentials_of(folder, unheard.name, authority, province.ca_pem(), lifetime=SHORT)
        async with unheard.other(short) as ending, listening(ending) as stream, asyncio.timeout(MINUTE):
            served = await out(ending, "CERTIFICATE_EXPIRED")
            assert "CERTIFICATE_EXPIRED" == await refused(stream)
        with pytest.raises(PermissionDenied) as caught:
            await unheard.renew()
        assert "NODE_DENIED" == caught.value.reason
        await unheard.ask()
        healed = time.monotonic()
        cluster.heal(NATION, PROVINCE)
        async with asyncio.timeout(MINUTE):
            await out(unheard, "NODE_DENIED")
        await everywhere(cluster, version)
        seconds = f"{time.monotonic() - healed:.1f}"
    tried(7, "denied while its province is cut off", served=served, out_after_healing_seconds=seconds)
    assert served


async def shorten(cluster: Cluster) -> None:
    """Has the nation sign for seconds from now on."""
    await cluster.nation.stop()
    settings = RegulatorSettings.load(cluster.nation.folder)
    settings.model_copy(update={"certificate_lifetime_hours": SHORT_HOURS}).write()
    await cluster.nation.start()


async def ca(cluster: Cluster, *words: str) -> str:
    """Runs a command about the CA at the nation."""
    return await cluster.nation.run("regulator_node", "ca", words[0], "--data", str(cluster.nation.folder), *words[1:])


async def replace_ca(cluster: Cluster, office: OfficerClient, surge: Member) -> None:
    """Replaces the CA as an operator does: next, use, retire."""
    (first,) = json.loads(await ca(cluster, "list", "--json"))
    assert "in use" == first["state"]
    before = first["authority_id"]
    added = await ca(cluster, "next")
    await everywhere(cluster, version_in(added), surge)
    used = await ca(cluster, "use")
    await everywhere(cluster, version_in(used), surge)

    async def needed_by_nobody() -> bool:
        return {each.authority_id: each.live_certificates for each in await office.authorities()}[before] == 0

    await cluster.wait_until(needed_by_nobody, "nobody needs the CA before")
    await cluster.wait_until(lambda: by_newest(surge), "the member has renewed")
    retired = await ca(cluster, "retire", before)
    await everywhere(cluster, version_in(retired), surge)


def version_in(told: str) -> int:
    """Reads the directory version that a command told."""
    return int(told.partition("by directory ")[2].split()[0].rstrip(":"))


async def by_newest(surge: Member) -> bool:
    """Whether a member's certificate is by the CA that signs."""
    return surge.credentials.is_signed_by(surge.view.directory.ca_certificates[-1])


def renewals(node: Node) -> int:
    """How often a node has renewed its certificate."""
    return node.log_text().count('"certificate_renewed"')


async def rotated(cluster: Cluster, times: int) -> None:
    """Waits until every node has renewed so many times more."""
    wanted = {name: renewals(node) + times for name, node in cluster.nodes.items()}

    async def done() -> bool:
        return all(renewals(cluster.nodes[name]) >= count for name, count in wanted.items())

    await cluster.wait_until(done, f"every node has renewed {times} times", seconds=60.0 + 20.0 * times)


async def test_no_call_fails_while_certificates_and_their_ca_turn(
    cluster: Cluster, tmp_path: Path, tried: Tried, full_size: bool
) -> None:
    """Promise 7: submissions, calls and streams go on while every certificate is renewed every few seconds, and while the
    CA is replaced from next to retire; nothing fails and nothing accepted is lost."""
    cas, turns = (4, 12) if full_size else (1, 1)
    await shorten(cluster)
    province, wave = cluster.regulator("330000"), cluster.provider("wave")
    token = tmp_path / "token"
    async with (
        cluster.nation.client() as office,
        member(cluster, office, tmp_path / "surge", "provider/surge", province) as surge,
        await province.officer(OfficerRole.READER) as officer,
        wave.client() as backend,
    ):
        async with province.client() as operator:
            token.write_text((await operator.create_officer_token("load-desk", OfficerRole.READER)).token, "ascii")
        subject = await register(backend)
        await everywhere(cluster, surge.view.directory.version, surge)

        async def officer_anew() -> None:
            given, pem = token.read_text("ascii"), province.ca_pem()
            async with OfficerClient(
                province.public_address, ca=pem, token=given, server_name=province.name
            ) as another:
                await another.status()

        async def officer_on() -> None:
            await officer.status()

        async def file() -> None:
            await file_account(backend, subject)

        stop = asyncio.Event()
        load = [surge.submit, surge.submit, surge.ask, surge.ask_anew, officer_on, officer_anew, file]
        begun = sum(map(renewals, cluster.nodes.values()))
        listening = asyncio.create_task(surge.listen())
        tasks = [asyncio.create_task(surge.repeat(call, stop)) for call in load]
        try:
            for _ in range(cas):
                await replace_ca(cluster, office, surge)
                await rotated(cluster, turns)
        finally:
            stop.set()
            await asyncio.gather(*tasks)
        assert not listening.done()
        listening.cancel()
        rotations = sum(map(renewals, cluster.nodes.values())) - begun
        await nothing_lost(cluster, surge, backend)
    counts = {"calls": surge.calls, "submitted": len(surge.accepted), "failed": len(surge.failed)}
    tried(7, "the CA replaced under load, next to retire", replaced=cas, rotations=rotations, **counts)
    assert [] == surge.failed[:5]
    assert rotations >= cas * turns * len(cluster.nodes)


async def nothing_lost(cluster: Cluster, surge: Member, backend: ProviderClient) -> None:
    """What the province took from the member and from the node is in its log, once."""
    await cluster.wait_until_delivered("wave")
    held = Counter(entry.entry_id for entry in filings_at(cluster.regulator("330000")))
    assert {1} == {held[entry_id] for entry_id in [*surge.accepted, *await entry_ids(backend)]}
