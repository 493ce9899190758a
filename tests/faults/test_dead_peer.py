"""Promise 5: a dead peer is nobody else's matter. What goes to the living is measured with a dead one beside, and without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final

import pytest

from shared.client.officer import OfficerClient
from shared.cluster.network import Cluster
from tests.e2e.filing_desk import file_account
from tests.e2e.raw_provider import ACCEPTED, RawProvider, made_up_filing, raw_provider
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

LIVING, DEAD = "110000", "330000"
NATION, LIVING_NAME = "regulator/100000", f"regulator/{LIVING}"
AT_MOST: Final = 1.1
"""By how much a dead peer may lengthen the others' ways."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """Two provinces with a provider each; one of the two is going to die, again and again."""
    return filing_cluster_factory(provinces=(LIVING, DEAD), providers={"inland": LIVING, "wave": DEAD})


@dataclass
class Ways:
    """How long filings took, in seconds: until the province answered, and until the nation had them."""

    answered: list[float] = field(default_factory=list)
    at_nation: list[float] = field(default_factory=list)


def ratio(with_dead: list[float], without: list[float]) -> float:
    """Compares lower quartiles, because whatever else the machine does lengthens single filings and shortens none."""
    return round(quantiles(with_dead)[0] / quantiles(without)[0], 3)


async def file_one(raw: RawProvider, nation: OfficerClient, sequence: int, ways: Ways) -> None:
    """Files with the living province and waits until the nation has it."""
    entry = raw.entry(made_up_filing(subject_region=LIVING), sequence)
    begun = time.perf_counter()
    answer = await raw.submit(entry)
    ways.answered.append(time.perf_counter() - begun)
    assert [ACCEPTED] == answer.outcomes
    ((index, _),) = answer.places
    while (await held_by(nation)) <= index:
        assert time.perf_counter() - begun < 60, "the nation does not hear the living province"
    ways.at_nation.append(time.perf_counter() - begun)


async def held_by(nation: OfficerClient) -> int:
    """Returns how much of the living province's log the nation holds."""
    status = await nation.status()
    return next((replica.size for replica in status.replicas if replica.jurisdiction == LIVING), 0)


async def test_a_dead_province_lengthens_nobody_elses_way(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: with a province that hangs, filings of another arrive by the same connections, as fast as without."""
    rounds, filings = (16, 25) if full_size else (2, 6)
    ways = {True: Ways(), False: Ways()}
    sequence = 0
    link = cluster.link(NATION, LIVING_NAME)
    async with (
        raw_provider(cluster.provider("inland"), cluster.regulator(LIVING)) as raw,
        cluster.nation.client() as nation,
        cluster.provider("wave").client() as wave,
    ):
        await file_account(wave)
        await file_one(raw, nation, sequence := sequence + 1, Ways())
        connections = link.connections
        for number in range(2 * rounds):
            dead = bool(number % 2)
            if dead:
                cluster.regulator(DEAD).pause()
                # It has something for the dead one to do, which nobody but that one waits for.
                await file_account(wave)
            try:
                for _ in range(filings):
                    await file_one(raw, nation, sequence := sequence + 1, ways[dead])
                if dead:
                    assert (await wave.status()).destinations[0].queued
            finally:
                if dead:
                    cluster.regulator(DEAD).resume()
        await cluster.wait_until_delivered("wave")
    assert connections == link.connections
    answered = ratio(ways[True].answered, ways[False].answered)
    at_nation = ratio(ways[True].at_nation, ways[False].at_nation)
    if full_size:
        assert max(answered, at_nation) <= AT_MOST
    tried(
        5,
        "a province hangs; filings of another, with it against without",
        filings=len(ways[True].at_nation),
        ratio_until_answered=answered,
        ratio_until_at_the_nation=at_nation,
    )


async def test_a_dead_nation_lengthens_no_filing(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: with the nation hanging, a province answers its provider as fast as without."""
    rounds, filings = (16, 25) if full_size else (2, 6)
    ways: dict[bool, list[float]] = {True: [], False: []}
    async with raw_provider(cluster.provider("inland"), cluster.regulator(LIVING)) as raw:
        for number in range(2 * rounds):
            dead = bool(number % 2)
            if dead:
                cluster.nation.pause()
            try:
                for _ in range(filings):
                    entry = raw.entry(made_up_filing(subject_region=LIVING), 10_000 + number)
                    begun = time.perf_counter()
                    assert [ACCEPTED] == (await raw.submit(entry)).outcomes
                    ways[dead].append(time.perf_counter() - begun)
            finally:
                if dead:
                    cluster.nation.resume()
    found = ratio(ways[True], ways[False])
    if full_size:
        assert found <= AT_MOST
    tried(5, "the nation hangs; filings at a province, with it against without", filings=len(ways[True]), ratio=found)
