"""The demo: the real list of news units is filed, from two providers by way of two provinces to the nation.

Nothing in it is played: five processes joined by the real enrolment, mTLS between them, the officers' and backends' own
interfaces. It measures what it shows: bytes are counted on the wire, entries are read where they arrived, and the whole
folder of the network, databases and logs, is searched for the people behind the accounts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from shared import cli
from shared.client.officer import Dimension, FilingFilter, OfficerClient, OfficerRole
from shared.cluster.demo_filing import Applicant, OfficerDesk, ProviderDesk, applicants
from shared.cluster.network import Cluster
from shared.cluster.process import Command, run_to_end
from shared.cluster.watching import wait_until
from shared.cluster.wire import entries_at, files_that_hold, identity_fields_of, identity_values, parse_entries
from shared.errors import FilingnetError, Unavailable

PROVINCES: Final = ("330000", "110000")
PROVIDERS: Final = {"wave": "330000", "harbour": "110000"}
SEARCHED_TEXT: Final = "日报"
ARRIVAL_SECONDS: Final = 120.0

Say = Callable[[str], None]


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
        wire: what crossed the network.
        seconds: how long everything took.
    """

    accounts: int
    filings: int
    returned: int
    counts: Mapping[str, Mapping[str, int]]
    search: Search
    receipt: Receipt
    wire: Wire
    seconds: float


async def run_demo(cluster: Cluster, say: Say) -> DemoResult:
    """Runs the demo on a network that was not started yet.

    Args:
        cluster: with proxied links; it is started, and left running.
        say: tells a person what is being done.

    Returns:
        What it came to.

    Raises:
        FilingnetError: what failed, with a note that says while doing what.
    """
    begin = time.monotonic()
    everybody = applicants()
    with _stage(
        say, f"starting the nation, {len(cluster.regulators) - 1} provinces, {len(cluster.providers)} providers"
    ):
        await cluster.start()
    async with AsyncExitStack() as stack:
        returned, account_ids = await fill(cluster, say, stack)
        nation = await stack.enter_async_context(await cluster.nation.officer(OfficerRole.READER))
        with _stage(say, "asking the nation"):
            counts = {dimension.name.lower(): await _count(nation, dimension) for dimension in _DIMENSIONS}
            search = await _search(nation)
        with _stage(say, "verifying a receipt offline"):
            receipt = await _verify_receipt(cluster, everybody[0].display_name, account_ids)
    with _stage(say, "searching the wire, the databases and the logs for people"):
        wire = await asyncio.to_thread(_look_at_wire, cluster, everybody)
    seconds = time.monotonic() - begin
    return DemoResult(len(everybody), len(everybody) + returned, returned, counts, search, receipt, wire, seconds)


async def fill(cluster: Cluster, say: Say, stack: AsyncExitStack) -> tuple[int, dict[str, str]]:
    """Files the sample through a network that serves, until the nation holds every filing and every decision.

    Args:
        cluster: its nodes may be processes that another program started.
        say: tells a person what is being done.
        stack: closes the clients.

    Returns:
        How many filings officers returned, and the accounts by display name.
    """
    everybody = applicants()
    with _stage(say, f"filing {len(everybody)} public accounts; officers decide as they come in"):
        returned, account_ids = await _file_and_decide(cluster, everybody, stack)
    filings = len(everybody) + returned
    with _stage(say, f"waiting until the nation holds all {filings} filings and the decisions on them"):
        await _wait_for_nation(cluster, filings, accounts=len(everybody))
    return returned, account_ids


_DIMENSIONS: Final = (
    Dimension.JURISDICTION,
    Dimension.SUBJECT_REGION,
    Dimension.CATEGORY,
    Dimension.SUBJECT_KIND,
    Dimension.STATE,
)


@contextmanager
def _stage(say: Say, what: str) -> Iterator[None]:
    say(what)
    try:
        yield
    except BaseException as error:
        error.add_note(f"this happened while {what}")
        raise


async def _file_and_decide(
    cluster: Cluster, everybody: Sequence[Applicant], stack: AsyncExitStack
) -> tuple[int, dict[str, str]]:
    """Lets providers file and officers decide at the same time; returns how many were returned, and the accounts."""
    with cli.progress("public accounts filed", len(everybody)) as advance:
        providers, accounts = [], Counter[str]()
        for place, node in enumerate(cluster.providers):
            share = everybody[place :: len(cluster.providers)]
            accounts[node.plan.jurisdiction] += len(share)
            backend = await stack.enter_async_context(node.client())
            providers.append(ProviderDesk(backend, share, lambda: advance(1)))
        officers = []
        for jurisdiction, expected in accounts.items():
            officer = await cluster.regulator(jurisdiction).officer(OfficerRole.REVIEWER)
            officers.append(OfficerDesk(await stack.enter_async_context(officer), jurisdiction, expected))
        async with asyncio.TaskGroup() as work:
            for desk in providers:
                work.create_task(desk.file_all())
                work.create_task(desk.amend_returned())
            for office in officers:
                work.create_task(office.decide_all())
    account_ids = {name: account for desk in providers for name, account in desk.account_ids.items()}
    return sum(office.returned for office in officers), account_ids


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


async def _verify_receipt(cluster: Cluster, display_name: str, account_ids: dict[str, str]) -> Receipt:
    """Fetches one receipt and the keys from the provider's node, and has `filing-verify` judge them as a program."""
    async with cluster.providers[0].client() as backend:
        receipt = await backend.receipt(account_ids[display_name])
        key_ring = await backend.key_ring()
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
