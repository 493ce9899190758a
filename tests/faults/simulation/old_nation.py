"""The nation, whose disk is put back to an earlier image: what others witnessed of its log since is found and made good.

It is put back when a province has cosigned more of its log than the image holds, and starts while its lines are as bad as
ever. Once everything healed the runbook is followed: recovered, once more from the image where it took something in on top
of it, and accepted by hand by each province and by whoever files with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Final

from regulator_node.nation_recovery import NationRecovered
from regulator_node.nation_witness import read_witnessed
from shared.errors import FailedPrecondition
from shared.evidence.forks import size_of
from shared.told_head import ToldHead
from tests.faults.simulation.checks import Checks, Entries
from tests.faults.simulation.founded import NATION
from tests.faults.simulation.nodes import Node, ProviderNode, RegulatorNode
from tests.faults.simulation.old_disks import FOUND_SECONDS, LOOK_SECONDS, LOOKS, until_heard
from tests.faults.simulation.plans import Plan

_OWN: Final = "100000"


class OldNation:
    """What is done to the nation where the plan says so.

    Args:
        plan: of the run.
        nodes: by name.
        checks: told of it.
        chance: decides when.

    Attributes:
        done: how many disks were put back.
        found: of these, how many were found.
        broken: what was not as promised.
    """

    def __init__(self, plan: Plan, nodes: Mapping[str, Node], checks: Checks, chance: random.Random) -> None:
        self._plan = plan
        nation = nodes[NATION]
        assert isinstance(nation, RegulatorNode)
        self._nation = nation
        self._provinces = [node for node in nodes.values() if isinstance(node, RegulatorNode) and node is not nation]
        self._providers = [
            node for node in nodes.values() if isinstance(node, ProviderNode) and node.regulator == NATION
        ]
        self._checks = checks
        self._chance = chance
        self._image = b""
        self._witnessed: Entries = {}
        self.done = 0
        self.found = 0
        self.broken: list[str] = []

    async def put_back(self) -> None:
        """Puts the disk back, if a province ever cosigns what the image has not."""
        nation = self._nation
        await asyncio.sleep(self._chance.uniform(0.0, self._plan.seconds / 2))
        self._image, size = nation.disk.image(), len(self._held())
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_SECONDS)
            if nation.up and self._cosigned() > size:
                break
        else:
            return
        self.done, self._witnessed = 1, self._held()
        self._checks.put_back.add(NATION)
        nation.crash()
        nation.disk.put_back(self._image)
        await asyncio.sleep(self._chance.uniform(0.01, 2.0))
        if not nation.up:
            nation.start()

    async def mended(self) -> bool:
        """Waits until it is found, and does what the runbook says; returns whether everything has to be well then."""
        if not self.done:
            return True
        if not await self._known():
            return self._grown_back()
        self.found = 1
        recovered = await self._recovered()
        told = ToldHead(recovered.head.size, recovered.head.root)
        holders: list[RegulatorNode | ProviderNode] = [*self._provinces, *self._providers]
        for node in holders:
            await self._accepted(node, told)
        self._checks.put_back.discard(NATION)
        return True

    def _grown_back(self) -> bool:
        """Looks at a log that nobody finds wrong: all that it lost was sent again, because no acknowledgement had arrived."""
        held = self._held()
        if {index: held.get(index) for index in self._witnessed} != self._witnessed:
            self.broken.append("the nation was put back to an earlier state, and nobody knows")
            return False
        self.done = 0
        self._checks.put_back.discard(NATION)
        return True

    async def _known(self) -> bool:
        for _ in range(int(FOUND_SECONDS / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            if self._nation.parts is not None and self._nation.parts.log.held_back is not None:
                return True
        return False

    async def _recovered(self) -> NationRecovered:
        nation = self._nation
        try:
            return await until_heard(nation.recover_as_nation)
        except FailedPrecondition as error:
            if error.reason != "LOG_FORKED":
                raise
            nation.disk.put_back(self._image)
            return await until_heard(nation.recover_as_nation)
        finally:
            nation.start()

    async def _accepted(self, node: RegulatorNode | ProviderNode, told: ToldHead) -> None:
        try:
            await until_heard(lambda: node.accept(told))
        except FailedPrecondition as error:
            # It saw nothing of what was lost.
            if error.reason != "NOTHING_TO_ACCEPT":
                raise
        finally:
            node.start()

    def _cosigned(self) -> int:
        notes = [read_witnessed(node.disk.connection.transaction()) for node in self._provinces]
        return max(size_of(note) if note else 0 for note in notes)

    def _held(self) -> Entries:
        return dict(self._nation.disk.rows("SELECT log_index, entry FROM log_entry WHERE jurisdiction = ?", _OWN))
