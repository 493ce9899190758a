"""Many networks, each out of one seed, in which everything that can go wrong does (`tests.faults.simulation`)."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.faults.simulation.run import Outcome, run_seed
from tests.tried import Tried

FEW, MANY = 120, 10_000
"""Seeds at the size of `make test`, and of `make faults`."""

ONCE_BROKEN = (1486, 1641, 4655, 5210, 6518, 7002, 7670, 9137)
"""Seeds that found a fault among the ten thousand; run at every size."""


FEW_NATIONS, MANY_NATIONS = 40, 2_000
"""The same of networks whose nation is put back to an earlier state."""

TELLING = (1025, 1043)
"""Seeds of these at which the nation knows by what a provider shows, and by the one of two heads that a province knows."""


def outcomes(seeds: Sequence[int], *, old_nation: bool = False) -> Iterator[Outcome]:
    """Runs seeds; many of them in as many processes as there are processors."""
    run = partial(run_seed, old_nation=old_nation)
    if len(seeds) < MANY_NATIONS:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(run, seeds, chunksize=25)


def sentences(done: Sequence[Outcome], *options: str) -> str:
    """What was broken, each with the command that shows it."""
    return "\n".join(
        f"{sentence}\n  see: python -m tests.faults.simulation --seed {each.seed} --trace {' '.join(options)}".rstrip()
        for each in done
        for sentence in each.broken
    )


def test_whatever_goes_wrong_nothing_is_lost_or_filed_twice(tried: Tried, full_size: bool) -> None:
    """Promises 1 to 6: calls are lost, doubled, cut and reset, nodes crash at any moment, clocks are wrong, disks are full
    or put back; once all heals, everything acknowledged is in its log and at the nation once, proven, final and replayable.
    """
    done = list(outcomes(range(1, 1 + MANY) if full_size else (*range(1, 1 + FEW), *ONCE_BROKEN)))
    assert "" == sentences(done)
    put_back, found = sum(each.put_back for each in done), sum(each.found for each in done)
    assert put_back == found > 0
    lost, twice = sum(each.entries_lost for each in done), sum(each.entries_twice for each in done)
    tried(
        1,
        "simulated networks, each from one seed",
        seeds=len(done),
        nodes=sum(each.nodes for each in done),
        crashes=sum(each.crashes for each in done),
        messages_lost=sum(each.lost.messages_lost for each in done),
        entries=sum(each.entries for each in done),
        lost=lost,
    )
    tried(2, "the same simulated networks", doubled_calls=sum(each.lost.doubled for each in done), twice=twice)
    tried(4, "disks of simulated provinces put back to an earlier state", put_back=put_back, found=found)
    quiet = round(max(each.quiet_seconds for each in done), 1)
    tried(5, "the same simulated networks, healed", cuts=sum(each.lost.cuts for each in done), virtual_seconds=quiet)
    tried(6, "the same simulated networks", bad_filings=sum(each.bad for each in done))


def test_a_nation_that_is_put_back_loses_nothing_once_the_runbook_is_followed(tried: Tried, full_size: bool) -> None:
    """Promises 1, 2 and 4: whatever else goes wrong, the nation learns that its log was put back; recovered and accepted by
    hand everything acknowledged is in its log once, at every region that it concerns, proven, final and replayable.
    """
    seeds = range(1, 1 + MANY_NATIONS) if full_size else (*range(1, 1 + FEW_NATIONS), *TELLING)
    done = list(outcomes(seeds, old_nation=True))
    assert "" == sentences(done, "--old-nation")
    put_back, found = sum(each.put_back for each in done), sum(each.found for each in done)
    assert put_back == found > 0
    lost, twice = sum(each.entries_lost for each in done), sum(each.entries_twice for each in done)
    what = "disks of simulated nations put back to an earlier state"
    tried(4, what, seeds=len(done), put_back=put_back, found=found, lost=lost, twice=twice)


def test_the_same_seed_is_the_same_run() -> None:
    """Guards: a seed that failed fails again, in this process and in any other, byte for byte."""
    script = (
        "from tests.faults.simulation.run import run_seed; print(*(run_seed(seed).digest for seed in range(20, 32)))"
    )
    here = [run_seed(seed).digest for seed in range(20, 32)]
    command = [sys.executable, "-c", script]
    elsewhere = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": "7"}
    )
    assert here == elsewhere.stdout.split()
    assert here == [run_seed(seed).digest for seed in range(20, 32)]
    assert len(here) == len(set(here))
