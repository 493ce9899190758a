"""The demo: the real list of news units is filed and labelled, and one report goes all the way.

Nothing in it is played: five processes joined by the real enrolment, mTLS between them, the officers' and backends' own
interfaces. The one thing that is not as it would be is the time: what takes weeks is seen in seconds by moving the
nodes' time, which is said wherever it is shown. It measures what it shows: bytes are counted on the wire, entries are
read where they arrived, and the whole folder of the network, databases and logs, is searched for the people behind the
accounts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from shared import cli
from shared.client.officer import Dimension, FilingFilter, OfficerClient, OfficerRole
from shared.clock import system_clock
from shared.cluster.demo_audit import Audit
from shared.cluster.demo_filing import Applicant, OfficerDesk, ProviderDesk, applicants
from shared.cluster.demo_labels import LabelDesk, Labels
from shared.cluster.demo_reports import Oversight, ReportDesk
from shared.cluster.demo_scene import ARRIVAL_SECONDS, FiledAccount, Moment, Say, Scene, stage
from shared.cluster.network import Cluster
from shared.cluster.process import Command, run_to_end
from shared.cluster.watching import wait_until
from shared.cluster.wire import entries_at, files_that_hold, identity_fields_of, identity_values, parse_entries
from shared.errors import FilingnetError, Unavailable

PROVINCES: Final = ("330000", "110000")
PROVIDERS: Final = {"wave": "330000", "harbour": "110000"}
DAY_SECONDS: Final = 86_400
SEARCHED_TEXT: Final = "日报"


@dataclass(frozen=True, slots=True)
class Search:
    """A search at the nation: the text, how many filings match, and the first of their names."""

    text: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that was verified offline: of which account, its size in bytes, and what the verifier said."""

    display_name: str
    bytes: int
    verified: str


@dataclass(frozen=True, slots=True)
class Wire:
    """What crossed the network.

    Attributes:
        bytes: carried between the nodes, TLS and enrolment included.
        entries: that arrived at the nation: filings and decisions of the provinces, and the nation's own documents.
        identity_fields: set in any of these entries.
        people_searched: made-up people whose names, identity numbers and telephones were searched for.
        files_with_people: files below the network's folder in which one was found.
    """

    bytes: int
    entries: int
    identity_fields: int
    people_searched: int
    files_with_people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo came to.

    Attributes:
        accounts: public accounts on file.
        filings: revisions at the nation: one for each account, and one for each correction.
        returned: filings that officers returned and providers amended.
        counts: accounts at the nation by "jurisdiction", "subject_region", "category", "subject_kind" and "state".
        search: a search at the nation.
        receipt: of one filing.
        labels: what became of labels.
        oversight: what became of reports and measures.
        moments: what happened to the report that was left alone, in simulated time.
        simulated_days: by how many days the time was moved in all.
        audits: of the conservation of reports, at every regulator.
        wire: what crossed the network.
        seconds: how long everything took.
    """

    accounts: int
    filings: int
    returned: int
    counts: Mapping[str, Mapping[str, int]]
    search: Search
    receipt: Receipt
    labels: Labels
    oversight: Oversight
    moments: Sequence[Moment]
    simulated_days: float
    audits: Sequence[Audit]
    wire: Wire
    seconds: float


async def run_demo(cluster: Cluster, say: Say) -> DemoResult:
    """Runs the demo on a network that was not started yet.

    Args:
        cluster: with proxied links and simulated time; it is started, and left running.
        say: tells a person what is being done.

    Returns:
        What it came to.

    Raises:
        FilingnetError: what failed, with a note that says while doing what.
    """
    begin = time.monotonic()
    everybody = applicants()
    whom = f"the nation, {len(cluster.regulators) - 1} provinces, {len(cluster.providers)} providers"
    with stage(say, f"starting {whom}"), cli.progress("nodes started", len(cluster.nodes)) as advance:
        await cluster.start(lambda _: advance(1))
    async with AsyncExitStack() as stack:
        returned, accounts = await fill(cluster, say, stack)
        scene = await _scene(cluster, say, accounts, stack)
        with stage(say, "asking the nation"):
            counts = {dimension.name.lower(): await _count(scene.nation, dimension) for dimension in _DIMENSIONS}
            search = await _search(scene.nation)
        with stage(say, "verifying a receipt offline"):
            receipt = await _verify_receipt(cluster, everybody[0].display_name, accounts)
        labels, oversight = await _provisions(scene)
        await scene.audit("in the end")
        simulated = (cluster.now() - system_clock()).total_seconds() / DAY_SECONDS
    with stage(say, "searching the wire, the databases and the logs for people"):
        wire = await asyncio.to_thread(_look_at_wire, cluster, everybody)
    seconds = time.monotonic() - begin
    return DemoResult(
        accounts=len(everybody),
        filings=len(everybody) + returned,
        returned=returned,
        counts=counts,
        search=search,
        receipt=receipt,
        labels=labels,
        oversight=oversight,
        moments=scene.moments,
        simulated_days=round(simulated, 1),
        audits=scene.audits,
        wire=wire,
        seconds=seconds,
    )


async def fill(cluster: Cluster, say: Say, stack: AsyncExitStack) -> tuple[int, dict[str, FiledAccount]]:
    """Files the sample through a network that serves, until the nation holds every filing and every decision.

    Args:
        cluster: its nodes may be processes that another program started.
        say: tells a person what is being done.
        stack: closes the clients.

    Returns:
        How many filings officers returned, and the accounts by display name.
    """
    everybody = applicants()
    with stage(say, f"filing {len(everybody)} public accounts; officers decide as they come in"):
        returned, accounts = await _file_and_decide(cluster, everybody, stack)
    filings = len(everybody) + returned
    with stage(say, f"waiting until the nation holds all {filings} filings and the decisions on them"):
        await _wait_for_nation(cluster, filings, accounts=len(everybody))
    return returned, accounts


_DIMENSIONS: Final = (
    Dimension.JURISDICTION,
    Dimension.SUBJECT_REGION,
    Dimension.CATEGORY,
    Dimension.SUBJECT_KIND,
    Dimension.STATE,
)


async def _file_and_decide(
    cluster: Cluster, everybody: Sequence[Applicant], stack: AsyncExitStack
) -> tuple[int, dict[str, FiledAccount]]:
    """Lets providers file and officers decide at the same time; returns how many were returned, and the accounts."""
    with cli.progress("public accounts filed", len(everybody)) as advance:
        providers, shares = [], Counter[str]()
        for place, node in enumerate(cluster.providers):
            share = everybody[place :: len(cluster.providers)]
            shares[node.plan.jurisdiction] += len(share)
            backend = await stack.enter_async_context(node.client())
            providers.append((node, backend, ProviderDesk(backend, share, lambda: advance(1))))
        officers = []
        for jurisdiction, expected in shares.items():
            officer = await cluster.regulator(jurisdiction).officer(OfficerRole.REVIEWER)
            officers.append(OfficerDesk(await stack.enter_async_context(officer), jurisdiction, expected))
        async with asyncio.TaskGroup() as work:
            for _, _, desk in providers:
                work.create_task(desk.file_all())
                work.create_task(desk.amend_returned())
            for office in officers:
                work.create_task(office.decide_all())
    accounts = {
        name: FiledAccount(account_id, node.name, backend, node.plan.jurisdiction)
        for node, backend, desk in providers
        for name, account_id in desk.account_ids.items()
    }
    return sum(office.returned for office in officers), accounts


async def _scene(cluster: Cluster, say: Say, accounts: Mapping[str, FiledAccount], stack: AsyncExitStack) -> Scene:
    officers = {
        node.jurisdiction: await stack.enter_async_context(await node.officer(OfficerRole.REVIEWER, "desk-1"))
        for node in cluster.regulators[1:]
    }
    nation = await stack.enter_async_context(await cluster.nation.officer(OfficerRole.READER))
    anybody = await stack.enter_async_context(cluster.nation.public())
    return Scene(cluster, say, accounts, officers, nation, anybody)


async def _provisions(scene: Scene) -> tuple[Labels, Oversight]:
    """Labels, then reports, in the order in which time moves on."""
    labels, reports = LabelDesk(scene), ReportDesk(scene)
    await labels.grant()
    await labels.revoke()
    await reports.take_in()
    await reports.escalate()
    await reports.appeal()
    return await labels.lapse(), await reports.result()


async def _wait_for_nation(cluster: Cluster, filings: int, accounts: int) -> None:
    with cli.progress("filings at the nation", filings) as advance:
        held = 0

        def show(now: int) -> None:
            nonlocal held
            advance(now - held)
            held = now

        await cluster.wait_until_nation_has(filings, ARRIVAL_SECONDS, show)
    accepted = 0

    async def all_accepted() -> bool:
        nonlocal accepted
        accepted = (await _count(nation, Dimension.STATE)).get("accepted", 0)
        return accepted >= accounts

    async def failure() -> FilingnetError:
        return Unavailable(f"the nation holds {accepted} of {accounts} decisions", "DECISIONS_MISSING")

    async with cluster.nation.client() as nation:
        await wait_until(all_accepted, ARRIVAL_SECONDS, failure)


async def _count(nation: OfficerClient, dimension: Dimension) -> dict[str, int]:
    return {row.keys[0]: row.count for row in await nation.statistics([dimension])}


async def _search(nation: OfficerClient) -> Search:
    names = [filing.display_name async for filing in nation.search(FilingFilter(text=SEARCHED_TEXT))]
    return Search(SEARCHED_TEXT, len(names), tuple(names[:8]))


async def _verify_receipt(cluster: Cluster, display_name: str, accounts: Mapping[str, FiledAccount]) -> Receipt:
    """Fetches one receipt and the keys from the provider's node, and has `filing-verify` judge them as a program."""
    account = accounts[display_name]
    receipt = await account.backend.receipt(account.account_id)
    key_ring = await account.backend.key_ring()
    files = cluster.folder / "receipt.bin", cluster.folder / "keys.json"
    files[0].write_bytes(receipt)
    files[1].write_text(key_ring, encoding="utf-8")
    arguments = ("shared.evidence", "receipt", str(files[0]), "--keys", str(files[1]))
    command = Command.module("filing-verify", arguments, cluster.folder / "logs" / "filing-verify.log", {})
    return Receipt(display_name, len(receipt), (await run_to_end(command)).strip())


def _look_at_wire(cluster: Cluster, everybody: Sequence[Applicant]) -> Wire:
    entries = entries_at(cluster.nation.folder)
    people = {value for applicant in everybody for value in identity_values(applicant.identity)}
    return Wire(
        bytes=sum(link.bytes_carried for link in cluster.links.values()),
        entries=len(entries),
        identity_fields=len(identity_fields_of(parse_entries(entries))),
        people_searched=len(everybody),
        files_with_people=tuple(files_that_hold(people, [cluster.folder])),
    )
