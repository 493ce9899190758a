"""Promises 1, 2 and 3 where the power goes: what was acknowledged is there, once, and the log holds; nodes go on."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.power_check import Cut, check_what_is_left
from tests.faults.power_disk import PowerDisk, Replay, Told, in_use
from tests.faults.power_network import NODES, Keys, work
from tests.tried import Tried

ROUNDS = 2
"""How often the nodes are started and worked with before the power goes."""

DEEPLY = 5
"""Of so many cuts the registers are replayed from their logs after one: that costs as much as all the rest."""


@dataclass
class Season:
    """A network that worked once, and what became of it when the power went at one moment or another.

    Attributes:
        folder: where the nodes' files are, at the very same path after each cut: journals name one another by it.
        keeps_syncs: whether the disk keeps what it is told to.
    """

    folder: Path
    seed: int
    keeps_syncs: bool = True
    cuts: int = 0
    in_checkpoints: int = 0
    again: int = 0
    told: int = 0
    left: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._keys = Keys()

    async def run(self, cuts: int) -> None:
        """Has the network work, and the power go so many times."""
        disk = PowerDisk(self.folder, self.keeps_syncs)
        with in_use(disk):
            await work(self.folder, self._keys, disk, ROUNDS, self._random)
        overwriting = set(disk.overwritten)
        moments = [self._moment(disk) for _ in range(cuts)]
        replay = Replay(disk)
        for moment in sorted(moments):
            self.in_checkpoints += moment in overwriting
            again = await self._cut(replay, disk, moment, ())
            if self._random.random() < 0.25:
                # While the nodes recover, or just afterwards.
                self.again += 1
                await self._cut(Replay(again), again, self._moment(again), _told_by(disk, moment))

    def _moment(self, disk: PowerDisk) -> int:
        anywhere = self._random.randint(disk.begun, len(disk.steps))
        overwriting = self._random.random() < 0.3
        return self._random.choice(disk.overwritten) if overwriting and disk.overwritten else anywhere

    async def _cut(self, replay: Replay, disk: PowerDisk, moment: int, before: tuple[Told, ...]) -> PowerDisk:
        replay.advance(moment)
        shutil.rmtree(self.folder)
        cut = [node for node in NODES if self._random.random() < 0.5] or list(NODES)
        replay.leave(self.folder, cut, self._random)
        told = (*before, *_told_by(disk, moment))
        recorded = PowerDisk(self.folder, self.keeps_syncs)
        with in_use(recorded):
            left = await check_what_is_left(
                self.folder, self._keys, told, deeply=self.cuts % DEEPLY == 0, disk=recorded
            )
        self.left.append(left)
        self.cuts, self.told = self.cuts + 1, self.told + len(told)
        return recorded


def _told_by(disk: PowerDisk, moment: int) -> tuple[Told, ...]:
    return tuple(told for told in disk.told if told.after <= moment)


async def test_power_that_goes_at_any_moment_costs_nothing_acknowledged(
    tmp_path: Path, tried: Tried, full_size: bool
) -> None:
    """Promises 1, 2, 3: unsynced writes are dropped, torn and reordered under three nodes: none of what was told is lost."""
    seasons, cuts = (20, 100) if full_size else (1, 30)
    done = [Season(tmp_path / "n", seed) for seed in range(seasons)]
    for season in done:
        season.folder.mkdir()
        await season.run(cuts)
        shutil.rmtree(season.folder)
    found = [finding for season in done for left in season.left for finding in left.findings]
    assert [] == found
    tried(
        1,
        "power cuts that drop, tear and reorder unsynced writes of three nodes",
        cuts=sum(season.cuts for season in done),
        in_checkpoints=sum(season.in_checkpoints for season in done),
        while_recovering=sum(season.again for season in done),
        facts_looked_for=sum(season.told for season in done),
        lost=sum(len(left.lost) for season in done for left in season.left),
        twice=sum(len(left.twice) for season in done for left in season.left),
    )


async def test_a_disk_that_keeps_no_sync_is_found_out(tmp_path: Path) -> None:
    """Guards: the harness finds losses and damage where nothing is synced, as under PRAGMA synchronous=OFF."""
    season = Season(tmp_path / "n", seed=1, keeps_syncs=False)
    season.folder.mkdir()
    await season.run(12)
    assert any(left.lost for left in season.left)
    assert any(left.damaged for left in season.left)
