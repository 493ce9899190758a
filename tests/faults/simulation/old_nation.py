"""The nation, whose disk is put back to an earlier image: what others witnessed of its log since is found and made good.

It is put back when a province has cosigned more of its log than the image holds, and starts while its lines are as bad as
ever. Once everything healed the runbook is followed: recovered, once more from the image where it took something in on top
of it, and accepted by hand by each province and by whoever files with it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from regulator_node.nation_recovery import NationRecovered
from regulator_node.nation_witness import read_witnessed
from shared.errors import FailedPrecondition
from shared.evidence.forks import size_of
from shared.told_head import ToldHead
from tests.faults.simulation.checks import Checks
from tests.faults.simulation.founded import NATION
from tests.faults.simulation.nodes import Node, ProviderNode, RegulatorNode
from tests.faults.simulation.plans import Plan
from tests.faults.simulation.put_back import PutBack, until_heard


class OldNation(PutBack):
    """What is done to the nation; as `PutBack`, of the nodes by name."""

    def __init__(self, plan: Plan, nodes: Mapping[str, Node], checks: Checks, chance: random.Random) -> None:
        """Takes those who know its log: the provinces, and who files with it."""
        nation = nodes[NATION]
        assert isinstance(nation, RegulatorNode)
        super().__init__(plan, nation, checks, chance)
        self._nation = nation
        self._provinces = [node for node in nodes.values() if isinstance(node, RegulatorNode) and node is not nation]
        self._providers = [
            node for node in nodes.values() if isinstance(node, ProviderNode) and node.regulator == NATION
        ]

    def _is_witnessed(self, node: RegulatorNode, size: int) -> bool:
        notes = [read_witnessed(province.disk.connection.transaction()) for province in self._provinces]
        return max(size_of(note) if note else 0 for note in notes) > size

    async def mended(self) -> bool:
        """Waits until it is found, and does what the runbook says; returns whether everything has to be well then."""
        if not self.done:
            return True
        if not await self._reason(self._nation):
            return self._still_there(self._nation)
        self.found = 1
        recovered = await self._recovered()
        told = ToldHead(recovered.head.size, recovered.head.root)
        holders: list[RegulatorNode | ProviderNode] = [*self._provinces, *self._providers]
        for node in holders:
            await self._accepted(node, told)
        self._checks.put_back.discard(NATION)
        return True

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
