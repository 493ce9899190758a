"""Runs one seed from beginning to end: people act while accidents happen, everything heals, and all of it is checked."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from shared.chance import drawn_from
from tests.faults.simulation.checks import Checks
from tests.faults.simulation.founded import NATION, PROVIDERS, PROVINCES, founded
from tests.faults.simulation.lives import make_task
from tests.faults.simulation.logged import logged
from tests.faults.simulation.nodes import Node, ProviderNode, RegulatorNode, Surroundings
from tests.faults.simulation.old_disks import OldDisk
from tests.faults.simulation.old_nation import OldNation
from tests.faults.simulation.people import Backend, Ledger, Officer
from tests.faults.simulation.plans import Accident, Plan, plan_of, with_old_nation
from tests.faults.simulation.put_back import PutBack
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.virtual_time import VirtualTimeLoop
from tests.faults.simulation.weather import Line, Lost, Weather
from tests.faults.simulation.wire import Wire

QUIET_SECONDS: Final = 60.0
"""Within so many virtual seconds after everything healed nothing is under way any more."""


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        seed: of the run.
        broken: each broken promise, in a sentence; none where all were kept.
        digest: the same for the same seed.
        nodes: that took part.
        crashes: of nodes.
        entries: in the logs at the end.
        calls: of people, answered.
        lost: what the network did.
        put_back: disks that were put back to an earlier image.
        found: of these, how many were found.
        bad: filings that were made by a wrong clock.
        entries_lost: acknowledged and not where they belong at the end.
        entries_twice: more often in a log than they were sent.
        quiet_seconds: until nothing was under way any more, after everything healed.
    """

    seed: int
    broken: list[str] = field(default_factory=list)
    digest: str = ""
    nodes: int = 0
    crashes: int = 0
    entries: int = 0
    calls: int = 0
    lost: Lost = field(default_factory=Lost)
    put_back: int = 0
    found: int = 0
    bad: int = 0
    entries_lost: int = 0
    entries_twice: int = 0
    quiet_seconds: float = 0.0


def run_seed(seed: int, show: Callable[[str], None] | None = None, *, old_nation: bool = False) -> Outcome:
    """Runs one seed.

    Args:
        seed: any number; the same one is the same run.
        old_nation: whether the nation's disk is put back, instead of perhaps a province's.
        show: is told what happens, line by line.
    """
    founded()
    # What is collected when would depend on what this process did before.
    gc.disable()
    loop = VirtualTimeLoop()
    loop.set_task_factory(make_task)  # type: ignore[arg-type]
    chance = random.Random(seed)
    trace = Trace(loop.time, show)
    try:
        with drawn_from(random.Random(chance.random())), logged(trace) as problems:
            outcome = loop.run_until_complete(_Run(seed, chance, trace, old_nation=old_nation).run())
            outcome.broken += problems
            outcome.broken += [f"nobody handled: {each}" for each in loop.unhandled]
    finally:
        loop.close()
        gc.enable()
    outcome.digest = trace.digest()
    return outcome


class _Run:
    def __init__(self, seed: int, chance: random.Random, trace: Trace, *, old_nation: bool) -> None:
        self._plan: Plan = with_old_nation(plan_of(chance)) if old_nation else plan_of(chance)
        self._chance = chance
        self._trace = trace
        self._weather = Weather(chance, self._plan.badness, self._plan.slowest)
        self._around = Surroundings(Wire(self._weather, trace), trace, chance)
        self._nodes: dict[str, Node] = {}
        for name in self._plan.nodes:
            self._nodes[name] = self._make(name)
            self._nodes[name].ahead = timedelta(seconds=round(self._plan.skews[name], 6))
        self._ledger = Ledger()
        self._checks = Checks(self._nodes, self._ledger, chance)
        old = OldNation if old_nation else OldDisk
        self._old_disk: PutBack = old(self._plan, self._nodes, self._checks, chance)
        self._outcome = Outcome(seed, nodes=len(self._nodes), lost=self._weather.lost)

    def _make(self, name: str) -> Node:
        if name in PROVIDERS:
            return ProviderNode(name, self._around, f"regulator/{PROVIDERS[name]}", self._plan.max_entries)
        regulator = RegulatorNode(name, self._around)
        regulator.asks = regulator.asks or name == self._plan.put_back
        return regulator

    async def run(self) -> Outcome:
        self._trace.note(f"{self._plan}")
        for node in self._nodes.values():
            node.start()
        await asyncio.gather(
            *(self._accident(each) for each in self._plan.accidents), *self._people(), self._old_disk.put_back()
        )
        self._heal()
        if await self._old_disk.mended():
            await self._until_quiet()
            if not self._outcome.broken:
                self._outcome.broken += await self._checks.at_the_end()
        self._outcome.broken += self._old_disk.broken
        self._add_up()
        await self._end()
        return self._outcome

    async def _end(self) -> None:
        for node in self._nodes.values():
            node.crash()
        await asyncio.sleep(1.0)
        for node in self._nodes.values():
            left = sum(life.left for life in node.ended)
            if left:
                self._outcome.broken.append(f"{left} tasks of {node.name} outlived it")

    def _people(self) -> list[Awaitable[None]]:
        nodes = self._nodes.values()
        backends = [Backend(node, self._chance, self._ledger) for node in nodes if isinstance(node, ProviderNode)]
        officers = [
            Officer(node, self._chance, self._ledger)
            for node in nodes
            # What the nation's officers decided would be lost with its disk: nobody else holds it.
            if isinstance(node, RegulatorNode) and not node.name == self._plan.put_back == NATION
        ]
        return [
            *(self._later(self._chance.choice(backends).act) for _ in range(self._plan.acts)),
            *(self._later(self._chance.choice(officers).act) for _ in range(self._plan.decisions)),
        ]

    async def _later(self, act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, self._plan.seconds))
        await act()

    async def _accident(self, accident: Accident) -> None:
        await asyncio.sleep(accident.at)
        node = self._nodes[accident.node]
        self._trace.note(f"{accident.kind} {accident.node} {accident.other}")
        if accident.kind == "crash":
            await self._crash(node, accident.seconds)
        elif accident.kind == "full":
            if node.up:
                node.database.full_until = asyncio.get_running_loop().time() + accident.seconds
        else:
            pair = frozenset((accident.node, accident.other))
            self._weather.cut(pair, Line.SILENT if accident.kind == "silent" else Line.REFUSES)
            await asyncio.sleep(accident.seconds)
            self._weather.mend(pair)

    async def _crash(self, node: Node, seconds: float) -> None:
        if not node.up:
            return
        self._outcome.crashes += 1
        node.crash()
        self._outcome.broken += self._checks.at_any_time()
        await asyncio.sleep(seconds)
        if not node.up:
            node.start()

    def _heal(self) -> None:
        self._trace.note("everything heals")
        self._weather.heal()
        for node in self._nodes.values():
            if not node.up:
                node.start()
            node.database.full_until = 0.0

    async def _until_quiet(self) -> None:
        loop = asyncio.get_running_loop()
        healed, under_way = loop.time(), "?"
        while under_way and loop.time() < healed + QUIET_SECONDS:
            await asyncio.sleep(0.5)
            under_way = self._checks.is_quiet()
        self._outcome.quiet_seconds = loop.time() - healed
        if under_way:
            self._outcome.broken.append(f"{QUIET_SECONDS:.0f} seconds after everything healed, {under_way}")

    def _add_up(self) -> None:
        self._outcome.calls, self._outcome.bad = self._ledger.calls, self._ledger.bad
        self._outcome.entries_lost, self._outcome.entries_twice = self._checks.lost, self._checks.twice
        self._outcome.put_back, self._outcome.found = self._old_disk.done, self._old_disk.found
        for name in (NATION, *PROVINCES):
            node = self._nodes[name]
            rows = node.disk.rows("SELECT entry FROM log_entry WHERE jurisdiction = ? ORDER BY log_index", name[-6:])
            self._outcome.entries += len(rows)
            for (entry,) in rows:
                self._trace.add(entry)
