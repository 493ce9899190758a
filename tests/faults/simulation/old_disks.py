"""A province whose disk is put back to an earlier image, which rewrites history that the nation witnessed: it has to be found.

It is put back when the nation holds all that it lost. Then its log is behind, or, where it took something in before the
nation could be asked, forked. What is behind is recovered, and nothing is lost; what forked is told at both ends, and the
nation keeps what it holds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

from shared.errors import FailedPrecondition
from tests.faults.simulation.checks import Checks
from tests.faults.simulation.founded import NATION
from tests.faults.simulation.nodes import Node, RegulatorNode
from tests.faults.simulation.plans import Plan
from tests.faults.simulation.put_back import FOUND_SECONDS, LOOK_SECONDS, PutBack, until_heard


class OldDisk(PutBack):
    """What is done to the province that the plan names; as `PutBack`, of the nodes by name."""

    def __init__(self, plan: Plan, nodes: Mapping[str, Node], checks: Checks, chance: random.Random) -> None:
        """Takes the nation, which holds a copy of the province's log."""
        node = nodes.get(plan.put_back)
        super().__init__(plan, node if isinstance(node, RegulatorNode) else None, checks, chance)
        self._nation = nodes[NATION]

    def _is_witnessed(self, node: RegulatorNode, size: int) -> bool:
        held = self._held(node)
        return len(held) > size and held == self._held(self._nation)

    async def mended(self) -> bool:
        """Waits until it is found, and mends it where that can be done; returns whether all is as if it had not been."""
        node = self._node
        if node is None or not self.done:
            return True
        reason = await self._reason(node)
        if not reason:
            return await self._grown_back(node)
        self.found = 1
        if not await self._told_by_nation(node):
            self.broken.append(f"{node.name} rewrote its log, and the nation says nothing of it")
        if reason == "LOG_BEHIND" and await self._recovered(node):
            self._checks.put_back.discard(node.name)
            return True
        if self._held(self._nation) != self._witnessed:
            self.broken.append(f"the nation took over what {node.name} rewrote")
        return False

    async def _grown_back(self, node: RegulatorNode) -> bool:
        """Looks at a log that nobody finds wrong: nothing may be missing, because all that it lost was sent again.

        That is so where no acknowledgement of it had arrived. Its entries may be in other runs than those that the nation
        copied; then copying stops, and the nation says so.
        """
        if not self._still_there(node):
            return False
        if self._held(self._nation) == self._held(node):
            return True
        if not await self._told_by_nation(node):
            self.broken.append(f"the nation copies the log of {node.name} no further, and says nothing of it")
        return False

    async def _told_by_nation(self, node: RegulatorNode) -> bool:
        sizes = "SELECT size, last_error FROM log WHERE jurisdiction = ?"
        for _ in range(int(FOUND_SECONDS / LOOK_SECONDS)):
            ((size, told),) = self._nation.disk.rows(sizes, node.jurisdiction)
            ((own, _),) = node.disk.rows(sizes, node.jurisdiction)
            # A log that is just as long shows nothing new: the province alone knows, and adds nothing to it.
            if told.startswith("EVIDENCE_REFUSED") or own == size:
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def _recovered(self, node: RegulatorNode) -> bool:
        try:
            await until_heard(node.recover)
        except FailedPrecondition as error:
            if error.reason != "LOG_FORKED":
                raise
            return False
        finally:
            if not node.up:
                node.start()
        return True
